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
	// maxGathered is how many bytes of replies are gathered at most before
	// they are sent.
	maxGathered = 32 << 10
	// maxOwedBytes is how many bytes of answers may wait for one that comes before
	// them. With more, the connection is not read on either.
	maxOwedBytes = 256 << 10
	// keptBuffer is the most that an idle connection keeps to gather replies in.
	keptBuffer = 512
)

// replies gathers what the server says until the goroutine that reads the
// connection would wait for the client. It may be used by several goroutines at
// once, but for what says that it is the reader's.
type replies struct {
	link *link // set before use

	mu sync.Mutex
	// Guarded by mu, which is not held while somebody sends.
	changed sync.Cond // of writing, owed and err
	buf     []byte    // to be sent
	spare   []byte    // in place of buf while that is being sent
	writing bool      // somebody sends
	waiting bool      // the reader waits, and does not send what is added
	owed    []answer  // from the oldest that is not known
	held    int       // bytes of messages in owed
	told    place     // how many answers came before those
	err     error     // why nothing is sent any more: the stream may end inside a reply
}

// A place is one in the order of answers, the first being 0.
type place int

// An answer has a place in the order.
type answer struct {
	name    string // of the file that it is about
	known   bool
	message []byte
}

// control adds a reply that has no order.
func (o *replies) control(ctl Control) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = ctl.append(o.buf)
}

// bare adds bytes that are no message, as the lab's programs send them.
func (o *replies) bare(s string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = append(o.buf, s...)
}

// say adds what is answered to a text, in order. It is the reader's.
func (o *replies) say(template, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.owed) == 0 {
		o.buf = appendSaid(o.buf, template, text)
		return
	}
	o.answerLocked(o.reserveLocked(""), appendSaid(nil, template, text))
}

// inOrder adds an answer that is known. It is the reader's.
func (o *replies) inOrder(ctl Control) { o.answer(o.reserve(""), ctl) }

// reserve takes the next place in the order of answers, for one about the file
// called name. It waits while too much is owed, or an answer about a file of
// that name: the second is not to be published before the first. It is the
// reader's.
func (o *replies) reserve(name string) place {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reserveLocked(name)
}

func (o *replies) reserveLocked(name string) place {
	for o.err == nil && (len(o.owed) >= maxOwed || o.held >= maxOwedBytes || o.owesLocked(name)) {
		if len(o.buf) > 0 || o.writing {
			o.sendLocked()
			continue
		}
		o.waiting = true
		o.changed.Wait()
		o.waiting = false
	}
	o.owed = append(o.owed, answer{name: name})
	return o.told + place(len(o.owed)-1)
}

// owesLocked reports whether an answer about a file called name is not known.
func (o *replies) owesLocked(name string) bool {
	return name != "" && slices.ContainsFunc(o.owed, func(a answer) bool { return a.name == name && !a.known })
}

// answer gives the answer of a place. Those before it go first.
func (o *replies) answer(p place, ctl Control) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p == o.told { // the next: it needs no copy
		o.buf = ctl.append(o.buf)
		o.answerLocked(p, nil)
	} else {
		o.answerLocked(p, ctl.append(nil))
	}
}

func (o *replies) answerLocked(p place, message []byte) {
	a := &o.owed[p-o.told]
	a.known, a.message = true, message
	o.held += len(message)
	known := 0
	for ; known < len(o.owed) && o.owed[known].known; known++ {
		o.buf = append(o.buf, o.owed[known].message...)
		o.held -= len(o.owed[known].message)
	}
	o.owed = slices.Delete(o.owed, 0, known)
	o.told += place(known)
	o.changed.Broadcast()
}

// limit sends what was gathered if it is much. It is the reader's.
func (o *replies) limit() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.buf) >= maxGathered {
		o.sendLocked()
	}
}

// flush sends what was gathered. Once that has failed nothing is sent any more,
// because it would be read as the rest of the reply that was cut, and the
// connection is closed.
func (o *replies) flush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sendLocked()
}

// wait is a flush before the reader waits for something, and wake ends that.
func (o *replies) wait() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.sendLocked()
	o.waiting = true
	return err
}

func (o *replies) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = false
}

// push is a flush in the reader's place if that waits.
func (o *replies) push() {
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

func (o *replies) sendLocked() error {
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
func (o *replies) writeLocked() {
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
func (o *replies) endLocked(err error) {
	o.err = err
	o.buf = nil
	o.link.Close()
	o.changed.Broadcast()
}

// fail is endLocked for a connection that cannot go on.
func (o *replies) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.endLocked(err)
}

// last sends a refusal, and then nothing any more.
func (o *replies) last(ctl Control) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = ctl.append(o.buf)
	if o.sendLocked() == nil {
		o.endLocked(errSuperseded)
	}
}

// none reports whether no answer is owed and none is on its way.
func (o *replies) none() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.owed) == 0 && len(o.buf) == 0 && !o.writing
}

// release drops large buffers that are empty. It is the reader's.
func (o *replies) release() {
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

// answer is what the server says to a raw text.
func (s *Server) answer(text string) string {
	return strings.ReplaceAll(s.reply, "{}", text)
}

// appendSaid appends the String that answers a text: the template, which
// CheckReply has passed, with the text for each "{}".
func appendSaid(b []byte, template, text string) []byte {
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
