package access

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/storagetest"
	"github.com/labnet/labnet/wire"
)

// A filling is a store with a quota of a hundred bytes.
type filling struct {
	t testing.TB
	*storagetest.Memory
	limited
}

func newFilling(t testing.TB) *filling {
	m := storagetest.NewMemory()
	q := &quota{meter: m, dir: "alice"}
	return &filling{t, m, limited{confined{m, "alice", "alice"}, "alice", q, storage.Usage{Bytes: 100, Files: 10}}}
}

func (f *filling) begin(name, id string, size int64) (storage.Partial, error) {
	return f.limited.Create(context.Background(), storage.File{Name: name, ID: id, Size: size, Digest: storagetest.Digest, Proofs: storagetest.Proofs})
}

// put keeps a file of so many bytes, and reports whether there was room.
func (f *filling) put(name string, size int) bool {
	f.t.Helper()
	p, err := f.begin(name, "", int64(size))
	if err == nil {
		_, err = p.ReadFrom(strings.NewReader(strings.Repeat("x", size)))
		if err == nil {
			_, err = p.Commit(context.Background(), storage.Sum{Size: int64(size)})
		}
		p.Abort()
	}
	return f.room(err)
}

// room reports whether there was room, after an error.
func (f *filling) room(err error) bool {
	f.t.Helper()
	refused, ok := errors.AsType[*wire.Error](err)
	if err != nil && (!ok || refused.Code != wire.CodeQuota) {
		f.t.Errorf("error %v", err)
	}
	return err == nil
}

func (f *filling) want(got, want bool) {
	f.t.Helper()
	if got != want {
		f.t.Errorf("there was room: %t, want %t", got, want)
	}
}

// TestQuota fills a folder in every way.
func TestQuota(t *testing.T) {
	for name, test := range map[string]func(f *filling){
		"to the byte": func(f *filling) {
			f.want(f.put("a", 101), false)
			f.want(f.put("a", 60), true)
			f.want(f.put("b", 41), false)
			f.want(f.put("b", 40), true)
			f.want(f.put("c", 1), false)
			f.want(f.put("c", 0), true)
		},
		"unchanged": func(f *filling) {
			for range 5 {
				f.want(f.put("a", 30), true)
			}
			f.want(f.put("b", 70), true)
		},
		"announced": func(f *filling) {
			p, err := f.begin("a", "", 60)
			f.want(f.room(err), true)
			f.want(f.put("b", 41), false)
			p.Abort()
			f.want(f.put("b", 41), true)
		},
		"mismatch": func(f *filling) {
			p, _ := f.begin("a", "", 60)
			if _, err := p.Commit(context.Background(), storage.Sum{Size: 60}); !errors.Is(err, storage.ErrMismatch) {
				f.t.Errorf("Commit: %v", err)
			}
			f.want(f.put("b", 100), true)
		},
		"refused by the store": func(f *filling) {
			if _, err := f.begin("../a", "", 100); err == nil {
				f.t.Error("no error")
			}
			f.want(f.put("b", 100), true)
		},
		"stream": func(f *filling) {
			p, err := f.begin("a", "", -1)
			f.want(f.room(err), true)
			_, err = p.ReadFrom(strings.NewReader(strings.Repeat("x", 60)))
			f.want(f.room(err), true)
			f.want(f.put("b", 41), false)
			_, err = p.ReadFrom(strings.NewReader(strings.Repeat("x", 41)))
			f.want(f.room(err), false)
			p.Abort()
			f.want(f.put("b", 100), true)
		},
		"interrupted": func(f *filling) {
			p, _ := f.begin("a", "id", 60)
			p.ReadFrom(strings.NewReader(strings.Repeat("x", 50)))
			must(f.t.(*testing.T), p.Suspend())
			f.want(f.put("b", 51), false) // 50 are left of it
			f.want(f.put("b", 50), true)
			_, err := f.begin("a", "id", 60)
			f.want(f.room(err), false)
			p, err = f.begin("a", "id", 50)
			f.want(f.room(err), true)
			if n := p.Offer().Size; n != 50 {
				f.t.Errorf("resumed at %d", n)
			}
			p.Abort()
			f.want(f.put("c", 50), true)
		},
		"interrupted before a restart": func(f *filling) {
			p, _ := f.begin("a", "id", 60)
			p.ReadFrom(strings.NewReader(strings.Repeat("x", 50)))
			must(f.t.(*testing.T), p.Suspend())
			f.limited.quota = &quota{meter: f.Memory, dir: "alice"}
			f.want(f.put("b", 51), false)
			f.want(f.put("b", 50), true)
		},
		"interrupted by another user of the folder": func(f *filling) {
			p, err := confined{f.Memory, "bob", "alice"}.Create(context.Background(), storage.File{Name: "a", ID: "id", Size: 60, Digest: storagetest.Digest, Proofs: storagetest.Proofs})
			must(f.t.(*testing.T), err)
			p.ReadFrom(strings.NewReader(strings.Repeat("x", 50)))
			must(f.t.(*testing.T), p.Suspend())
			f.want(f.put("b", 100), true)
		},
		"begun anew": func(f *filling) {
			p, _ := f.begin("a", "id", 60)
			p.ReadFrom(strings.NewReader(strings.Repeat("x", 50)))
			must(f.t.(*testing.T), p.Restart())
			p.ReadFrom(strings.NewReader("xx"))
			must(f.t.(*testing.T), p.Suspend())
			f.want(f.put("b", 98), true)
		},
		"files": func(f *filling) {
			for i := range 9 {
				f.want(f.put(fmt.Sprint(i), 0), true)
			}
			f.want(f.put("a/b", 0), false) // a folder, too
			p, err := f.begin("b", "", 0)
			f.want(f.room(err), true)
			f.want(f.put("c", 0), false)
			p.Abort()
			f.want(f.put("0", 0), true) // unchanged
			f.want(f.put("c", 0), true)
			f.want(f.put("d", 0), false)
		},
		"folders": func(f *filling) {
			make := func(name string) bool {
				return f.room(f.limited.MakeFolder(context.Background(), name, nil))
			}
			f.want(make("a/b/c/d/e/f/g/h/i/j/k"), false)
			for _, name := range []string{"a/b/c", "a/b", "a/b/d", "e/f/g", "e/f/g", "a/h"} {
				f.want(make(name), true)
			}
			f.want(make("i/j/k"), false)
			f.want(make("i/j"), true)
			f.want(make("k"), false)
			f.want(f.put("a/b/f", 0), false)
		},
		"files interrupted": func(f *filling) {
			for i := range 9 {
				p, err := f.begin(fmt.Sprint(i), fmt.Sprint(i), 2)
				f.want(f.room(err), true)
				p.ReadFrom(strings.NewReader("x"))
				must(f.t.(*testing.T), p.Suspend())
			}
			f.want(f.put("a", 0), true)
			f.want(f.put("b", 0), false)
		},
		"others' files": func(f *filling) {
			f.want(f.put("a", 10), true)
			p, err := f.Memory.Create(context.Background(), storage.File{Name: "alice/theirs", Size: -1})
			must(f.t.(*testing.T), err)
			p.ReadFrom(strings.NewReader(strings.Repeat("x", 80)))
			p.Commit(context.Background(), storage.Sum{Size: 80})
			time.Sleep(recountTime)
			f.want(f.put("b", 20), false)
			f.want(f.put("b", 10), true)
		},
		"room that others make": func(f *filling) {
			f.Memory.OnConflict = storage.Replace
			f.want(f.put("a", 100), true)
			f.want(f.put("b", 50), false)
			p, err := f.Memory.Create(context.Background(), storage.File{Name: "alice/a", Size: 1})
			must(f.t.(*testing.T), err)
			p.ReadFrom(strings.NewReader("x"))
			p.Commit(context.Background(), storage.Sum{Size: 1})
			time.Sleep(refusalTime)
			f.want(f.put("b", 50), true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(newFilling(t)) })
		})
	}
}

