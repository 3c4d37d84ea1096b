package dir

import (
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/labnet/labnet/storage"
)

// A comparison takes the place of writing a file for which there is no space: it may
// turn out to be unchanged.
type comparison struct {
	with    file  // what has the file's name
	differs bool  // from what was received by now
	err     error // why the file cannot be kept if it does
}

// compareStep is how many bytes are received before a difference is reported. If it
// were at once, whoever may send a file could find out what another one contains,
// byte by byte.
const compareStep = 32 << 20

// compare begins a comparison instead of failing with err, if what has the name is
// as long as p.
func (p *partial) compare(err error) bool {
	d := p.dir
	with, fi, oerr := d.openRegular(p.file.Name, syncAccess)
	if with == nil || oerr != nil {
		return false
	}
	if fi.Size() != p.file.Size {
		with.Close()
		return false
	}
	if p.f != nil { // it may have got some of the space
		p.f.Close()
		p.f = nil
		if !p.nameless {
			d.fs.Remove(p.path) // or end does
		}
	}
	p.claimed(p.promised)
	if p.onConflict == storage.Refuse {
		err = storage.ErrExists
	}
	p.comparison = &comparison{with: with, err: err}
	return true
}

// appendCompared is append without writing.
func (p *partial) appendCompared(b []byte) (int, error) {
	c := p.comparison
	if !c.differs {
		same, err := equal(io.NewSectionReader(c.with, p.size, int64(len(b))), bytes.NewReader(b))
		c.differs = !same || err != nil
	}
	before := p.size
	p.size += int64(len(b))
	if c.differs && p.size/compareStep > before/compareStep {
		p.err = c.err
	}
	return len(b), p.err
}

// keepCompared makes durable what p turned out to be the same as.
func (p *partial) keepCompared() error {
	d, c, name := p.dir, p.comparison, p.file.Name
	d.publishing.Lock(name)
	defer d.publishing.Unlock(name)
	if err := d.atPath(); err != nil {
		return err
	}
	now, nerr := d.fs.Lstat(name)
	fi, err := c.with.Stat()
	if err := errors.Join(nerr, err); c.differs || err != nil || !os.SameFile(now, fi) || fi.Size() != p.size {
		return c.err
	}
	if err := p.refresh(c.with, name, fi); err != nil {
		return err
	}
	if err := d.sync(c.with); err != nil {
		return err
	}
	return d.syncOldName(name)
}
