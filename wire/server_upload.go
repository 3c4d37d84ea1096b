package wire

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// maxDiscard is the most bytes of a refused body that are read and dropped, to
// reach the next message. With more, the connection is closed instead.
const maxDiscard = 64 << 20

// maxStored is how many unchanged files of a connection are made durable at the same time.
const maxStored = 256

// An upload is a file that a client announced.
type upload struct {
	// Set before it is accepted or refused.
	conn   *conn
	number int // the client's first is 1
	length int // of the announcement, in bytes
	Announcement

	// Owned by the reader; but by the goroutine that decides, until decided is
	// closed, and by the one that publishes.
	to      Upload    // nil once the file is refused
	got     int64     // bytes, including those of an earlier upload
	claim   *claim    // on its ID
	started time.Time // when contents began to arrive; zero until then
	resumed int64     // bytes of an earlier upload, from then on

	// Owned by the reader.
	waiting bool          // to be accepted or refused
	decided chan struct{} // closed once that is done, if another goroutine does it; else nil

	received atomic.Int64 // as got, but up to date while contents arrive
	complete bool         // all has arrived; guarded by srv.mu
	slot     slot         // likewise
}

// op returns what the upload is called in events and in the log.
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

// because adds to an error, for the log, which file it is about.
func (u *upload) because(err error) error { return &failedUpload{u, err} }

