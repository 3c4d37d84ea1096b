package s3

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/labnet/labnet/storage"
)

const (
	// renewTime is how often the state of an upload that goes on is written
	// again while bytes arrive. A server learns within it that another one has taken over.
	renewTime = 10 * time.Second
	// staleTime is how long after that an upload counts as interrupted. It decides
	// only what may be removed or who may have a name.
	staleTime = 30 * time.Minute
)

// A state is what an object in ".labnet/uploads/" has of an upload, as JSON on
// its first line. Behind it come the last bytes, those that fill no part.
type state struct {
	Token string `json:"token"` // of the partial that may write
	Turn  int    `json:"turn"`  // how often it has written this
	Live  bool   `json:"live"`  // it continues with it
	// What nobody can continue with, not even who sent it, has no digest.
	Digest string `json:"digest,omitempty"`
	Kept   int64  `json:"kept"` // bytes, in parts and in the tail
	// The multipart upload, if there is one. Every part of it has this size.
	Key      string `json:"key,omitempty"`
	Upload   string `json:"upload,omitempty"`
	Copy     int    `json:"copy,omitempty"` // the n of NumberedName
	PartSize int64  `json:"part,omitempty"`
	// The states of the digest and of the proof after the first bytes, which have
	// this sum.
	Hash    []byte `json:"hash,omitempty"`
	Proof   []byte `json:"proof,omitempty"`
	Hashed  int64  `json:"hashed,omitempty"`
	HashSum string `json:"hash-sum,omitempty"`
	// The tail.
	Tail    int64  `json:"tail,omitempty"`
	TailSum string `json:"tail-sum,omitempty"`
}

// stateKey is the key of the state of an upload.
func (s *Store) stateKey(f storage.File) string {
	return s.root + hidden + "uploads/" + f.UploadName()
}

// readState reads a state. What r yields is the tail; the caller must close it.
func (s *Store) readState(ctx context.Context, key string) (st state, o object, r *tailReader, err error) {
	body, o, err := s.client.get(ctx, key)
	if err != nil {
		return state{}, object{}, nil, err
	}
	r = &tailReader{bufio.NewReaderSize(body, 32<<10), body}
	line, err := r.ReadSlice('\n')
	if err == nil && json.Unmarshal(line, &st) != nil {
		err = errUnreadable
	}
	if err == bufio.ErrBufferFull || err == io.EOF || err == errUnreadable {
		return state{}, o, r, nil // nobody can continue with it
	}
	if err != nil {
		r.Close()
		return state{}, object{}, nil, explain(err)
	}
	return st, o, r, nil
}

type tailReader struct {
	*bufio.Reader
	io.Closer
}

// errUnreadable means that nobody can continue with what was left.
var errUnreadable = errors.New("cannot be gone on with")

// What a state says of its upload.
const (
	going   = iota // it goes on, and what is in memory only is lost if the server dies
	resumed        // it continues with a tail, which is still kept
	left           // it was interrupted
)

// writeState replaces the state of p, unless somebody else has: then p fails
// with storage.ErrSuperseded. It needs p.mu.
func (p *partial) writeState(ctx context.Context, what int) error {
	p.turn++
	tail := p.part
	if what == going {
		tail = nil // to send it again and again would cost too much
	}
	st := p.state(what != left, tail)
	head, err := json.Marshal(st)
	if err != nil {
		return err
	}
	contents := headed{head: append(head, '\n')}
	sum := sumOf(contents.head)
	if tail != nil {
		contents.tail = tail
		sum = sum.join(tail.sum)
	}
	only := condition{etag: p.etag, absent: p.etag == ""}
	etag, err := p.store.client.put(ctx, p.stateKey, contents, sum, nil, only)
	if errors.Is(err, errCondition) || errors.Is(err, errAbsent) {
		// Or was that this very request, whose answer got lost?
		now, o, r, rerr := p.store.readState(ctx, p.stateKey)
		if rerr == nil {
			r.Close()
		}
		if rerr != nil || now.Token != p.token || now.Turn != p.turn {
			p.superseded = true
			return fmt.Errorf("%w: %w", storage.ErrSuperseded, err)
		}
		etag, err = o.etag, nil
	}
	if err != nil {
		return err
	}
	p.etag, p.renewed = etag, time.Now()
	return nil
}

