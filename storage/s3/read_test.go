package s3_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/minio/crc64nvme"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/s3"
	"github.com/labnet/labnet/storage/s3/s3test"
	"github.com/labnet/labnet/storage/storagetest"
)

// reader reads what open stores.
func reader(t testing.TB, server *s3test.Server) *s3.Reader {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "testsecret")
	r, err := s3.OpenReader(context.Background(), s3.Location{
		Bucket: server.Bucket, Prefix: "some/prefix/", Endpoint: "127.0.0.1:9", Insecure: true, Region: "us-east-1",
	}, s3.Options{Transport: server, Tries: 1})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReaderContract(t *testing.T) {
	for name, o := range map[string]s3.Options{"whole": {}, "in parts": {PartSize: 100_000, Memory: 1 << 20}} {
		t.Run(name, func(t *testing.T) {
			storagetest.RunReader(t, func(t *testing.T, c storage.Conflict) (storage.Store, storage.Reader) {
				server := s3test.NewServer()
				server.MinPart = 0
				o.OnConflict = c
				return open(t, server, o), reader(t, server)
			})
		})
	}
}

// TestReaderContractOfGateway is on a real object store.
func TestReaderContractOfGateway(t *testing.T) {
	gateway := s3test.NewGateway(t)
	storagetest.RunReader(t, func(t *testing.T, c storage.Conflict) (storage.Store, storage.Reader) {
		bucket, _ := gateway.Bucket(t)
		l, err := s3.ParseLocation("s3://"+bucket+"/a/prefix", os.Getenv)
		if err != nil {
			t.Fatal(err)
		}
		store, err := s3.Open(context.Background(), l, s3.Options{OnConflict: c})
		if err != nil {
			t.Fatal(err)
		}
		r, err := s3.OpenReader(context.Background(), l, s3.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return store, r
	})
}

// TestNotesOfObjects: what another program does to an object is told from damage where
// that can be.
func TestNotesOfObjects(t *testing.T) {
	small, large := "small", strings.Repeat("large", 50_000)
	crcOf := func(data string) storage.Note {
		h := crc64nvme.New()
		io.WriteString(h, data)
		return storage.Note{Digest: "crc64nvme", Sum: h.Sum(nil), Size: int64(len(data)), Since: storage.Untouched}
	}
	shaOf := func(data string, since storage.Since) storage.Note {
		sum := sha256.Sum256([]byte(data))
		return storage.Note{Digest: "sha256", Sum: sum[:], Size: -1, Since: since}
	}
	for what, test := range map[string]struct {
		data string
		do   func(server *s3test.Server, key string)
		want []storage.Note
	}{
		"small":          {small, func(*s3test.Server, string) {}, []storage.Note{crcOf(small)}},
		"small, spoiled": {small, (*s3test.Server).Spoil, []storage.Note{crcOf(small)}},
		"large":          {large, func(*s3test.Server, string) {}, []storage.Note{crcOf(large), shaOf(large, storage.Untouched)}},
		"large, spoiled": {large, (*s3test.Server).Spoil, []storage.Note{crcOf(large), shaOf(large, storage.Untouched)}},
		"large, replaced by another program": {large, func(server *s3test.Server, key string) {
			server.Touch(key)
			server.Objects()[key].Meta.Del("X-Amz-Meta-Labnet-From")
		}, []storage.Note{shaOf(large, storage.Changed)}},
		"small, replaced by another program": {small, func(server *s3test.Server, key string) {
			server.Touch(key)
			server.Objects()[key].Meta.Del("X-Amz-Meta-Labnet-From")
		}, []storage.Note{crcOf(small)}}, // of which there is no trace
	} {
		t.Run(what, func(t *testing.T) {
			server := s3test.NewServer()
			server.MinPart = 0
			store := open(t, server, s3.Options{PartSize: 100_000})
			p, err := store.Create(t.Context(), storage.File{Name: "f", Size: int64(len(test.data)), Digest: storagetest.Digest, Proofs: storagetest.Proofs})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.ReadFrom(strings.NewReader(test.data)); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Commit(t.Context(), storage.Sum{Size: int64(len(test.data))}); err != nil {
				t.Fatal(err)
			}
			test.do(server, "some/prefix/f")
			r := reader(t, server)
			defer r.Close()
			k, err := r.Open(t.Context(), "f")
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			notes, err := k.Notes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, notes); diff != "" {
				t.Errorf("noted (-want +got):\n%s", diff)
			}
			data, err := io.ReadAll(k)
			if spoiled := strings.HasSuffix(what, "spoiled"); err != nil || bytes.Equal(data, []byte(test.data)) == spoiled {
				t.Errorf("%d bytes, %v", len(data), err)
			}
		})
	}
}

// TestReaderWithoutObjectStore: what cannot be asked is no damage.
func TestReaderWithoutObjectStore(t *testing.T) {
	server := s3test.NewServer()
	r := reader(t, server)
	defer r.Close()
	server.SetFault(func(*http.Request, bool) (int, string) { return http.StatusServiceUnavailable, "SlowDown" })
	_, err := r.Open(t.Context(), "f")
	if !errors.Is(err, storage.ErrDegraded) {
		t.Errorf("Open: %v", err)
	}
	if err := r.Walk(t.Context(), func(storage.Found) error { return nil }); !errors.Is(err, storage.ErrDegraded) {
		t.Errorf("Walk: %v", err)
	}
}
