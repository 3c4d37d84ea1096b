package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/labnet/labnet/wire"
)

// A role is played by many at once, again and again.
type role struct {
	many int
	do   func(s *soak, ctx context.Context)
}

var roles = []role{
	{4, (*soak).upload},
	{2, (*soak).uploadMany},
	{2, (*soak).runLabnet},
	{3, (*soak).listenTo},
	{2, (*soak).flood},
	{2, (*soak).guess},
	{1, (*soak).hoard},
	{1, (*soak).ping},
	{1, (*soak).tidy},
	{1, (*soak).freezeDisk},
	{1, (*soak).fillDisk},
}

// acknowledge notes that the server said that a file is safe.
func (s *soak) acknowledge(c *contents, as string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept++
	if as != c.name() {
		s.counts["a name that was not asked for"]++
	} else if !s.removed[c.seed] {
		s.acked[c.seed] = true
	}
}

// next makes a file that nobody has sent before.
func (s *soak) next() *contents {
	size := rand.Int64N(64 << 10)
	if rand.N(40) == 0 {
		size = rand.Int64N(4 << 20) // of those from 1 MiB on the rest is sent after a cut
	}
	return newContents(s.files.Add(1), size)
}

// A faulty connection is cut after so many bytes in either direction, or first
// stands still.
type faulty struct {
	net.Conn
	left  int64
	stall time.Duration
	slow  time.Duration // each write
}

var errFault = errors.New("a fault of the network")

func (f *faulty) spend(n int) error {
	if f.left -= int64(n); f.left > 0 {
		return nil
	}
	time.Sleep(f.stall)
	if tcp, ok := f.Conn.(*net.TCPConn); ok && rand.N(2) == 0 {
		tcp.SetLinger(0) // a reset
	}
	f.Conn.Close()
	return errFault
}

func (f *faulty) Write(p []byte) (int, error) {
	time.Sleep(f.slow)
	if int64(len(p)) >= f.left {
		n, _ := f.Conn.Write(p[:rand.N(len(p)+1)])
		return n, f.spend(len(p))
	}
	n, err := f.Conn.Write(p)
	f.left -= int64(n)
	return n, err
}

// upload sends one file until it is safe, as labnet does.
func (s *soak) upload(ctx context.Context) {
	c := s.next()
	a := wire.Announcement{Name: c.name(), ID: c.name(), Size: c.size}
	for ctx.Err() == nil {
		client, err := s.client(ctx)
		if err != nil {
			continue
		}
		c.rewind()
		saved, err := client.Upload(ctx, a, c)
		client.Close()
		if err == nil {
			if saved.Resumed > 0 {
				s.note("an upload went on where it was")
			}
			s.acknowledge(c, saved.Name)
			return
		}
		s.note("a try failed: " + kind(err))
		sleep(ctx, rand.N(500*time.Millisecond))
	}
}

// kind is an error without what is different each time.
func kind(err error) string {
	if refused, ok := errors.AsType[*wire.Error](err); ok {
		return string(refused.Code)
	}
	return "the connection"
}

// uploadMany announces many files ahead, and may go away in the middle.
func (s *soak) uploadMany(ctx context.Context) {
	client, err := s.client(ctx)
	if err != nil {
		return
	}
	defer client.Close()
	var files []*wire.Transfer
	var sent []*contents
	for range 1 + rand.N(wire.MaxAhead) {
		c := newContents(s.files.Add(1), rand.Int64N(8<<10))
		f, err := client.Announce(ctx, wire.Announcement{Name: c.name(), Size: c.size})
		if err != nil {
			break
		}
		files, sent = append(files, f), append(sent, c)
	}
	stay := len(files)
	if rand.N(3) == 0 {
		stay = rand.N(len(files) + 1)
	}
	for i, f := range files[:stay] {
		f.Send(ctx, sent[i])
	}
	client.Flush(ctx)
	for i, f := range files[:stay] {
		if saved, err := f.Saved(ctx); err == nil {
			s.acknowledge(sent[i], saved.Name)
		}
	}
	sleep(ctx, rand.N(500*time.Millisecond))
}

