package uploader

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"time"

	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/wire"
)

const (
	// preparers is how many batches are looked at, and read, at the same time:
	// more than one, because a disk answers several requests sooner.
	preparers = 4
	// maxBatch is how many items such a batch has at most: fewer would have to be
	// handed over more often, and more save nothing more.
	maxBatch = 8
	// maxFound is how many wait for being looked at.
	maxFound = 2 * maxBatch
	// maxPrepared is how many batches wait for being announced.
	maxPrepared = 1
	// maxSent is how many may wait for the server to say that they are safe.
	maxSent = 1024
	// maxHeld is how many bytes of contents that were read wait for their turn. Others
	// are read again if they have to be sent.
	maxHeld = 4 << 20
)

// A pipeline sends items over one connection after the other. On each, many
// are announced ahead of the one that is being sent, and many that were sent
// wait for their answers, so that neither the distance to the server nor its
// disk is waited for once per item. Outcomes are told in the order of the items.
type pipeline struct {
	*Uploader
	queue <-chan []*item
	batch []*item // what is left of the one taken from the queue
	again []*item // that go before those, since a try failed
	names coincidence

	// Of one try.
	client    *wire.Client
	trouble   error   // why there is none
	announced []*item // oldest first
	ahead     int     // how many are announced ahead even if the oldest can be sent
	held      int     // bytes of their contents
	sent      chan *item

	// Set by the goroutine that tells outcomes.
	progress bool
	failed   []*item // that may succeed on another try
	err      error   // why nothing can
}

// sendEach sends items, in more than one try if need be. It returns an error
// only if no other can be sent either.
func (u *Uploader) sendEach(ctx context.Context, items iter.Seq[*item]) error {
	defer u.Con.Work(ctx, "files", 0, u.Lab != 0)()
	if u.Lab != 0 {
		var names coincidence
		for it := range items {
			u.Con.Meter.Find()
			if err := u.labSend(ctx, it, &names); err != nil {
				return err
			}
			u.Con.Meter.Tell()
		}
		return nil
	}
	preparing, stop := context.WithCancel(ctx)
	defer stop()
	p := &pipeline{Uploader: u, queue: u.prepareAll(preparing, items)}
	patience := u.Patience()
	abandoned := false // the last item, because the server was lost
	for {
		err := p.try(ctx)
		if err != nil || len(p.again) == 0 {
			return err
		}
		if p.progress {
			patience.Helped()
			abandoned = false
		}
		first := p.again[0]
		again, err := patience.Wait(ctx, u.Con, first.label(), first.failure)
		if err == nil && !again {
			gone := client.IsServerGone(first.failure)
			if gone && (abandoned || !p.HasReached()) {
				return p.giveUpAll(first, patience.Spent(first.failure, p.HasReached()))
			}
			abandoned = gone
			err = p.giveUp(ctx, patience)
		}
		if err != nil {
			return err
		}
	}
}

// giveUp gives up the first of the items to be tried again, and those behind it
// that the server refused: each has been tried as often.
func (p *pipeline) giveUp(ctx context.Context, patience *client.Patience) error {
	for {
		it := p.again[0]
		p.again = p.again[1:]
		p.Con.Meter.Tell()
		if err := p.count(ctx, it, patience.Spent(it.failure, it.stream == nil && p.HasReached())); err != nil {
			return err
		}
		if len(p.again) == 0 || p.again[0].failure == nil || endsTry(p.again[0].failure) {
			return nil
		}
	}
}

// giveUpAll returns err, of which one item failed, as one of all: there is no server.
func (p *pipeline) giveUpAll(it *item, err error) error {
	p.Con.Failure(p.object(it), err)
	return err
}

// endsTry reports whether an item failed because nothing could be sent any more.
func endsTry(err error) bool {
	refused, ok := errors.AsType[*wire.Error](err)
	return !ok || refused.Code.EndsConnection()
}

// prepareAll prepares items, several batches at once, and passes them on in
// order until ctx ends. A batch is what was found by then.
func (u *Uploader) prepareAll(ctx context.Context, items iter.Seq[*item]) <-chan []*item {
	found := u.findAll(ctx, items)
	queue := make(chan []*item, maxPrepared)
	go func() {
		defer close(queue)
		busy := make(chan struct{}, preparers)
		passedOn := make(chan struct{}) // the batch before
		close(passedOn)
		for first := range found {
			busy <- struct{}{}
			batch := batchOf(first, found)
			before, done := passedOn, make(chan struct{})
			go func() {
				u.prepareBatch(ctx, batch, before, queue)
				close(done)
				<-busy
			}()
			passedOn = done
		}
		<-passedOn
	}()
	return queue
}

