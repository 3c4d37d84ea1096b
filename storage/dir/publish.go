package dir

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/labnet/labnet/storage"
)

const (
	// maxCopies bounds the numbers of NumberedName, and so the files that one
	// upload is compared with.
	maxCopies = 10_000
	// maxTries bounds how often a folder or file that was there a moment ago
	// may have vanished under a publication.
	maxTries = 10
	// maxCompared is how many times its own length, or how many MiB, an upload may
	// be compared with. Beyond that, a numbered file of the same contents counts as
	// another: who may send could have every upload read thousands of them.
	maxCompared = 16
)

// errTaken means that other contents have the name.
var errTaken = errors.New("the name has other contents")

// publish gives the finished file its name, or a numbered one, and returns it.
// Unchanged is set if a file of the same contents had it already.
func (p *partial) publish(ctx context.Context) (name string, unchanged bool, err error) {
	for n := 1; n <= maxCopies; n++ {
		if err := ctx.Err(); err != nil {
			return "", false, err
		}
		name = storage.NumberedName(p.file.Name, n)
		unchanged, err = p.publishAs(name)
		if !errors.Is(err, errTaken) {
			return name, unchanged, err
		}
	}
	return "", false, fmt.Errorf("%w, and so are %d more", storage.ErrExists, maxCopies-1)
}

// publishAs gives the finished file this name and makes the name durable. If
// it fails it leaves no trace.
func (p *partial) publishAs(name string) (unchanged bool, err error) {
	d := p.dir
	d.publishing.Lock(name)
	defer d.publishing.Unlock(name)

	var made []string
	for range maxTries {
		unchanged, err = p.tryPublish(name)
		if isElsewhere(err) && !p.place.elsewhere {
			d.apart(name)
			err = errElsewhere
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		// The folders are not there, or what was received is not.
		more, ferr := d.makeFolders(storage.Ancestors(name), p.file.Folders, p.file.Above(), "")
		made = append(made, more...)
		if ferr != nil {
			err = ferr
			break
		}
	}
	d.folders.settle(d.fs, made, err == nil)
	return unchanged, err
}

// tryPublish is publishAs in folders that exist.
func (p *partial) tryPublish(name string) (unchanged bool, err error) {
	d := p.dir
	err = p.link(name)
	if err == nil {
		if err = d.syncName(p, name); err != nil {
			d.fs.Remove(name)
		}
		return false, err
	}
	if !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	same, err := p.syncIfSame(name)
	switch {
	case err != nil:
		return false, err
	case same:
		return true, d.syncOldName(name)
	case p.onConflict == storage.Refuse:
		return false, storage.ErrExists
	case p.onConflict == storage.Replace && p.file.Replace == storage.ReplaceOther && d.isSpeltOtherwise(name):
		p.onConflict = storage.Rename
	case p.onConflict == storage.Replace:
		return false, p.replace(name)
	}
	return false, errTaken
}

// link gives p its name unless that is taken: then it fails with fs.ErrExist.
func (p *partial) link(name string) error {
	d := p.dir
	if err := p.linkErr; err != nil {
		p.linkErr = nil
		return err
	}
	if err := d.atPath(); err != nil {
		return err
	}
	if p.nameless {
		return p.f.Link(name)
	}
	err := d.fs.Move(p.path, name)
	p.moved = err == nil
	if errors.Is(err, errors.ErrUnsupported) {
		err = d.fs.Link(p.path, name)
	}
	return err
}

// replace publishes p in place of what has the name. The old file keeps a
// second name until the new one is durable, so that it can come back.
func (p *partial) replace(name string) error {
	d := p.dir
	fi, err := d.fs.Lstat(name)
	if err != nil {
		return err
	}
	if t := fi.Mode().Type(); t != 0 && t != fs.ModeSymlink {
		return &storage.NameError{Name: name, Reason: "it is neither a file nor a symlink here"}
	}
	from, old := p.path, path.Join(hidden, rand.Text()+".old")
	if p.place.elsewhere { // where there is no hidden folder
		both := path.Join(path.Dir(name), hidden+"-"+rand.Text())
		from, old = both+".partial", both+".old"
	}
	if p.nameless {
		if err := p.f.Link(from); err != nil {
			return err
		}
		p.nameless = p.place.elsewhere // or end removes that name
	}
	if err := d.fs.Link(name, old); err != nil {
		return errors.Join(err, p.removeElsewhere(from))
	}
	err = d.fs.Rename(from, name)
	if err != nil {
		err = errors.Join(err, p.removeElsewhere(from))
	} else {
		p.moved = true
		if err = d.syncName(p, name); err != nil {
			return errors.Join(err, d.fs.Rename(old, name))
		}
	}
	d.fs.Remove(old) // or the next Open does
	return err
}

// isSpeltOtherwise reports whether what has the name may have been put there
// under another spelling: there is a file system that takes two cases or two
// normalizations of a letter for one name, and it has the file under both.
func (d *Store) isSpeltOtherwise(name string) bool {
	fi, err := d.fs.Lstat(name)
	if err != nil {
		return true
	}
	parts, tried := strings.Split(name, "/"), false
	for i, part := range parts {
		for _, spelling := range spellings(part) {
			if spelling == part {
				continue
			}
			tried = true
			parts[i] = spelling
			if other, err := d.fs.Lstat(strings.Join(parts, "/")); err == nil && os.SameFile(fi, other) {
				return true
			}
		}
		parts[i] = part
	}
	return !tried
}

// spellings are some of a name that some filesystem takes for the same.
func spellings(s string) []string {
	swap := func(r rune) rune {
		if upper := unicode.ToUpper(r); upper != r {
			return upper
		}
		return unicode.ToLower(r)
	}
	return []string{strings.Map(swap, s), norm.NFC.String(s), norm.NFD.String(s)}
}

// removeElsewhere removes a name that end knows nothing of.
func (p *partial) removeElsewhere(name string) error {
	if !p.place.elsewhere {
		return nil
	}
	return p.dir.fs.Remove(name)
}

// syncIfSame reports whether the file of that name has the contents of p. If
// so it makes them durable, since somebody else may have put them there.
func (p *partial) syncIfSame(name string) (bool, error) {
	d := p.dir
	if p.compared >= maxCompared*max(p.size, 1<<20) {
		return false, nil
	}
	old, fi, err := d.openRegular(name, syncAccess)
	if old == nil || err != nil {
		return false, err
	}
	defer old.Close()
	if fi.Size() != p.size {
		return false, nil
	}
	f := p.f
	if f == nil {
		if f, err = d.fs.OpenFile(p.path, os.O_RDONLY, 0); err != nil {
			return false, err
		}
		defer f.Close()
	}
	if same, err := equal(counting{old, &p.compared}, io.NewSectionReader(f, 0, p.size)); !same || err != nil {
		return false, err
	}
	if err := p.refresh(old, name, fi); err != nil {
		return false, err
	}
	return true, d.sync(old)
}

// A counting reader counts the bytes that were read.
type counting struct {
	io.Reader
	n *int64
}

func (c counting) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	*c.n += int64(n)
	return n, err
}

