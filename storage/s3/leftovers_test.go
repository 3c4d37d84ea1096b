package s3_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/s3"
	"github.com/labnet/labnet/storage/s3/s3test"
)

// suspend leaves some bytes of an upload.
func suspend(t *testing.T, s *s3.Store, id string, size int) {
	t.Helper()
	digest := digests["crc64nvme"]
	p := create(t, s, storage.File{Name: "a" + id, ID: id, Size: 1 << 20, Digest: digest, Proofs: proofs}, "")
	send(t, p, contentsOf(size))
	if err := p.Suspend(); err != nil {
		t.Fatal(err)
	}
}

// left counts the states that are in the bucket.
func left(server *s3test.Server) (n int) {
	for key := range server.Objects() {
		if strings.Contains(key, "/.labnet/uploads/") {
			n++
		}
	}
	return n
}

// TestOthersLeftovers: who leaves very many small uploads loses them, and no other owner
// does, at any server.
func TestOthersLeftovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, o := smallParts(), s3.Options{PartSize: piece, Partials: storage.Bounds{Count: 5}}
		store := open(t, server, o)
		leave := func(owner, id string) {
			t.Helper()
			p := create(t, store, storage.File{Name: owner + id, Owner: owner, ID: id, Size: 100, Digest: digests["crc64nvme"], Proofs: proofs}, "")
			send(t, p, contentsOf(10))
			if err := p.Suspend(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		leave("alice", "hers")
		for i := range 12 {
			leave("mallory", fmt.Sprint(i))
		}
		for _, s := range []*s3.Store{store, open(t, server, o)} {
			if got := s.Left(storage.File{Owner: "alice"}); got.Files != 1 {
				t.Errorf("alice has left %+v", got)
			}
			if got := s.Left(storage.File{Owner: "mallory"}); got.Files != 4 {
				t.Errorf("mallory has left %+v", got)
			}
		}
	})
}

// TestExpiry: what was left goes when its time is over, at any server, and not
// while somebody continues with it.
func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := smallParts()
		o := s3.Options{PartSize: piece, Partials: storage.Bounds{Age: time.Hour}}
		first, second := open(t, server, o), open(t, server, o)
		suspend(t, first, "small", 10)
		suspend(t, first, "large", 3500)
		digest := digests["crc64nvme"]
		data := contentsOf(5000)
		going := create(t, first, storage.File{Name: "going", ID: "going", Size: 5000, Digest: digest, Proofs: proofs}, "")
		for at := range 50 { // over two hours in all
			time.Sleep(150 * time.Second)
			send(t, going, data[at*100:at*100+100])
			if at == 20 && left(server) != 3 {
				t.Errorf("%d states are left before an hour is over, want 3", left(server))
			}
		}
		if left(server) != 1 {
			t.Errorf("%d states are left, want the one of the upload that goes on", left(server))
		}
		commit(t, going, digest, data)
		expect(t, server, map[string]string{"going": data})
		if l := second.Leftovers(); len(l) != 0 {
			t.Errorf("left: %+v", l)
		}
	})
}

// TestPause: an upload of which nothing arrives for hours goes on all the same, and has
// its name: no other server takes it for one that was interrupted.
func TestPause(t *testing.T) {
	for name, test := range map[string]struct {
		f      storage.File
		before int // bytes that an earlier upload has left
		sent   int
	}{
		"a stream":                    {storage.File{Size: -1}, 0, 3500},
		"a file":                      {storage.File{Size: 5000, ID: "id", Proofs: proofs}, 0, 3500},
		"one that has just resumed":   {storage.File{Size: 5000, ID: "id", Proofs: proofs}, 3500, 0},
		"one that has resumed a tail": {storage.File{Size: 5000, ID: "id", Proofs: proofs}, 500, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, o := smallParts(), s3.Options{PartSize: piece, Partials: storage.Bounds{Age: time.Hour}}
				first, second := open(t, server, o), open(t, server, o)
				data := contentsOf(5000)
				f := test.f
				f.Name, f.Digest = "a", digests["crc64nvme"]
				if test.before > 0 {
					p := create(t, first, f, "")
					send(t, p, data[:test.before])
					if err := p.Suspend(); err != nil {
						t.Fatal(err)
					}
				}
				p := create(t, first, f, data[:test.before])
				send(t, p, data[test.before:test.before+test.sent])
				time.Sleep(5 * time.Hour)
				if left(server) != 1 {
					t.Fatalf("%d states are left, want that of the upload", left(server))
				}
				other := storage.File{Name: "a", Size: 5000, ID: "another", Digest: f.Digest, Proofs: proofs}
				if r := commit(t, sent(t, second, other, data[1:]+"!"), f.Digest, data[1:]+"!"); test.before != 500 && r.Name != "a (2)" {
					t.Errorf("another upload gets the name %q", r.Name)
				}
				send(t, p, data[test.before+test.sent:])
				if r := commit(t, p, f.Digest, data); test.before != 500 && r.Name != "a" {
					t.Errorf("it gets the name %q", r.Name)
				}
			})
		})
	}
}

