package storage

import (
	"sync"
)

// nameLocks lets one upload at a time publish a name. Otherwise one could find
// its contents under the name, acknowledge them, and see another upload, whose
// fsync failed, take the name away again. Names that are one for some
// filesystem are one here.
type nameLocks struct {
	mu    sync.Mutex
	freed *sync.Cond
	held  map[string]bool
}

func newNameLocks() *nameLocks {
	l := &nameLocks{held: make(map[string]bool)}
	l.freed = sync.NewCond(&l.mu)
	return l
}

func (l *nameLocks) lock(name string) {
	name = foldName(name)
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.held[name] {
		l.freed.Wait()
	}
	l.held[name] = true
}

// tryLock is a lock that does not wait, and reports whether it was taken.
func (l *nameLocks) tryLock(name string) bool {
	name = foldName(name)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[name] {
		return false
	}
	l.held[name] = true
	return true
}

func (l *nameLocks) unlock(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, foldName(name))
	l.freed.Broadcast()
}
