package storagetest

import (
	"bytes"
	"context"
	"hash"
	"io"
	"io/fs"
	"testing/fstest"
	"time"

	"github.com/labnet/labnet/storage"
)

// A partial is a file in progress in a Memory.
type partial struct {
	store      *Memory
	file       storage.File
	onConflict storage.Conflict
	hash       hash.Hash
	data       bytes.Buffer
	offer      storage.Offer
	err        error
	ended      bool
}

// begin continues with what an earlier upload has left, or drops it. It needs
// the store's mu.
func (p *partial) begin() {
	p.clear()
	left := p.store.left[p.file.UploadName()]
	delete(p.store.left, p.file.UploadName())
	if p.resumable() && len(left) > 0 && int64(len(left)) <= p.file.Size {
		p.data.Write(left)
		p.hash.Write(left)
		proof := p.file.Proofs[0].New()
		proof.Write(left)
		p.offer = storage.Offer{Size: int64(len(left)), Digest: p.file.Proofs[0].Name, Proof: proof.Sum(nil)}
	}
}

func (p *partial) resumable() bool {
	return p.file.ID != "" && p.file.Size >= 0 && p.hash != nil && len(p.file.Proofs) > 0
}

func (p *partial) clear() {
	p.data.Reset()
	p.offer = storage.Offer{}
	if p.file.Digest.New != nil {
		p.hash = p.file.Digest.New()
	}
}

func (p *partial) Offer() storage.Offer { return p.offer }

func (p *partial) Restart() error {
	if p.ended {
		return fs.ErrClosed
	}
	if p.err != nil {
		return p.err
	}
	p.clear()
	return nil
}

func (p *partial) ReadFrom(r io.Reader) (n int64, err error) {
	buf := make([]byte, 32<<10)
	for {
		k, rerr := r.Read(buf)
		if k > 0 {
			if err := p.append(buf[:k]); err != nil {
				return n, err
			}
			n += int64(k)
		}
		if rerr == io.EOF {
			return n, nil
		}
		if rerr != nil {
			return n, rerr
		}
	}
}

func (p *partial) append(b []byte) error {
	switch {
	case p.ended:
		return fs.ErrClosed
	case p.err != nil:
		return p.err
	case p.file.Size >= 0 && int64(p.data.Len()+len(b)) > p.file.Size:
		p.err = storage.ErrTooLong
		return p.err
	}
	if p.err = p.store.fault(Write); p.err != nil {
		return p.err
	}
	p.data.Write(b)
	if p.hash != nil {
		p.hash.Write(b)
	}
	return nil
}

func (p *partial) Commit(ctx context.Context, want storage.Sum) (storage.Receipt, error) {
	if p.ended {
		return storage.Receipt{}, fs.ErrClosed
	}
	defer p.end(false)
	r := storage.Receipt{Size: int64(p.data.Len())}
	if p.hash != nil {
		r.Digest = p.hash.Sum(nil)
	}
	if p.err != nil {
		return storage.Receipt{}, p.err
	}
	if err := (storage.Sum{Size: r.Size, Digest: r.Digest}).Compare(p.file, want); err != nil {
		return storage.Receipt{}, err
	}
	m := p.store
	if err := ctx.Err(); err != nil {
		return storage.Receipt{}, err
	}
	if err := m.fault(Sync); err != nil {
		return storage.Receipt{}, m.fail(err)
	}
	if err := m.fault(Publish); err != nil {
		return storage.Receipt{}, err
	}
	if err := p.publish(&r); err != nil {
		return storage.Receipt{}, err
	}
	if err := m.fault(Published); err != nil {
		return storage.Receipt{}, err
	}
	return r, nil
}

func (p *partial) publish(r *storage.Receipt) error {
	m := p.store
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(); err != nil {
		return err
	}
	for n := 1; ; n++ {
		r.Name = storage.NumberedName(p.file.Name, n)
		if err := m.checkCollision(r.Name); err != nil {
			return err
		}
		old := m.files[r.Name]
		switch {
		case old != nil && bytes.Equal(old.Data, p.data.Bytes()):
			r.Unchanged = true
		case old != nil && p.onConflict == storage.Refuse:
			return storage.ErrExists
		case old != nil && p.onConflict == storage.Rename:
			continue
		default:
			m.files[r.Name] = p.mapFile()
		}
		r.Path = "memory:" + r.Name
		return nil
	}
}

func (p *partial) mapFile() *fstest.MapFile {
	f := &fstest.MapFile{Data: p.data.Bytes(), Mode: p.file.Permissions(), ModTime: p.file.ModTime}
	if f.ModTime.IsZero() {
		f.ModTime = time.Now()
	}
	return f
}

func (p *partial) Suspend() error { return p.end(p.resumable() && p.err == nil && p.data.Len() > 0) }

func (p *partial) Abort() error { return p.end(false) }

func (p *partial) end(keep bool) error {
	if p.ended {
		return nil
	}
	p.ended = true
	m := p.store
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.writing, p.file.UploadName())
	if keep {
		m.left[p.file.UploadName()] = p.data.Bytes()
	}
	return nil
}
