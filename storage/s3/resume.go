package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"time"

	"github.com/labnet/labnet/storage"
)

// maxCopies bounds the numbers of NumberedName.
const maxCopies = 10_000

// start begins the multipart upload of a file that is longer than one part. It
// needs p.mu, as does all that follows.
func (p *partial) start(ctx context.Context) error {
	copy, err := p.chooseName(ctx)
	if err != nil {
		return err
	}
	key := p.store.root + storage.NumberedName(p.file.Name, copy)
	upload, err := p.store.client.begin(ctx, key, p.metadata())
	if err != nil {
		return errors.Join(err, p.store.client.remove(ctx, p.store.claimKey(key)))
	}
	var size int64
	if p.file.Size >= 0 {
		size = p.partLimit()
	}
	p.multi = newMultipart(key, upload, copy, size)
	p.beginProof()
	p.multi.claimed = p.onConflict == storage.Rename
	// No part is stored before something tells that it is there.
	if err := p.writeState(ctx, going); err != nil {
		p.multi.cancel()
		err = errors.Join(err, p.store.client.abort(ctx, key, upload), p.unclaim(ctx))
		p.multi = nil
		return err
	}
	return nil
}

// chooseName finds the first name that is neither taken nor claimed.
func (p *partial) chooseName(ctx context.Context) (copy int, err error) {
	if p.onConflict != storage.Rename {
		return 1, nil
	}
	p.store.names.Lock(p.file.Name)
	defer p.store.names.Unlock(p.file.Name) // between the claim and the look whether there is a file
	copies, err := p.store.copies(ctx, p.file.Name)
	if err != nil {
		return 0, err
	}
	for n := firstFree(copies, 1); n <= maxCopies; n = firstFree(copies, n+1) {
		key := p.store.root + storage.NumberedName(p.file.Name, n)
		ok, err := p.claim(ctx, key, "")
		if err != nil {
			return 0, err
		}
		if !ok {
			continue
		}
		// Who had the claim before may have stored the file since.
		_, exists, err := p.store.client.stat(ctx, key)
		if !exists && err == nil {
			return n, nil
		}
		if err = cmp.Or(err, p.store.client.remove(ctx, p.store.claimKey(key))); err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("%w, and so are %d more", storage.ErrExists, maxCopies-1)
}

// unclaim gives the name up that p has claimed.
func (p *partial) unclaim(ctx context.Context) error {
	if p.multi == nil || !p.multi.claimed {
		return nil
	}
	p.multi.claimed = false
	return p.store.client.remove(ctx, p.store.claimKey(p.multi.key))
}

// metadata is what is told of the file when its storing begins.
func (p *partial) metadata() map[string]string {
	meta := map[string]string{metaToken: p.token}
	if t := p.file.ModTime; !t.IsZero() {
		meta[metaTime] = formatTime(t)
	}
	if mode := p.store.o.FileMode; mode != 0 {
		meta[metaMode] = formatMode(0o100000, mode)
	} else if p.file.HasMode {
		meta[metaMode] = formatMode(0o100000, p.file.Mode) // of a regular file
	}
	return meta
}

// formatTime writes a time as a number of seconds, as programs read it: half a
// second before 1970 is -0.5.
func formatTime(t time.Time) string {
	sec, nsec, sign := t.Unix(), t.Nanosecond(), ""
	if sec < 0 {
		sec, sign = -sec, "-"
		if nsec > 0 {
			sec, nsec = sec-1, 1_000_000_000-nsec
		}
	}
	return fmt.Sprintf("%s%d.%09d", sign, sec, nsec)
}

// formatMode writes permissions as stat(2) does, with the bits of a type.
func formatMode(kind uint64, mode fs.FileMode) string {
	return "0" + strconv.FormatUint(kind|uint64(mode.Perm()), 8)
}

// resume takes over what an earlier upload of the same ID left, and drops what p
// cannot continue with, but not because of a passing failure.
func (p *partial) resume(ctx context.Context) error {
	st, o, tail, err := p.store.readState(ctx, p.stateKey)
	if errors.Is(err, errAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	defer tail.Close()
	p.etag = o.etag
	err = errUnreadable
	if p.resumable() && st.Digest != "" && st.Kept <= p.file.Size {
		err = p.goOn(ctx, st, tail)
	}
	if errors.Is(err, errUnreadable) || errors.Is(err, errAbsent) {
		if p.part != nil {
			p.part.release()
			p.part = nil
		}
		if p.multi != nil {
			p.multi.cancel()
		}
		p.clear()
		return p.dropLeft(ctx, st)
	}
	return err
}

// dropLeft removes what p does not continue with.
func (p *partial) dropLeft(ctx context.Context, st state) error {
	if st.Upload != "" {
		if err := p.store.client.abort(ctx, st.Key, st.Upload); err != nil {
			return err
		}
	}
	if err := p.store.client.remove(ctx, p.stateKey); err != nil {
		return err
	}
	p.etag = ""
	return nil
}

// goOn fills p with what st tells of. It fails with errUnreadable if p cannot go
// on with it: then nothing has changed in the bucket.
func (p *partial) goOn(ctx context.Context, st state, tail io.Reader) error {
	var claimed bool
	if st.Upload != "" {
		if err := p.takeParts(ctx, st); err != nil {
			return err
		}
		if p.size == 0 && (st.Tail == 0 || st.Tail != st.Kept) {
			return errUnreadable // there is nothing: an object may be there that is offered
		}
		ok, err := p.takeName(ctx, st)
		if err != nil {
			return err
		}
		if !ok {
			return errUnreadable
		}
		claimed = p.onConflict == storage.Rename
	}
	if p.size+st.Tail == st.Kept {
		if err := p.takeTail(st, tail); err != nil {
			return err
		}
	}
	if p.size > p.file.Size {
		return errUnreadable
	}
	if p.multi != nil {
		p.multi.claimed = claimed
		if err := p.writeState(ctx, resumed); err != nil {
			return err
		}
	}
	if p.size > 0 {
		p.offer = storage.Offer{Size: p.size, Digest: proofName, Proof: p.prove()}
	}
	return nil
}

// takeParts continues with the parts of a multipart upload that are there without
// a gap. The sums are those that the object store has found when they arrived:
// of what it was told they would have, or it would have refused them.
func (p *partial) takeParts(ctx context.Context, st state) error {
	if st.PartSize <= 0 || st.Key != p.store.root+storage.NumberedName(p.file.Name, st.Copy) ||
		(p.file.Size+st.PartSize-1)/st.PartSize > maxParts {
		return errUnreadable
	}
	parts, err := p.store.client.parts(ctx, st.Key, st.Upload)
	if err != nil {
		return err
	}
	m := newMultipart(st.Key, st.Upload, st.Copy, st.PartSize)
	for i, part := range parts {
		sum, err := parseChecksum(part.ChecksumCRC64NVME, part.Size)
		if part.PartNumber != i+1 || part.Size != st.PartSize || err != nil || p.size+part.Size > p.file.Size {
			break
		}
		if p.size+part.Size > st.Hashed { // the digests are known up to there
			break
		}
		p.sum = p.sum.join(sum)
		p.size += part.Size
		m.take(part, mark{p.sum, nil, nil})
	}
	p.beginProof()
	if p.size > 0 {
		if p.size != st.Hashed || p.sum.String() != st.HashSum || !p.restore(st) {
			return errUnreadable
		}
		m.behind.hash, m.behind.proof = st.Hash, st.Proof
	}
	p.multi = m
	return nil
}

// takeName reports whether p can still get the name that its parts are for.
func (p *partial) takeName(ctx context.Context, st state) (bool, error) {
	if p.onConflict != storage.Rename {
		return st.Copy == 1, nil
	}
	ok, err := p.claim(ctx, st.Key, st.Token)
	if !ok || err != nil {
		return false, err
	}
	_, exists, err := p.store.client.stat(ctx, st.Key)
	if exists || err != nil {
		return false, errors.Join(err, p.store.client.remove(ctx, p.store.claimKey(st.Key)))
	}
	return true, nil
}

// takeTail reads the bytes that filled no part.
func (p *partial) takeTail(st state, r io.Reader) error {
	if st.Tail == 0 || p.size+st.Tail > p.file.Size {
		return nil
	}
	if err := p.fillPart(r, st.Tail, p.take); err != nil {
		return err
	}
	if p.part.sum.String() != st.TailSum {
		return errUnreadable
	}
	return nil
}

// fillPart reads that number of bytes into a new part, with take.
func (p *partial) fillPart(r io.Reader, size int64, take func([]byte)) error {
	buffer := takeBuffer(size)
	defer giveBuffer(buffer)
	p.part = &part{memory: p.store.memory}
	for p.part.sum.size < size {
		if p.part.room() == 0 {
			slab, err := p.store.memory.slab(p.part, p.rest())
			if err != nil {
				return err
			}
			p.part.add(slab)
		}
		n, err := r.Read((*buffer)[:min(int64(p.part.room()), int64(len(*buffer)), size-p.part.sum.size)])
		if n > 0 {
			take((*buffer)[:n])
		}
		if err != nil && p.part.sum.size < size {
			if err == io.EOF {
				return errUnreadable
			}
			return explain(err)
		}
	}
	return nil
}