// state is what there is to say of p. It needs p.mu.
func (p *partial) state(live bool, tail *part) state {
	st := state{Token: p.token, Turn: p.turn, Live: live, Kept: p.size}
	if p.resumable() {
		st.Digest = p.file.Digest.Name
	}
	if tail != nil {
		st.Tail, st.TailSum = tail.sum.size, tail.sum.String()
	}
	if m := p.multi; m != nil {
		st.Key, st.Upload, st.Copy, st.PartSize = m.key, m.upload, m.copy, m.partSize
		if at := m.mark(); at.sum.size > 0 {
			st.Hash, st.Proof, st.Hashed, st.HashSum = at.hash, at.proof, at.sum.size, at.sum.String()
		}
	}
	return st
}

// headed is a tail behind a head.
type headed struct {
	head []byte
	tail *part
}

// ReadAt implements io.ReaderAt.
func (h headed) ReadAt(b []byte, off int64) (n int, err error) {
	if off < int64(len(h.head)) {
		n = copy(b, h.head[off:])
	}
	if n == len(b) {
		return n, nil
	}
	if h.tail == nil {
		return n, io.EOF
	}
	k, err := h.tail.ReadAt(b[n:], off+int64(n)-int64(len(h.head)))
	return n + k, err
}

func sumOf(b []byte) (sum checksum) {
	sum.add(b)
	return sum
}

// A claim is what an object in ".labnet/names/" has: which upload is going to
// have the name. So many files of one name that are sent at once get different
// ones, before they can find out that the first is taken.
type claim struct {
	State string `json:"state"` // its key
	Token string `json:"token"`
}

func (s *Store) claimKey(key string) string {
	return fmt.Sprintf("%s%snames/%x", s.root, hidden, sha256.Sum256([]byte(key)))
}

// claim reports whether p may have a key, for which another upload that has not
// ended has no claim. Former is the token of who had p's upload before.
func (p *partial) claim(ctx context.Context, key, former string) (bool, error) {
	s := p.store
	text, err := json.Marshal(claim{p.stateKey, p.token})
	if err != nil {
		return false, err
	}
	put := func(only condition) (bool, error) {
		_, err := s.client.put(ctx, s.claimKey(key), bytes.NewReader(text), sumOf(text), nil, only)
		if errors.Is(err, errCondition) || errors.Is(err, errAbsent) {
			return false, nil
		}
		return err == nil, err
	}
	if ok, err := put(condition{absent: true}); ok || err != nil {
		return ok, err
	}
	old, o, err := s.readClaim(ctx, s.claimKey(key))
	if errors.Is(err, errAbsent) {
		return put(condition{absent: true})
	}
	switch {
	case err != nil:
		return false, err
	case old.Token == p.token:
		return true, nil // the answer to put got lost
	case old.Token != former && old.State != p.stateKey: // nor the same upload, before a server died
		if live, err := s.isLive(ctx, old, o); live || err != nil {
			return false, err
		}
	}
	return put(condition{etag: o.etag})
}

func (s *Store) readClaim(ctx context.Context, key string) (c claim, o object, err error) {
	r, o, err := s.client.get(ctx, key)
	if err != nil {
		return c, o, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, 64<<10))
	if err != nil {
		return c, o, explain(err)
	}
	json.Unmarshal(text, &c) // one that makes no sense is nobody's
	return c, o, nil
}

// isLive reports whether the upload that has a claim has not ended.
func (s *Store) isLive(ctx context.Context, c claim, o object) (bool, error) {
	if s.age(o) < time.Minute {
		return true, nil // it may have no state yet
	}
	if c.State == "" {
		return false, nil
	}
	st, o, r, err := s.readState(ctx, c.State)
	if errors.Is(err, errAbsent) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r.Close()
	return st.Token == c.Token && st.Live && s.age(o) < staleTime, nil
}
