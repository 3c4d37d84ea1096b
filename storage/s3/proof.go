package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/labnet/labnet/storage"
)

// proofName is the digest by which a store shows what it has, and knows that two
// objects are the same. It is one whose state can be kept from one server to the
// next, and its cost does not matter beside that of sending to an object store.
const proofName = "sha256"

// maxReads is how many objects of several parts are read for their digest at the same time.
const maxReads = 2

func isProof(d storage.Digest) bool { return d.Name == proofName }

// proving is the hash of the proof of a file of several parts.
func (p *partial) proving() hash.Hash {
	if isProof(p.file.Digest) {
		return p.hash
	}
	return p.proof
}

// beginProof begins the proof of a file that turns out to have several parts.
func (p *partial) beginProof() {
	if isProof(p.file.Digest) {
		return
	}
	p.proof = sha256.New()
	if p.part != nil {
		io.Copy(p.proof, io.NewSectionReader(p.part, 0, p.part.sum.size)) // from memory to memory
	}
}

// prove is the proof of all bytes so far.
func (p *partial) prove() []byte {
	if p.proving() == nil { // they are in memory
		p.beginProof()
		defer func() { p.proof = nil }()
	}
	return p.proving().Sum(nil)
}

// restore sets the digest and the proof to the states that were kept, and reports
// whether it could.
func (p *partial) restore(st state) bool {
	if p.hash != nil && !isProof(p.file.Digest) && (st.Digest != p.file.Digest.Name || !restore(p.hash, st.Hash)) {
		return false
	}
	return restore(p.proving(), st.Proof)
}

// A digest is what an object in ".labnet/digests/" has of a file of several parts.
// It is about that object only which has this ETag: whoever else replaces it makes
// another one. (The metadata of the file itself are fixed before its first byte.)
type digest struct {
	Key    string `json:"key"`
	ETag   string `json:"etag"`
	SHA256 string `json:"sha256"`
}

func (s *Store) digestKey(key string) string {
	return fmt.Sprintf("%s%sdigests/%x", s.root, hidden, sha256.Sum256([]byte(key)))
}

// noteDigest notes the digest of the file that p has just published. If it cannot,
// whoever wants to know it reads the file.
func (p *partial) noteDigest(ctx context.Context, etag string) {
	key := p.multi.key
	if etag == "" { // the answer got lost
		o, _, err := p.store.client.stat(ctx, key)
		if err != nil || o.token != p.token {
			return
		}
		etag = o.etag
	}
	p.store.writeDigest(ctx, key, etag, p.prove())
}

func (s *Store) writeDigest(ctx context.Context, key, etag string, sum []byte) {
	text, err := json.Marshal(digest{key, etag, hex.EncodeToString(sum)})
	if err == nil {
		s.client.put(ctx, s.digestKey(key), bytes.NewReader(text), sumOf(text), nil, condition{})
	}
}

// readDigest returns the digest that is noted of an object, or "".
func (s *Store) readDigest(ctx context.Context, o object) (string, error) {
	d, err := s.findDigest(ctx, o.key)
	if d.ETag != o.etag {
		return "", err
	}
	return d.SHA256, err
}

// findDigest returns what is noted of an object that has, or had, a key. It may be
// nothing.
func (s *Store) findDigest(ctx context.Context, key string) (digest, error) {
	r, _, err := s.client.get(ctx, s.digestKey(key))
	if errors.Is(err, errAbsent) {
		return digest{}, nil
	}
	if err != nil {
		return digest{}, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, 64<<10))
	if err != nil {
		return digest{}, explain(err)
	}
	var d digest
	if json.Unmarshal(text, &d) != nil || d.Key != key {
		return digest{}, nil
	}
	return d, nil
}

// sameDigest reports whether an object has the digest of p. If none is noted,
// because another program has stored it, or a server that was killed right after
// that, the object is read, once.
func (p *partial) sameDigest(ctx context.Context, o object) (bool, error) {
	own := hex.EncodeToString(p.prove())
	noted, err := p.store.readDigest(ctx, o)
	if err != nil || noted != "" {
		return noted == own, err
	}
	sum, err := p.store.computeDigest(ctx, o)
	return hex.EncodeToString(sum) == own, err
}

// computeDigest reads an object, and notes its digest. It returns none if the object
// has changed.
func (s *Store) computeDigest(ctx context.Context, o object) ([]byte, error) {
	h := sha256.New()
	if same, err := s.read(ctx, o, h); !same || err != nil {
		return nil, err
	}
	sum := h.Sum(nil)
	s.writeDigest(ctx, o.key, o.etag, sum)
	return sum, nil
}

// read writes an object to w, and reports whether it is still the same.
func (s *Store) read(ctx context.Context, o object, w io.Writer) (same bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.background, cancel)() // Close does not wait for it
	if o.size > s.o.PartSize {
		if err := s.reads.Take(ctx, nil); err != nil {
			return false, s.stopped(err)
		}
		defer s.reads.Give()
	}
	r, now, err := s.client.get(ctx, o.key)
	if errors.Is(err, errAbsent) {
		return false, nil
	}
	if err != nil {
		return false, s.stopped(err)
	}
	defer r.Close()
	if now.etag != o.etag {
		return false, nil
	}
	buffer := takeBuffer(o.size)
	defer giveBuffer(buffer)
	n, err := io.CopyBuffer(w, r, *buffer)
	if err != nil {
		return false, s.stopped(explain(err))
	}
	return n == o.size, nil
}

// stopped is err, unless that comes from Close: then the upload stays, for its
// sender to come back.
func (s *Store) stopped(err error) error {
	if s.background.Err() != nil {
		return fmt.Errorf("%w: the server is shutting down", storage.ErrDegraded)
	}
	return err
}
