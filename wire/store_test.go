package wire_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/wire"
)

// A store keeps files in memory, counts how each of them was ended, and does
// in its hooks what a test wants it to suffer. The hooks must be set before
// the server runs.
type store struct {
	onCreate  func(wire.Announcement) error
	onBytes   func(f *file) error // after each read of contents
	onCommit  func(f *file) error
	onAbort   func(f *file) error
	onSuspend func(f *file) error
	onRestart func(f *file) error
	onOffer   func(f *file) error
	onOpen    func(done <-chan struct{}) error // in Create, with its context
	onFolder  func(name string) error
	atEnd     error // of ReadFrom, in place of the reader's own
	lose      int   // bytes of each ReadFrom that are lost without an error
	err       error

	mu        sync.Mutex
	files     map[string]string // what is visible
	announced []wire.Announcement
	wants     []wire.Sum
	folders   []string
	modes     []fs.FileMode     // of the last of them
	left      map[string]string // by ID: what Suspend kept
	busy      map[string]bool   // the IDs in progress
	made      int               // names
	created   int
	ended     int
	suspended int      // of those that ended
	faults    []string // breaches of the contract of wire.Store
}

// A file is one in progress.
type file struct {
	wire.Announcement
	made  string // its name, if it is still free at the end
	store *store
	body  bytes.Buffer
	offer wire.Offer
	ended bool
}

func (s *store) Err() error { return s.err }

