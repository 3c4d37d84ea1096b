package s3_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/s3"
)

// TestKilledClaimant: a server that dies between its claim on a name and the first
// word of the upload keeps nobody from that name but others.
func TestKilledClaimant(t *testing.T) {
	server := smallParts()
	digest := digests["crc64nvme"]
	line := &severed{Server: server}
	dying := open(t, server, s3.Options{PartSize: piece, Tries: 1, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Query().Has("uploads") && strings.HasSuffix(r.URL.Path, "/a") {
			line.dead.Store(true)
		}
		return line.RoundTrip(r)
	})})
	second := open(t, server, s3.Options{PartSize: piece})
	data := contentsOf(3 * piece)
	f := storage.File{Name: "a", ID: "id", Size: int64(len(data)), Digest: digest, Proofs: proofs}
	if _, err := dying.Create(context.Background(), f); err == nil {
		t.Fatal("the server did not die")
	}
	line.dead.Store(false) // or Close would complain
	other := f
	other.ID = "another"
	if r := commit(t, sent(t, second, other, data[1:]+"!"), digest, data[1:]+"!"); r.Name != "a (2)" {
		t.Errorf("another upload is kept as %q", r.Name)
	}
	if r := commit(t, sent(t, second, f, data), digest, data); r.Name != "a" {
		t.Errorf("the same upload is kept as %q", r.Name)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestWrongClock: it does not matter whether a server's clock is that of the object
// store. Neither can another upload get a name that has just been claimed, nor is one
// removed before its time or kept for longer.
func TestWrongClock(t *testing.T) {
	digest := digests["crc64nvme"]
	for _, ahead := range []time.Duration{-10 * time.Hour, -10 * time.Minute, 0, 10 * time.Minute, 10 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := smallParts()
				server.Ahead = ahead
				line := &severed{Server: server}
				o := s3.Options{PartSize: piece, Partials: storage.Bounds{Age: 2 * time.Hour}}
				second := open(t, server, o)
				o.Tries, o.Transport = 1, roundTripper(func(r *http.Request) (*http.Response, error) {
					if r.URL.Query().Has("uploads") && strings.HasSuffix(r.URL.Path, "/a") {
						line.dead.Store(true)
					}
					return line.RoundTrip(r)
				})
				dying := open(t, server, o)
				data := contentsOf(3 * piece)
				f := storage.File{Name: "a", ID: "id", Size: int64(len(data)), Digest: digest, Proofs: proofs}
				if _, err := dying.Create(context.Background(), f); err == nil {
					t.Fatal("the server did not die")
				}
				line.dead.Store(false) // or Close would complain
				other := f
				other.ID = "another"
				if r := commit(t, sent(t, second, other, data[1:]+"!"), digest, data[1:]+"!"); r.Name != "a (2)" {
					t.Errorf("another upload is kept as %q", r.Name)
				}

				suspend(t, second, "left", 3500)
				time.Sleep(time.Hour)
				if n := left(server); n != 1 {
					t.Errorf("%d uploads are left after an hour of two", n)
				}
				time.Sleep(time.Hour + 10*time.Minute)
				if n := left(server); n != 0 {
					t.Errorf("%d uploads are left after more than two hours", n)
				}
			})
		})
	}
}
