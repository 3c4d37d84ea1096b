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

// TestOffersFailAtEveryRequest sends a file again, changed or grown, and has each request fail
// once, for a moment, for good, or with its answer lost. Whichever it is: success is reported
// only of what is stored, a failure leaves the visible as it was, and the next try succeeds.
func TestOffersFailAtEveryRequest(t *testing.T) {
	small, large := contentsOf(70_000), contentsOf(250_000)
	requests := 0
	for _, test := range []struct {
		what         string
		before, data string
		told, quick  bool
		check        bool
		others       bool // another program has stored it: nothing is noted
		after        map[string]string
	}{
		{what: "unchanged", before: small, data: small, after: map[string]string{"a": small}},
		{what: "unchanged, in parts", before: large, data: large, after: map[string]string{"a": large}},
		{what: "unchanged, of another program", others: true, before: large, data: large, after: map[string]string{"a": large}},
		{what: "told", told: true, before: small, data: small, after: map[string]string{"a": small}},
		{what: "by its time", quick: true, before: large, data: large, after: map[string]string{"a": large}},
		{what: "only looked for", check: true, before: large, data: large, after: map[string]string{"a": large}},
		{what: "changed", before: "X" + small[1:], data: small, after: map[string]string{"a": "X" + small[1:], "a (2)": small}},
		{what: "changed, in parts", before: "X" + large[1:], data: large, after: map[string]string{"a": "X" + large[1:], "a (2)": large}},
		{what: "grown", before: small, data: small + "more", after: map[string]string{"a": small, "a (2)": small + "more"}},
		{what: "grown, in parts", before: large, data: large + small, after: map[string]string{"a": large, "a (2)": large + small}},
		{what: "grown, of another program", others: true, before: large, data: large + small, after: map[string]string{"a": large, "a (2)": large + small}},
		{what: "not grown, in parts", before: "X" + large[1:], data: large + small, after: map[string]string{"a": "X" + large[1:], "a (2)": large + small}},
	} {
		f := storage.File{
			Name: "a", Size: int64(len(test.data)), ModTime: time.Unix(1_000_000_000, 0), Digest: digests["crc64nvme"], Proofs: proofs,
			Quick: test.quick, Check: test.check,
		}
		if test.told {
			f.Contents = storage.Proof{Digest: proofs[0], Sum: sum(digests["sha256"], test.data).Digest}
		}
		upload := func(s *s3.Store) (storage.Receipt, error) {
			p, err := s.Create(context.Background(), f)
			if err != nil {
				return storage.Receipt{}, err
			}
			o := p.Offer()
			if o.Agreed {
				return p.Commit(context.Background(), storage.Sum{Size: f.Size})
			}
			if !bytes.Equal(o.Proof, sum(digests["sha256"], test.data[:o.Size]).Digest) && o.Size > 0 {
				if err := p.Restart(); err != nil {
					return storage.Receipt{}, errors.Join(err, p.Abort())
				}
				o.Size = 0
			}
			if _, err := p.ReadFrom(strings.NewReader(test.data[o.Size:])); err != nil {
				p.Abort() // which says what may be left
				return storage.Receipt{}, err
			}
			return p.Commit(context.Background(), sum(f.Digest, test.data))
		}
		for _, fault := range []string{"for a moment", "answer lost", "for good"} {
			for n, failed := 0, "some"; failed != ""; n++ {
				failed = ""
				synctest.Test(t, func(t *testing.T) {
					server := smallParts()
					store := open(t, server, s3.Options{PartSize: largePiece, Tries: 3})
					if test.others {
						server.Put("some/prefix/a", test.before)
					} else {
						g := f
						g.Size, g.Check, g.Contents = int64(len(test.before)), false, storage.Proof{}
						commit(t, sent(t, store, g, test.before), f.Digest, test.before)
					}
					var mu sync.Mutex
					seen, first := 0, ""
					server.SetFault(func(r *http.Request, done bool) (int, string) {
						mu.Lock()
						defer mu.Unlock()
						if !done && first == "" {
							if seen == n {
								first = r.Method + " " + r.URL.String()
								failed = first
							}
							seen++
						}
						this := first == r.Method+" "+r.URL.String()
						switch {
						case this && fault == "for good" && !done:
							return 403, "AccessDenied"
						case this && fault == "for a moment" && !done, this && fault == "answer lost" && done:
							first = "no more"
							return 500, "InternalError"
						}
						return 0, ""
					})
					r, err := upload(store)
					server.SetFault(nil)
					visible := map[string]string{"a": test.before}
					if err == nil {
						visible = test.after
						if r.Unchanged != (len(test.after) == 1) || test.after[r.Name] != test.data {
							t.Errorf("receipt %+v", r)
						}
					} else if fault != "for good" {
						t.Errorf("error %v, although it works again", err)
					} else if !errors.Is(err, storage.ErrDegraded) {
						t.Errorf("error %v", err)
					}
					for key, o := range server.Objects() {
						if name, ok := strings.CutPrefix(key, "some/prefix/"); ok && !strings.HasPrefix(name, ".labnet/") && visible[name] != string(o.Data) {
							t.Errorf("%q holds %d other bytes", name, len(o.Data))
						}
					}
					expectVisible(t, server, visible)
					time.Sleep(time.Minute) // and the store looks again
					if r, err := upload(store); err != nil || test.after[r.Name] != test.data {
						t.Errorf("second try: %+v, %v", r, err)
					}
					expectVisible(t, server, test.after)
				})
				if t.Failed() {
					t.Fatalf("%s, request %d (%s), %s", test.what, n, failed, fault)
				}
				requests++
			}
		}
	}
	t.Logf("%d requests failed", requests)
}