// prepareBatch prepares a batch and passes it on after the one before: as a whole,
// or what there is of it whenever nothing else waits to be announced, since what
// follows may be slow.
func (u *Uploader) prepareBatch(ctx context.Context, batch []*item, before <-chan struct{}, queue chan<- []*item) {
	passed := 0
	for i, it := range batch {
		u.prepare(it)
		select {
		case <-before:
			select {
			case queue <- batch[passed : i+1]:
				passed = i + 1
			default:
			}
		default:
		}
	}
	<-before
	if passed < len(batch) {
		select {
		case queue <- batch[passed:]:
		case <-ctx.Done():
		}
	}
}

// findAll passes items on until ctx ends.
func (u *Uploader) findAll(ctx context.Context, items iter.Seq[*item]) <-chan *item {
	found := make(chan *item, maxFound)
	go func() {
		defer close(found)
		defer u.Con.Meter.FoundAll()
		for it := range items {
			u.Con.Meter.Find()
			select {
			case found <- it:
			case <-ctx.Done():
				return
			}
		}
	}()
	return found
}

// batchOf makes a batch of the first item and those found that are at hand.
func batchOf(first *item, found <-chan *item) []*item {
	batch := []*item{first}
	for len(batch) < maxBatch {
		select {
		case it, more := <-found:
			if !more {
				return batch
			}
			batch = append(batch, it)
		default:
			return batch
		}
	}
	return batch
}

// try sends over one connection until it is lost or nothing is left. The items
// in p.again may succeed on another one.
func (p *pipeline) try(ctx context.Context) error {
	p.client, p.trouble, p.progress, p.failed, p.err = nil, nil, false, nil, nil
	p.ahead, p.held = wire.MaxAhead, 0
	p.sent = make(chan *item, maxSent)
	told := make(chan struct{})
	go func() {
		defer close(told)
		p.Con.Gather(true)
		defer p.Con.Gather(false)
		for it := range p.sent {
			p.tell(ctx, it)
			if len(p.sent) == 0 {
				p.Con.Flush()
			}
		}
	}()
	for p.fill(ctx) {
		p.sendFirst(ctx)
	}
	p.flush(ctx)
	for _, it := range p.announced { // when the connection was lost
		switch {
		case it.transfer != nil:
			it.failure = p.Classify(ctx, it.transfer.Unsent(p.client.Err()))
		case it.err == nil:
			it.failure = p.lost(ctx)
		}
		p.sent <- it
	}
	p.announced = nil
	close(p.sent)
	<-told
	p.again = append(p.failed, p.again...)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return p.err
}

// lost returns why nothing more can be sent in this try, if so.
func (p *pipeline) lost(ctx context.Context) error {
	if p.client == nil {
		return p.trouble
	}
	if err := p.client.Err(); err != nil {
		return p.Classify(ctx, err)
	}
	return nil
}

// flush sends what was gathered. A failure shows again at the answers.
func (p *pipeline) flush(ctx context.Context) {
	if p.client != nil {
		p.client.Flush(ctx)
	}
}

// fill announces items while there are some at hand, and reports whether one
// can be sent then.
func (p *pipeline) fill(ctx context.Context) bool {
	for p.mayAnnounce() && p.lost(ctx) == nil {
		it := p.next(ctx)
		if it == nil {
			break
		}
		p.announced = append(p.announced, it)
		p.announce(ctx, it)
	}
	return len(p.announced) > 0 && p.lost(ctx) == nil && ctx.Err() == nil
}

// mayAnnounce reports whether another item may be announced before one is sent. Beyond
// those that a server takes in any case that is worth while only if it is so far away that
// its answer to the oldest is still to come; there will be as many from then on.
func (p *pipeline) mayAnnounce() bool {
	if p.client != nil && !p.client.MayAnnounce() {
		return false
	}
	n := len(p.announced)
	if n < p.ahead {
		return true
	}
	first := p.announced[0]
	if first.transfer == nil || first.folder {
		return false
	}
	select {
	case <-first.transfer.Answered():
		return false
	default:
	}
	if n >= wire.DefaultMaxAhead {
		return false
	}
	p.ahead = n + 1
	return true
}

