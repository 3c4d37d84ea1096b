package hook

import (
	"io"
	"sync"
	"time"

	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/wire"
)

// receiptTime is how long standard output may take no receipt before serve
// gives up: as long as a client may make no progress.
const receiptTime = 30 * time.Second

// ErrStalled means that receipts are not read any more.
var ErrStalled = problem.New("nobody read the receipts for "+receiptTime.String(), "failed",
	"keep reading standard output; the senders were not acknowledged and will retry")

// Receipts writes a line for each thing received. Who reads them may be slow,
// and then senders wait for their answers. But if nothing can be written any
// more, the server must neither wait for ever nor tell senders that all is well:
// it is stopped before they are told, so that they send again to the next one.
type Receipts struct {
	out   io.Writer
	stop  func(error) // closes all connections
	queue chan receipt

	once   sync.Once
	broken chan struct{} // closed when nothing more is written
	err    error         // why, from then on
}

// A ReceiptError means that standard output takes no receipts any more.
type ReceiptError struct{ Err error }

func (e *ReceiptError) Error() string { return "standard output: " + problem.Reason(e.Err) }
func (e *ReceiptError) Unwrap() error { return e.Err }

// Tell has a server's receipts written to standard output, if con prints
// JSON, and commands run for them. Otherwise it returns nil.
func Tell(con *terminal.Console, srv *wire.Server, commands *Executor) *Receipts {
	var written *Receipts
	if con.JSON {
		written = writeReceipts(con.Out, func(err error) {
			con.Broken(err)
			srv.Close()
		})
	} else if commands == nil {
		return nil
	}
	srv.Received = func(e wire.Event) {
		line := terminal.Encode(terminal.ReceiptOf(e))
		if written != nil && !written.write(line) {
			return // its sender, who is not told, sends it again
		}
		con.Received()
		commands.add(e.Op, line)
	}
	return written
}

type receipt struct {
	line    []byte
	written chan struct{}
}

// writeReceipts begins to write to out. The caller must close the receipts once
// nobody writes any more.
func writeReceipts(out io.Writer, stop func(error)) *Receipts {
	r := &Receipts{out: out, stop: stop, queue: make(chan receipt), broken: make(chan struct{})}
	go func() {
		for next := range r.queue {
			stalled := time.AfterFunc(receiptTime, func() {
				r.fail(ErrStalled)
			})
			_, err := r.out.Write(next.line)
			stalled.Stop()
			if err != nil {
				r.fail(err)
				return
			}
			close(next.written)
		}
	}()
	return r
}

// write writes a line, and reports whether it did. If not, no connection is
// open any more.
func (r *Receipts) write(line []byte) bool {
	next := receipt{line, make(chan struct{})}
	select {
	case r.queue <- next:
	case <-r.broken:
		return false
	}
	select {
	case <-next.written:
		return true
	case <-r.broken:
		return false
	}
}

func (r *Receipts) fail(err error) {
	r.once.Do(func() {
		r.err = &ReceiptError{err}
		r.stop(r.err)
		close(r.broken)
	})
}

// Close ends the writing, and returns why it failed, if it did.
func (r *Receipts) Close() error {
	if r == nil {
		return nil
	}
	close(r.queue)
	select {
	case <-r.broken:
		return r.err
	default:
		return nil
	}
}