// TestQuotaOfOffers suspends an upload to which a stored file was offered: nothing is
// left of it, so it takes nothing of the quota.
func TestQuotaOfOffers(t *testing.T) {
	f := newFilling(t)
	f.want(f.put("a", 40), true)
	f.limited.Store = offering{f.limited.Store}
	p, err := f.begin("a", "id", 40)
	f.want(f.room(err), true)
	must(t, p.Suspend())
	f.want(f.put("b", 60), true)
	f.want(f.put("c", 1), false)
}

// TestUnchangedInFullQuota: a file that is there already needs no space, and what is
// not there gets none.
func TestUnchangedInFullQuota(t *testing.T) {
	f := newFilling(t)
	f.want(f.put("a", 40), true)
	p, err := f.begin("left", "id", 20)
	f.want(f.room(err), true)
	p.ReadFrom(strings.NewReader(strings.Repeat("x", 20)))
	must(t, p.Suspend())
	f.want(f.put("b", 40), true)
	f.limited.Store = knowing{f.limited.Store, "a"}

	p, err = f.begin("a", "any", 40)
	f.want(f.room(err), true)
	if err == nil {
		f.want(f.room(p.Restart()), false)
		_, err = p.ReadFrom(strings.NewReader("x"))
		f.want(f.room(err), false)
		p.Abort()
	}
	_, err = f.begin("c", "", 1)
	f.want(f.room(err), false)
	_, err = f.begin("left", "id", 60) // too much, and what is left stays
	f.want(f.room(err), false)
	p, err = f.begin("left", "id", 20)
	f.want(f.room(err), true)
	if err == nil && p.Offer().Size != 20 {
		t.Errorf("%d bytes are left", p.Offer().Size)
	}
}

// A knowing store has one file when it is only to look for files.
type knowing struct {
	storage.Store
	name string
}

func (k knowing) Create(ctx context.Context, f storage.File) (storage.Partial, error) {
	p, err := k.Store.Create(ctx, f)
	if err == nil && f.Existing && f.Name == k.name {
		p = offered{p, f.Size}
	}
	return p, err
}

// An offering store offers stored files to those who can resume.
type offering struct{ storage.Store }

type offered struct {
	storage.Partial
	size int64
}

func (o offering) Create(ctx context.Context, f storage.File) (storage.Partial, error) {
	p, err := o.Store.Create(ctx, f)
	if err == nil && f.ID != "" {
		p = offered{p, f.Size}
	}
	return p, err
}

func (o offered) Offer() storage.Offer { return storage.Offer{Size: o.size, Stored: true} }

// TestQuotaAtOnce has many announce at once what there is not room for.
func TestQuotaAtOnce(t *testing.T) {
	f := newFilling(t)
	f.limit.Files = 1000
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() { f.put(fmt.Sprint(i), 7) })
	}
	all.Wait()
	if used, err := f.Usage(t.Context(), "alice"); used.Bytes != 98 || err != nil {
		t.Errorf("%+v is kept, %v; want 98 bytes", used, err)
	}
}