// next returns the next item to be announced, or nil when one that was
// announced can be sent or there is none.
func (p *pipeline) next(ctx context.Context) *item {
	if len(p.again) > 0 {
		it := p.again[0]
		p.again = p.again[1:]
		it.transfer, it.failure = nil, nil
		p.prepare(it) // it may have changed
		return it
	}
	if len(p.batch) == 0 {
		p.batch = p.nextBatch(ctx)
	}
	if len(p.batch) == 0 {
		return nil
	}
	it := p.batch[0]
	p.batch = p.batch[1:]
	return it
}

// nextBatch returns the next items of the queue, or none when an item that was
// announced can be sent or there are none.
func (p *pipeline) nextBatch(ctx context.Context) []*item {
	select {
	case batch := <-p.queue:
		return batch
	default:
	}
	var answered <-chan struct{}
	if len(p.announced) > 0 {
		first := p.announced[0]
		if first.transfer == nil || first.folder {
			return nil
		}
		answered = first.transfer.Answered()
	}
	select {
	case <-answered:
		return nil
	default:
	}
	p.flush(ctx)
	select {
	case batch := <-p.queue:
		return batch
	case <-answered:
	case <-ctx.Done():
	}
	return nil
}

// announce announces an item, unless it is known not to be sent.
func (p *pipeline) announce(ctx context.Context, it *item) {
	if it.err != nil || it.note != "" {
		return
	}
	if p.client == nil {
		if p.client, p.trouble = p.Connect(ctx); p.trouble != nil {
			return
		}
	}
	var err error
	switch {
	case it.folder && p.Check:
		it.transfer, err = p.client.CheckFolder(ctx, it.announcement.Name)
	case it.folder:
		it.transfer, err = p.client.AnnounceFolder(ctx, it.announcement.Name, it.announcement.Folders)
	default:
		it.announcement.Replace = p.names.announce(it)
		it.transfer, err = p.client.Announce(ctx, it.announcement)
	}
	if p.client.Err() == nil {
		it.err = err
	}
	p.hold(it)
}

// hold keeps what was read of an item, if that is not too much.
func (p *pipeline) hold(it *item) {
	it.held = 0
	if it.contents == nil {
		return
	}
	if n := len(it.contents.left); p.held+n <= maxHeld {
		it.held = n
		p.held += n
		return
	}
	it.contents.Close()
	it.contents = nil
}

// sendFirst sends the oldest item that was announced.
func (p *pipeline) sendFirst(ctx context.Context) {
	it := p.announced[0]
	p.announced = p.announced[1:]
	if it.transfer != nil && !it.folder {
		it.start = time.Now()
		if it.stream != nil {
			it.stream.begun = true
		}
		var resumed func() int64
		if it.announcement.ID != "" || len(it.announcement.Proofs) > 0 {
			resumed = it.resumedAt
		}
		r := p.Con.Meter.Measure(it.label(), it.announcement.Size, it.source(), resumed)
		it.transfer.Send(ctx, r) // an error comes again when the answer is waited for
		r.Close()
		p.held -= it.held
		it.contents, it.held = nil, 0
	}
	select {
	case p.sent <- it:
	default:
		p.flush(ctx)
		p.sent <- it
	}
}

// tell waits for the outcome of an item that was sent, and tells it.
func (p *pipeline) tell(ctx context.Context, it *item) {
	if it.note != "" {
		p.Con.Meter.Tell()
		p.skip(it)
		return
	}
	var saved wire.Saved
	err := cmp.Or(it.err, it.failure)
	if err == nil {
		if !it.transfer.Settled() {
			p.Con.Flush()
		}
		saved, err = it.transfer.Saved(ctx)
		err = p.Classify(ctx, err)
	}
	switch {
	case ctx.Err() != nil:
		return
	case err == nil:
		p.progress = true
		p.print(it, saved)
	case saved.Resumed > it.reached:
		p.progress = true
		it.reached = saved.Resumed
	}
	if err != nil && p.mayPass(it, err) {
		it.failure = err
		p.failed = append(p.failed, it)
		return
	}
	if err != nil && it.stream == nil && client.IsServerGone(err) && !p.HasReached() {
		if p.err == nil {
			p.err = p.giveUpAll(it, err)
		}
		return
	}
	p.Con.Meter.Tell()
	p.err = cmp.Or(p.err, p.count(ctx, it, err))
}

// mayPass reports whether an item may succeed on another try.
func (p *pipeline) mayPass(it *item, err error) bool {
	return it.err == nil && !(it.stream != nil && it.stream.begun) && client.Passes(err, p.Always || p.HasReached())
}
