package wire

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// A Transfer is a file or folder that a Client has announced.
type Transfer struct {
	*pending
	Announcement
	folder  bool
	resumed Offer        // what the server has of it from an earlier upload
	shown   atomic.Int64 // how much of it need not be sent, as far as is known
	sum     Sum          // what was sent, or need not be
	length  int          // of its announcement, as long as it is ahead
	known   *Saved       // set if the server had it
	err     error        // why not all of it was sent
}

// Announce announces a file to the server and returns at once. MayAnnounce must have
// said that it may. Files must be sent in the order in which they were announced.
func (c *Client) Announce(ctx context.Context, a Announcement) (*Transfer, error) {
	if a.Digest.New == nil {
		a.Digest = digests[0]
	}
	if len(a.ID) > MaxID || IsControl(a.ID) || !utf8.ValidString(a.ID) {
		return nil, errID
	}
	if strings.HasSuffix(a.Name, "/") { // which would ask for a folder
		return nil, errName
	}
	return c.announce(ctx, &Transfer{Announcement: a}, a.control())
}

// AnnounceFolder is like MakeFolder but does not wait. A folder has no contents to
// send, so that only Transfer.Saved can follow. Modes are as in
// Announcement.Folders, with the folder's own at the end.
func (c *Client) AnnounceFolder(ctx context.Context, name string, modes []fs.FileMode) (*Transfer, error) {
	t := &Transfer{Announcement: Announcement{Name: name, Folders: modes}, folder: true}
	ctl := Control{Word: name + "/"}
	if above := strings.Count(name, "/"); len(modes) > above {
		if mode := modes[above]; mode != 0 {
			ctl = ctl.with("mode", formatMode(mode))
		}
		modes = modes[:above]
	}
	return c.announce(ctx, t, ctl.withFolders(modes))
}

// CheckFolder is like AnnounceFolder for a folder that is only looked for. If it is not
// there, it is refused with CodeAbsent or CodeDifferent.
func (c *Client) CheckFolder(ctx context.Context, name string) (*Transfer, error) {
	t := &Transfer{Announcement: Announcement{Name: name, Check: true}, folder: true}
	return c.announce(ctx, t, Control{Word: name + checkedFolder}.with("check", "1"))
}

func (c *Client) announce(ctx context.Context, t *Transfer, ctl Control) (*Transfer, error) {
	if len(t.Name) > MaxName || IsControl(t.Name) || !utf8.ValidString(t.Name) {
		return nil, errName
	}
	if len(t.Folders) > maxFolderModes && len(ctl.appendText(nil)) > MaxString {
		return nil, errFolders // cut short, it would open them to others
	}
	var err error
	if t.pending, err = c.expectUpload(); err != nil {
		return nil, err
	}
	before := len(c.out)
	c.out = ctl.append(c.out)
	if !t.folder {
		t.length = len(c.out) - before
		c.ahead.files++
		c.ahead.bytes += t.length
	}
	return t, c.flushIfLarge(ctx)
}

// Answered returns a channel that is closed once Send would not wait to learn
// whether the server accepts the file.
func (t *Transfer) Answered() <-chan struct{} { return t.answered }

// Send waits until the server accepts the file and sends the bytes of r, up to
// io.EOF. If the size was announced and r turns out to be longer or shorter,
// nothing is stored.
//
// With an ID or Proofs, r must also be an io.Seeker, at its start. If the server has
// the beginning of the file from an earlier upload of the same ID, or all of it, only
// the rest is sent, provided that its digest is that of the beginning of r. With
// Contents that the server has, r is not read.
//
// A stream (of negative size) is sent as it arrives; its r may still be waiting
// in a Read when Send returns with an error.
func (t *Transfer) Send(ctx context.Context, r io.Reader) error {
	t.err = t.reason(t.send(ctx, r))
	t.client.ahead.files--
	t.client.ahead.bytes -= t.length
	return t.err
}

func (t *Transfer) send(ctx context.Context, r io.Reader) error {
	c := t.client
	if len(t.replies) == 0 {
		if err := c.Flush(ctx); err != nil {
			return err
		}
	}
	var early *overlap
	if len(t.replies) == 0 {
		early = t.startOverlap(r)
		defer early.stop()
	}
	answer, err := t.next(ctx)
	if err != nil {
		return err
	}
	if answer.Word == wordSaved && (len(t.Contents.Sum) > 0 || t.Quick) {
		return t.wasThere(ctx, answer.Control)
	}
	ok, err := c.expect(answer, wordOK)
	if err != nil {
		return err
	}
	if t.resumed, err = ok.offer(t.Announcement); err != nil {
		return c.fail(ctx, err)
	}
	rewinder, canRewind := r.(io.Seeker)
	if t.canProve() && !canRewind {
		return t.cancel(ctx, errID)
	}
	if early != nil && !early.proves(t.resumed, t.Size) {
		early.stop()
		early = nil
		if _, err := rewinder.Seek(0, io.SeekStart); err != nil {
			return t.cancel(ctx, &SourceError{err})
		}
	}
	t.shown.Store(t.resumed.Size)
	if t.Check && (t.resumed.Size == 0 || t.resumed.Size < t.Size) {
		return t.cancel(ctx, errNoChecks)
	}
	if t.resumed.Size == 0 && t.Size >= 0 && t.Size <= smallSize {
		if ctx.Err() != nil {
			return c.fail(ctx, ctx.Err())
		}
		t.sum, err = t.sendSmall(ctx, r)
		return err
	}
	defer c.link.closeWhenDone(ctx)()
	digest, err := t.resume(ctx, r, early)
	if err != nil {
		return err
	}
	t.sum, err = t.sendContents(ctx, r, digest)
	return err
}

// Resumed returns how many bytes of the file the server has from an earlier
// upload, so that they are read but not sent. It may be called by the Read method
// of the reader given to Send, and by any goroutine once Send has returned.
func (t *Transfer) Resumed() int64 { return t.shown.Load() }

// Unsent is called in place of Send if the file cannot be sent because of err, such
// as a lost connection. It returns the server's refusal of the file, if that has
// arrived already, and otherwise err.
func (t *Transfer) Unsent(err error) error { return t.reason(err) }

// Settled reports whether Saved would not wait, after Send has returned.
func (t *Transfer) Settled() bool { return t.err != nil || t.known != nil || len(t.replies) > 0 }

// Saved waits, after Send has returned, until the server answers that the file or
// folder is safe, and returns what it was stored as, after comparing the digests. If
// Send failed it returns why. Saved.Resumed is set in either case. It may be called
// once, by any goroutine.
func (t *Transfer) Saved(ctx context.Context) (Saved, error) {
	if t.folder {
		answer, err := t.next(ctx)
		if err == nil {
			_, err = t.client.expect(answer, wordSaved)
		}
		if refused, ok := errors.AsType[*Error](err); ok && t.Check && refused.Code == CodeName {
			err = errNoChecks
		}
		return Saved{Name: t.Name}, err
	}
	var saved Saved
	err := t.err
	if t.known != nil {
		saved = *t.known
	} else if err == nil {
		saved, err = t.client.saved(ctx, t.pending, wordSaved, t.Digest, t.sum)
	}
	if !saved.Unchanged {
		saved.Resumed = t.resumed.Size
	}
	return saved, err
}

// cancel gives up the file that is being sent, because of err, so that the
// conversation can continue with the next. The server's answer, if there is one, is
// ignored.
func (t *Transfer) cancel(ctx context.Context, err error) error {
	c := t.client
	if c.failure() == nil {
		c.out = Control{Word: wordCancel}.append(c.out)
		c.flushIfLarge(ctx)
	}
	return err
}
