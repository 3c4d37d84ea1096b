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

// writeDigest notes the digest of the file that p has just published. If it cannot,
// the file is as safe, and not known to be the same as another one.
func (p *partial) writeDigest(ctx context.Context, etag string) {
	key := p.multi.key
	if etag == "" { // the answer got lost
		o, _, err := p.store.client.stat(ctx, key)
		if err != nil || o.token != p.token {
			return
		}
		etag = o.etag
	}
	text, err := json.Marshal(digest{key, etag, hex.EncodeToString(p.prove())})
	if err == nil {
		p.store.client.put(ctx, p.store.digestKey(key), bytes.NewReader(text), sumOf(text), nil, condition{})
	}
}

// sameDigest reports whether an object is known to have the digest of p.
func (p *partial) sameDigest(ctx context.Context, o object) (bool, error) {
	r, _, err := p.store.client.get(ctx, p.store.digestKey(o.key))
	if errors.Is(err, errAbsent) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, 64<<10))
	if err != nil {
		return false, explain(err)
	}
	var d digest
	if json.Unmarshal(text, &d) != nil {
		return false, nil
	}
	return d.Key == o.key && d.ETag == o.etag && d.SHA256 == hex.EncodeToString(p.prove()), nil
}
