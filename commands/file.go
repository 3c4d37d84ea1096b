package commands

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/text/unicode/norm"

	"github.com/labnet/labnet/wire"
)

// errChanged means that a file was written to while it was sent.
var errChanged = errors.New("changed while it was read")

// unconfirmed is the remark on what was sent in the lab dialect.
const unconfirmed = "sent, not confirmed by the server"

// minResumable is the size in bytes from which a file is worth resuming: below,
// it is sent sooner than the server could look for what it has of it.
const minResumable = 1 << 20

// file sends one regular file.
func (u *uploader) file(ctx context.Context, file, name string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	a := wire.Announcement{Name: name, Size: info.Size(), Digest: u.digest}
	if a.Size >= minResumable {
		a.ID = uploadID(name, info)
	}
	if !u.noTimes {
		a.ModTime = info.ModTime()
	}
	if !u.noPerms {
		a.Mode = info.Mode().Perm()
	}
	return u.send(ctx, file, a, &steadyFile{f, info})
}

// uploadID tells a file from others and from its own earlier contents. It need
// not be certain: what the server has of it is compared before it is continued.
func uploadID(name string, info fs.FileInfo) string {
	facts := fmt.Sprintf("%s\x00%d\x00%d", name, info.Size(), info.ModTime().UnixNano())
	return fmt.Sprintf("%.16x", sha256.Sum256([]byte(facts)))
}

// stream sends what comes until its end. Without a name the server makes one.
func (u *uploader) stream(ctx context.Context, file string, r io.Reader, name string) error {
	if u.lab != 0 {
		return errors.New("the course's protocol has no files of unknown size")
	}
	return u.send(ctx, file, wire.Announcement{Name: name, Size: -1, Digest: u.digest}, r)
}

// send sends one file, in more than one try if need be.
func (u *uploader) send(ctx context.Context, file string, a wire.Announcement, r io.Reader) error {
	// Some systems spell accented letters in two characters; servers keep names
	// in one spelling.
	a.Name = norm.NFC.String(a.Name)
	start := time.Now()
	done := sent{Op: "upload", Addr: u.addr, File: file, Name: a.Name, Size: a.Size}
	if u.lab != 0 {
		err := u.labDo(ctx, func(c *wire.LabClient) error { return c.Upload(ctx, a.Name, r, a.Size) })
		if err != nil {
			return err
		}
		done.Unconfirmed = true
		done.print(u.con, file, unconfirmed, time.Since(start))
		return nil
	}
	var saved wire.Saved
	begun := false
	try := func() (int64, error) {
		err := u.do(ctx, func(c *wire.Client) (err error) {
			begun = true
			saved, err = c.Upload(ctx, a, r)
			return err
		})
		return saved.Resumed, err
	}
	again := func() bool {
		source, seekable := r.(*steadyFile)
		if !seekable {
			return !begun // a stream comes once
		}
		_, err := source.Seek(0, io.SeekStart)
		return err == nil
	}
	if err := u.persist(ctx, u.con, &u.session, file, try, again); err != nil {
		return err
	}
	done.Name, done.Size, done.Resumed, done.Unchanged = saved.Name, saved.Size, saved.Resumed, saved.Unchanged
	done.Digest = a.Digest.Name + ":" + saved.Hex()
	done.print(u.con, file, remark(a, saved), time.Since(start))
	return nil
}

// remark says what is special about a file that was kept, or "".
func remark(a wire.Announcement, saved wire.Saved) string {
	switch {
	case saved.Unchanged:
		return "unchanged"
	case saved.Name != a.Name:
		return "kept as " + printable(saved.Name)
	case saved.Resumed > 0:
		return "resumed at " + humanize.IBytes(uint64(saved.Resumed))
	}
	return ""
}

// A steadyFile reads a file, and fails in place of its end if it was written
// to meanwhile.
type steadyFile struct {
	*os.File
	before fs.FileInfo
}

func (f *steadyFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	if err == io.EOF {
		now, statErr := f.Stat()
		if statErr != nil {
			return n, statErr
		}
		if now.Size() != f.before.Size() || !now.ModTime().Equal(f.before.ModTime()) {
			return n, errChanged
		}
	}
	return n, err
}
