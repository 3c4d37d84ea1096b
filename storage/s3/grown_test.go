package s3_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/s3"
	"github.com/labnet/labnet/storage/s3/s3test"
)

// largePiece is the size of parts where an object that is continued has some.
const largePiece = 100_000

// grownFile is a file that may have grown from an object, and what was sent of it.
func grownFile(data, digest string) storage.File {
	return storage.File{Name: "a", ID: "id", Size: int64(len(data)), Digest: digests[digest], Proofs: proofs}
}

// offered begins a file of which an object that is there is offered as so much of it.
func offered(t *testing.T, s *s3.Store, f storage.File, data string) storage.Partial {
	t.Helper()
	p, err := s.Create(context.Background(), f)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	want := storage.Offer{Size: int64(len(data)), Digest: "sha256", Proof: sum(digests["sha256"], data).Digest, Stored: true}
	if diff := cmp.Diff(want, p.Offer()); diff != "" {
		t.Fatalf("Offer (-want +got):\n%s", diff)
	}
	return p
}

// sentParts counts the bytes of parts that a store sends.
type sentParts struct {
	*s3test.Server
	bytes atomic.Int64
}

func (s *sentParts) RoundTrip(r *http.Request) (*http.Response, error) {
	if kind(r) == "part" && r.Header.Get("X-Amz-Copy-Source") == "" {
		s.bytes.Add(r.ContentLength)
	}
	return s.Server.RoundTrip(r)
}

// TestGrownObject: of a file that begins with an object only the rest is taken and sent,
// whichever of the two has several parts, and the object stays as it is unless it is replaced.
func TestGrownObject(t *testing.T) {
	for _, sizes := range [][2]int{
		{70_000, 90_000}, {70_000, 100_000}, {70_000, 350_000}, {100_000, 100_001}, {100_000, 350_000},
		{250_000, 250_001}, {300_000, 300_001}, {300_000, 400_000}, {250_000, 777_777},
	} {
		for _, digest := range []string{"crc64nvme", "sha256"} {
			for _, conflict := range []storage.Conflict{storage.Rename, storage.Replace} {
				for _, noted := range []bool{false, true} {
					t.Run(fmt.Sprint(sizes, digest, conflict, noted), func(t *testing.T) {
						server := smallParts()
						line := &sentParts{Server: server}
						store := open(t, server, s3.Options{PartSize: largePiece, OnConflict: conflict, Transport: line})
						data := contentsOf(sizes[1])
						start := data[:sizes[0]]
						if noted {
							commit(t, sent(t, store, grownFile(start, digest), start), digests[digest], start)
						} else {
							server.Put("some/prefix/a", start)
						}
						line.bytes.Store(0)
						p := offered(t, store, grownFile(data, digest), start)
						if server.Uploads() > 0 {
							t.Error("something was begun before more has come")
						}
						send(t, p, data[sizes[0]:])
						r := commit(t, p, digests[digest], data)
						want := map[string]string{"a": start, "a (2)": data}
						if conflict == storage.Replace {
							want = map[string]string{"a": data}
						}
						if r.Unchanged || len(want[r.Name]) != len(data) {
							t.Errorf("receipt %+v", r)
						}
						expect(t, server, want)
						if most := int64(sizes[1] - sizes[0]/largePiece*largePiece); line.bytes.Load() > most {
							t.Errorf("%d bytes were sent to the object store, more than %d", line.bytes.Load(), most)
						}
						p = offered(t, store, grownFile(data, digest), data) // by what is noted of it
						if r := commit(t, p, digests[digest], data); !r.Unchanged {
							t.Errorf("receipt %+v", r)
						}
					})
				}
			}
		}
	}
}

// TestNotGrownObject: other contents begin again, and nothing is left of the offer.
func TestNotGrownObject(t *testing.T) {
	server := smallParts()
	store := open(t, server, s3.Options{PartSize: largePiece})
	start := contentsOf(250_000)
	server.Put("some/prefix/a", start)
	data := "X" + contentsOf(400_000)
	for _, end := range []func(storage.Partial) error{storage.Partial.Abort, storage.Partial.Suspend} {
		p := offered(t, store, grownFile(data, "sha256"), start)
		if err := end(p); err != nil {
			t.Error(err)
		}
	}
	p := offered(t, store, grownFile(data, "sha256"), start)
	if r, err := p.Commit(context.Background(), sum(digests["sha256"], start)); !errors.Is(err, storage.ErrMismatch) {
		t.Errorf("without more: receipt %+v, %v", r, err)
	}
	p = offered(t, store, grownFile(data, "sha256"), start)
	if err := p.Restart(); err != nil || p.Offer().Size != 0 {
		t.Fatalf("offer %+v, %v", p.Offer(), err)
	}
	send(t, p, data)
	commit(t, p, digests["sha256"], data)
	expect(t, server, map[string]string{"a": start, "a (2)": data})
}

