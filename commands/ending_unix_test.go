//go:build unix

package commands_test

import (
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"sync"
	"testing"
)

// An ending notes what clients are told until all ends, at the very moment at which one is
// told something.
type ending struct {
	at     int                    // the acknowledgement that it follows
	counts func(name string) bool // of those which count; nil for all
	end    func() error           // ends all

	mu           sync.Mutex
	over         bool
	told         int                          // how many of those that count
	acknowledged map[string][sha256.Size]byte // contents by name
}

// isOver reports whether it has come. It waits for one that is on its way.
func (e *ending) isOver() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.over
}

// keep notes what a client was told, and at some time ends all. What is told while that
// goes on does not count: nobody knows which came first.
func (e *ending) keep(t *testing.T, name string, sum [sha256.Size]byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return
	}
	if other, twice := e.acknowledged[name]; twice && other != sum {
		t.Errorf("two files are saved as %q", name)
	}
	if e.acknowledged == nil {
		e.acknowledged = map[string][sha256.Size]byte{}
	}
	e.acknowledged[name] = sum
	if e.counts != nil && !e.counts(name) {
		return
	}
	if e.told++; e.told == e.at {
		if err := e.end(); err != nil {
			t.Error("it does not end: ", err)
		}
		e.over = true
	}
}

// put sends a file, and returns the name that it was stored under.
func (s *webSender) put(ctx context.Context, name string, contents []byte) (string, error) {
	h, err := s.do(ctx, "PUT", "/"+name, contents)
	if err != nil {
		return "", err
	}
	return savedAs(h)
}

// signed makes random contents, most of them small and no two the same, that
// begin with the SHA-256 of the rest: so a file that nobody was told of can be
// seen to be torn.
func signed(random *rand.Rand) []byte {
	contents := make([]byte, sha256.Size+16+random.IntN(1<<random.IntN(18)))
	rest := contents[sha256.Size:]
	for i := range rest {
		rest[i] = byte(random.Uint32())
	}
	resign(contents)
	return contents
}
