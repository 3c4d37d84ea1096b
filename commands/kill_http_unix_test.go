//go:build unix

package commands_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
)

// TestKillOverHTTP kills the server, at any time, while clients send by PUT and tus: what
// they were told is safe is there, nothing torn has a name, and by tus all arrives after
// all, where the server says that it has stopped.
func TestKillOverHTTP(t *testing.T) {
	rounds := *kills
	if testing.Short() {
		rounds = min(rounds, 4)
	}
	acknowledged, resumed := 0, 0
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			store := filepath.Join(t.TempDir(), "store")
			random := rand.New(rand.NewPCG(5, uint64(round)))
			server, addr := launchServe(t, store)
			e := &ending{at: 1 + random.IntN(60), end: func() error {
				server.kill()
				server.wait()
				return nil
			}}
			var sending sync.WaitGroup
			unfinished := make(chan *tusUpload, 4)
			for client := range 4 {
				random := rand.New(rand.NewPCG(random.Uint64(), 0))
				sending.Go(func() {
					sender := newWebSender(addr)
					defer sender.close()
					for n := 0; !e.isOver(); n++ {
						name, u := fmt.Sprintf("%d/%d", client, n), &tusUpload{contents: signed(random)}
						var err error
						if client%2 == 0 {
							name, err = sender.put(t.Context(), name, u.contents)
						} else {
							u.contents = append(u.contents, make([]byte, 1<<20)...)
							resign(u.contents)
							name, err = sender.tus(t.Context(), name, u, 1+random.IntN(3))
						}
						if err == nil {
							e.keep(t, name, sha256.Sum256(u.contents))
						} else if !e.isOver() {
							t.Errorf("before the end: %v", err)
							return
						} else if u.at != "" {
							unfinished <- u
						}
					}
				})
			}
			sending.Wait()
			close(unfinished)
			look := func() map[string][sha256.Size]byte {
				t.Helper()
				found := map[string][sha256.Size]byte{}
				must(t, visibleFiles(store, func(name string, contents []byte) {
					found[name] = sha256.Sum256(contents)
					if !isSigned(contents) {
						t.Errorf("torn: %q, %d bytes", name, len(contents))
					}
				}))
				return found
			}
			found := look()
			for name, sum := range e.acknowledged {
				if found[name] != sum {
					t.Errorf("lost: %q was acknowledged", name)
				}
			}
			_, addr = launchServe(t, store)
			sender := newWebSender(addr)
			defer sender.close()
			for u := range unfinished {
				name, had, err := sender.resume(t.Context(), u)
				if err != nil {
					t.Errorf("it does not go on: %v", err)
				} else if look()[name] != sha256.Sum256(u.contents) {
					t.Errorf("%q is something else", name)
				}
				resumed += had
			}
			acknowledged += len(e.acknowledged)
		})
	}
	t.Logf("%d files were acknowledged; %d KiB were not sent again", acknowledged, resumed>>10)
}
