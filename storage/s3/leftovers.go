package s3

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/labnet/labnet/storage"
)

// A leftover is what a Store knows of an upload that is not in progress here.
type leftover struct {
	object  // its state
	size    int64
	left    bool // it was interrupted, or looks like it
	useless bool // nobody can continue with it
	upload  string
	key     string // of the file
}

// Leftovers lists what interrupted uploads have left, the oldest first, without
// those that go on. What other servers have done since the last look, at most a
// minute or a 24th of Bounds.Age ago, it does not know.
func (s *Store) Leftovers() []storage.Leftover {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.client.clock.now()
	var list []storage.Leftover
	for _, l := range s.idle() {
		base := path.Base(l.object.key)
		list = append(list, storage.Leftover{Name: base, Owner: storage.OwnerOf(base), Size: l.size, Age: max(0, now.Sub(l.modified))})
	}
	return list
}

// Left implements [storage.Meter].
func (s *Store) Left(f storage.File) storage.Usage {
	return storage.Left(slices.Values(s.Leftovers()), f)
}

// idle lists what was left, oldest first. It needs mu.
func (s *Store) idle() []leftover {
	var list []leftover
	for key, l := range s.left {
		if l.left && s.partials[key] == nil {
			list = append(list, l)
		}
	}
	slices.SortFunc(list, func(a, b leftover) int {
		return cmp.Or(a.modified.Compare(b.modified), strings.Compare(a.object.key, b.object.key))
	})
	return list
}

// noteLeft notes that p was put away, and has tidy look whether that is too much.
func (s *Store) noteLeft(p *partial) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := leftover{object: object{key: p.stateKey, etag: p.etag, modified: s.client.clock.now()}, size: p.size, left: true}
	if p.multi != nil {
		l.key, l.upload = p.multi.key, p.multi.upload
	}
	s.left[p.stateKey] = l
	select {
	case s.trim <- struct{}{}:
	default:
	}
}

// tidy removes what was left for too long, or is too much, now and then and when
// it is asked to, until the store is closed.
func (s *Store) tidy() {
	tick := time.NewTicker(max(time.Second, min(s.o.Partials.Age/24, time.Hour)))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.removeLeft(s.background) // or the next time
		case <-s.trim:
			s.trimLeft(s.background)
		case <-s.background.Done():
			return
		}
	}
}

// removeLeft takes stock of what was left, by any server, and removes what has
// expired and what is too much.
func (s *Store) removeLeft(ctx context.Context) error {
	found := make(map[string]leftover)
	err := s.client.list(ctx, s.root+hidden+"uploads/", 0, func(o object) error {
		if !s.isOpen(o.key) {
			l, err := s.inspect(ctx, o)
			if err == nil {
				found[o.key] = l
			} else if !errors.Is(err, errAbsent) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.left = found
	s.mu.Unlock()
	for _, l := range found {
		if age := s.age(l.object); l.left && (l.useless || age > s.o.Partials.Age) {
			s.discard(ctx, l) // or the next time
		}
	}
	s.trimLeft(ctx)
	return s.removeClaims(ctx)
}

// inspect reads the state of an upload, unless it is the one that is known.
func (s *Store) inspect(ctx context.Context, o object) (leftover, error) {
	s.mu.Lock()
	l, known := s.left[o.key]
	s.mu.Unlock()
	if !known || l.etag != o.etag {
		st, o, tail, err := s.readState(ctx, o.key)
		if err != nil {
			return leftover{}, err
		}
		tail.Close()
		l = leftover{object: o, size: st.Kept, left: !st.Live, useless: st.Digest == "", key: st.Key, upload: st.Upload}
	}
	l.object.key, l.modified = o.key, o.modified
	l.left = l.left || s.age(o) > staleTime
	return l, nil
}

// age is how long ago an object was stored.
func (s *Store) age(o object) time.Duration { return s.client.clock.now().Sub(o.modified) }

// trimLeft removes what was left until the rest is within the bounds.
func (s *Store) trimLeft(ctx context.Context) {
	for _, l := range s.o.Partials.Excess(s.Leftovers()) {
		s.mu.Lock()
		left, known := s.left[s.root+hidden+"uploads/"+l.Name]
		s.mu.Unlock()
		if known {
			s.discard(ctx, left)
		}
	}
}

// discard removes what an upload has left, unless one continues with it: from the
// moment that its state has another ETag, nobody else does.
func (s *Store) discard(ctx context.Context, l leftover) error {
	text, err := json.Marshal(state{Token: rand.Text(), Key: l.key, Upload: l.upload})
	if err != nil {
		return err
	}
	gone := headed{head: append(text, '\n')}
	_, err = s.client.put(ctx, l.object.key, gone, sumOf(gone.head), nil, condition{etag: l.etag})
	if errors.Is(err, errCondition) || errors.Is(err, errAbsent) {
		err = nil // it is no leftover any more
	} else if err == nil {
		if l.upload != "" {
			err = s.client.abort(ctx, l.key, l.upload)
		}
		if err == nil {
			err = s.client.remove(ctx, l.object.key)
		}
	}
	if err == nil {
		s.mu.Lock()
		delete(s.left, l.object.key)
		s.mu.Unlock()
	}
	return err
}

// removeClaims removes claims on names of uploads that have ended otherwise.
func (s *Store) removeClaims(ctx context.Context) error {
	return s.client.list(ctx, s.root+hidden+"names/", 0, func(o object) error {
		if s.age(o) < staleTime {
			return nil
		}
		c, _, err := s.readClaim(ctx, o.key)
		if errors.Is(err, errAbsent) {
			return nil
		}
		if err != nil {
			return err
		}
		if live, err := s.isLive(ctx, c, o); live || err != nil {
			return err
		}
		return s.client.remove(ctx, o.key)
	})
}
