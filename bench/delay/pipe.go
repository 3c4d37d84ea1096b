package delay

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A pipe holds what is under way in one direction.
type pipe struct {
	window int

	mutex   sync.Mutex
	changed sync.Cond
	pieces  []piece
	bytes   int
	broken  bool // nobody takes anything any more
}

// A piece is what one read gave, and when it arrives. The last one has the
// error that ended the stream.
type piece struct {
	data   []byte
	buffer *[]byte // of which data is a part, or nil
	due    time.Time
	end    error
}

const (
	bufferSize = 256 << 10
	small      = 16 << 10 // pieces up to this are copied instead of holding a buffer
)

var buffers = sync.Pool{New: func() any {
	buffer := make([]byte, bufferSize)
	return &buffer
}}

func newPipe(window int) *pipe {
	p := &pipe{window: window}
	p.changed.L = &p.mutex
	return p
}

// fill puts in what it reads, due after latency, until the stream ends.
func (p *pipe) fill(from net.Conn, latency func() time.Duration) {
	for {
		buffer := buffers.Get().(*[]byte)
		n, err := from.Read(*buffer)
		next := piece{data: (*buffer)[:n], buffer: buffer, due: time.Now().Add(latency()), end: err}
		if n <= small {
			next.data, next.buffer = append([]byte(nil), next.data...), nil
			buffers.Put(buffer)
		}
		if !p.put(next) || err != nil {
			return
		}
	}
}

// put waits for room, and reports whether anybody still takes what it puts.
func (p *pipe) put(next piece) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for p.bytes+len(next.data) > p.window && p.bytes > 0 && !p.broken {
		p.changed.Wait()
	}
	p.pieces = append(p.pieces, next)
	p.bytes += len(next.data)
	p.changed.Broadcast()
	return !p.broken
}

// take waits for the next piece, and for the time when it is due.
func (p *pipe) take() piece {
	p.mutex.Lock()
	for len(p.pieces) == 0 {
		p.changed.Wait()
	}
	next := p.pieces[0]
	p.pieces[0] = piece{}
	p.pieces = p.pieces[1:]
	p.mutex.Unlock()

	time.Sleep(time.Until(next.due))
	return next
}

// drain writes the pieces when they are due, and the end of the stream after
// them. It sets heard, if there is one, once something was delivered, and counts what was. An error
// means that the connection as a whole is no more.
func (p *pipe) drain(to net.Conn, heard *atomic.Bool, carried *atomic.Int64) error {
	for {
		next := p.take()
		if len(next.data) > 0 {
			if heard != nil {
				heard.Store(true)
			}
			if _, err := to.Write(next.data); err != nil {
				p.abandon()
				return err
			}
			if carried != nil {
				carried.Add(int64(len(next.data)))
			}
		}
		p.release(next)
		switch next.end {
		case nil:
		case io.EOF:
			return closeWrite(to)
		default:
			return next.end
		}
	}
}

// release gives back the room and the buffer of a piece that was delivered.
func (p *pipe) release(done piece) {
	if done.buffer != nil {
		buffers.Put(done.buffer)
	}
	p.mutex.Lock()
	p.bytes -= len(done.data)
	p.changed.Broadcast()
	p.mutex.Unlock()
}

// abandon lets the filling side go.
func (p *pipe) abandon() {
	p.mutex.Lock()
	p.broken = true
	p.changed.Broadcast()
	p.mutex.Unlock()
}
