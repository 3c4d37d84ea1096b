package wire

import (
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const (
	// maxOwed is how many answers a server may owe: a connection with more is
	// not read on. It bounds the files that are being published at once.
	maxOwed = 256
	// maxUnsent is how many bytes of replies are gathered at most before
	// they are sent.
	maxUnsent = 32 << 10
	// maxOwedBytes is how many bytes of answers may wait for one that comes before
	// them. With more, the connection is not read on either.
	maxOwedBytes = 256 << 10
	// keptBuffer is the most that an idle connection keeps to gather replies in.
	keptBuffer = 512
)

// replyQueue gathers what the server says until the goroutine that reads the
// connection would wait for the client. It may be used by several goroutines at
// once, but for what says that it is the reader's.
type replyQueue struct {
	link *link // set before use

	mu sync.Mutex
	// Guarded by mu, which is not held while somebody sends.
	changed   sync.Cond     // of writing, owed and err
	buf       []byte        // to be sent
	spare     []byte        // in place of buf while that is being sent
	writing   bool          // somebody sends
	waiting   bool          // the reader waits, and does not send what is added
	owed      []queuedReply // from the oldest that is not known
	owedBytes int           // bytes of messages in owed
	answered  place         // how many answers came before those
	err       error         // why nothing is sent any more: the stream may end inside a reply
}

// A place is one in the order of answers, the first being 0.
type place int

// An queuedReply has a place in the order.
type queuedReply struct {
	name    string // of the file that it is about
	known   bool
	message []byte
}

// addControl adds a reply that has no order.
func (o *replyQueue) addControl(ctl Control) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = ctl.append(o.buf)
}

// addBytes adds bytes that are no message, as the lab's programs send them.
func (o *replyQueue) addBytes(s string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = append(o.buf, s...)
}

// addText adds what is answered to a text, in order. It is the reader's.
func (o *replyQueue) addText(template, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.owed) == 0 {
		o.buf = appendReply(o.buf, template, text)
		return
	}
	o.answerLocked(o.reserveLocked(""), appendReply(nil, template, text))
}

// addInOrder adds an answer that is known. It is the reader's.
func (o *replyQueue) addInOrder(ctl Control) { o.answer(o.reserve(""), ctl) }

// reserve takes the next place in the order of answers, for one about the file
// called name. It waits while too much is owed, or an answer about a file of
// that name: the second is not to be published before the first. It is the
// reader's.
func (o *replyQueue) reserve(name string) place {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reserveLocked(name)
}

func (o *replyQueue) reserveLocked(name string) place {
	for o.err == nil && (len(o.owed) >= maxOwed || o.owedBytes >= maxOwedBytes || o.owesLocked(name)) {
		if len(o.buf) > 0 || o.writing {
			o.sendLocked()
			continue
		}
		o.waiting = true
		o.changed.Wait()
		o.waiting = false
	}
	o.owed = append(o.owed, queuedReply{name: name})
	return o.answered + place(len(o.owed)-1)
}

// owesLocked reports whether an answer about a file called name is not known.
func (o *replyQueue) owesLocked(name string) bool {
	return name != "" && slices.ContainsFunc(o.owed, func(a queuedReply) bool { return a.name == name && !a.known })
}

// answer gives the answer of a place. Those before it go first.
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
		o.owedBytes -= len(o.owed[known].message)
	}
	o.owed = slices.Delete(o.owed, 0, known)
	o.answered += place(known)
	o.changed.Broadcast()
}

// flushIfLarge sends what was gathered if it is much. It is the reader's.
func (o *replyQueue) flushIfLarge() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.buf) >= maxUnsent {
		o.sendLocked()
	}
}

// flush sends what was gathered. Once that has failed nothing is sent any more,
// because it would be read as the rest of the reply that was cut, and the
// connection is closed.
func (o *replyQueue) flush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sendLocked()
}

// beginWait is a flush before the reader waits for something, and wake ends that.
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

// push is a flush in the reader's place if that waits.
func (o *replyQueue) push() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.waiting || o.writing || len(o.buf) == 0 {
		return // or else the reader sends it, or who is sending already
	}
	o.writing = true
	o.mu.Unlock()
	runtime.Gosched() // a store that made many files durable at once tells their goroutines one by one
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

// writeLocked sends, also what is added meanwhile, for the goroutine that set writing.
func (o *replyQueue) writeLocked() {
	for len(o.buf) > 0 && o.err == nil {
		b := o.buf
		o.buf, o.spare = o.spare, nil
		o.mu.Unlock()
		_, err := o.link.Write(b)
		o.mu.Lock()
		o.spare = b[:0]
		if err != nil {
			o.endLocked(err)
		}
	}
	o.writing = false
	o.changed.Broadcast()
}

// endLocked has nothing sent any more, and wakes the reader.
func (o *replyQueue) endLocked(err error) {
	o.err = err
	o.buf = nil
	o.link.Close()
	o.changed.Broadcast()
}

// fail is endLocked for a connection that cannot go on.
func (o *replyQueue) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.endLocked(err)
}

// last sends a refusal, and then nothing any more.
func (o *replyQueue) last(ctl Control) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = ctl.append(o.buf)
	if o.sendLocked() == nil {
		o.endLocked(errSuperseded)
	}
}

// isEmpty reports whether no answer is owed and none is on its way.
func (o *replyQueue) isEmpty() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.owed) == 0 && len(o.buf) == 0 && !o.writing
}

// trim drops large buffers that are empty. It is the reader's.
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

// replyTo is what the server says to a raw text.
func (s *Server) replyTo(text string) string {
	return strings.ReplaceAll(s.reply, "{}", text)
}

// appendReply appends the String that answers a text: the template, which
// CheckReply has passed, with the text for each "{}".
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

// about begins a reply that has room for a few fields, numbered.
func about(word string, upload int) Control {
	return numbered(Control{Word: word, Fields: make([]Field, 0, 5)}, upload)
}

// numbered adds which upload of the connection a reply is about, if any.
func numbered(ctl Control, upload int) Control {
	if upload == 0 {
		return ctl
	}
	return ctl.with("upload", strconv.Itoa(upload))
}
