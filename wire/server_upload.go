package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// maxDiscard is the most bytes of a refused body that are read only to stay in
// step; a connection with more to come is closed instead.
const maxDiscard = 64 << 20

// An upload is a file that a client announced.
type upload struct {
	// Set before it is accepted or refused.
	conn   *conn
	number int // the client's first is 1
	Announcement

	// Owned by the reader; by whoever decides whether the file is accepted until
	// decided is closed; and by whoever publishes it.
	to      Upload    // nil once the file was refused
	got     int64     // with what an earlier upload brought
	claim   *claim    // on its ID
	started time.Time // when contents began to come; zero until then
	resumed int64     // what an earlier upload brought, from then on

	// Owned by the reader.
	waiting bool          // nothing has begun it yet
	decided chan struct{} // closed once it is accepted or refused, if that is done beside the reader; else nil

	received atomic.Int64 // as got, but more exact while contents come
	complete bool         // the client sent all; guarded by srv.mu
}

// op is what the upload is called in events and in the log.
func (u *upload) op() string {
	if u.number == 0 && u.Name == "" {
		return opBlob
	}
	return opUpload
}

// A failedUpload is why a file or blob is refused.
type failedUpload struct {
	*upload
	error
}

func (f *failedUpload) Unwrap() error { return f.error }

// because says of an error, for the log, which file it is about.
func (u *upload) because(err error) error { return &failedUpload{u, err} }

// announce takes an announcement and accepts or refuses it, or leaves that for
// later.
func (c *conn) announce(ctl Control) error {
	c.announced++
	u := &upload{number: c.announced, conn: c}
	err := u.parse(ctl)
	if errors.Is(err, ErrControl) {
		return err
	}
	if folder, ok := strings.CutSuffix(u.Name, "/"); ok && err == nil {
		return c.makeFolder(folder, u)
	}
	if err == nil {
		c.forgetRefused()
		err = c.allow(opUpload, u.Announcement)
	}
	if err != nil {
		c.refuse(u.because(err), u.number)
		return nil
	}
	u.waiting = true
	c.uploads = append(c.uploads, u)
	return c.acceptWaiting()
}

// allow reports why the server's limits or the client's rights forbid a file, if
// they do.
func (c *conn) allow(op string, a Announcement) error {
	switch limit := c.srv.limits.MaxSize; {
	case len(c.uploads) >= MaxAhead:
		return &Error{CodeTooMany, fmt.Sprintf("more than %d files announced ahead", MaxAhead)}
	case len(a.Name) > MaxName:
		return errLongName
	case a.Size > limit:
		return tooLarge(limit)
	}
	_, err := c.permit(op)
	return err
}

var errLongName = &Error{CodeName, fmt.Sprintf("a name has at most %d bytes", MaxName)}

func tooLarge(limit int64) error {
	return &Error{CodeTooLarge, fmt.Sprintf("this server accepts at most %d bytes", limit)}
}

// forgetRefused makes room for what may be announced in place of files that were
// refused ahead.
func (c *conn) forgetRefused() {
	if len(c.uploads) >= MaxAhead {
		c.uploads = slices.DeleteFunc(c.uploads, func(u *upload) bool { return u.decided != nil && u.isDecided() && u.to == nil })
	}
}

// acceptWaiting accepts or refuses what was announced and is still to be answered,
// in order, as far as there is room for it, and in any case until the oldest is
// accepted. To begin a file may take long, if another connection sends it or
// much of it is there already: then one that is not the oldest does not keep
// those before it waiting.
func (c *conn) acceptWaiting() error {
	c.awaitOldest()
	next := len(c.uploads)
	for next > 0 && c.uploads[next-1].waiting {
		next--
	}
	for next < len(c.uploads) && c.mayBegin(c.uploads[next], next == 0) && c.acquireFile(next == 0) {
		u := c.uploads[next]
		u.waiting = false
		old, err := c.register(u)
		if next > 0 && (u.ID != "" || !c.uploads[next-1].isDecided()) {
			c.decideAhead(u, old, err, c.uploads[next-1].decided)
			next++
			continue
		}
		if u.ID != "" {
			c.out.beginWait()
		}
		if old != nil {
			old.conn.supersede(old.number)
		}
		accepted := c.decide(u, err)
		if u.ID != "" {
			c.out.endWait()
		}
		if accepted {
			next++
			continue
		}
		c.uploads = slices.Delete(c.uploads, next, next+1)
		if c.ctx.Err() != nil {
			break
		}
	}
	if c.ctx.Err() != nil {
		return net.ErrClosed // who ended it says why
	}
	return nil
}

// mayBegin reports whether a file may be begun. One that must not take the place
// of those before it waits until it is the oldest, and they are published.
func (c *conn) mayBegin(u *upload, oldest bool) bool {
	switch {
	case u.Replace == ReplaceAny:
		return true
	case !oldest:
		return false
	}
	c.out.beginWait()
	defer c.out.endWait()
	c.publishing.Wait()
	return true
}

