package web

import "sync"

// maxDone bounds how many uploads a doneList has.
const maxDone = 1000

// A doneList has the URLs of the uploads that were completed last: a client that missed
// the answer asks how much of its file there is, and need not send all of it again. Its
// methods are safe for concurrent use.
type doneList struct {
	mu   sync.Mutex
	set  map[string]bool
	ring [maxDone]string
	next int
}

func (l *doneList) has(url string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.set[url]
}

func (l *doneList) add(url string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.set == nil {
		l.set = map[string]bool{}
	}
	delete(l.set, l.ring[l.next])
	l.set[url] = true
	l.ring[l.next] = url
	l.next = (l.next + 1) % maxDone
}
