package wire

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"hash"
	"io"
)

// resume reads from r what the server has of an earlier upload, and returns the
// digest so far. If the bytes differ, it has the server drop them: then t.resumed
// is zero, and r is at its start again. If early is not nil, r is being read already.
func (t *Transfer) resume(ctx context.Context, r io.Reader, early *overlap) (hash.Hash, error) {
	digest := t.Digest.New()
	if t.resumed.Size == 0 {
		return digest, nil
	}
	proof, known := DigestByName(t.resumed.Digest)
	if t.Check && (!known || !proof.Proves) {
		return nil, t.cancel(ctx, errNoChecks)
	}
	if !known || !proof.Proves { // an older server's: anybody may have sent it
		if err := t.restart(r); err != nil {
			return nil, t.cancel(ctx, err)
		}
		return digest, nil
	}
	proving := digest
	both := io.Writer(digest)
	if proof.Name != t.Digest.Name {
		proving = proof.New()
		both = io.MultiWriter(digest, proving)
	}
	var err error
	if early != nil {
		err = t.await(ctx, early)
		digest, proving = early.digest, early.proof
	} else {
		s := source{t.pending, io.LimitReader(r, t.resumed.Size), t.resumed.Size, true}
		err = s.each(ctx, func(ch chunk, _ int64) error {
			both.Write(ch.data())
			return nil
		})
	}
	if err == nil && !bytes.Equal(proving.Sum(nil), t.resumed.Proof) {
		digest.Reset()
		err = t.restart(r)
	}
	if err != nil {
		return nil, t.cancel(ctx, err)
	}
	return digest, nil
}

// restart has the server drop what it has of the file.
func (t *Transfer) restart(r io.Reader) error {
	if t.Check {
		return errDiffers
	}
	if _, err := r.(io.Seeker).Seek(0, io.SeekStart); err != nil {
		return &SourceError{err}
	}
	t.resumed = Offer{}
	t.shown.Store(0)
	t.client.out = Control{Word: wordRestart}.append(t.client.out)
	return nil
}

// offer reads from an OK what the server has of a file. Without a digest that
// proves it, it has none.
func (c Control) offer(a Announcement) (Offer, error) {
	offset, err := parseSize(c.Get("offset"))
	if err != nil || offset > 0 && (!a.canProve() || offset > a.Size) {
		return Offer{}, errReply
	}
	if offset == 0 {
		return Offer{}, nil
	}
	for _, d := range proofs {
		if value := c.Get(d.Name); value != "" {
			proof, err := hex.DecodeString(value)
			if err != nil || len(proof) != d.New().Size() {
				return Offer{}, errReply
			}
			return Offer{Size: offset, Digest: d.Name, Proof: proof}, nil
		}
	}
	return Offer{Size: offset}, nil
}

// wasThere notes that the server has the contents that it was told, or assumes so, which it
// was asked to.
func (t *Transfer) wasThere(ctx context.Context, saved Control) error {
	how := saved.comparison()
	known := &Saved{Name: cmp.Or(saved.Get("name"), t.Name), Sum: Sum{Size: t.Size}, Unchanged: true, Compared: how}
	switch {
	case how == ComparedTimes && t.Quick:
	case how == ComparedContents && len(t.told) > 0:
		known.Digest = t.told
	default:
		return t.client.fail(ctx, errReply)
	}
	t.known = known
	return nil
}
