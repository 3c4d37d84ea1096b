package web_test

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/commands/web"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/storage/storagetest"
	"github.com/labnet/labnet/wire"
)

const (
	tus    = "Tus-Resumable: 1.0.0"
	octets = "Content-Type: application/offset+octet-stream"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// create begins an upload, and returns its path.
func (w *world) create(name string, size int, metadata ...string) string {
	w.t.Helper()
	headers := []string{tus, fmt.Sprint("Upload-Length: ", size), "Upload-Metadata: filename " + b64(name)}
	for _, m := range metadata {
		key, value, _ := strings.Cut(m, " ")
		headers[2] += "," + key + " " + b64(value)
	}
	a := w.want("POST", "/tus/", "", http.StatusCreated, headers...)
	if until, err := http.ParseTime(a.Header.Get("Upload-Expires")); size > 0 && (err != nil || time.Until(until) < time.Minute) {
		w.t.Errorf("it expires %v: %v", until, err)
	}
	return a.Header.Get("Location")
}

func (w *world) patch(path string, offset int, body string, status int, headers ...string) *http.Response {
	w.t.Helper()
	return w.want("PATCH", path, body, status, append(headers, tus, octets, fmt.Sprint("Upload-Offset: ", offset))...)
}

func (w *world) wantOffset(path string, want int) {
	w.t.Helper()
	if got := w.want("HEAD", path, "", http.StatusOK, tus).Header.Get("Upload-Offset"); got != fmt.Sprint(want) {
		w.t.Errorf("the offset is %s, want %d", got, want)
	}
}

// TestTus: an upload in parts, also by a server that was restarted.
func TestTus(t *testing.T) {
	w := start(t, nil)
	path := w.create("folder/a", 10, "mtime 1000000000")
	w.wantOffset(path, 0)
	w.patch(path, 0, "hello", http.StatusNoContent)
	w.wantFiles()
	w.wantOffset(path, 5)
	w.stop()
	w = startWith(t, w.store, nil)
	w.wantOffset(path, 5)
	w.patch(path, 4, "xworld", http.StatusConflict)
	a := w.patch(path, 5, "world", http.StatusNoContent)
	sum := sha256.Sum256([]byte("helloworld"))
	if got := a.Header.Get("Repr-Digest"); got != "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":" {
		t.Errorf("the digest is %s", got)
	}
	if got := a.Header.Get("Content-Location"); got != "/folder/a" {
		t.Errorf("it is at %s", got)
	}
	w.wantFiles("folder/a", "helloworld")
	if missed := w.want("HEAD", path, "", http.StatusOK, tus); missed.Header.Get("Upload-Offset") != "10" ||
		missed.Header.Get("Repr-Digest") != a.Header.Get("Repr-Digest") || missed.Header.Get("Content-Location") != "/folder/a" {
		t.Errorf("a client that missed the answer learns %v", missed.Header)
	}
	w.patch(path, 10, "", http.StatusConflict)
	w.want("DELETE", path, "", http.StatusGone, tus)
	w.wantFiles("folder/a", "helloworld")
}

// TestTusWhole: a file that comes with its creation, and an empty one.
func TestTusWhole(t *testing.T) {
	w := start(t, nil)
	w.want("POST", "/tus/", "hello", http.StatusCreated, tus, octets, "Upload-Length: 5", "Upload-Metadata: filename "+b64("a"))
	a := w.want("POST", "/tus/", "hel", http.StatusCreated, tus, octets, "Upload-Length: 5", "Upload-Metadata: filename "+b64("b"))
	if got := a.Header.Get("Upload-Offset"); got != "3" {
		t.Errorf("the offset is %q", got)
	}
	w.patch(a.Header.Get("Location"), 3, "lo", http.StatusNoContent)
	w.create("empty", 0)
	w.wantFiles("a", "hello", "b", "hello", "empty", "")
}

// TestTusChecksum: bytes that do not match are not kept, of one request or of all.
func TestTusChecksum(t *testing.T) {
	w := start(t, nil)
	path := w.create("a", 10)
	one := sha1.Sum([]byte("hello"))
	right := "Upload-Checksum: sha1 " + base64.StdEncoding.EncodeToString(one[:])
	w.patch(path, 0, "hallo", 460, right)
	w.wantOffset(path, 0)
	w.patch(path, 0, "hello", http.StatusNoContent, right)
	w.patch(path, 5, "world", http.StatusBadRequest, "Upload-Checksum: md5 AAAA")
	w.patch(path, 5, "world", http.StatusBadRequest, "Upload-Checksum: sha1 AAAA")
	w.wantOffset(path, 5)
	two := sha256.Sum256([]byte("world"))
	w.patch(path, 5, "world", http.StatusNoContent, "Upload-Checksum: sha256 "+base64.StdEncoding.EncodeToString(two[:]))

	all := sha256.Sum256([]byte("helloworld"))
	path = w.create("b", 10, "sha256 "+hex.EncodeToString(all[:]))
	w.patch(path, 0, "hello", http.StatusNoContent)
	w.patch(path, 5, "wirld", http.StatusBadRequest)
	w.wantOffset(path, 0)
	w.wantFiles("a", "helloworld")
	w.patch(path, 0, "helloworld", http.StatusNoContent)
	w.wantFiles("a", "helloworld", "b", "helloworld")
}