// register has a file take part in the counts that may refuse it, and returns the
// upload in whose place it is, if there is one, for supersede.
func (c *conn) register(u *upload) (old *upload, err error) {
	if err := c.startUploading(); err != nil || u.ID == "" {
		return nil, err
	}
	if _, err := c.permitNew(opUpload); err != nil {
		return nil, err // before it ends another connection
	}
	for _, o := range c.uploads {
		if o != u && o.ID == u.ID {
			c.awaitDecision(o) // a refused one is not in the way
		}
	}
	return c.srv.registerClaim(u)
}

// decide begins a file that has entered unless err forbids it, and answers whether
// it is accepted, unless another connection takes over.
func (c *conn) decide(u *upload, err error) (accepted bool) {
	defer func() {
		if !accepted {
			c.releaseFile()
		}
	}()
	if err == nil {
		err = c.begin(u)
	}
	switch {
	case err == nil:
		c.accept(u)
	case c.ctx.Err() == nil:
		c.refuse(u.because(err), u.number)
	}
	return err == nil
}

// begin has the store begin a file, or go on with one that no other connection
// sends any more.
func (c *conn) begin(u *upload) (err error) {
	c.heart.begin() // it may be that all that was left must be read
	defer c.heart.end()
	if u.claim != nil {
		if err := c.srv.awaitClaim(u); err != nil {
			return err
		}
		defer func() {
			if u.to == nil {
				c.srv.releaseClaim(u)
			}
		}()
	}
	u.to, err = c.storeFile(opUpload, u.Announcement)
	return err
}

// accept answers that a file is accepted.
func (c *conn) accept(u *upload) {
	left := u.to.Resumed()
	u.got = left.Size
	ok := about(wordOK, u.number).with("offset", strconv.FormatInt(left.Size, 10))
	if left.Size > 0 {
		ok = ok.with(u.Digest.Name, left.Hex())
	}
	c.out.addControl(ok)
}

// decideAhead decides on a file that is not the oldest, once that is done with
// the one before it.
func (c *conn) decideAhead(u, old *upload, err error, before <-chan struct{}) {
	decided := make(chan struct{})
	u.decided = decided
	go func() {
		defer close(decided)
		defer c.recoverPanic()
		if old != nil {
			old.conn.supersede(old.number)
		}
		if before != nil {
			<-before
		}
		c.decide(u, err)
		c.out.push()
	}()
}

// isDecided reports whether the reader would not have to wait for the decision on u.
func (u *upload) isDecided() bool {
	if u.decided == nil {
		return true
	}
	select {
	case <-u.decided:
		return true
	default:
		return false
	}
}

// awaitOldest waits until the oldest file is one that is accepted, or that nothing
// has begun.
func (c *conn) awaitOldest() {
	for len(c.uploads) > 0 && c.uploads[0].decided != nil {
		u := c.uploads[0]
		c.awaitDecision(u)
		u.decided = nil
		if u.to == nil {
			c.uploads = c.uploads[1:]
		}
	}
}

func (c *conn) awaitDecision(u *upload) {
	if u.isDecided() {
		return
	}
	c.out.beginWait()
	defer c.out.endWait()
	<-u.decided
}

// data takes the contents of a Data: they belong to the oldest upload, or are
// a blob.
func (c *conn) data(size uint64) error {
	if len(c.uploads) == 0 {
		return c.blob(size)
	}
	u := c.uploads[0]
	if u.to == nil {
		return c.discard(size)
	}
	err := u.fits(size, c.srv.limits.MaxSize)
	if err == nil {
		_, err = c.permit(opUpload)
	}
	if err != nil {
		c.fail(u, err)
		return c.discard(size)
	}
	return c.receive(u, int64(size))
}

// fits reports whether size more bytes belong to the file.
func (u *upload) fits(size uint64, limit int64) error {
	switch {
	case size > uint64(limit-u.got):
		return tooLarge(limit)
	case u.Size >= 0 && size > uint64(u.Size-u.got):
		return &Error{CodeMismatch, fmt.Sprintf("%d bytes were announced, and more came", u.Size)}
	}
	return nil
}

// receive moves the size bytes of a Data to the store. The client may have handed
// all of a large one to its system long ago, and wait for the answer.
func (c *conn) receive(u *upload, size int64) error {
	if size > bufferSize {
		c.heart.begin()
		defer c.heart.end()
	}
	if u.started.IsZero() {
		u.resumed = u.got
		c.srv.uploadLog.begin(u)
	}
	u.received.Store(u.got)
	c.body = c.newBody(size)
	b := &c.body
	b.upload = u
	c.link.limitEach(c.srv.limits.ProgressTimeout)
	_, err := u.to.ReadFrom(b)
	u.got += size - b.remaining
	switch {
	case b.err != nil:
		return u.because(b.err)
	case err != nil:
		c.fail(u, err)
	}
	return c.discard(uint64(b.remaining))
}

