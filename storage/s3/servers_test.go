package s3_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"hash/crc32"
	"io/fs"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/minio/crc64nvme"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/s3"
	"github.com/labnet/labnet/storage/s3/s3test"
)

const piece = 1000 // bytes of a part in these tests

var digests = map[string]storage.Digest{
	"crc64nvme": {Name: "crc64nvme", New: func() hash.Hash { return crc64nvme.New() }},
	"sha256":    {Name: "sha256", New: sha256.New},
}

// proofs are those of a sender that also believes others.
var proofs = []storage.Digest{{Name: "blake2", New: nil}, digests["sha256"]}

// A severed transport is one of a server that has died.
type severed struct {
	*s3test.Server
	dead atomic.Bool
}

func (s *severed) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.dead.Load() {
		return nil, errors.New("this server is dead")
	}
	return s.Server.RoundTrip(r)
}

// smallParts is an object store that allows them.
func smallParts() *s3test.Server {
	server := s3test.NewServer()
	server.MinPart = 0
	return server
}

func contentsOf(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8)
	}
	return string(b)
}

func sum(d storage.Digest, data string) storage.Sum {
	h := d.New()
	h.Write([]byte(data))
	return storage.Sum{Size: int64(len(data)), Digest: h.Sum(nil)}
}

func create(t *testing.T, s *s3.Store, f storage.File, resumed string) storage.Partial {
	t.Helper()
	p, err := s.Create(context.Background(), f)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	want := storage.Offer{}
	if resumed != "" {
		want = storage.Offer{Size: int64(len(resumed)), Digest: "sha256", Proof: sum(digests["sha256"], resumed).Digest}
	}
	if diff := cmp.Diff(want, p.Offer()); diff != "" {
		t.Fatalf("Offer (-want +got):\n%s", diff)
	}
	return p
}

func send(t *testing.T, p storage.Partial, data string) {
	t.Helper()
	if n, err := p.ReadFrom(strings.NewReader(data)); err != nil || n != int64(len(data)) {
		t.Fatalf("ReadFrom = %d, %v", n, err)
	}
}

func commit(t *testing.T, p storage.Partial, d storage.Digest, data string) storage.Receipt {
	t.Helper()
	r, err := p.Commit(context.Background(), sum(d, data))
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	if want := sum(d, data); r.Size != want.Size || !bytes.Equal(r.Digest, want.Digest) {
		t.Errorf("receipt %+v, want %+v", r, want)
	}
	return r
}

// expect compares what is visible, and sees that nothing else is left.
func expect(t *testing.T, server *s3test.Server, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	files := visible(server)
	if err := fs.WalkDir(files, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if strings.HasPrefix(name, ".labnet/digests/") {
			return nil // they stay as long as the files
		}
		data, err := fs.ReadFile(files, name)
		got[name] = string(data)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("in the bucket (-want +got):\n%.2000s", diff)
	}
	if n := server.Uploads(); n != 0 {
		t.Errorf("%d multipart uploads are left", n)
	}
}

// TestKilledServer: what one server has stored, another one continues with.
func TestKilledServer(t *testing.T) {
	for name, digest := range digests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := smallParts()
				line := &severed{Server: server}
				first := open(t, server, s3.Options{PartSize: piece, Transport: line})
				second := open(t, server, s3.Options{PartSize: piece})
				data := contentsOf(10*piece + 7)
				f := storage.File{Name: "a", ID: "id", Size: int64(len(data)), Digest: digest, Proofs: proofs}
				p := create(t, first, f, "")
				send(t, p, data[:3*piece+500])
				synctest.Wait()
				time.Sleep(time.Minute)
				send(t, p, data[3*piece+500:3*piece+501]) // what is told from time to time
				synctest.Wait()
				kept := data[:3*piece]
				line.dead.Store(true)

				p = create(t, second, f, kept)
				send(t, p, data[len(kept):])
				if r := commit(t, p, digest, data); r.Name != "a" || r.Unchanged {
					t.Errorf("receipt %+v", r)
				}
				expect(t, server, map[string]string{"a": data})
				line.dead.Store(false)
			})
		})
	}
}

// TestSuspendedServer: what a server that ends puts away is all that it has.
func TestSuspendedServer(t *testing.T) {
	for name, digest := range digests {
		t.Run(name, func(t *testing.T) {
			server := smallParts()
			data := contentsOf(10*piece + 7)
			f := storage.File{Name: "a", ID: "id", Size: int64(len(data)), Digest: digest, Proofs: proofs}
			kept := ""
			for _, at := range []int{1, 999, 1000, 3500, 3501, 9000, 10_000, len(data)} {
				store := open(t, server, s3.Options{PartSize: piece})
				p := create(t, store, f, kept)
				send(t, p, data[len(kept):at])
				kept = data[:at]
				if err := store.Close(); err != nil {
					t.Fatal(err)
				}
			}
			store := open(t, server, s3.Options{PartSize: piece})
			if left := store.Leftovers(); len(left) != 1 || left[0].Size != int64(len(data)) {
				t.Errorf("left: %+v", left)
			}
			commit(t, create(t, store, f, data), digest, data)
			expect(t, server, map[string]string{"a": data})
		})
	}
}

