// Package s3test has object stores for tests: one in memory that fails on
// demand, and a real one where that is installed.
package s3test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/minio/crc64nvme"
)

// A Server is an object store in memory, with one bucket, as far as package s3
// needs it. It is an [http.Handler] and an [http.RoundTripper], which needs no
// network. It keeps to conditions and verifies sums; signatures it does not.
type Server struct {
	// Bucket is the name of the bucket.
	Bucket string
	// MinPart is the least size of a part but the last.
	MinPart int
	// Discard has the contents of objects and parts forgotten, except those
	// below a mebibyte. Then the sum of a whole cannot be verified.
	Discard bool
	// Ahead is by how much its clock is ahead.
	Ahead time.Duration
	// OwnTags has the same contents get another ETag each time, as where they are encrypted.
	OwnTags bool
	// Careless has conditions not looked at.
	Careless bool

	mu      sync.Mutex
	objects map[string]*Object
	uploads map[string]*upload
	reads   map[string]int
	next    int
	tags    int
	ask     Fault
}

// A Fault is asked about each request, before it is carried out and after that,
// and may return a status and a code to fail with; or block. Many goroutines may
// call it at once.
type Fault func(r *http.Request, done bool) (status int, code string)

// SetFault sets what is asked from now on; nil for nothing.
func (s *Server) SetFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ask = f
}

// An Object is one of a Server.
type Object struct {
	Data     []byte
	Size     int64
	Sum      uint64 // CRC64NVME
	ETag     string
	Modified time.Time
	Meta     http.Header // X-Amz-Meta-…
}

type upload struct {
	key   string
	meta  http.Header
	parts map[int]*Object
}

// NewServer returns an object store with an empty bucket.
func NewServer() *Server {
	return &Server{
		Bucket: "bucket", MinPart: 5 << 20,
		objects: make(map[string]*Object), uploads: make(map[string]*upload),
		reads: make(map[string]int),
	}
}

