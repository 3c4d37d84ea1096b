package web

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labnet/labnet/wire"
)

// What follows is tus 1.0, the resumable protocol of https://tus.io. The URL of an
// upload says all that a server must know of it, so that none is remembered: a server
// that was restarted continues with what its store has.

const (
	tusPath       = "/tus/"
	tusVersion    = "1.0.0"
	tusType       = "application/offset+octet-stream"
	tusAlgorithms = "sha1,sha256"
	// statusChecksum is how tus tells that a checksum does not match.
	statusChecksum = 460
)

// A tusUpload is what the URL of an upload says, in base64 of JSON. Clients may make one
// up: it gives no more rights than they have.
type tusUpload struct {
	Name string `json:"n"`
	Size int64  `json:"s"`
	// ModTime is in the form of modTimeOf.
	ModTime string `json:"m,omitempty"`
	// SHA256 is what the contents are compared with, if the client told.
	SHA256 string `json:"d,omitempty"`
	ID     string `json:"i"`
	// Boot is Options.Boot at the beginning.
	Boot string `json:"b,omitempty"`

	url      string
	modified time.Time
	want     []byte
}

// tus answers a request under tusPath. Its method may be in a header, as some clients
// cannot send PATCH and DELETE.
func (f *Front) tus(x *exchange) {
	x.Header().Set("Tus-Resumable", tusVersion)
	method, url := x.r.Method, strings.TrimPrefix(x.r.URL.Path, tusPath)
	if override := x.r.Header.Get("X-HTTP-Method-Override"); override != "" && method == http.MethodPost {
		method = override
	}
	switch {
	case method == http.MethodOptions:
		f.tusOptions(x)
		return
	case x.r.Header.Get("Tus-Resumable") != tusVersion:
		x.Header().Set("Tus-Version", tusVersion)
		x.problem(http.StatusPreconditionFailed, "unsupported", "the header Tus-Resumable must be "+tusVersion, "")
		return
	case url == "" && method == http.MethodPost:
		x.authorized(func() { f.tusCreate(x) })
		return
	case url == "":
		x.notAllowed("POST", "OPTIONS")
		return
	}
	var do func(*exchange, *tusUpload)
	switch method {
	case http.MethodHead:
		do = f.tusHead
	case http.MethodPatch:
		do = f.tusPatch
	case http.MethodDelete:
		do = f.tusDelete
	default:
		x.notAllowed("HEAD", "PATCH", "DELETE")
		return
	}
	x.authorized(func() {
		up, err := parseTusURL(url)
		if err != nil {
			x.problem(http.StatusNotFound, "not-found", "this is not the URL of an upload", "")
			return
		}
		do(x, up)
	})
}

// tusOptions tells what of tus there is.
func (f *Front) tusOptions(x *exchange) {
	extensions := "creation,creation-with-upload,checksum,termination"
	if f.PartialTTL > 0 {
		extensions += ",expiration"
	}
	x.Header().Set("Tus-Version", tusVersion)
	x.Header().Set("Tus-Extension", extensions)
	x.Header().Set("Tus-Checksum-Algorithm", tusAlgorithms)
	x.WriteHeader(http.StatusNoContent)
}

// tusCreate begins an upload, perhaps with its first bytes.
func (f *Front) tusCreate(x *exchange) {
	up, err := f.newTusUpload(x.r.Header)
	if err != nil {
		x.refuse(&wire.Error{Code: wire.CodeProtocol, Text: err.Error()})
		return
	}
	file, err := x.h.Create(up.announcement()) // which refuses what could not be stored
	if err != nil {
		x.refuse(err)
		return
	}
	x.Header().Set("Location", tusPath+up.url)
	if x.r.Header.Get("Content-Type") == tusType {
		f.tusReceive(x, up, file, http.StatusCreated)
		return
	}
	if up.Size == 0 || file.Agreed() {
		f.tusCommit(x, up, file, http.StatusCreated)
		return
	}
	file.Suspend()
	f.expires(x)
	x.WriteHeader(http.StatusCreated)
}

