package web

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/wire"
)

// A receipt is what is answered of a file that was stored: the object that 'labnet
// upload --json' prints, and what the client's digest was compared by.
type receipt struct {
	terminal.Object
	Compared *string `json:"compared"` // "sha-256", or null if the client gave none
}

// put receives a file: curl -fT report.pdf http://host:9000/
func (x *exchange) put() {
	name := strings.TrimPrefix(x.r.URL.Path, "/")
	if name == "" || strings.HasSuffix(name, "/") {
		x.refuse(&wire.Error{Code: wire.CodeName, Text: "the path names no file"})
		return
	}
	if x.r.Header.Get("Content-Range") != "" {
		x.refuse(&wire.Error{Code: wire.CodeProtocol, Text: "a part of a file cannot be sent like this; see tus"})
		return
	}
	if x.r.ContentLength == 0 && x.r.Header.Get("Content-Length") == "" {
		x.problem(http.StatusLengthRequired, "protocol", "the request does not say where the contents end", "send Content-Length or Transfer-Encoding: chunked")
		return
	}
	if x.isEncoded() {
		return
	}
	want, err := digestOf(x.r.Header)
	if err != nil {
		x.refuse(&wire.Error{Code: wire.CodeProtocol, Text: err.Error()})
		return
	}
	modified, err := modTimeOf(x.r.Header.Get("X-OC-Mtime"))
	if err != nil {
		x.refuse(&wire.Error{Code: wire.CodeProtocol, Text: err.Error()})
		return
	}
	got, err := x.receive(name, x.r.ContentLength, modified, want, x.r.Body)
	if err != nil {
		x.refuse(err)
		return
	}
	x.stored(got)
}

// isEncoded refuses contents that are not sent as they are.
func (x *exchange) isEncoded() bool {
	encoding := x.r.Header.Get("Content-Encoding")
	if encoding == "" || strings.EqualFold(encoding, "identity") {
		return false
	}
	x.Header().Set("Accept-Encoding", "identity")
	x.problem(http.StatusUnsupportedMediaType, "unsupported", "contents must be sent without Content-Encoding", "")
	return true
}

// stored answers that a file is safe.
func (x *exchange) stored(got receipt) {
	x.locate(got.Name)
	if x.r.Header.Get("Want-Repr-Digest") != "" || got.Compared != nil {
		if sum, err := hex.DecodeString(got.SHA256); err == nil && len(sum) > 0 {
			x.Header().Set("Repr-Digest", reprDigest(sum))
		}
	}
	status := http.StatusCreated
	if got.Unchanged {
		status = http.StatusOK
	}
	x.json(status, got)
}

// locate tells under which name a file is stored.
func (x *exchange) locate(name string) {
	x.Header().Set("Content-Location", (&url.URL{Path: path.Join("/", name)}).String())
}

// reprDigest writes a SHA-256 as RFC 9530 does.
func reprDigest(sum []byte) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum) + ":"
}

// receive stores a file of size bytes, or of as many as come if that is negative.
// want is its SHA-256, or nil if the client does not tell.
func (x *exchange) receive(name string, size int64, modified time.Time, want []byte, contents io.Reader) (receipt, error) {
	begun := time.Now()
	a := wire.Announcement{Name: name, Size: size, ModTime: modified, Digest: wire.Digests()[0]}
	if x.r.Header.Get("If-None-Match") == "*" {
		a.Replace = wire.RefuseTaken
	}
	if want != nil || x.r.Header.Get("Want-Repr-Digest") != "" {
		a.Digest, _ = wire.DigestByName("sha256")
	}
	file, err := x.h.Create(a)
	if err != nil {
		return receipt{}, err
	}
	n, err := file.ReadFrom(contents)
	if err == nil && size >= 0 && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		file.Abort()
		return receipt{}, cutOff(err)
	}
	saved, err := file.Commit(wire.Sum{Size: n, Digest: want})
	if err == nil && saved.Unchanged && a.Replace == wire.RefuseTaken {
		err = &wire.Error{Code: wire.CodeExists, Text: "the same file is there already"}
	}
	if err != nil {
		return receipt{}, err
	}
	return receiptOf(saved, a.Digest.Name, want != nil, time.Since(begun)), nil
}

func receiptOf(saved wire.Saved, digest string, compared bool, took time.Duration) receipt {
	o := terminal.Object{Op: "upload", Time: terminal.Timestamp(), Name: saved.Name, Size: &saved.Size, Unchanged: saved.Unchanged}
	o.Seconds = new(terminal.Seconds(took))
	got := receipt{Object: o.WithDigest(digest, saved.Hex())}
	if compared {
		got.Compared = new("sha-256")
	}
	return got
}

