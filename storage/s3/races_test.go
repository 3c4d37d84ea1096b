package s3_test

import (
	"context"
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

// once has something happen right before the first request that is like that.
func once(server *s3test.Server, like func(*http.Request) bool, do func()) {
	var done atomic.Bool
	server.SetFault(func(r *http.Request, after bool) (int, string) {
		if !after && like(r) && done.CompareAndSwap(false, true) {
			do()
		}
		return 0, ""
	})
}

// TestDeadClaim: an upload that has ended without a word keeps nobody from its name for
// good.
func TestDeadClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := smallParts()
		digest := digests["crc64nvme"]
		line := &severed{Server: server}
		first := open(t, server, s3.Options{PartSize: piece, Transport: line})
		second := open(t, server, s3.Options{PartSize: piece})
		data := contentsOf(3 * piece)
		f := storage.File{Name: "a", Size: int64(len(data)), Digest: digest}
		f.ID, f.Proofs = "dies", proofs
		p := create(t, first, f, "")
		send(t, p, data[:2*piece])
		synctest.Wait()
		line.dead.Store(true)
		for _, step := range []struct {
			after time.Duration
			name  string
		}{{5 * time.Minute, "a (2)"}, {time.Hour, "a"}} {
			time.Sleep(step.after)
			f.ID = step.name
			if r := commit(t, sent(t, second, f, step.name+data[len(step.name):]), digest, step.name+data[len(step.name):]); r.Name != step.name {
				t.Errorf("after %v it is kept as %q, want %q", step.after, r.Name, step.name)
			}
		}
		p.Abort()
		line.dead.Store(false)
	})
}

// TestStoredBeforeClaim: a name that somebody stores under between the look at what is
// there and the claim is not chosen: the file would have to be sent again.
func TestStoredBeforeClaim(t *testing.T) {
	server := smallParts()
	digest := digests["crc64nvme"]
	store := open(t, server, s3.Options{PartSize: piece})
	once(server, func(r *http.Request) bool {
		return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/.labnet/names/")
	}, func() { server.Put("some/prefix/a", "others") })
	data := contentsOf(3 * piece)
	if r := commit(t, sent(t, store, storage.File{Name: "a", Size: int64(len(data)), Digest: digest}, data), digest, data); r.Name != "a (2)" {
		t.Errorf("it is kept as %q", r.Name)
	}
	expect(t, server, map[string]string{"a": "others", "a (2)": data})
}

// TestObjectChangesWhileRead: what is noted of an object is never about another that was
// read in its place, also if the first comes back.
func TestObjectChangesWhileRead(t *testing.T) {
	server := smallParts()
	digest := digests["crc64nvme"]
	store := open(t, server, s3.Options{PartSize: piece})
	data, other := contentsOf(3*piece), strings.Repeat("x", 3*piece)
	const key = "some/prefix/a"
	server.Put(key, data)
	once(server, func(r *http.Request) bool {
		return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/a")
	}, func() { server.Put(key, other) })
	f := storage.File{Name: "a", Size: int64(len(data)), Digest: digest, Proofs: proofs}
	p, err := store.Create(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	p.Abort()
	server.Put(key, data) // with the ETag that it had
	server.SetSum(key, other)
	if r := commit(t, sent(t, store, f, other), digest, other); r.Unchanged || r.Name != "a (2)" {
		t.Errorf("receipt %+v", r)
	}
}

// TestResumeOfReplacedPart: parts that are not those which the digests are about are not
// gone on with: the file would turn out to be wrong at its end.
func TestResumeOfReplacedPart(t *testing.T) {
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
		send(t, p, data[piece:2*piece+1])
		synctest.Wait()
		send(t, old, others[piece+1:2*piece]) // as part 2
		first.Close()
		if err := p.Suspend(); err != nil {
			t.Fatal(err)
		}
		commit(t, sent(t, second, f, data), digest, data)
		expect(t, server, map[string]string{"a": data})
	})
}