// newTusUpload reads what a client tells of a new upload.
func (f *Front) newTusUpload(h http.Header) (*tusUpload, error) {
	size, err := strconv.ParseInt(h.Get("Upload-Length"), 10, 64)
	if err != nil || size < 0 {
		return nil, errors.New("the header Upload-Length must have the size of the file")
	}
	up := &tusUpload{Size: size, ID: rand.Text(), Boot: f.Boot}
	for _, pair := range strings.Split(h.Get("Upload-Metadata"), ",") {
		key, encoded, _ := strings.Cut(strings.TrimSpace(pair), " ")
		value, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, fmt.Errorf("Upload-Metadata has a value for %q that is not base64", key)
		}
		switch key {
		case "filename":
			up.Name = string(value)
		case "mtime":
			up.ModTime = string(value)
		case "sha256":
			up.SHA256 = strings.ToLower(string(value))
		}
	}
	if up.Name == "" {
		return nil, errors.New("Upload-Metadata must have the filename")
	}
	b, err := json.Marshal(up)
	if err != nil {
		return nil, err
	}
	return parseTusURL(base64.RawURLEncoding.EncodeToString(b))
}

// parseTusURL reads the end of an upload's URL.
func parseTusURL(url string) (*tusUpload, error) {
	b, err := base64.RawURLEncoding.DecodeString(url)
	if err != nil {
		return nil, err
	}
	up := &tusUpload{url: url}
	if err := json.Unmarshal(b, up); err != nil {
		return nil, err
	}
	if up.modified, err = modTimeOf(up.ModTime); err != nil {
		return nil, err
	}
	if up.want, err = hex.DecodeString(up.SHA256); err != nil || len(up.want) != 0 && len(up.want) != sha256.Size {
		return nil, errors.New("sha256 must be 64 hexadecimal digits")
	}
	if up.Name == "" || up.Size < 0 || up.ID == "" || len(up.ID) > wire.MaxID-len(tusID) {
		return nil, errors.New("not the URL of an upload")
	}
	return up, nil
}

// tusID begins the IDs of uploads by tus.
const tusID = "tus-"

func (up *tusUpload) announcement() wire.Announcement {
	digest, _ := wire.DigestByName("sha256")
	a := wire.Announcement{
		Name: up.Name, ID: tusID + up.ID, Size: up.Size, ModTime: up.modified,
		Digest: digest, Proofs: []wire.Digest{digest},
	}
	if len(up.want) > 0 {
		a.Contents = wire.Proof{Digest: digest, Sum: up.want}
	}
	return a
}

// tusResume continues with an upload. It returns nil if it has answered the request.
func (f *Front) tusResume(x *exchange, up *tusUpload) *wire.Receiving {
	file, err := x.h.Create(up.announcement())
	if err != nil {
		x.refuse(err)
		return nil
	}
	// A client of tus does not compare what is there with what it has. Once the system
	// has crashed, that may be zeros: only a digest of the whole file would show it.
	if file.Offset() > 0 && len(up.want) == 0 && (up.Boot != f.Boot || up.Boot == "") {
		if err := file.Restart(); err != nil {
			file.Abort()
			x.refuse(err)
			return nil
		}
	}
	return file
}

// tusHead tells how much of an upload there is.
func (f *Front) tusHead(x *exchange, up *tusUpload) {
	saved, done := f.done.get(up.url)
	if !done {
		file := f.tusResume(x, up)
		if file == nil {
			return
		}
		offset := file.Offset()
		if file.Agreed() || offset == up.Size { // which tells the client that the file is safe
			f.tusCommit(x, up, file, http.StatusOK)
			return
		}
		file.Suspend()
		if saved, done = f.done.get(up.url); !done { // by another connection, which ended meanwhile
			x.Header().Set("Upload-Offset", strconv.FormatInt(offset, 10))
			x.Header().Set("Upload-Length", strconv.FormatInt(up.Size, 10))
			f.expires(x)
			x.WriteHeader(http.StatusOK)
			return
		}
	}
	x.complete(saved, http.StatusOK)
}

// tusPatch receives bytes of an upload.
func (f *Front) tusPatch(x *exchange, up *tusUpload) {
	offset, err := strconv.ParseInt(x.r.Header.Get("Upload-Offset"), 10, 64)
	switch {
	case x.r.Header.Get("Content-Type") != tusType:
		x.problem(http.StatusUnsupportedMediaType, "unsupported", "the Content-Type must be "+tusType, "")
		return
	case err != nil || offset < 0:
		x.refuse(&wire.Error{Code: wire.CodeProtocol, Text: "the header Upload-Offset must say where the bytes belong"})
		return
	case f.done.has(up.url):
		x.problem(http.StatusConflict, "mismatch", "the file is complete", "")
		return
	}
	file := f.tusResume(x, up)
	if file == nil {
		return
	}
	if at := file.Offset(); at != offset {
		file.Suspend()
		x.problem(http.StatusConflict, "mismatch", fmt.Sprintf("the server has %d bytes", at), "ask for the offset with HEAD")
		return
	}
	f.tusReceive(x, up, file, http.StatusNoContent)
}