// RoundTrip implements [http.RoundTripper].
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if r.Body != nil {
		r.Body.Close()
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// A failure is an answer that is none.
type failure struct {
	status int
	code   string
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	var body []byte
	var sum uint64
	var size int64
	if r.Body != nil {
		var err error
		if body, sum, size, err = s.read(r); err != nil {
			s.fail(w, r, failure{400, "IncompleteBody"})
			return
		}
	}
	if f := s.fault(r, false); f != nil {
		s.fail(w, r, *f)
		return
	}
	answer := httptest.NewRecorder()
	f := s.serve(answer, r, body, sum, size)
	if fault := s.fault(r, true); fault != nil {
		f = fault
	}
	if f != nil {
		s.fail(w, r, *f)
		return
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

// read reads a body, and sums it up.
func (s *Server) read(r *http.Request) (body []byte, sum uint64, size int64, err error) {
	h := crc64nvme.New()
	if s.Discard && r.ContentLength >= 1<<20 {
		size, err = io.Copy(h, r.Body)
	} else {
		body, err = io.ReadAll(io.TeeReader(r.Body, h))
		size = int64(len(body))
	}
	if err == nil && r.ContentLength >= 0 && size != r.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	return body, h.Sum64(), size, err
}

func (s *Server) fault(r *http.Request, done bool) *failure {
	s.mu.Lock()
	ask := s.ask
	s.mu.Unlock()
	if ask != nil {
		if status, code := ask(r, done); status != 0 {
			return &failure{status, code}
		}
	}
	return nil
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, f failure) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(f.status)
	if r.Method != http.MethodHead {
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", f.code, strings.ToLower(http.StatusText(f.status)))
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, body []byte, sum uint64, size int64) *failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q := r.URL.Query()
	if bucket != s.Bucket {
		return &failure{404, "NoSuchBucket"}
	}
	if want := r.Header.Get(sumHeader); want != "" && r.Method == http.MethodPut && want != encode(sum) {
		return &failure{400, "BadDigest"}
	}
	id := q.Get("uploadId")
	up := s.uploads[id]
	if id != "" && (up == nil || up.key != key) {
		return &failure{404, "NoSuchUpload"}
	}
	switch {
	case key == "":
		s.list(w, q.Get("prefix"), q.Get("max-keys"), q.Get("continuation-token"))
	case q.Has("uploads"):
		s.begin(w, r, key)
	case id != "" && r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "":
		n, _ := strconv.Atoi(q.Get("partNumber"))
		return s.copyPart(w, r, up, n)
	case id != "" && r.Method == http.MethodPut:
		n, _ := strconv.Atoi(q.Get("partNumber"))
		up.parts[n] = s.object(body, sum, size, nil)
		setHeader(w, up.parts[n])
	case id != "" && r.Method == http.MethodGet:
		s.listParts(w, up, q.Get("part-number-marker"))
	case id != "" && r.Method == http.MethodPost:
		return s.complete(w, r, id, body)
	case id != "":
		delete(s.uploads, id)
		w.WriteHeader(204)
	case r.Method == http.MethodPut:
		if f := s.condition(r, key); f != nil {
			return f
		}
		s.objects[key] = s.object(body, sum, size, r.Header)
		setHeader(w, s.objects[key])
	case r.Method == http.MethodDelete:
		delete(s.objects, key)
		w.WriteHeader(204)
	case s.objects[key] == nil:
		return &failure{404, "NoSuchKey"}
	default:
		if f := s.condition(r, key); f != nil {
			return f
		}
		o := s.objects[key]
		data, size, status := o.Data, o.Size, http.StatusOK
		setHeader(w, o)
		if begin, end, ok := byteRange(r.Header.Get("Range"), size); ok {
			data, size = data[begin:end], end-begin
			status = http.StatusPartialContent
		}
		w.Header().Set("Content-Length", fmt.Sprint(size))
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			s.reads[key]++
			w.Write(data)
		}
	}
	return nil
}

// byteRange parses which bytes a request wants of an object of that size.
func byteRange(text string, size int64) (begin, end int64, ok bool) {
	if n, err := fmt.Sscanf(text, "bytes=%d-%d", &begin, &end); n != 2 || err != nil || begin > end || end >= size {
		return 0, 0, false
	}
	return begin, end + 1, true
}

// copyPart makes a part of some of another object.
func (s *Server) copyPart(w http.ResponseWriter, r *http.Request, up *upload, n int) *failure {
	source, err := url.PathUnescape(r.Header.Get("X-Amz-Copy-Source"))
	o := s.objects[strings.TrimPrefix(source, s.Bucket+"/")]
	if err != nil || o == nil {
		return &failure{404, "NoSuchKey"}
	}
	if want := r.Header.Get("X-Amz-Copy-Source-If-Match"); want != "" && want != strconv.Quote(o.ETag) && !s.Careless {
		return &failure{412, "PreconditionFailed"}
	}
	begin, end := int64(0), o.Size
	if text := r.Header.Get("X-Amz-Copy-Source-Range"); text != "" {
		var ok bool
		if begin, end, ok = byteRange(text, o.Size); !ok || s.MinPart > 0 && o.Size <= 5<<20 {
			return &failure{400, "InvalidRange"}
		}
	}
	data := bytes.Clone(o.Data[begin:end])
	h := crc64nvme.New()
	h.Write(data)
	part := s.object(data, h.Sum64(), end-begin, nil)
	up.parts[n] = part
	writeXML(w, "CopyPartResult", struct{ ETag, LastModified, ChecksumCRC64NVME string }{
		strconv.Quote(part.ETag), part.Modified.UTC().Format(time.RFC3339), encode(part.Sum),
	})
	return nil
}

const sumHeader = "X-Amz-Checksum-Crc64nvme"

func encode(sum uint64) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, sum))
}

func (s *Server) now() time.Time { return time.Now().Add(s.Ahead) }

func (s *Server) object(data []byte, sum uint64, size int64, meta http.Header) *Object {
	o := &Object{Data: data, Size: size, Sum: sum, Modified: s.now(), Meta: make(http.Header)}
	tag := md5.Sum(binary.BigEndian.AppendUint64(bytes.Clone(data), sum))
	o.ETag = hex.EncodeToString(tag[:])
	if s.OwnTags {
		s.tags++
		o.ETag += fmt.Sprint("-own-", s.tags)
	}
	for k, v := range meta {
		if strings.HasPrefix(k, "X-Amz-Meta-") {
			o.Meta[k] = v
		}
	}
	return o
}

func setHeader(w http.ResponseWriter, o *Object) {
	maps.Copy(w.Header(), o.Meta)
	w.Header().Set("ETag", strconv.Quote(o.ETag))
	w.Header().Set("Last-Modified", o.Modified.UTC().Format(http.TimeFormat))
	w.Header().Set(sumHeader, encode(o.Sum))
	w.Header().Set("X-Amz-Checksum-Type", "FULL_OBJECT")
}