// openRegular opens a file that somebody else may have put there. It returns
// nil without an error for what can't be read as a file: a symlink, a device,
// a file without permission.
func (d *Store) openRegular(name string, flag int) (file, fs.FileInfo, error) {
	before, err := d.fs.Lstat(name)
	if err != nil {
		return nil, nil, err
	}
	return d.openSeen(name, flag, before)
}

// openSeen is openRegular for a file that was looked at before.
func (d *Store) openSeen(name string, flag int, before fs.FileInfo) (file, fs.FileInfo, error) {
	if before.IsDir() {
		return nil, nil, &storage.NameError{Name: name, Reason: "it is a folder here"}
	}
	if !before.Mode().IsRegular() {
		return nil, nil, nil
	}
	f, err := d.fs.OpenFile(name, flag, 0)
	if errors.Is(err, fs.ErrPermission) {
		f, err = d.openUnreadable(name, flag, before)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	// OpenFile follows a symlink that has taken the file's place meanwhile.
	opened, err := f.Stat()
	if err != nil || !os.SameFile(before, opened) {
		f.Close()
		return nil, nil, err
	}
	return f, opened, nil
}

// openUnreadable opens a file whose sender let not even its owner read it, who is
// the user that the server runs as, and so may change that for a moment.
func (d *Store) openUnreadable(name string, flag int, fi fs.FileInfo) (file, error) {
	mode := fi.Mode().Perm()
	if mode&0o400 != 0 || d.fs.Chmod(name, mode|0o400) != nil {
		return nil, fs.ErrPermission
	}
	f, err := d.fs.OpenFile(name, flag, 0)
	if err != nil {
		return nil, errors.Join(err, d.fs.Chmod(name, mode))
	}
	if err := f.Chmod(mode); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// equal compares what is left in a and b.
func equal(a, b io.Reader) (bool, error) {
	buffer := takeBuffer()
	defer giveBuffer(buffer)
	half := len(buffer) / 2
	x, y := buffer[:half], buffer[half:]
	for {
		n, aerr := fill(a, x)
		m, berr := fill(b, y)
		for _, err := range []error{aerr, berr} {
			if err != nil && err != io.EOF {
				return false, err
			}
		}
		if !bytes.Equal(x[:n], y[:m]) {
			return false, nil
		}
		if n < len(x) {
			return true, nil
		}
	}
}