// discard reads past size bytes, so that the next message can be read.
func (c *conn) discard(size uint64) error {
	switch {
	case size == 0:
		return nil
	case size > maxDiscard:
		return errRefused
	}
	c.link.limitEach(c.srv.limits.ProgressTimeout)
	b := c.newBody(int64(size))
	_, err := io.Copy(io.Discard, &b)
	return err
}

// A body reads the contents of a Data: first what was read ahead, then, if it
// is much, from the connection straight into the reader's buffer. It ends in
// io.EOF only after the last byte.
type body struct {
	c         *conn
	remaining int64
	rate      rateMeter
	upload    *upload // nil if they are discarded
	err       error   // why the connection failed
}

func (c *conn) newBody(size int64) body {
	return body{c: c, remaining: size, rate: rateMeter{least: c.srv.limits.MinRate}}
}

func (b *body) Read(p []byte) (n int, err error) {
	if b.remaining == 0 {
		return 0, io.EOF
	}
	begun := time.Now()
	n, err = b.c.r.Read(p[:min(int64(len(p)), b.remaining)])
	b.remaining -= int64(n)
	if b.upload != nil {
		b.upload.received.Add(int64(n))
	}
	inTime := b.rate.add(n, time.Since(begun))
	switch {
	case b.remaining == 0:
	case err != nil:
		b.err = unexpected(err)
	case !inTime:
		b.err = b.c.tooSlow()
	}
	if b.err == nil {
		b.err = b.c.checkToken() // while it waited, the token may have been revoked
	}
	return n, b.err
}

func (c *conn) tooSlow() error {
	return &Error{CodeTooSlow, fmt.Sprintf("less than %d bytes a second came for %v", c.srv.limits.MinRate, RateTime)}
}

// restartUpload drops what an earlier upload brought of the oldest file.
func (c *conn) restartUpload() error {
	if len(c.uploads) == 0 {
		return fmt.Errorf("%w: RESTART of no upload", ErrControl)
	}
	u := c.uploads[0]
	if u.to == nil {
		return nil
	}
	if u.got != u.to.Resumed().Size {
		return fmt.Errorf("%w: RESTART behind contents", ErrControl)
	}
	if err := u.to.Restart(); err != nil {
		c.fail(u, err)
	}
	u.got = 0
	return nil
}

// endUpload has the oldest upload published and answered whether it is safe.
func (c *conn) endUpload(ctl Control) error {
	if len(c.uploads) == 0 {
		return fmt.Errorf("%w: END of no upload", ErrControl)
	}
	u := c.uploads[0]
	want, err := ctl.sum(u.Digest)
	if err != nil {
		return err
	}
	c.uploads = c.uploads[1:]
	if u.to == nil { // the refusal was the answer
		return c.acceptWaiting()
	}
	_, err = c.permit(opUpload)
	if u.Size >= 0 && u.Size != want.Size {
		err = &Error{CodeMismatch, fmt.Sprintf("%d bytes were announced, and %d came", u.Size, want.Size)}
	}
	if err != nil {
		c.drop(u)
		c.out.addInOrder(c.refusal(u.because(err), u.number))
	} else {
		c.publish(u, wordSaved, want)
	}
	return c.acceptWaiting()
}

// publish has the store publish a file of which the client sent all, beside
// what the connection still receives, so that many become durable together. It
// is answered in its order, with word.
func (c *conn) publish(u *upload, word string, want Sum) {
	place := c.out.reserve(u.Name)
	c.srv.markComplete(u)
	to := u.to
	u.to = nil // whatever comes of it
	c.publishing.Add(1)
	go func() {
		defer c.publishing.Done()
		defer c.recoverPanic()
		saved, err := c.commit(u, to, want)
		if err != nil {
			c.out.answer(place, c.refusal(err, u.number))
		} else {
			c.out.answer(place, saved.control(about(word, u.number), u.Digest))
		}
		c.out.push()
		c.srv.limitIdle(c)
	}()
}

// commit has the store publish a file, and reports it. The store finishes what it
// began, whatever becomes of the connection.
func (c *conn) commit(u *upload, to Upload, want Sum) (Saved, error) {
	if u.started.IsZero() { // it is empty, or all was there
		u.resumed = u.got
		c.srv.uploadLog.begin(u)
	}
	saved, err := func() (Saved, error) {
		defer c.srv.uploadLog.end(u)
		defer c.releaseFile()
		defer c.srv.releaseClaim(u)
		c.heart.begin()
		defer c.heart.end()
		return c.srv.commit(to, want)
	}()
	if err != nil {
		return saved, u.because(err)
	}
	c.received(Event{
		Op: u.op(), Name: saved.Name, Path: saved.Path, Size: &saved.Size, Digest: u.Digest, Sum: saved.Digest,
		Unchanged: saved.Unchanged, Took: time.Since(u.started), Resumed: u.resumed,
	})
	return saved, nil
}