// tusReceive appends the body of a request to a file, and commits it if that is all.
func (f *Front) tusReceive(x *exchange, up *tusUpload, file *wire.Receiving, status int) {
	sum, want, err := checksumOf(x.r.Header)
	space := up.Size - file.Offset()
	if err == nil && x.r.ContentLength > space {
		err = &wire.Error{Code: wire.CodeProtocol, Text: fmt.Sprintf("only %d bytes of the file are missing", space)}
	}
	if err != nil {
		file.Suspend()
		x.refuse(err)
		return
	}
	var body io.Reader = x.r.Body
	if sum != nil {
		body = io.TeeReader(body, sum)
	}
	_, err = file.ReadFrom(body)
	if err == nil && sum != nil && string(sum.Sum(nil)) != string(want) {
		file.Abort() // no part of it can be dropped
		x.problem(statusChecksum, string(wire.CodeMismatch), "the bytes do not have the checksum that was sent", "")
		return
	}
	if told, ok := errors.AsType[*wire.Error](err); ok && told.Code == wire.CodeMismatch {
		file.Abort() // more came than belongs to it
		x.refuse(err)
		return
	}
	if err != nil {
		file.Suspend()
		x.refuse(cutOff(err))
		return
	}
	if file.Offset() == up.Size {
		f.tusCommit(x, up, file, status)
		return
	}
	x.Header().Set("Upload-Offset", strconv.FormatInt(file.Offset(), 10))
	file.Suspend()
	f.expires(x)
	x.WriteHeader(status)
}

// checksumOf returns what a client says of the bytes that it sends, or nil.
func checksumOf(h http.Header) (hash.Hash, []byte, error) {
	text := h.Get("Upload-Checksum")
	if text == "" {
		return nil, nil, nil
	}
	name, encoded, _ := strings.Cut(text, " ")
	var sum hash.Hash
	switch name {
	case "sha1":
		sum = sha1.New()
	case "sha256":
		sum = sha256.New()
	default:
		return nil, nil, &wire.Error{Code: wire.CodeProtocol, Text: "checksums are by one of " + tusAlgorithms}
	}
	want, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(want) != sum.Size() {
		return nil, nil, &wire.Error{Code: wire.CodeProtocol, Text: "Upload-Checksum is not a checksum"}
	}
	return sum, want, nil
}

// tusCommit answers that a file is safe.
func (f *Front) tusCommit(x *exchange, up *tusUpload, file *wire.Receiving, status int) {
	saved, err := file.Commit(wire.Sum{Size: up.Size, Digest: up.want})
	if err != nil {
		x.refuse(err)
		return
	}
	f.done.add(up.url, saved)
	x.complete(saved, status)
}

// complete answers what became of an upload.
func (x *exchange) complete(saved wire.Saved, status int) {
	x.Header().Set("Upload-Offset", strconv.FormatInt(saved.Size, 10))
	x.Header().Set("Upload-Length", strconv.FormatInt(saved.Size, 10))
	x.locate(saved.Name)
	x.Header().Set("Repr-Digest", reprDigest(saved.Digest))
	x.WriteHeader(status)
}

// tusDelete drops what there is of an upload.
func (f *Front) tusDelete(x *exchange, up *tusUpload) {
	if f.done.has(up.url) {
		x.problem(http.StatusGone, "not-found", "the file is complete, and nothing that is stored can be deleted", "")
		return
	}
	file, err := x.h.Create(up.announcement())
	if err != nil {
		x.refuse(err)
		return
	}
	file.Abort()
	x.WriteHeader(http.StatusNoContent)
}

// expires tells until when what there is of an upload is kept, if no more comes.
func (f *Front) expires(x *exchange) {
	if f.PartialTTL > 0 {
		x.Header().Set("Upload-Expires", time.Now().Add(f.PartialTTL).UTC().Format(http.TimeFormat))
	}
}