// TestGrownObjectChanges replaces, removes or touches an object between the offer of it as
// the beginning of another file and the rest of that: what was not compared is never
// copied. Nothing is left of it, and the next try stores the file.
func TestGrownObjectChanges(t *testing.T) {
	for what, change := range map[string]func(*s3test.Server){
		"replaced":  func(s *s3test.Server) { s.Put("some/prefix/a", "X"+contentsOf(249_999)) },
		"shortened": func(s *s3test.Server) { s.Put("some/prefix/a", contentsOf(70_000)) },
		"touched":   func(s *s3test.Server) { s.Touch("some/prefix/a") },
		"removed":   func(s *s3test.Server) { s.Delete("some/prefix/a") },
	} {
		for _, careless := range []bool{false, true} {
			for _, noted := range []bool{false, true} {
				t.Run(fmt.Sprint(what, careless, noted), func(t *testing.T) {
					server := smallParts()
					store := open(t, server, s3.Options{PartSize: largePiece, OnConflict: storage.Replace})
					start, data := contentsOf(250_000), contentsOf(400_000)
					f := grownFile(data, "crc64nvme")
					if noted {
						commit(t, sent(t, store, grownFile(start, "crc64nvme"), start), f.Digest, start)
					} else {
						server.Put("some/prefix/a", start)
					}
					p := offered(t, store, f, start)
					server.Careless = careless // which a bad object store might be
					change(server)
					_, err := p.ReadFrom(strings.NewReader(data[250_000:]))
					if err == nil {
						_, err = p.Commit(context.Background(), sum(f.Digest, data))
					}
					p.Abort()
					if !errors.Is(err, storage.ErrMismatch) && !(what == "touched" && careless && err == nil) {
						t.Errorf("error %v", err)
					}
					if n := server.Uploads(); n > 0 {
						t.Errorf("%d multipart uploads are left", n)
					}
					server.Careless = false
					p, err = store.Create(context.Background(), f)
					if err != nil {
						t.Fatal(err)
					}
					send(t, p, data[p.Offer().Size:])
					if what == "replaced" {
						_, err := p.Commit(context.Background(), sum(f.Digest, data))
						if !errors.Is(err, storage.ErrMismatch) { // RESTART was not sent
							t.Error(err)
						}
						return
					}
					commit(t, p, f.Digest, data)
					expect(t, server, map[string]string{"a": data})
				})
			}
		}
	}
}

// TestGrownAndInterrupted: an upload that goes on with an object is resumed with the parts
// that were copied, also by another server.
func TestGrownAndInterrupted(t *testing.T) {
	for _, digest := range []string{"crc64nvme", "sha256"} {
		server := smallParts()
		start, data := contentsOf(250_000), contentsOf(777_777)
		server.Put("some/prefix/a", start)
		store := open(t, server, s3.Options{PartSize: largePiece})
		p := offered(t, store, grownFile(data, digest), start)
		send(t, p, data[250_000:260_000])
		if err := p.Suspend(); err != nil {
			t.Fatal(err)
		}
		p = create(t, open(t, server, s3.Options{PartSize: largePiece}), grownFile(data, digest), data[:260_000])
		send(t, p, data[260_000:])
		if r := commit(t, p, digests[digest], data); r.Name != "a (2)" {
			t.Errorf("receipt %+v", r)
		}
		expect(t, server, map[string]string{"a": start, "a (2)": data})
	}
}

// TestGrownWithoutCopies: where the object store cannot copy parts they are read, and sent.
func TestGrownWithoutCopies(t *testing.T) {
	server := smallParts()
	server.SetFault(func(r *http.Request, _ bool) (int, string) {
		if r.Header.Get("X-Amz-Copy-Source") != "" {
			return 501, "NotImplemented"
		}
		return 0, ""
	})
	start, data := contentsOf(250_000), contentsOf(777_777)
	server.Put("some/prefix/a", start)
	store := open(t, server, s3.Options{PartSize: largePiece})
	for _, digest := range []string{"crc64nvme", "sha256"} {
		p := offered(t, store, grownFile(data, digest), start)
		send(t, p, data[250_000:300_001])
		if err := p.Suspend(); err != nil {
			t.Fatal(err)
		}
		p = create(t, store, grownFile(data, digest), data[:300_001])
		send(t, p, data[300_001:])
		commit(t, p, digests[digest], data)
		expect(t, server, map[string]string{"a": start, "a (2)": data})
		server.Delete("some/prefix/a (2)")
	}
	if err := store.Err(); err != nil {
		t.Error(err)
	}
}

// TestGrownAfterNothing: an upload of which no part has arrived when its server died is in
// nobody's way: what is there is offered.
func TestGrownAfterNothing(t *testing.T) {
	server := smallParts()
	start, data := contentsOf(250_000), contentsOf(400_000)
	f := grownFile(data, "crc64nvme")
	if _, err := open(t, server, s3.Options{PartSize: largePiece, OnConflict: storage.Replace}).Create(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if server.Uploads() != 1 {
		t.Fatal("nothing was begun")
	}
	server.Put("some/prefix/a", start)
	p := offered(t, open(t, server, s3.Options{PartSize: largePiece, OnConflict: storage.Replace}), f, start)
	send(t, p, data[250_000:])
	commit(t, p, f.Digest, data)
	expect(t, server, map[string]string{"a": data})
}
