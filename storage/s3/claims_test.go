package s3_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

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
