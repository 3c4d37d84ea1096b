package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/s3"
	"github.com/labnet/labnet/storage/s3/s3test"
)

// A kind of request, as faults tell them apart.
func kind(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case q.Has("uploads"):
		return "begin"
	case q.Has("partNumber"):
		return "part"
	case q.Has("uploadId") && r.Method == http.MethodPost:
		return "complete"
	case strings.Contains(r.URL.Path, "/.labnet/"), q.Has("uploadId"), q.Has("list-type"):
		return "other"
	}
	return strings.ToLower(r.Method)
}

// keep stores a file of so many bytes.
func keep(s *s3.Store, size int) (storage.Receipt, error) {
	digest := digests["crc64nvme"]
	data := contentsOf(size)
	p, err := s.Create(context.Background(), storage.File{Name: "a", ID: "id", Size: int64(size), Digest: digest, Proofs: proofs})
	if err != nil {
		return storage.Receipt{}, err
	}
	at := p.Offer().Size
	if _, err := p.ReadFrom(strings.NewReader(data[at:])); err != nil {
		return storage.Receipt{}, errors.Join(err, p.Suspend())
	}
	return p.Commit(context.Background(), sum(digest, data))
}

// TestPassingFaults: what may pass is tried again, with pauses, and neither an
// answer that got lost nor a second try make two files of one.
func TestPassingFaults(t *testing.T) {
	for _, size := range []int{10, 3500} {
		for _, fault := range []struct {
			status int
			code   string
		}{{503, "SlowDown"}, {500, "InternalError"}, {429, "Throttling"}} {
			for _, lost := range []bool{false, true} {
				t.Run(fmt.Sprint(size, fault, lost), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						server := smallParts()
						var mu sync.Mutex
						times := map[string]int{}
						store := open(t, server, s3.Options{PartSize: piece})
						begun := time.Now()
						server.SetFault(func(r *http.Request, done bool) (int, string) {
							mu.Lock()
							defer mu.Unlock()
							k := r.Method + r.URL.String()
							if done == lost && times[k] < 2 {
								times[k]++
								return fault.status, fault.code
							}
							return 0, ""
						})
						r, err := keep(store, size)
						if err != nil || r.Unchanged || r.Name != "a" {
							t.Errorf("%+v, %v", r, err)
						}
						if time.Since(begun) == 0 {
							t.Error("tried again without a pause")
						}
						server.SetFault(nil)
						expectFiles(t, server, map[string]string{"a": contentsOf(size)})
						if err := store.Err(); err != nil {
							t.Error(err)
						}
					})
				})
			}
		}
	}
}

// expectFiles is expect without multipart uploads: if the answer to the beginning
// of one gets lost, nobody knows of it, and it has no parts.
func expectFiles(t *testing.T, server *s3test.Server, want map[string]string) {
	t.Helper()
	if server.Parts() > 0 {
		t.Errorf("%d parts are left", server.Parts())
	}
	server.ForgetEmpty()
	expect(t, server, want)
}

// TestLastingFaults: what does not pass is told as what it is; what was stored
// stays, and the store knows when it works again.
func TestLastingFaults(t *testing.T) {
	for _, test := range []struct {
		status int
		code   string
		want   error
	}{
		{500, "InternalError", storage.ErrDegraded},
		{503, "SlowDown", storage.ErrDegraded},
		{403, "AccessDenied", storage.ErrDegraded},
		{403, "RequestTimeTooSkewed", storage.ErrDegraded},
		{400, "ExpiredToken", storage.ErrDegraded},
		{404, "NoSuchBucket", storage.ErrDegraded},
		{507, "XMinioStorageFull", storage.ErrNoSpace},
		{403, "QuotaExceeded", storage.ErrNoSpace},
	} {
		for _, where := range []string{"put", "begin", "part", "complete"} {
			t.Run(test.code+" "+where, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					server := smallParts()
					store := open(t, server, s3.Options{PartSize: piece})
					server.SetFault(func(r *http.Request, done bool) (int, string) {
						if !done && kind(r) == where {
							return test.status, test.code
						}
						return 0, ""
					})
					size := 10_000
					if where == "put" {
						size = 10
					}
					if _, err := keep(store, size); !errors.Is(err, test.want) {
						t.Fatalf("error %v, want %v", err, test.want)
					}
					expectVisible(t, server, map[string]string{})
					synctest.Wait()
					server.SetFault(nil)
					time.Sleep(time.Minute) // and the store looks again
					if err := store.Err(); err != nil {
						t.Errorf("Err after it works again: %v", err)
					}
					if where == "complete" && test.want == storage.ErrDegraded {
						p := create(t, store, storage.File{Name: "a", ID: "id", Size: int64(size), Digest: digests["crc64nvme"], Proofs: proofs}, contentsOf(size))
						commit(t, p, digests["crc64nvme"], contentsOf(size))
					} else if _, err := keep(store, size); err != nil {
						t.Error(err)
					}
					expect(t, server, map[string]string{"a": contentsOf(size)})
				})
			})
		}
	}
}