// TestTakeover: of two servers that receive the same upload the one that was
// asked last goes on, and the other finds out.
func TestTakeover(t *testing.T) {
	for name, notice := range map[string]func(storage.Partial, string) error{
		"at the end": func(p storage.Partial, data string) error {
			p.ReadFrom(strings.NewReader(data[2500:]))
			_, err := p.Commit(context.Background(), storage.Sum{Size: -1})
			return err
		},
		"while more comes": func(p storage.Partial, data string) error {
			time.Sleep(time.Minute)
			_, err := p.ReadFrom(strings.NewReader(data[2500:2501]))
			return errors.Join(err, p.Suspend())
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := smallParts()
				digest := digests["crc64nvme"]
				first := open(t, server, s3.Options{PartSize: piece})
				second := open(t, server, s3.Options{PartSize: piece})
				data := contentsOf(5 * piece)
				f := storage.File{Name: "a", ID: "id", Size: int64(len(data)), Digest: digest, Proofs: proofs}
				old := create(t, first, f, "")
				send(t, old, data[:2400])
				synctest.Wait()
				time.Sleep(time.Minute)
				send(t, old, data[2400:2500]) // what is told from time to time
				synctest.Wait()
				p := create(t, second, f, data[:2000])
				if err := notice(old, data); !errors.Is(err, storage.ErrSuperseded) {
					t.Errorf("the other server: %v, want %v", err, storage.ErrSuperseded)
				}
				if _, err := first.Create(context.Background(), storage.File{Name: "b", Size: 1}); err != nil {
					t.Error(err)
				}
				send(t, p, data[2000:])
				commit(t, p, digest, data)
				expect(t, server, map[string]string{"a": data})
			})
		})
	}
}

// TestReplacedPart: who does not know yet that he was taken over may spoil the
// upload of the other, but no file.
func TestReplacedPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := smallParts()
		digest := digests["crc64nvme"]
		first := open(t, server, s3.Options{PartSize: piece})
		second := open(t, server, s3.Options{PartSize: piece})
		data, others := contentsOf(3*piece), strings.Repeat("other", piece)[:3*piece]
		f := storage.File{Name: "a", ID: "id", Size: int64(len(data)), Digest: digest, Proofs: proofs}
		old := create(t, first, f, "")
		send(t, old, data[:piece])
		synctest.Wait()
		time.Sleep(time.Minute)
		send(t, old, others[piece:piece+1]) // what is told from time to time
		p := create(t, second, f, data[:piece])
		send(t, p, data[piece:])
		synctest.Wait()
		send(t, old, others[piece+1:2*piece]) // as part 2
		first.Close()
		if _, err := p.Commit(context.Background(), sum(digest, data)); !errors.Is(err, storage.ErrMismatch) {
			t.Errorf("Commit: %v, want %v", err, storage.ErrMismatch)
		}
		commit(t, sent(t, second, f, data), digest, data)
		expect(t, server, map[string]string{"a": data})
	})
}