// control appends what a client wants to know of a kept file to a reply.
func (s Saved) control(ctl Control, d Digest) Control {
	ctl = ctl.with("name", s.Name).withSum(d, s.Sum)
	if s.Unchanged {
		ctl = ctl.with("unchanged", "1")
	}
	return ctl
}

// cancelUpload drops the oldest upload.
func (c *conn) cancelUpload() error {
	if len(c.uploads) == 0 {
		return fmt.Errorf("%w: CANCEL of no upload", ErrControl)
	}
	u := c.uploads[0]
	c.uploads = c.uploads[1:]
	if u.to != nil {
		c.drop(u)
		c.out.addInOrder(c.refusal(u.because(&Error{CodeCancelled, "the client gave the file up"}), u.number))
	}
	return c.acceptWaiting()
}

// fail refuses a file in its middle. What still comes of it is discarded.
func (c *conn) fail(u *upload, err error) {
	c.drop(u)
	if u.number == 0 && !c.bare { // a blob: only their order tells the answers apart
		c.out.addInOrder(c.refusal(u.because(err), 0))
		return
	}
	c.refuse(u.because(err), u.number)
}

// drop aborts a file unless it has ended.
func (c *conn) drop(u *upload) {
	if u.to != nil {
		c.putAway(u, u.to.Abort)
	}
}

// abandon leaves the uploads that did not end to be resumed.
func (c *conn) abandon() {
	if len(c.uploads) == 0 {
		return
	}
	u := c.uploads[0]
	c.uploads = c.uploads[1:]
	defer c.abandon() // the others, whatever comes of this one
	if u.decided != nil {
		c.cancel(net.ErrClosed) // nobody will send it
		<-u.decided
	}
	if u.to != nil {
		line := c.log.Warn().Str("name", u.Name).Int64("received", u.got)
		if u.Size >= 0 {
			line.Int64("size", u.Size)
		}
		if !u.started.IsZero() {
			line.Float64("seconds", seconds(time.Since(u.started)))
		}
		line.Msg("upload not finished")
		c.putAway(u, u.to.Suspend)
	}
}

// putAway ends the work on a file in a way other than by publishing it.
func (c *conn) putAway(u *upload, way func() error) {
	u.to = nil
	defer c.srv.uploadLog.end(u)
	defer c.releaseFile()
	defer c.srv.releaseClaim(u)
	if err := way(); err != nil {
		c.log.Error().Err(err).Str("name", u.Name).Msg("cannot put an unfinished file away")
	}
}

// blob keeps a Data under a name of the store's making.
func (c *conn) blob(size uint64) error {
	u := &upload{Announcement: Announcement{Size: -1, Digest: digests[0]}, conn: c}
	err := u.fits(size, c.srv.limits.MaxSize)
	if err == nil {
		u.Size = int64(size)
		u.to, err = c.createFile(opBlob, u.Announcement)
	}
	if err != nil {
		c.out.addInOrder(c.refusal(u.because(err), 0))
		return c.discard(size)
	}
	defer c.drop(u)
	if err := c.receive(u, u.Size); err != nil || u.to == nil {
		return err
	}
	c.publish(u, wordOK, Sum{Size: u.Size})
	return nil
}

// createFile begins a file that was not announced, if the server's limits and the
// client's rights allow it.
func (c *conn) createFile(op string, a Announcement) (Upload, error) {
	err := c.allow(op, a)
	if err == nil {
		err = c.startUploading()
	}
	if err != nil {
		return nil, err
	}
	c.acquireFile(true)
	to, err := c.storeFile(op, a)
	if err != nil {
		c.releaseFile()
	}
	return to, err
}

// makeFolder makes a folder and answers when it is durable.
func (c *conn) makeFolder(name string, u *upload) error {
	err := func() error {
		if len(name) > MaxName {
			return errLongName
		}
		store, err := c.permit(opUpload)
		if err != nil {
			return err
		}
		c.heart.begin()
		defer c.heart.end()
		defer c.srv.beginCall()()
		return store.MakeFolder(c.ctx, name, u.folderModes(name))
	}()
	if c.ctx.Err() != nil {
		return net.ErrClosed
	}
	if err != nil {
		c.refuse(u.because(err), u.number)
		return nil
	}
	c.received(Event{Op: "folder", Name: name})
	c.out.addControl(about(wordSaved, u.number).with("name", name))
	return nil
}