func (s *Server) condition(r *http.Request, key string) *failure {
	o := s.objects[key]
	if s.Careless {
		return nil
	}
	if r.Header.Get("If-None-Match") == "*" && o != nil {
		return &failure{412, "PreconditionFailed"}
	}
	if want := r.Header.Get("If-Match"); want != "" {
		if o == nil {
			return &failure{404, "NoSuchKey"}
		}
		if want != strconv.Quote(o.ETag) {
			return &failure{412, "PreconditionFailed"}
		}
	}
	return nil
}

func (s *Server) begin(w http.ResponseWriter, r *http.Request, key string) {
	s.next++
	id := fmt.Sprintf("upload-%d", s.next)
	meta := s.object(nil, 0, 0, r.Header).Meta
	s.uploads[id] = &upload{key: key, meta: meta, parts: make(map[int]*Object)}
	writeXML(w, "InitiateMultipartUploadResult", struct {
		Bucket, Key string
		UploadID    string `xml:"UploadId"`
	}{s.Bucket, key, id})
}

func writeXML(w io.Writer, name string, v any) {
	xml.NewEncoder(w).EncodeElement(v, xml.StartElement{Name: xml.Name{Local: name}})
}

// list answers with a page of at most so many keys.
func (s *Server) list(w http.ResponseWriter, prefix, most, after string) {
	type entry struct {
		Key, ETag    string
		Size         int64
		LastModified string
	}
	result := struct {
		Contents              []entry
		IsTruncated           bool
		NextContinuationToken string
	}{}
	limit, _ := strconv.Atoi(most)
	if limit <= 0 {
		limit = 1000
	}
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		if !strings.HasPrefix(key, prefix) || key <= after {
			continue
		}
		if len(result.Contents) == limit {
			result.IsTruncated, result.NextContinuationToken = true, result.Contents[limit-1].Key
			break
		}
		o := s.objects[key]
		result.Contents = append(result.Contents, entry{key, strconv.Quote(o.ETag), o.Size, o.Modified.UTC().Format(time.RFC3339Nano)})
	}
	writeXML(w, "ListBucketResult", result)
}

type xmlPart struct {
	PartNumber        int
	ETag              string
	Size              int64
	ChecksumCRC64NVME string
}

func (s *Server) listParts(w http.ResponseWriter, up *upload, marker string) {
	after, _ := strconv.Atoi(marker)
	result := struct{ Part []xmlPart }{}
	for _, n := range slices.Sorted(maps.Keys(up.parts)) {
		if o := up.parts[n]; n > after {
			result.Part = append(result.Part, xmlPart{n, strconv.Quote(o.ETag), o.Size, encode(o.Sum)})
		}
	}
	writeXML(w, "ListPartsResult", result)
}

func (s *Server) complete(w http.ResponseWriter, r *http.Request, id string, body []byte) *failure {
	var wanted struct{ Part []xmlPart }
	if err := xml.Unmarshal(body, &wanted); err != nil {
		return &failure{400, "MalformedXML"}
	}
	up := s.uploads[id]
	h := crc64nvme.New()
	whole := s.object(nil, 0, 0, up.meta)
	for i, p := range wanted.Part {
		o := up.parts[p.PartNumber]
		switch {
		case o == nil || strings.Trim(p.ETag, `"`) != o.ETag || p.ChecksumCRC64NVME != encode(o.Sum):
			return &failure{400, "InvalidPart"}
		case i < len(wanted.Part)-1 && o.Size < int64(s.MinPart):
			return &failure{400, "EntityTooSmall"}
		}
		h.Write(o.Data)
		whole.Data = append(whole.Data, o.Data...)
		whole.Size += o.Size
	}
	whole.Sum = h.Sum64()
	if want := r.Header.Get(sumHeader); want != "" && want != encode(whole.Sum) && int64(len(whole.Data)) == whole.Size {
		return &failure{400, "BadDigest"}
	}
	if f := s.condition(r, up.key); f != nil {
		return f
	}
	whole.ETag = fmt.Sprintf("%s-%d", id, len(up.parts)) // with a hyphen, as S3 does it
	s.objects[up.key] = whole
	delete(s.uploads, id)
	writeXML(w, "CompleteMultipartUploadResult", struct{ Bucket, Key, ETag string }{s.Bucket, up.key, whole.ETag})
	return nil
}
