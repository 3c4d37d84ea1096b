package wire

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"
)

// waitInterval is how often a server that is busy with a request says so.
const waitInterval = 5 * time.Second

// refuse answers with the *Error that err is, or else with CodeInternal.
func (c *conn) refuse(err error, upload int) {
	e, told := errors.AsType[*Error](err)
	if !told {
		e = &Error{CodeInternal, "the server failed; its log says why"}
	}
	c.log.Warn().Err(err).Str("code", string(e.Code)).Msg("refused")
	c.tell(e, upload)
}

func (c *conn) tell(e *Error, upload int) {
	if !c.bare {
		c.out.control(numbered(e.control(), upload))
	} else if c.srv.Lab.replies() {
		c.out.bare("ERROR: " + e.Text)
	}
}

// numbered adds which upload of the connection a reply is about, if any.
func numbered(ctl Control, upload int) Control {
	if upload == 0 {
		return ctl
	}
	return ctl.with("upload", strconv.Itoa(upload))
}

// working tells the client every few seconds that its request is still being
// worked on, until the function that it returns is called.
func (c *conn) working() (done func()) {
	if c.bare {
		return func() {}
	}
	stop := make(chan struct{})
	var teller sync.WaitGroup
	teller.Go(func() {
		t := time.NewTicker(waitInterval)
		defer t.Stop()
		for {
			select {
			case <-stop:
				return
			case <-t.C:
				c.out.control(Control{Word: wordWait})
				c.out.flush() // a failure shows again at the reply
			}
		}
	})
	return func() {
		close(stop)
		teller.Wait()
	}
}

// replies gathers what the server says until somebody waits for it. It may be
// used by several goroutines at once.
type replies struct {
	link *link
	mu   sync.Mutex
	buf  []byte
	err  error // of a write: the stream ends somewhere in a reply
}

func (o *replies) text(s string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = AppendString(o.buf, s)
}

func (o *replies) control(ctl Control) { o.text(strings.ToValidUTF8(ctl.Text(), "\uFFFD")) }

// bare adds bytes that are no message, as the lab's programs send them.
func (o *replies) bare(s string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = append(o.buf, s...)
}

// flush sends what was gathered. Once that has failed nothing is sent any more:
// it would be read as the rest of the reply that was cut.
func (o *replies) flush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.buf) > 0 && o.err == nil {
		_, o.err = o.link.Write(o.buf)
	}
	o.buf = nil
	return o.err
}