// announce takes an announcement of a length and accepts or refuses it, now or later.
func (c *conn) announce(ctl Control, length int) error {
	if c.announced++; c.announced == windowFrom {
		c.widen()
	}
	u := &upload{number: c.announced, length: length, conn: c}
	err := u.parse(ctl)
	if errors.Is(err, ErrControl) {
		return err
	}
	if folder, ok := strings.CutSuffix(u.Name, "/"); ok && err == nil {
		return c.makeFolder(folder, u)
	}
	if folder, ok := strings.CutSuffix(u.Name, checkedFolder); ok && err == nil && u.Check {
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
	c.window.bytes += u.length
	return c.acceptWaiting()
}

// allow returns why the server's limits or the client's rights forbid a file, or
// nil.
func (c *conn) allow(op string, a Announcement) error {
	switch limit := c.srv.limits.MaxSize; {
	case !c.window.isOpen(len(c.uploads)):
		return c.window.refusal()
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

// forgetRefused drops files that were refused ahead, in place of which others may
// be announced.
func (c *conn) forgetRefused() {
	if c.window.isOpen(len(c.uploads)) {
		return
	}
	c.uploads = slices.DeleteFunc(c.uploads, func(u *upload) bool {
		refused := u.decided != nil && u.isDecided() && u.to == nil
		if refused {
			c.window.bytes -= u.length
		}
		return refused
	})
}

// removeUpload removes one of c.uploads.
func (c *conn) removeUpload(n int) {
	c.window.bytes -= c.uploads[n].length
	if n == 0 { // without moving the others
		c.uploads[0] = nil
		c.uploads = c.uploads[1:]
		return
	}
	c.uploads = slices.Delete(c.uploads, n, n+1)
}

// acceptWaiting accepts or refuses the waiting files in order, as far as the
// descriptors allow, and in any case until the oldest is accepted. To begin a file
// may take long, if another connection sends it or much of it is there already; for
// one that is not the oldest another goroutine does it, so that those before it do
// not wait. Beyond MaxAhead only those are accepted that need neither a descriptor nor
// another goroutine.
func (c *conn) acceptWaiting() error {
	c.awaitOldest()
	if len(c.uploads) > 0 {
		c.moveSlot(c.uploads[0])
	}
	next := sort.Search(len(c.uploads), func(n int) bool { return c.uploads[n].waiting })
	for next < len(c.uploads) {
		u := c.uploads[next]
		ahead := next > 0 && (u.mayTakeLong() || !c.uploads[next-1].isDecided())
		if next >= MaxAhead && (ahead || u.needsSlot()) || !c.mayBegin(u, next == 0) || u.needsSlot() && !c.acquireSlot(u, next == 0) {
			break
		}
		u.waiting = false
		old, err := c.register(u)
		if ahead {
			c.decideAhead(u, old, err, c.uploads[next-1].decided)
			next++
			continue
		}
		if u.mayTakeLong() {
			c.out.beginWait()
		}
		if old != nil {
			old.conn.supersede(old.number)
		}
		accepted := c.decide(u, err, true)
		c.out.flushIfDue()
		if u.mayTakeLong() {
			c.out.endWait()
		}
		if accepted {
			next++
			continue
		}
		c.removeUpload(next)
		if c.ctx.Err() != nil {
			break
		}
	}
	if c.ctx.Err() != nil {
		return net.ErrClosed // the connection that took over says why
	}
	return nil
}

// mayBegin reports whether a file may begin. One that must not replace those
// before it waits until it is the oldest and they are published.
func (c *conn) mayBegin(u *upload, oldest bool) bool {
	switch {
	case u.Replace == ReplaceAny:
		return true
	case !oldest:
		return false
	}
	c.out.beginWait()
	defer c.out.endWait()
	c.publishing.wait()
	return true
}

// register counts a file, which may refuse it, and returns the upload that it
// supersedes, if any.
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

// decide begins a registered file unless err forbids it, and answers whether it is
// accepted, unless another connection takes over. It is called by the reader or by
// another goroutine.
func (c *conn) decide(u *upload, err error, byReader bool) (accepted bool) {
	stored := false
	defer func() {
		if !accepted && !stored {
			c.releaseSlot(u)
		}
	}()
	if err == nil {
		err = c.begin(u)
	}
	switch {
	case err == nil && (len(u.Contents.Sum) > 0 || u.Quick) && u.to.Offer().Agreed:
		stored = true
		c.publishStored(u, byReader)
		return false
	case err == nil:
		c.accept(u)
	case c.ctx.Err() == nil:
		c.refuse(u.because(err), u.number)
	}
	return err == nil
}

// mayTakeLong reports whether the store may have to read much before it accepts a
// file.
func (u *upload) mayTakeLong() bool { return u.ID != "" || len(u.Proofs) > 0 }

// publishStored has the store make durable again what the client need not send, and
// says so in place of accepting it. If many are published already, it waits for that.
func (c *conn) publishStored(u *upload, byReader bool) {
	to := u.to
	u.to = nil
	c.srv.markComplete(u)
	publish := func() {
		saved, err := c.commit(u, to, Sum{Size: u.Size})
		if err != nil {
			c.out.addControl(c.refusal(err, u.number))
		} else {
			answer := c.withWindow(about(wordSaved, u.number), u.number).with("unchanged", "1").withComparison(saved.Compared)
			if saved.Name != u.Name {
				answer = answer.with("name", saved.Name)
			}
			c.out.addControl(answer)
		}
	}
	c.publishing.begin()
	if c.publishing.count() > maxStored || !c.srv.tryAcquireSlot(u, true) {
		defer c.publishing.end()
		if byReader {
			c.out.beginWait()
			defer c.out.endWait()
		}
		publish()
		return
	}
	go func() {
		defer c.publishing.end()
		defer c.recoverPanic()
		publish()
		c.out.push()
		c.srv.limitIdle(c)
	}()
}

// begin has the store begin or resume a file, once no other connection sends it.
func (c *conn) begin(u *upload) (err error) {
	c.heart.begin() // the store may have to read all of a file to resume it
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

// accept tells the client that a file is accepted, and from which offset.
func (c *conn) accept(u *upload) {
	offer := u.to.Offer()
	u.got = offer.Size
	ok := c.withWindow(about(wordOK, u.number), u.number).with("offset", strconv.FormatInt(offer.Size, 10))
	if offer.Size > 0 {
		ok = ok.with(offer.Digest, hex.EncodeToString(offer.Proof))
	}
	c.out.addControl(ok)
}

// decideAhead decides, in another goroutine, on a file that is not the oldest, once
// the one before it is decided.
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
		c.decide(u, err, false)
		c.out.push()
	}()
}

// isDecided reports whether no other goroutine is still deciding on u.
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

// awaitOldest waits until the oldest file is accepted, or one that is waiting.
func (c *conn) awaitOldest() {
	for len(c.uploads) > 0 && c.uploads[0].decided != nil {
		u := c.uploads[0]
		c.awaitDecision(u)
		u.decided = nil
		if u.to == nil {
			c.removeUpload(0)
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
// a blob. Of one that comes in pieces, unsure says that the size may be contents.
func (c *conn) data(size uint64, unsure bool) error {
	if len(c.uploads) == 0 {
		return c.blob(size, unsure)
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
	c.acquireSlot(u, true)
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

// receive moves the size bytes of a Data to the store. During a large one it sends
// WAIT: the client may have written all of it long ago, and wait for the answer. So it
// does during the first behind an offer, of which the store may have to copy much.
func (c *conn) receive(u *upload, size int64) error {
	if size > bufferSize || u.started.IsZero() && u.got > 0 {
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

// discard reads and drops size bytes, to reach the next message.
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

// A body reads the contents of a Data: first what is buffered, then, for large
// reads, from the connection straight into the caller's buffer. It returns io.EOF
// only after the last byte.
type body struct {
	c         *conn
	remaining int64
	rate      rateMeter
	upload    *upload // nil if the contents are discarded
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
		b.err = b.c.checkToken() // it may have been revoked meanwhile
	}
	return n, b.err
}

func (c *conn) tooSlow() error {
	return &Error{CodeTooSlow, fmt.Sprintf("less than %d bytes a second came for %v", c.srv.limits.MinRate, RateTime)}
}

// restartUpload drops what an earlier upload sent of the oldest file.
func (c *conn) restartUpload() error {
	if len(c.uploads) == 0 {
		return fmt.Errorf("%w: RESTART of no upload", ErrControl)
	}
	u := c.uploads[0]
	if u.to == nil {
		return nil
	}
	if u.got != u.to.Offer().Size {
		return fmt.Errorf("%w: RESTART behind contents", ErrControl)
	}
	if err := u.to.Restart(); err != nil {
		c.fail(u, err)
	}
	u.got = 0
	return nil
}

// endUpload has the oldest upload published, and the client told whether it is
// safe.
func (c *conn) endUpload(ctl Control) error {
	if len(c.uploads) == 0 {
		return fmt.Errorf("%w: END of no upload", ErrControl)
	}
	u := c.uploads[0]
	want, err := ctl.sum(u.Digest)
	if err != nil {
		return err
	}
	c.removeUpload(0)
	if u.to == nil { // the client was told so already
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
		c.acquireSlot(u, true)
		c.publish(u, wordSaved, want)
	}
	return c.acceptWaiting()
}

// publish has the store publish a complete file, while the connection goes on to
// receive, so that many files become durable together. The answer, with word, comes
// in its order.
func (c *conn) publish(u *upload, word string, want Sum) {
	place := c.out.reserve(u.Name)
	c.srv.markComplete(u)
	to := u.to
	u.to = nil // even if it fails
	c.publishing.begin()
	go func() {
		defer c.publishing.end()
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

// commit has the store commit a file, and reports it as received. It runs to its
// end even if the connection does not.
func (c *conn) commit(u *upload, to Upload, want Sum) (Saved, error) {
	if u.started.IsZero() { // empty, or complete before
		u.resumed = u.got
		c.srv.uploadLog.begin(u)
	}
	saved, err := func() (Saved, error) {
		defer c.srv.uploadLog.end(u)
		defer c.releaseSlot(u)
		defer c.srv.releaseClaim(u)
		c.heart.begin()
		defer c.heart.end()
		return c.srv.commit(to, want)
	}()
	if err != nil {
		return saved, u.because(err)
	}
	if u.Check {
		return saved, nil
	}
	resumed := u.resumed // which the log of what takes long may read at this moment
	if saved.Unchanged {
		resumed = 0
	}
	c.received(Event{
		Op: u.op(), Name: saved.Name, Path: saved.Path, Size: &saved.Size, Digest: u.Digest, Sum: saved.Digest,
		Unchanged: saved.Unchanged, Compared: saved.Compared, Took: time.Since(u.started), Resumed: resumed,
	})
	return saved, nil
}

// control appends to a reply what a client wants to know of a committed file.
func (s Saved) control(ctl Control, d Digest) Control {
	ctl = ctl.with("name", s.Name).withSum(d, s.Sum)
	if s.Unchanged {
		ctl = ctl.with("unchanged", "1").withComparison(s.Compared)
	}
	return ctl
}

// withComparison adds how a file was found to be unchanged, if not by its contents.
func (c Control) withComparison(how Comparison) Control {
	if how == ComparedTimes {
		c = c.with("compared", string(how))
	}
	return c
}

// cancelUpload drops the oldest upload.
func (c *conn) cancelUpload() error {
	if len(c.uploads) == 0 {
		return fmt.Errorf("%w: CANCEL of no upload", ErrControl)
	}
	u := c.uploads[0]
	c.removeUpload(0)
	if u.to != nil {
		c.drop(u)
		c.out.addInOrder(c.refusal(u.because(&Error{CodeCancelled, "the client cancelled the file"}), u.number))
	}
	return c.acceptWaiting()
}

// fail refuses a file while it arrives. The rest of it is discarded.
func (c *conn) fail(u *upload, err error) {
	c.drop(u)
	if u.number == 0 && !c.bare { // a blob: only their order tells the answers apart
		c.out.addInOrder(c.refusal(u.because(err), 0))
		return
	}
	c.refuse(u.because(err), u.number)
}

// drop aborts a file, unless it has ended already.
func (c *conn) drop(u *upload) {
	if u.to != nil {
		c.putAway(u, u.to.Abort)
	}
}

// abandon suspends the uploads that have not ended, so that they can be resumed.
func (c *conn) abandon() {
	if len(c.uploads) == 0 {
		return
	}
	u := c.uploads[0]
	c.removeUpload(0)
	defer c.abandon() // the others, even if this one panics
	if u.decided != nil {
		c.cancel(net.ErrClosed) // it will not be sent
		<-u.decided
	}
	if u.to != nil && u.Check {
		c.putAway(u, u.to.Abort)
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

// putAway ends an upload without publishing it, by Suspend or Abort.
func (c *conn) putAway(u *upload, way func() error) {
	u.to = nil
	defer c.srv.uploadLog.end(u)
	defer c.releaseSlot(u)
	defer c.srv.releaseClaim(u)
	if err := way(); err != nil {
		c.log.Error().Err(err).Str("name", u.Name).Msg("cannot suspend or drop an unfinished file")
	}
}