// TestKilledExpiry: what a server that was killed has left goes, too, even what
// nobody can continue with.
func TestKilledExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := smallParts()
		line := &severed{Server: server}
		first := open(t, server, s3.Options{PartSize: piece, Transport: line})
		digest := digests["crc64nvme"]
		p := create(t, first, storage.File{Name: "a", ID: "id", Size: 5000, Digest: digest, Proofs: proofs}, "")
		send(t, p, contentsOf(3500))
		stream := create(t, first, storage.File{Name: "b", Size: -1, Digest: digest}, "")
		send(t, stream, contentsOf(3500))
		synctest.Wait()
		line.dead.Store(true)
		second := open(t, server, s3.Options{PartSize: piece, Partials: storage.Bounds{Age: time.Hour}})
		time.Sleep(45 * time.Minute)
		if n := left(server); n != 1 {
			t.Errorf("%d states are left, want the one that somebody can go on with", n)
		}
		time.Sleep(time.Hour)
		expect(t, server, map[string]string{})
		if l := second.Leftovers(); len(l) != 0 {
			t.Errorf("left: %+v", l)
		}
		p.Abort()
		stream.Abort()
		line.dead.Store(false)
	})
}

// TestExpiryMeetsUpload: what somebody continues with in the very moment in which
// its time is over stays.
func TestExpiryMeetsUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := smallParts()
		store := open(t, server, s3.Options{PartSize: piece, Partials: storage.Bounds{Age: time.Hour}})
		suspend(t, store, "id", 3500)
		var met atomic.Bool
		server.SetFault(func(r *http.Request, done bool) (int, string) {
			if _, key, _ := strings.Cut(r.URL.Path, "/bucket/"); !done && r.Method == http.MethodPut && strings.Contains(key, "/uploads/") {
				server.Touch(key)
				met.Store(true)
				server.SetFault(nil)
			}
			return 0, ""
		})
		time.Sleep(62*time.Minute + 40*time.Second)
		if !met.Load() || left(server) != 1 || server.Parts() != 3 {
			t.Errorf("met: %v; %d states and %d parts are left", met.Load(), left(server), server.Parts())
		}
	})
}

// TestBounds: the oldest go first.
func TestBounds(t *testing.T) {
	for _, test := range []struct {
		o    s3.Options
		want []int // which are kept
	}{
		{s3.Options{}, []int{0, 1, 2, 3}},
		{s3.Options{Partials: storage.Bounds{Count: 2}}, []int{2, 3}},
		{s3.Options{Partials: storage.Bounds{Count: -1}}, nil},
		{s3.Options{Partials: storage.Bounds{Bytes: 7000}}, []int{2, 3}},
		{s3.Options{Partials: storage.Bounds{Bytes: 3000}}, nil},
		{s3.Options{Partials: storage.Bounds{Bytes: -1}}, nil},
	} {
		t.Run(fmt.Sprintf("%+v", test.o), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := smallParts()
				test.o.PartSize = piece
				store := open(t, server, test.o)
				for i := range 4 {
					suspend(t, store, fmt.Sprint(i), 3500)
					time.Sleep(time.Second)
				}
				synctest.Wait()
				if left(server) != len(test.want) {
					t.Errorf("%d are kept, want %v", left(server), test.want)
				}
				for _, i := range test.want {
					f := storage.File{Name: fmt.Sprint("a", i), ID: fmt.Sprint(i), Size: 1 << 20, Digest: digests["crc64nvme"], Proofs: proofs}
					if err := create(t, store, f, contentsOf(3500)).Abort(); err != nil {
						t.Error(err)
					}
				}
				expect(t, server, map[string]string{})
			})
		})
	}
}

// TestBoundsAtStart: what others have left too much of goes when a server starts.
func TestBoundsAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := smallParts()
		store := open(t, server, s3.Options{PartSize: piece})
		for i := range 4 {
			suspend(t, store, fmt.Sprint(i), 3500)
			time.Sleep(time.Second)
		}
		open(t, server, s3.Options{PartSize: piece, Partials: storage.Bounds{Count: 3}})
		if n := left(server); n != 3 {
			t.Errorf("%d are kept, want 3", n)
		}
	})
}
