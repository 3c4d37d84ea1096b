package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/labnet/labnet/wire"
)

type costTest struct {
	time time.Duration
	most time.Duration // of a processor, for a byte
}

func costFlags(flags *flag.FlagSet) func(context.Context, *abuse) error {
	var c costTest
	flags.DurationVar(&c.time, "time", 3*time.Second, "send each kind for `TIME`")
	flags.DurationVar(&c.most, "most", 50*time.Microsecond, "a byte may cost `TIME` of a processor")
	return func(ctx context.Context, a *abuse) error { return c.run(ctx, a) }
}

// headers are the bytes of the segments without contents that a connection takes.
const headers = 160

// A sending is something that costs a server more than it costs to send.
type sending struct {
	name string
	// once is sent first on each connection, and then repeated is, again and again.
	once, repeated string
	times          int // on each connection; 0 is without end
	encrypted      bool
}

// sendings are the dearest that somebody without a token may send, by the byte.
func sendings() []sending {
	text := func(s string) string { return string(wire.AppendString(nil, s)) }
	return []sending{
		{name: "empty messages", repeated: text("")},
		{name: "messages of 4 KiB", repeated: text(strings.Repeat("x", 4096))},
		{name: "contents, a byte at a time", once: text("f\x00"), repeated: "\x02\x01x"},
		{name: "contents, 64 KiB at a time", once: text("f\x00"), repeated: "\x04\x00\x00\x01" + strings.Repeat("x", 64<<10)},
		{name: "announcements that are cancelled", repeated: text("f\x00") + text("CANCEL\x00")},
		{name: "announcements that are refused", repeated: text("../f\x00")},
		{name: "names with 100 folders", repeated: text(strings.Repeat("a/", 99)+"f\x00") + text("CANCEL\x00")},
		{name: "folders", repeated: text("a/\x00")},
		{name: "requests of HTTP", repeated: "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		{name: "requests of HTTP that are refused", repeated: "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		{name: "connections", repeated: "x", times: 1},
		{name: "handshakes of TLS", repeated: text("hi"), times: 1, encrypted: true},
	}
}

func (c costTest) run(ctx context.Context, a *abuse) error {
	plain, err := a.serve(ctx, launch{store: "cost"})
	if err != nil {
		return err
	}
	defer plain.stop(syscall.SIGKILL)
	encrypted, err := a.serve(ctx, launch{store: "cost-tls", args: []string{"--tls"}})
	if err != nil {
		return err
	}
	defer encrypted.stop(syscall.SIGKILL)
	var failed error
	for _, kind := range sendings() {
		s := plain
		if kind.encrypted {
			s = encrypted
		}
		got, err := c.send(ctx, s, kind)
		if err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
		used := got.used.Seconds()
		a.say("%-34s %6.3f µs of a processor for a byte, %6.1f µs for each", kind.name+":", used*1e6/float64(got.bytes), used*1e6/float64(got.times))
		if used/float64(got.bytes) > c.most.Seconds() {
			failed = errors.Join(failed, fmt.Errorf("%s: a byte costs more than %v", kind.name, c.most))
		}
	}
	return failed
}

// A cost is what was sent, and what it has cost the server.
type cost struct {
	times, bytes int64
	used         time.Duration
}

// send sends one kind as fast as the server takes it.
func (c costTest) send(ctx context.Context, s *server, kind sending) (all cost, err error) {
	before, until := s.cpu(), time.Now().Add(c.time)
	for time.Now().Before(until) && ctx.Err() == nil {
		if err := all.converse(ctx, s, kind, until); err != nil {
			return all, err
		}
	}
	if all.used = s.cpu() - before; all.bytes == 0 {
		err = errors.New("nothing was sent")
	}
	return all, err
}

// converse sends over one connection, which the server may end.
func (all *cost) converse(ctx context.Context, s *server, kind sending, until time.Time) error {
	plain, err := s.dialPlain(ctx)
	if err != nil {
		return err
	}
	tcp := plain.(*net.TCPConn)
	if err := tcp.SetWriteBuffer(8 << 10); err != nil { // what waits there has cost nothing yet
		return err
	}
	counted := &counting{plain, headers}
	nc := net.Conn(counted)
	if kind.encrypted {
		if nc, err = encrypt(ctx, counted); err != nil {
			plain.Close()
			return err
		}
	}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		io.Copy(io.Discard, nc)
	}()
	block, in := kind.repeated, 1
	if kind.times == 0 { // as many as are worth a call
		in = max(1, 4<<10/len(block))
		block = strings.Repeat(block, in)
	}
	_, err = io.WriteString(nc, kind.once)
	for n := 0; err == nil && (kind.times == 0 || n < kind.times) && time.Now().Before(until); n++ {
		_, err = io.WriteString(nc, block)
		all.times += int64(in)
	}
	tcp.CloseWrite()
	<-heard // the server has read all
	plain.Close()
	all.bytes += counted.sent
	return nil
}

// counting counts what is sent.
type counting struct {
	net.Conn
	sent int64
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent += int64(n)
	return n, err
}