func (s *store) Create(ctx context.Context, a wire.Announcement) (wire.Upload, error) {
	s.mu.Lock()
	s.announced = append(s.announced, a)
	s.mu.Unlock()
	if s.onCreate != nil {
		if err := s.onCreate(a); err != nil {
			return nil, err
		}
	}
	if s.onOpen != nil {
		if err := s.onOpen(ctx.Done()); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.created++
	f := &file{Announcement: a, store: s}
	if f.made = a.Name; a.Name == "" {
		s.made++
		f.made = fmt.Sprintf("#%d", s.made)
	}
	if old, there := s.files[a.Name]; there && len(a.Contents.Sum) > 0 && sum(a.Contents.Digest, old) == hex.EncodeToString(a.Contents.Sum) {
		f.body.WriteString(old)
		f.offer = wire.Offer{Size: int64(len(old)), Stored: true, Agreed: true}
	} else if there && a.ID == "" && int64(len(old)) == a.Size && len(a.Proofs) > 0 && len(a.Contents.Sum) == 0 {
		f.body.WriteString(old)
		h := a.Proofs[0].New()
		h.Write([]byte(old))
		f.offer = wire.Offer{Size: a.Size, Digest: a.Proofs[0].Name, Proof: h.Sum(nil), Stored: true}
	}
	if a.ID == "" {
		return f, nil
	}
	if s.busy[a.ID] {
		s.faults = append(s.faults, fmt.Sprintf("two of ID %q at once", a.ID))
	}
	if s.busy == nil {
		s.busy, s.left = map[string]bool{}, map[string]string{}
	}
	s.busy[a.ID] = true
	if left := s.left[a.ID]; left != "" && int64(len(left)) <= a.Size && len(a.Proofs) > 0 {
		f.body.WriteString(left)
		h := a.Proofs[0].New()
		h.Write([]byte(left))
		f.offer = wire.Offer{Size: int64(len(left)), Digest: a.Proofs[0].Name, Proof: h.Sum(nil)}
	}
	delete(s.left, a.ID)
	return f, nil
}

func (s *store) MakeFolder(ctx context.Context, name string, modes []fs.FileMode) error {
	if s.onFolder != nil {
		if err := s.onFolder(name); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.folders = append(s.folders, name)
	s.modes = modes
	return nil
}

// CheckFolder knows the folders that were made.
func (s *store) CheckFolder(ctx context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.folders, name) {
		return &wire.Error{Code: wire.CodeAbsent, Text: "no such folder"}
	}
	return nil
}

func (f *file) Offer() wire.Offer {
	if f.store.onOffer != nil {
		f.store.onOffer(f)
	}
	return f.offer
}

func (f *file) Restart() error {
	if f.store.onRestart != nil {
		if err := f.store.onRestart(f); err != nil {
			return err
		}
	}
	f.body.Reset()
	f.offer = wire.Offer{}
	return nil
}

// Suspend keeps what a later Create of the same ID continues with.
func (f *file) Suspend() error {
	defer f.end("Suspend")
	if f.store.onSuspend != nil {
		if err := f.store.onSuspend(f); err != nil {
			return err
		}
	}
	f.store.mu.Lock()
	defer f.store.mu.Unlock()
	f.store.suspended++
	if f.ID != "" && f.Size >= 0 && !f.ended {
		f.store.left[f.ID] = f.body.String()
	}
	return nil
}

func (f *file) ReadFrom(r io.Reader) (n int64, err error) {
	buf := make([]byte, 32<<10)
	for {
		m, err := r.Read(buf)
		f.body.Write(buf[:m])
		n += int64(m)
		if hook := f.store.onBytes; hook != nil && m > 0 {
			if err := hook(f); err != nil {
				return n, err
			}
		}
		if err != nil && f.store.lose > 0 {
			f.body.Truncate(max(0, f.body.Len()-f.store.lose))
			n -= int64(f.store.lose)
		}
		if err != nil && f.store.atEnd != nil {
			return n, f.store.atEnd
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

func (f *file) Commit(ctx context.Context, want wire.Sum) (wire.Saved, error) {
	defer f.end("Commit")
	if hook := f.store.onCommit; hook != nil {
		if err := hook(f); err != nil {
			return wire.Saved{}, err
		}
	}
	if ctx.Err() != nil {
		return wire.Saved{}, ctx.Err()
	}
	h := f.Digest.New()
	h.Write(f.body.Bytes())
	got := wire.Sum{Size: int64(f.body.Len()), Digest: h.Sum(nil)}
	if got.Size != want.Size || len(want.Digest) > 0 && !bytes.Equal(got.Digest, want.Digest) {
		return wire.Saved{}, &wire.Error{Code: wire.CodeMismatch, Text: "other bytes arrived"}
	}
	s := f.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if !f.offer.Agreed {
		s.wants = append(s.wants, want)
	}
	body, name := f.body.String(), f.made
	for n := 1; ; n++ {
		if n > 1 {
			name = fmt.Sprintf("%s#%d", f.Name, n)
		}
		if old, taken := s.files[name]; !taken {
			break
		} else if f.Name != "" && old == body {
			return wire.Saved{Name: name, Sum: got, Unchanged: true}, nil
		}
	}
	if s.files == nil {
		s.files = map[string]string{}
	}
	s.files[name] = body
	return wire.Saved{Name: name, Path: "/store/" + name, Sum: got}, nil
}

func (f *file) Abort() error {
	defer f.end("Abort")
	if f.store.onAbort != nil {
		return f.store.onAbort(f)
	}
	return nil
}

func (f *file) end(how string) {
	f.store.mu.Lock()
	defer f.store.mu.Unlock()
	f.store.ended++
	if f.ended {
		f.store.faults = append(f.store.faults, fmt.Sprintf("%s of %q, which had ended", how, f.Name))
	}
	f.ended = true
	delete(f.store.busy, f.ID)
}

// visible returns what a user of the store sees.
func (s *store) visible() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.files)
}

func (s *store) wantFiles(t testing.TB, want map[string]string) {
	t.Helper()
	if got := s.visible(); len(got)+len(want) > 0 {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("kept files (-want +got):\n%s", diff)
		}
	}
}

// balance checks that every file begun was ended once.
func (s *store) balance(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.created != s.ended || len(s.faults) > 0 {
		t.Errorf("%d files begun, %d ended; %q", s.created, s.ended, s.faults)
	}
}

// sum returns the digest of b as a field's value.
func sum(d wire.Digest, b string) string {
	h := d.New()
	io.WriteString(h, b)
	return hex.EncodeToString(h.Sum(nil))
}