// cutOff is the error about contents that did not come to their end.
func cutOff(err error) error {
	if _, told := errors.AsType[*wire.Error](err); told {
		return err
	}
	_, network := errors.AsType[net.Error](err)
	if network || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &wire.Error{Code: wire.CodeMismatch, Text: "the contents ended before their announced length"}
	}
	return err
}

const fileHint = "a file is sent by PUT: curl -fT FILE URL"

// post receives a text, or the files of a form.
func (x *exchange) post() {
	if x.isEncoded() {
		return
	}
	kind, params, _ := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	switch kind {
	case "multipart/form-data":
		x.form(multipart.NewReader(x.r.Body, params["boundary"]))
	case "text/plain", "application/x-www-form-urlencoded": // as curl -d calls all that it sends
		x.text()
	default:
		x.problem(http.StatusUnsupportedMediaType, "unsupported", "send a text (text/plain) or a form (multipart/form-data)", fileHint)
	}
}

// text answers a text: curl -d hello http://host:9000/
func (x *exchange) text() {
	text, err := io.ReadAll(io.LimitReader(x.r.Body, wire.MaxString+1))
	if err != nil {
		x.refuse(&wire.Error{Code: wire.CodeProtocol, Text: "the message did not come to its end"})
		return
	}
	if len(text) > wire.MaxString {
		x.refuseWith(&wire.Error{Code: wire.CodeTooLarge, Text: fmt.Sprintf("a message has at most %d bytes", wire.MaxString)}, fileHint)
		return
	}
	reply, err := x.h.Say(string(text))
	if err != nil {
		x.refuse(err)
		return
	}
	x.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(x, reply+"\n")
}

// form receives each file of a form, and answers with their receipts. What follows one
// that is refused is not received.
func (x *exchange) form(parts *multipart.Reader) {
	for {
		x.h.LimitBody()
		part, err := parts.NextRawPart()
		switch {
		case err == io.EOF && len(x.received) > 0 && x.forPerson():
			x.show(http.StatusCreated, nil)
			return
		case err == io.EOF && len(x.received) > 0:
			x.json(http.StatusCreated, x.received)
			return
		case err == io.EOF:
			x.refuseWith(&wire.Error{Code: wire.CodeProtocol, Text: "the form has no file"}, "name one: curl -F file=@FILE URL")
			return
		case err != nil:
			x.refuse(&wire.Error{Code: wire.CodeProtocol, Text: "the form did not come to its end"})
			return
		}
		name := fileNameOf(part)
		if name == "" { // another field, or no file was chosen
			continue
		}
		got, err := x.receive(name, -1, time.Time{}, nil, part)
		if err != nil {
			x.refuse(err)
			return
		}
		x.received = append(x.received, got)
	}
}

// fileNameOf returns the name of a file in a form, with the folders that a browser tells
// of it.
func fileNameOf(part *multipart.Part) string {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil {
		return ""
	}
	return params["filename"]
}

// digestOf returns the SHA-256 that a client tells of what it sends (RFC 9530), or nil.
func digestOf(h http.Header) (sum []byte, err error) {
	for _, field := range []string{"Repr-Digest", "Content-Digest"} {
		for _, one := range strings.Split(strings.Join(h.Values(field), ","), ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(one), "=")
			if !strings.EqualFold(name, "sha-256") {
				continue
			}
			text, ok := strings.CutPrefix(value, ":")
			text, closed := strings.CutSuffix(text, ":")
			got, err := base64.StdEncoding.DecodeString(text)
			if !ok || !closed || err != nil || len(got) != 32 {
				return nil, fmt.Errorf("%s is not a SHA-256", field)
			}
			if sum != nil && !bytes.Equal(sum, got) {
				return nil, errors.New("Repr-Digest and Content-Digest differ")
			}
			sum = got
		}
	}
	return sum, nil
}

// modTimeOf reads a time in seconds since 1970, which may have a fraction. "" is none.
func modTimeOf(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	whole, part, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 42)
	nanos, partErr := strconv.ParseUint((part + "000000000")[:9], 10, 32)
	if err != nil || partErr != nil {
		return time.Time{}, fmt.Errorf("%q is not a time in seconds since 1970", text)
	}
	return time.Unix(seconds, int64(nanos)), nil
}