// sent creates a file and sends all of it.
func sent(t *testing.T, s *s3.Store, f storage.File, data string) storage.Partial {
	t.Helper()
	p, err := s.Create(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	if o := p.Offer(); o.Stored {
		if proof := sha256.Sum256([]byte(data)); string(o.Proof) == string(proof[:]) {
			return p
		}
		if err := p.Restart(); err != nil {
			t.Fatal(err)
		}
	} else if o.Size > 0 {
		t.Fatalf("offer %+v", o)
	}
	send(t, p, data)
	return p
}

func waitForPart(server *s3test.Server, n int) {
	for server.Parts() < n {
		time.Sleep(time.Millisecond)
	}
}

// TestClaims: large files that are sent under one name at once, also to several
// servers, find different names before any of them is there.
func TestClaims(t *testing.T) {
	server := smallParts()
	digest := digests["crc64nvme"]
	stores := []*s3.Store{open(t, server, s3.Options{PartSize: piece}), open(t, server, s3.Options{PartSize: piece})}
	want := map[string]string{}
	var partials []storage.Partial
	var contents []string
	for i := range 6 {
		data := strings.Repeat(string(rune('a'+i)), 2*piece+i)
		contents = append(contents, data)
		partials = append(partials, sent(t, stores[i%2], storage.File{Name: "a.txt", Size: int64(len(data)), Digest: digest}, data))
		want[storage.NumberedName("a.txt", i+1)] = data
	}
	small := sent(t, stores[0], storage.File{Name: "a.txt", Size: 5, Digest: digest}, "small")
	if r := commit(t, small, digest, "small"); r.Name != "a (7).txt" {
		t.Errorf("a small file took the name %q, which a large one was to have", r.Name)
	}
	want["a (7).txt"] = "small"
	for i := len(partials) - 1; i >= 0; i-- {
		if r := commit(t, partials[i], digest, contents[i]); r.Name != storage.NumberedName("a.txt", i+1) {
			t.Errorf("file %d is %q", i, r.Name)
		}
	}
	expect(t, server, want)
}

// TestTakenMeanwhile: a name that somebody else takes while a large file is sent
// is not overwritten, and the second try finds another one.
func TestTakenMeanwhile(t *testing.T) {
	server := smallParts()
	digest := digests["crc64nvme"]
	store := open(t, server, s3.Options{PartSize: piece})
	data := contentsOf(3 * piece)
	f := storage.File{Name: "a", ID: "id", Size: int64(len(data)), Digest: digest, Proofs: proofs}
	p := sent(t, store, f, data)
	server.Put("some/prefix/a", "somebody else's")
	if _, err := p.Commit(context.Background(), sum(digest, data)); !errors.Is(err, storage.ErrDegraded) {
		t.Errorf("Commit: %v, want %v", err, storage.ErrDegraded)
	}
	if r := commit(t, sent(t, store, f, data), digest, data); r.Name != "a (2)" {
		t.Errorf("receipt %+v", r)
	}
	expect(t, server, map[string]string{"a": "somebody else's", "a (2)": data})
	if r := commit(t, sent(t, store, f, data), digest, data); !r.Unchanged || r.Name != "a (2)" {
		t.Errorf("receipt of the same again: %+v", r)
	}
}

// TestAnotherName: parts are for one name.
func TestAnotherName(t *testing.T) {
	server := smallParts()
	digest := digests["crc64nvme"]
	store := open(t, server, s3.Options{PartSize: piece})
	data := contentsOf(3 * piece)
	f := storage.File{Name: "a", ID: "id", Size: int64(len(data)), Digest: digest, Proofs: proofs}
	p := create(t, store, f, "")
	send(t, p, data[:2500])
	if err := p.Suspend(); err != nil {
		t.Fatal(err)
	}
	f.Name = "b"
	commit(t, sent(t, store, f, data), digest, data)
	expect(t, server, map[string]string{"b": data})
}

// TestAnotherDigest: parts are gone on with only where their digest is known.
func TestAnotherDigest(t *testing.T) {
	crc := storage.Digest{Name: "crc32", New: func() hash.Hash { return crc32.NewIEEE() }}
	data := contentsOf(5 * piece)
	for name, test := range map[string]struct {
		first, second storage.Digest
		kept          string
	}{
		"the object store's": {digests["sha256"], digests["crc64nvme"], data[:2500]},
		"another":            {digests["sha256"], crc, ""},
		"the same":           {crc, crc, data[:2500]},
	} {
		t.Run(name, func(t *testing.T) {
			server := smallParts()
			store := open(t, server, s3.Options{PartSize: piece})
			f := storage.File{Name: "a", ID: "id", Size: int64(len(data)), Digest: test.first, Proofs: proofs}
			p := create(t, store, f, "")
			send(t, p, data[:2500])
			if err := p.Suspend(); err != nil {
				t.Fatal(err)
			}
			f.Digest = test.second
			p = create(t, store, f, test.kept)
			send(t, p, data[len(test.kept):])
			commit(t, p, test.second, data)
			expect(t, server, map[string]string{"a": data})
		})
	}
}

// TestSpoiledTail: bytes that filled no part are not gone on with unless they
// are what was put away.
func TestSpoiledTail(t *testing.T) {
	for _, size := range []int{500, 2500} {
		server := smallParts()
		digest := digests["crc64nvme"]
		store := open(t, server, s3.Options{PartSize: piece})
		data := contentsOf(5 * piece)
		f := storage.File{Name: "a", ID: "id", Size: int64(len(data)), Digest: digest, Proofs: proofs}
		p := create(t, store, f, "")
		send(t, p, data[:size])
		if err := p.Suspend(); err != nil {
			t.Fatal(err)
		}
		for key := range server.Objects() {
			if strings.Contains(key, "/uploads/") {
				server.Spoil(key)
			}
		}
		commit(t, sent(t, store, f, data), digest, data)
		expect(t, server, map[string]string{"a": data})
	}
}
