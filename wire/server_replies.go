package wire

import (
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// maxOwed is the most answers that a server may owe: a connection with more is
	// not read. It bounds the files that are being published at the same time.
	maxOwed = 256
	// maxUnsent is how many bytes of replies are buffered before they are sent.
	maxUnsent = 32 << 10
	// maxOwedBytes is the most bytes of answers that may wait for an earlier one. A
	// connection with more is not read either.
	maxOwedBytes = 256 << 10
	// maxDelay is how long replies may be buffered, not counting the request in progress:
	// thousands of requests that take a moment each may have arrived.
	maxDelay = time.Second
	// keptBuffer is the largest buffer that an idle connection keeps.
	keptBuffer = 512
)

// A replyQueue buffers the server's replies until the goroutine that reads the
// connection, the reader, would wait for the client. It is safe for concurrent
// use, except for methods reserved to the reader.
type replyQueue struct {
	link *link // set before use

	mu sync.Mutex
	// Guarded by mu, which is not held during a write.
	changed   sync.Cond     // of writing, owed and err
	buf       []byte        // to be sent
	spare     []byte        // in place of buf while that is being sent
	writing   bool          // a goroutine sends
	waiting   bool          // the reader waits, and does not send what is added
	owed      []queuedReply // from the oldest that is not known yet
	owedBytes int           // bytes of names and messages in owed
	sending   int           // bytes that are being sent
	sent      time.Time     // when they were, the last time
	held      held          // owedBytes and those of buf and sending
	answered  place         // how many answers came before owed
	err       error         // why nothing is sent any more: the stream may end inside a reply
}

// A place is a position in the order of answers, from 0.
type place int

// A queuedReply is an answer with a place in the order.
type queuedReply struct {
	name    string // of the file that it is about
	known   bool
	message []byte
}

// addControl adds a reply outside the order.
func (o *replyQueue) addControl(ctl Control) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = ctl.append(o.buf)
}

// addBytes adds bytes that are not a message, as programs of the lab send them.
func (o *replyQueue) addBytes(s string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = append(o.buf, s...)
}

// addText adds the reply to a text, in order. It is reserved to the reader.
func (o *replyQueue) addText(template, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.owed) == 0 {
		o.buf = appendReply(o.buf, template, text)
		return
	}
	o.answerLocked(o.reserveLocked(""), appendReply(nil, template, text))
}

// addInOrder adds an answer that is known already. It is reserved to the reader.
func (o *replyQueue) addInOrder(ctl Control) { o.answer(o.reserve(""), ctl) }

// reserve takes the next place in the order of answers, for one about the file
// called name. It waits while too much is owed, or an answer about another file of
// that name, which must be published first. It is reserved to the reader.
func (o *replyQueue) reserve(name string) place {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reserveLocked(name)
}

func (o *replyQueue) reserveLocked(name string) place {
	for o.err == nil && (len(o.owed) >= maxOwed || o.owedBytes >= o.held.most() || o.owesLocked(name)) {
		if len(o.buf) > 0 || o.writing {
			o.sendLocked()
			continue
		}
		o.waiting = true
		o.changed.Wait()
		o.waiting = false
	}
	o.owed = append(o.owed, queuedReply{name: name})
	o.owedBytes += len(name)
	o.countLocked()
	return o.answered + place(len(o.owed)-1)
}

// owesLocked reports whether an answer about a file called name is owed.
func (o *replyQueue) owesLocked(name string) bool {
	return name != "" && slices.ContainsFunc(o.owed, func(a queuedReply) bool { return a.name == name && !a.known })
}

// answer fills a place. It is sent once all places before it are filled.
func (o *replyQueue) answer(p place, ctl Control) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p == o.answered { // the next: it needs no copy
		o.buf = ctl.append(o.buf)
		o.answerLocked(p, nil)
	} else {
		o.answerLocked(p, ctl.append(nil))
	}
}

func (o *replyQueue) answerLocked(p place, message []byte) {
	a := &o.owed[p-o.answered]
	a.known, a.message = true, message
	o.owedBytes += len(message)
	known := 0
	for ; known < len(o.owed) && o.owed[known].known; known++ {
		o.buf = append(o.buf, o.owed[known].message...)
		o.owedBytes -= len(o.owed[known].name) + len(o.owed[known].message)
	}
	o.owed = slices.Delete(o.owed, 0, known)
	o.answered += place(known)
	o.countLocked()
	o.changed.Broadcast()
}

