package s3_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/s3"
	"github.com/labnet/labnet/storage/s3/s3test"
)

// dying is a transport of a server that dies at the first request which is like that,
// before the object store has it.
func dying(server *s3test.Server, at func(*http.Request) bool) (*severed, http.RoundTripper) {
	line := &severed{Server: server}
	return line, roundTripper(func(r *http.Request) (*http.Response, error) {
		if at(r) {
			line.dead.Store(true)
		}
		return line.RoundTrip(r)
	})
}

func notesDigest(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/.labnet/digests/")
}

// TestKilledBeforeDigest: a file that was published by a server which died right after
// that is known again: its sender, who was not told, does not store it twice.
func TestKilledBeforeDigest(t *testing.T) {
	for _, resumable := range []bool{true, false} {
		server := smallParts()
		digest := digests["crc64nvme"]
		line, transport := dying(server, notesDigest)
		first := open(t, server, s3.Options{PartSize: piece, Tries: 1, Transport: transport})
		second := open(t, server, s3.Options{PartSize: piece})
		data := contentsOf(3*piece + 7)
		f := storage.File{Name: "a", Size: int64(len(data)), Digest: digest, Proofs: proofs}
		if resumable {
			f.ID = "id"
		}
		sent(t, first, f, data).Commit(context.Background(), sum(digest, data)) // nobody is told what came of it
		if !line.dead.Load() {
			t.Fatal("the server did not die")
		}
		for range 2 {
			if r := commit(t, sent(t, second, f, data), digest, data); r.Name != "a" || !r.Unchanged {
				t.Errorf("receipt %+v", r)
			}
		}
		if n := server.Reads("some/prefix/a"); n != 1 {
			t.Errorf("the file was read %d times", n)
		}
		line.dead.Store(false) // or Close would complain
		expectVisible(t, server, map[string]string{"a": data})
		if n := server.Uploads(); n != 0 {
			t.Errorf("%d multipart uploads are left", n)
		}
	}
}

// TestLostAnswerOfResumed: an upload that another server began is published once, too,
// when the answer to that gets lost.
func TestLostAnswerOfResumed(t *testing.T) {
	server := smallParts()
	digest := digests["crc64nvme"]
	store := open(t, server, s3.Options{PartSize: piece})
	data := contentsOf(3*piece + 7)
	f := storage.File{Name: "a", ID: "id", Size: int64(len(data)), Digest: digest, Proofs: proofs}
	p := sent(t, store, f, data[:2*piece])
	if err := p.Suspend(); err != nil {
		t.Fatal(err)
	}
	p = create(t, store, f, data[:2*piece])
	send(t, p, data[2*piece:])
	lost := false
	server.SetFault(func(r *http.Request, done bool) (int, string) {
		if done && !lost && kind(r) == "complete" {
			lost = true
			return 500, "InternalError"
		}
		return 0, ""
	})
	if r := commit(t, p, digest, data); r.Name != "a" {
		t.Errorf("receipt %+v", r)
	}
	expect(t, server, map[string]string{"a": data})
}

// TestOthersFile: what another program has stored is known, if the contents are the
// same, and only then, whatever its sum and its size.
func TestOthersFile(t *testing.T) {
	for _, size := range []int{piece / 2, 3 * piece} {
		server := smallParts()
		digest := digests["crc64nvme"]
		store := open(t, server, s3.Options{PartSize: piece})
		data := contentsOf(size)
		other := data[:len(data)-1] + "!"
		f := storage.File{Name: "a", Size: int64(len(data)), Digest: digest, Proofs: proofs}
		for _, planted := range []string{data, other} {
			server.Put("some/prefix/a", planted)
			server.SetSum("some/prefix/a", data) // as a forged file would have
			r := commit(t, sent(t, store, f, data), digest, data)
			if r.Unchanged != (planted == data) {
				t.Errorf("receipt %+v", r)
			}
		}
		expect(t, server, map[string]string{"a": other, "a (2)": data})
	}
}

// TestCloseWhileReading: a store that is closed does not wait until a large object was
// read, and the upload stays for its sender to come back.
func TestCloseWhileReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := smallParts()
		digest := digests["crc64nvme"]
		store := open(t, server, s3.Options{PartSize: piece, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := server.RoundTrip(r)
			if kind(r) == "get" {
				resp.Body = endless{r.Context()}
			}
			return resp, err
		})})
		data := contentsOf(3 * piece)
		f := storage.File{Name: "a", ID: "id", Size: int64(len(data)), Digest: digest, Proofs: proofs}
		p := sent(t, store, f, data)
		server.Put("some/prefix/a", data)
		commits, creates := make(chan error), make(chan error)
		go func() {
			_, err := p.Commit(context.Background(), sum(digest, data))
			commits <- err
		}()
		go func() {
			other := f
			other.ID = ""
			_, err := store.Create(context.Background(), other)
			creates <- err
		}()
		synctest.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		for what, done := range map[string]chan error{"Commit": commits, "Create": creates} {
			if err := <-done; !errors.Is(err, storage.ErrDegraded) {
				t.Errorf("%s: %v, want %v", what, err, storage.ErrDegraded)
			}
		}
		again := open(t, server, s3.Options{PartSize: piece})
		if r := commit(t, sent(t, again, f, data), digest, data); !r.Unchanged {
			t.Errorf("receipt %+v", r)
		}
		expect(t, server, map[string]string{"a": data})
	})
}

// endless is the body of an answer that stands still.
type endless struct{ context.Context }

func (e endless) Read([]byte) (int, error) {
	<-e.Done()
	return 0, e.Err()
}
func (endless) Close() error { return nil }
