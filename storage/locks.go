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
	Held  map[string]bool
}

func NewNameLocks() *NameLocks {
	l := &NameLocks{Held: make(map[string]bool)}
	l.freed = sync.NewCond(&l.mu)
	return l
}

func (l *NameLocks) Lock(name string) {
	name = foldName(name)
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.Held[name] {
		l.freed.Wait()
	}
	l.Held[name] = true
}

// TryLock is Lock if that need not wait, and reports whether it took the name.
func (l *NameLocks) TryLock(name string) bool {
	name = foldName(name)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Held[name] {
		return false
	}
	l.Held[name] = true
	return true
}

func (l *NameLocks) Unlock(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.Held, foldName(name))
	l.freed.Broadcast()
}
