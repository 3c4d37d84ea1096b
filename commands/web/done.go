package web

import (
	"sync"

	"github.com/labnet/labnet/wire"
)

// maxDone bounds how many uploads a doneList has.
const maxDone = 1000

// A doneList has what became of the uploads that were completed last, by their URLs: a
// client that missed the answer asks how much of its file there is, and need not send all
// of it again. Its methods are safe for concurrent use.
type doneList struct {
	mu   sync.Mutex
	set  map[string]wire.Saved
	ring [maxDone]string
	next int
}

func (l *doneList) has(url string) bool {
	_, done := l.get(url)
	return done
}

func (l *doneList) get(url string) (saved wire.Saved, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	saved, done = l.set[url]
	return saved, done
}

func (l *doneList) add(url string, saved wire.Saved) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.set == nil {
		l.set = map[string]wire.Saved{}
	}
	delete(l.set, l.ring[l.next])
	l.set[url] = saved
	l.ring[l.next] = url
	l.next = (l.next + 1) % maxDone
}
