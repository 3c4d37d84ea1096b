package storage

import (
	"sync"
)

// NameLocks let one upload at a time publish a name. Otherwise one could find
// its contents under the name, acknowledge them, and see another upload, whose
// fsync failed, take the name away again. Names that are one for some
// filesystem are one here. It is for use by several goroutines.
type NameLocks struct {
	mu    sync.Mutex
	freed *sync.Cond
	held  map[string]bool
}

func NewNameLocks() *NameLocks {
	l := &NameLocks{held: make(map[string]bool)}
	l.freed = sync.NewCond(&l.mu)
	return l
}

func (l *NameLocks) Lock(name string) {
	name = foldName(name)
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.held[name] {
		l.freed.Wait()
	}
	l.held[name] = true
}

// TryLock is Lock if that need not wait, and reports whether it took the name.
func (l *NameLocks) TryLock(name string) bool {
	name = foldName(name)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[name] {
		return false
	}
	l.held[name] = true
	return true
}

func (l *NameLocks) Unlock(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, foldName(name))
	l.freed.Broadcast()
}
