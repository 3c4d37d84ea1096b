package s3_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/s3"
)

// TestMemory: senders wait for an object store that takes nothing, and what is
// held for them is bounded by the limit and one part. Nobody waits for ever for
// another who waits, too.
func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, senders, size = 4 * piece, 10, 8*piece + 1 // parts do not grow yet
		server := smallParts()
		stuck := make(chan struct{})
		store := open(t, server, s3.Options{PartSize: piece, Memory: limit})
		server.SetFault(func(r *http.Request, done bool) (int, string) {
			if kind(r) == "part" && !done {
				<-stuck
			}
			return 0, ""
		})
		digest := digests["crc64nvme"]
		var all sync.WaitGroup
		for i := range senders {
			all.Go(func() {
				name := string(rune('a' + i))
				data := strings.Repeat(name, size)
				declared := int64(size)
				if i%2 == 0 {
					declared = -1
				}
				p, err := store.Create(context.Background(), storage.File{Name: name, Size: declared, Digest: digest})
				if err != nil {
					t.Error(err)
					return
				}
				for at := 0; at < len(data); at += 300 { // all of them a little
					if _, err := p.ReadFrom(strings.NewReader(data[at:min(at+300, len(data))])); err != nil {
						t.Error(err)
						return
					}
				}
				if _, err := p.Commit(context.Background(), sum(digest, data)); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait() // all stand still
		if most := store.MostMemory(); most < limit-piece || most > limit+piece {
			t.Errorf("%d bytes are held, want about %d", most, limit)
		}
		close(stuck)
		all.Wait()
		if most := store.MostMemory(); most > limit+piece {
			t.Errorf("%d bytes were held, want at most %d", most, limit+piece)
		}
		want := map[string]string{}
		for i := range senders {
			name := string(rune('a' + i))
			want[name] = strings.Repeat(name, size)
		}
		expect(t, server, want)
	})
}

// TestFavourite: when memory is used up by parts that fill, none of which can go
// on, one of them exceeds it, and then the next.
func TestFavourite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const part = 1 << 20 // of four slabs
		server := smallParts()
		store := open(t, server, s3.Options{PartSize: part, Memory: part})
		digest := digests["crc64nvme"]
		var all sync.WaitGroup
		data := contentsOf(2*part + 5)
		for i := range 5 {
			all.Go(func() {
				p, err := store.Create(context.Background(), storage.File{Name: string(rune('a' + i)), Size: int64(len(data)), Digest: digest})
				if err != nil {
					t.Error(err)
					return
				}
				for at := 0; at < len(data); at += part / 4 {
					if _, err := p.ReadFrom(strings.NewReader(data[at:min(at+part/4, len(data))])); err != nil {
						t.Error(err)
						return
					}
					time.Sleep(time.Millisecond) // all get on in step
				}
				if _, err := p.Commit(context.Background(), sum(digest, data)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if most := store.MostMemory(); most <= part || most > 2*part {
			t.Errorf("%d bytes were held, want at most %d", most, 2*part)
		}
	})
}

// TestCloseWhileWaiting: who waits for memory is told that the store is closed.
func TestCloseWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := smallParts()
		store := open(t, server, s3.Options{PartSize: piece, Memory: piece})
		var partials []storage.Partial
		var all sync.WaitGroup
		for range 3 {
			p, err := store.Create(context.Background(), storage.File{Name: "a", Size: -1})
			if err != nil {
				t.Fatal(err)
			}
			partials = append(partials, p)
			all.Go(func() {
				if _, err := p.ReadFrom(io.LimitReader(zeros{}, 500)); err != nil {
					return
				}
				p.ReadFrom(stopped{})
			})
		}
		synctest.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		all.Wait()
		for _, p := range partials {
			if _, err := p.Commit(context.Background(), storage.Sum{Size: -1}); err == nil {
				t.Error("Commit succeeded in a closed store")
			}
		}
		expect(t, server, map[string]string{})
	})
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

type stopped struct{}

func (stopped) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