// TestTusAfterCrash: what a system had before it was started again may be zeros.
func TestTusAfterCrash(t *testing.T) {
	for _, boot := range []string{"another", ""} {
		w := start(t, func(_ *wire.Server, o *web.Options) { o.Boot = boot })
		path := w.create("a", 10)
		all := sha256.Sum256([]byte("helloworld"))
		compared := w.create("b", 10, "sha256 "+hex.EncodeToString(all[:]))
		w.patch(path, 0, "hello", http.StatusNoContent)
		w.patch(compared, 0, "hello", http.StatusNoContent)
		w.stop()
		w = startWith(t, w.store, func(_ *wire.Server, o *web.Options) {
			if boot != "" {
				o.Boot = "new"
			} else {
				o.Boot = ""
			}
		})
		w.wantOffset(path, 0)
		w.wantOffset(compared, 5)
	}
}

// TestTusRefuses: what is wrong, and what is not for this server.
func TestTusRefuses(t *testing.T) {
	w := start(t, func(s *wire.Server, _ *web.Options) { s.MaxSize = 100 })
	name := "Upload-Metadata: filename " + b64("a")
	w.want("POST", "/tus/", "", http.StatusPreconditionFailed, "Upload-Length: 5", name)
	w.want("POST", "/tus/", "", http.StatusBadRequest, tus, "Upload-Length: 5")
	w.want("POST", "/tus/", "", http.StatusBadRequest, tus, "Upload-Length: 5", "Upload-Metadata: filename !")
	w.want("POST", "/tus/", "", http.StatusBadRequest, tus, "Upload-Defer-Length: 1", name)
	w.want("POST", "/tus/", "", http.StatusBadRequest, tus, "Upload-Length: 5", "Upload-Metadata: filename "+b64("../a"))
	w.want("POST", "/tus/", "", http.StatusRequestEntityTooLarge, tus, "Upload-Length: 101", name)
	w.want("POST", "/tus/", "123456", http.StatusBadRequest, tus, octets, "Upload-Length: 5", name)
	w.want("POST", "/tus/", "", http.StatusForbidden, tus, "Upload-Length: 5", name, "Origin: https://evil.example")
	w.want("PATCH", "/tus/x", "", http.StatusNotFound, tus, octets)
	w.want("HEAD", "/tus/"+base64.RawURLEncoding.EncodeToString([]byte(`{"n":"a","s":-1,"i":"x"}`)), "", http.StatusNotFound, tus)
	path := w.create("a", 5)
	w.want("GET", path, "", http.StatusMethodNotAllowed, tus)
	w.want("PATCH", path, "hello", http.StatusUnsupportedMediaType, tus, "Upload-Offset: 0")
	w.want("PATCH", path, "hello", http.StatusBadRequest, tus, octets)
	w.patch(path, 0, "hello!", http.StatusBadRequest)
	w.patch(path, 0, "hel", http.StatusNoContent)
	w.want("DELETE", path, "", http.StatusNoContent, tus)
	w.wantOffset(path, 0)
	w.wantFiles()
	w.want("POST", path, "hello", http.StatusNoContent, tus, octets, "Upload-Offset: 0", "X-HTTP-Method-Override: PATCH")
	w.wantFiles("a", "hello")
	a := w.want("OPTIONS", "/tus/", "", http.StatusNoContent)
	if got := a.Header.Get("Tus-Extension"); got != "creation,creation-with-upload,checksum,termination,expiration" || a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("OPTIONS: %v", a.Header)
	}
}