// runLabnet runs labnet upload, and kills it at times. What it has told before is
// true all the same.
func (s *soak) runLabnet(ctx context.Context) {
	dir, err := os.MkdirTemp(s.abuse.dir, "from-")
	if err != nil {
		s.fail(err)
		return
	}
	defer os.RemoveAll(dir)
	args := []string{"upload", "-a", s.current().addr, "--pin", s.pin, "--json", "--timeout", "5s"}
	sent := map[string]*contents{}
	for range 1 + rand.N(20) {
		c := s.next()
		name := filepath.Join(dir, c.name())
		b := make([]byte, c.size)
		io.ReadFull(c, b)
		if err := os.WriteFile(name, b, 0o666); err != nil {
			s.fail(err)
			return
		}
		sent[c.name()] = c
		args = append(args, name)
	}
	cmd := exec.Command(s.labnet, args...)
	cmd.Env = append(os.Environ(), "LABNET_TOKEN="+token, "XDG_STATE_HOME="+s.abuse.dir)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		s.fail(err)
		return
	}
	after := time.Hour
	if rand.N(2) == 0 {
		after = rand.N(time.Second)
		s.note("labnet upload killed")
	}
	kill := time.AfterFunc(after, func() { cmd.Process.Kill() })
	end := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	cmd.Wait()
	kill.Stop()
	end()
	for line := range bytes.Lines(out.Bytes()) {
		var done struct{ Op, Name, Error string }
		if json.Unmarshal(line, &done) == nil && done.Op == "upload" && done.Error == "" {
			if c := sent[done.Name]; c != nil {
				s.acknowledge(c, done.Name)
			} else {
				s.fail(errors.New("labnet kept a file under another name: " + done.Name))
			}
		}
	}
}

// listenTo says much and reads little.
func (s *soak) listenTo(ctx context.Context) {
	nc, err := s.enter(ctx, token)
	if err != nil {
		return
	}
	defer nc.Close()
	s.note("a slow reader")
	text := bytes.Repeat(wire.AppendString(nil, string(bytes.Repeat([]byte("x"), 4000))), 16)
	until := time.Now().Add(5 * time.Second)
	for ctx.Err() == nil && time.Now().Before(until) {
		nc.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := nc.Write(text); err != nil { // TLS is over once a write was cut
			break
		}
		nc.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		nc.Read(make([]byte, rand.N(100)))
	}
	sleep(ctx, time.Until(until))
}

const maxGarbage = 200 // bytes

// flood sends what is none of any protocol, or cut off, in many connections: in the
// clear, inside TLS, and behind a token.
func (s *soak) flood(ctx context.Context) {
	for range 50 {
		var nc net.Conn
		var err error
		switch rand.N(4) {
		case 0:
			nc, err = s.enter(ctx, "")
		case 1:
			nc, err = s.enter(ctx, token)
		default:
			nc, err = s.dial(ctx)
		}
		if err != nil {
			break
		}
		b := make([]byte, rand.N(maxGarbage))
		newContents(rand.Uint64(), int64(len(b))).Read(b)
		if len(b) > 0 && rand.N(2) == 0 {
			b[0] = byte(rand.N(10)) // as if it were
		}
		nc.Write(b)
		nc.Close()
		s.note("garbage")
	}
	sleep(ctx, 200*time.Millisecond)
}

// guess shows a wrong token, which must let nothing in.
func (s *soak) guess(ctx context.Context) {
	nc, err := s.enter(ctx, "")
	if err != nil {
		return
	}
	client := wire.NewClient(nc, 5*time.Second)
	defer client.Close()
	if err := client.Authenticate(fmt.Sprint("wrong-", rand.Uint64())); err != nil {
		s.fail(err)
	}
	c := s.next()
	if _, err := client.Upload(ctx, wire.Announcement{Name: c.name(), Size: c.size}, c); err == nil {
		s.fail(errors.New("a wrong token let a file in"))
	} else {
		s.note("a wrong token: " + kind(err))
	}
	sleep(ctx, rand.N(200*time.Millisecond))
}

// hoard opens many connections at once and lets them wait.
func (s *soak) hoard(ctx context.Context) {
	var all []net.Conn
	for range 300 {
		nc, err := s.dial(ctx)
		if err != nil {
			break
		}
		all = append(all, nc)
	}
	s.note("300 connections held")
	sleep(ctx, rand.N(5*time.Second))
	for _, nc := range all {
		nc.Close()
	}
}

func (s *soak) ping(ctx context.Context) {
	if nc, err := s.encrypted(ctx, false); err == nil {
		switch err := wire.PingAs(ctx, nc, token, 10*time.Second); {
		case err == nil:
			s.note("a ping answered")
		default:
			s.note("a ping: " + kind(err))
		}
	}
	sleep(ctx, 100*time.Millisecond)
}

// tidy keeps the store small.
func (s *soak) tidy(ctx context.Context) {
	if err := s.compareOlder(time.Minute); err != nil {
		s.fail(err)
	}
	sleep(ctx, 5*time.Second)
}
