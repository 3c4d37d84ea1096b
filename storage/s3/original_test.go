package s3_test

import (
	"context"
	"errors"
	"testing"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/s3"
)

// TestOfferedObjectChanges replaces an object between the offer and Commit, by one of
// other contents and by one of the same size: then it is not called unchanged.
func TestOfferedObjectChanges(t *testing.T) {
	digest := digests["crc64nvme"]
	for what, data := range map[string]string{"in one part": contentsOf(10), "in several": contentsOf(3*piece + 7)} {
		for other, want := range map[string]error{data: nil, "X" + data[1:]: storage.ErrMismatch, data + "!": storage.ErrMismatch} {
			server := smallParts()
			store := open(t, server, s3.Options{PartSize: piece})
			server.Put("some/prefix/a", data)
			p, err := store.Create(t.Context(), storage.File{Name: "a", Size: int64(len(data)), Digest: digest, Proofs: proofs})
			if err != nil {
				t.Fatal(err)
			}
			if o := p.Offer(); !o.Stored || o.Size != int64(len(data)) {
				t.Fatalf("%s: offer %+v", what, o)
			}
			if other != data {
				server.Put("some/prefix/a", other)
			}
			r, err := p.Commit(context.Background(), sum(digest, data))
			if !errors.Is(err, want) || err == nil && !r.Unchanged {
				t.Errorf("%s: receipt %+v, %v; want %v", what, r, err, want)
			}
		}
	}
}