func expectVisible(t *testing.T, server *s3test.Server, want map[string]string) {
	t.Helper()
	got := 0
	for key := range server.Objects() {
		if !strings.Contains(key, "/.labnet/") {
			got++
		}
	}
	if got != len(want) {
		t.Errorf("%d objects are visible, want %d", got, len(want))
	}
}

// TestErr: a store that nobody uses finds out, too, that it does not work.
func TestErr(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := smallParts()
		store := open(t, server, s3.Options{})
		set := func(broken bool) {
			server.SetFault(func(*http.Request, bool) (int, string) {
				if broken {
					return 403, "ExpiredToken"
				}
				return 0, ""
			})
			time.Sleep(time.Minute)
		}
		set(false)
		if err := store.Err(); err != nil {
			t.Error(err)
		}
		set(true)
		if err := store.Err(); !errors.Is(err, storage.ErrDegraded) || !strings.Contains(err.Error(), "expired") {
			t.Errorf("Err: %v", err)
		}
		set(false)
		if err := store.Err(); err != nil {
			t.Error(err)
		}
	})
}

// A flipper flips a bit of the bodies of some requests.
type flipper struct {
	*s3test.Server
	where atomic.Value
}

func (f *flipper) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil && kind(r) == f.where.Load() {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		b[len(b)/2] ^= 4
		r.Body = io.NopCloser(bytes.NewReader(b))
	}
	return f.Server.RoundTrip(r)
}

// TestFlippedBit: the object store, the last in the chain, refuses what was
// changed on the way to it.
func TestFlippedBit(t *testing.T) {
	for where, size := range map[string]int{"put": 500, "part": 5000} {
		t.Run(where, func(t *testing.T) {
			server := smallParts()
			line := &flipper{Server: server}
			store := open(t, server, s3.Options{PartSize: piece, Transport: line})
			line.where.Store(where)
			server.SetFault(func(r *http.Request, _ bool) (int, string) {
				if kind(r) == "complete" {
					t.Error("a changed part was taken")
				}
				return 0, ""
			})
			if _, err := keep(store, size); !errors.Is(err, storage.ErrMismatch) {
				t.Errorf("error %v, want %v", err, storage.ErrMismatch)
			}
			expect(t, server, map[string]string{})
		})
	}
}

// TestSpoiledPart: a part that was changed where it is kept does not become part
// of a file.
func TestSpoiledPart(t *testing.T) {
	server := smallParts()
	store := open(t, server, s3.Options{PartSize: piece})
	digest := digests["crc64nvme"]
	data := contentsOf(3500)
	p := sent(t, store, storage.File{Name: "a", Size: 3500, Digest: digest}, data)
	waitForPart(server, 3)
	server.SpoilParts()
	if _, err := p.Commit(context.Background(), sum(digest, data)); !errors.Is(err, storage.ErrMismatch) {
		t.Errorf("error %v, want %v", err, storage.ErrMismatch)
	}
	expect(t, server, map[string]string{})
}

// TestOtherSum: what arrived is not what the sender meant, and nothing is stored
// although every part was right.
func TestOtherSum(t *testing.T) {
	server := smallParts()
	store := open(t, server, s3.Options{PartSize: piece})
	digest := digests["crc64nvme"]
	data := contentsOf(3500)
	p := sent(t, store, storage.File{Name: "a", Size: 3500, Digest: digest}, data)
	if _, err := p.Commit(context.Background(), sum(digest, data[1:]+"x")); !errors.Is(err, storage.ErrMismatch) {
		t.Errorf("error %v, want %v", err, storage.ErrMismatch)
	}
	expect(t, server, map[string]string{})
}