// TestTusInterrupted: a client whose connection is cut again and again, and whose server
// is restarted now and then, sends nothing twice that it was told of.
func TestTusInterrupted(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	contents := make([]byte, 1<<20)
	for i := range contents {
		contents[i] = byte(random.Uint32())
	}
	store := storagetest.NewMemory()
	w := startWith(t, store, nil)
	path, offset, sent := w.create("a", len(contents)), 0, 0
	for i := range 20 {
		n := random.IntN((len(contents) - offset) / 10)
		c, r := w.dial(fmt.Sprintf("PATCH %s HTTP/1.1\nHost: localhost\n%s\n%s\nUpload-Offset: %d\nContent-Length: %d\n\n", path, tus, octets, offset, len(contents)-offset))
		_, err := c.Write(contents[offset : offset+n])
		must(t, err)
		switch i % 4 {
		case 0:
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		case 1:
			must(t, c.(*net.TCPConn).CloseWrite())
			http.ReadResponse(r, nil) // unless an earlier request arrives only now
		case 2: // its network is gone: the server does not know of that
		case 3:
			w.stop()
			w = startWith(t, store, nil)
		}
		a := w.want("HEAD", path, "", http.StatusOK, tus)
		got, err := strconv.Atoi(a.Header.Get("Upload-Offset"))
		must(t, err)
		// Of a connection that broke more may arrive later than that.
		if sent = max(sent, offset+n); got < offset || got > sent {
			t.Fatalf("interruption %d: the offset is %d, was %d, and %d bytes were sent", i, got, offset, sent)
		}
		offset = got
		w.wantFiles()
	}
	for status := 0; status != http.StatusNoContent; {
		a := w.want("HEAD", path, "", http.StatusOK, tus)
		offset, err := strconv.Atoi(a.Header.Get("Upload-Offset"))
		must(t, err)
		a, _ = w.do("PATCH", path, string(contents[offset:]), tus, octets, fmt.Sprint("Upload-Offset: ", offset))
		status = a.StatusCode
	}
	w.wantFiles("a", string(contents))
}

// TestTusNamesake: a file that is there already counts as what a client sends only if
// the client has told the digest of its own.
func TestTusNamesake(t *testing.T) {
	files := t.TempDir()
	w := start(t, func(s *wire.Server, _ *web.Options) {
		store, err := dir.Open(files, dir.Options{})
		must(t, err)
		t.Cleanup(func() { store.Close() })
		s.Store = keeper{store}
	})
	wantFile := func(name, want string) {
		t.Helper()
		got, err := os.ReadFile(filepath.Join(files, name))
		if err != nil || string(got) != want {
			t.Errorf("%s is %q (%v), want %q", name, got, err, want)
		}
	}
	sum := func(text string) string {
		return fmt.Sprintf("sha256 %x", sha256.Sum256([]byte(text)))
	}
	w.want("PUT", "/a", "hello", http.StatusCreated)

	path := w.create("a", 5) // another one, of the same size
	w.wantOffset(path, 0)
	w.patch(path, 0, "world", http.StatusNoContent)
	wantFile("a", "hello")
	wantFile("a (2)", "world")

	path = w.create("a", 5, sum("third"))
	w.wantOffset(path, 0)
	w.patch(path, 0, "third", http.StatusNoContent)
	wantFile("a (3)", "third")

	a := w.want("POST", "/tus/", "", http.StatusCreated, tus, "Upload-Length: 5", "Upload-Metadata: filename "+b64("a")+",sha256 "+b64(strings.Fields(sum("hello"))[1]))
	if a.Header.Get("Upload-Offset") != "5" || a.Header.Get("Content-Location") != "/a" {
		t.Errorf("the server knows the file, and says %v", a.Header)
	}
	path = a.Header.Get("Location")
	w.wantOffset(path, 5)
	w.patch(path, 0, "hello", http.StatusConflict)

	// A server that was restarted does not know what it has answered.
	w.want("PUT", "/b", "hello", http.StatusCreated)
	path = w.create("c", 5, sum("hello"))
	w.want("PUT", "/c", "hello", http.StatusCreated)
	w.wantOffset(path, 5)
}

// TestTusStoppedAtTheEnd: if the server stopped when all had come and nothing was
// published yet, who asks is told that all is there only once it is safe.
func TestTusStoppedAtTheEnd(t *testing.T) {
	w := start(t, nil)
	digest := storage.Digest{Name: "sha256", New: sha256.New}
	p, err := w.store.Create(t.Context(), storage.File{Name: "a", ID: "tus-x", Size: 5, Digest: digest, Proofs: []storage.Digest{digest}})
	must(t, err)
	_, err = p.ReadFrom(strings.NewReader("hello"))
	must(t, err)
	must(t, p.Suspend())
	path := "/tus/" + base64.RawURLEncoding.EncodeToString([]byte(`{"n":"a","s":5,"i":"x","b":"boot"}`))
	a := w.want("HEAD", path, "", http.StatusOK, tus)
	if a.Header.Get("Upload-Offset") != "5" || a.Header.Get("Content-Location") != "/a" {
		t.Errorf("it is told %v", a.Header)
	}
	w.wantFiles("a", "hello")
}