// flushIfDue sends a buffer of maxUnsent bytes, or after maxDelay. It is reserved to the
// reader.
func (o *replyQueue) flushIfDue() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.buf) >= maxUnsent || len(o.buf) > 0 && time.Since(o.sent) >= maxDelay {
		o.sendLocked()
	}
}

// flush sends the buffer. If that fails the connection is closed: anything sent
// later would be read as the rest of a reply that was cut off.
func (o *replyQueue) flush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sendLocked()
}

// beginWait flushes before the reader waits, until endWait. Meanwhile push sends.
func (o *replyQueue) beginWait() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.sendLocked()
	o.waiting = true
	return err
}

func (o *replyQueue) endWait() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = false
}

// push flushes in place of the reader if that waits.
func (o *replyQueue) push() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.waiting || o.writing || len(o.buf) == 0 {
		return // the reader will send it, or the goroutine that is sending already
	}
	o.writing = true
	o.mu.Unlock()
	runtime.Gosched() // a store that made many files durable together wakes their goroutines one by one
	o.mu.Lock()
	o.writeLocked()
}

func (o *replyQueue) sendLocked() error {
	for o.writing {
		o.changed.Wait()
	}
	if len(o.buf) > 0 && o.err == nil {
		o.writing = true
		o.writeLocked()
	}
	return o.err
}

// writeLocked sends the buffer, and what is added meanwhile. The caller has set
// writing.
func (o *replyQueue) writeLocked() {
	for len(o.buf) > 0 && o.err == nil {
		b := o.buf
		o.buf, o.spare, o.sending, o.sent = o.spare, nil, len(o.buf), time.Now()
		o.mu.Unlock()
		_, err := o.link.Write(b)
		o.mu.Lock()
		o.spare, o.sending = b[:0], 0
		o.countLocked()
		if err != nil {
			o.endLocked(err)
		}
	}
	o.writing = false
	o.changed.Broadcast()
}

// endLocked closes the connection because of err, and wakes the reader.
func (o *replyQueue) endLocked(err error) {
	o.err = err
	o.buf = nil
	o.link.Close()
	o.changed.Broadcast()
}

// countLocked notes how many bytes are held back.
func (o *replyQueue) countLocked() { o.held.set(o.owedBytes + len(o.buf) + o.sending) }

// drop forgets what is held back, at the end of the connection.
func (o *replyQueue) drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held.set(0)
}

// fail ends a connection that cannot continue.
func (o *replyQueue) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.endLocked(err)
}

// last sends a final refusal and closes the connection.
func (o *replyQueue) last(ctl Control) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = ctl.append(o.buf)
	if o.sendLocked() == nil {
		o.endLocked(errSuperseded)
	}
}

// isEmpty reports whether no answer is owed, buffered or being sent.
func (o *replyQueue) isEmpty() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.owed) == 0 && len(o.buf) == 0 && !o.writing
}

// trim drops large buffers that are empty. It is reserved to the reader.
func (o *replyQueue) trim() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.buf) == 0 && cap(o.buf) > keptBuffer {
		o.buf = nil
	}
	if cap(o.spare) > keptBuffer {
		o.spare = nil
	}
	if len(o.owed) == 0 {
		o.owed = nil
	}
}

// replyTo returns the reply to a raw text.
func (s *Server) replyTo(text string) string {
	return strings.ReplaceAll(s.reply, "{}", text)
}

// appendReply appends the String that answers a text: the template, which
// CheckReply has accepted, with the text in place of each "{}".
func appendReply(b []byte, template, text string) []byte {
	start := len(b)
	b = beginString(b)
	for {
		before, after, found := strings.Cut(template, "{}")
		b = append(b, before...)
		if !found {
			return endString(b, start)
		}
		b = append(b, text...)
		template = after
	}
}

// about starts a numbered reply with space for a few fields.
func about(word string, upload int) Control {
	return numbered(Control{Word: word, Fields: make([]Field, 0, 5)}, upload)
}

// numbered adds the number of the upload that a reply is about, if there is one.
func numbered(ctl Control, upload int) Control {
	if upload == 0 {
		return ctl
	}
	return ctl.with("upload", strconv.Itoa(upload))
}
