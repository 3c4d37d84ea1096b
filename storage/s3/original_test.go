package s3_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

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

// TestManyObjectsCompared has very many large objects compared at once: two are read at a
// time, those that wait say so, and small ones are stored meanwhile.
func TestManyObjectsCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 128
		server := smallParts()
		var reading, waiting atomic.Int32
		store := open(t, server, s3.Options{PartSize: piece, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := server.RoundTrip(r)
			if err == nil && kind(r) == "get" && strings.Contains(r.URL.Path, "large") {
				reading.Add(1)
				resp.Body = endless{r.Context()}
			}
			return resp, err
		})})
		data := contentsOf(3 * piece)
		ctx, cancel := context.WithCancel(storage.WithWaiting(t.Context(), func(wait func()) {
			waiting.Add(1)
			defer waiting.Add(-1)
			wait()
		}))
		defer cancel()
		ends := make(chan error, many)
		for i := range many {
			name := fmt.Sprint("large ", i)
			server.Put("some/prefix/"+name, data)
			go func() {
				_, err := store.Create(ctx, storage.File{Name: name, Size: int64(len(data)), Digest: digests["crc64nvme"], Proofs: proofs})
				ends <- err
			}()
		}
		synctest.Wait()
		if reading.Load() != 2 || waiting.Load() != many-2 {
			t.Errorf("%d objects are read and %d wait", reading.Load(), waiting.Load())
		}
		if _, err := keep(store, 10); err != nil {
			t.Error(err)
		}
		cancel()
		for range many {
			if err := <-ends; err == nil {
				t.Error("no error of an upload that nobody wants any more")
			}
		}
		if n := waiting.Load(); n != 0 { // some may have got a turn before they were told
			t.Errorf("%d still wait", n)
		}
	})
}
