package wire_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/wire"
)

// A script is a server's end of a connection, which does as a test says.
type script struct {
	t testing.TB
	*duplex
	r *bufio.Reader
}

// against runs client, in a bubble, against a server that does what play does
// and then ends the connection.
func against(t *testing.T, play func(s *script), client func(t *testing.T, nc net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		near, far := newDuplex()
		s := &script{t, far, bufio.NewReader(far)}
		played := make(chan struct{})
		go func() {
			defer close(played)
			defer far.Close()
			play(s)
		}()
		client(t, near)
		near.Close()
		<-played
		time.Sleep(time.Minute) // a stream's source may be in its last Read
	})
}

// next returns what the client sends next: a String as str takes it, or the
// size of a Data, whose contents it takes, or the error.
func (s *script) next() string {
	kind, err := s.r.ReadByte()
	if err != nil {
		return err.Error()
	}
	width := int(kind) - 1
	if kind == 1 {
		width = 2
	}
	if kind < 1 || kind > 9 {
		return fmt.Sprintf("type %d", kind)
	}
	var b [8]byte
	if _, err := io.ReadFull(s.r, b[:width]); err != nil {
		return err.Error()
	}
	size := int64(binary.LittleEndian.Uint64(b[:]))
	if kind > 1 {
		n, err := io.CopyN(io.Discard, s.r, size)
		if err != nil {
			return fmt.Sprintf("Data %d of %d", n, size)
		}
		return fmt.Sprintf("Data %d", size)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(s.r, text); err != nil {
		return err.Error()
	}
	return strings.ReplaceAll(string(text), "\x00", "|")
}

// want checks what the client sends next.
func (s *script) want(messages ...string) {
	s.t.Helper()
	for _, want := range messages {
		if got := s.next(); got != want {
			s.t.Errorf("the client sent %.200q, want %.200q", got, want)
		}
	}
}

// say sends Strings.
func (s *script) say(texts ...string) {
	for _, text := range texts {
		s.bare(str(text))
	}
}

func (s *script) bare(b string) {
	s.t.Helper()
	if _, err := io.WriteString(s, b); err != nil {
		s.t.Errorf("script: %v", err)
	}
}

// hangup ends both streams at once.
func (s *script) hangup() { s.Close() }

// file is an announcement of a file called f.
func known(size int) wire.Announcement { return wire.Announcement{Name: "f", Size: int64(size)} }

var stream = wire.Announcement{Name: "f", Size: -1}

var bg = context.Background()
