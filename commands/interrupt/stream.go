package commands

import (
	"io"
	"os"
	"time"
)

// What stops the program that writes a stream, such as Ctrl-C, stops this one as
// well, within milliseconds, but in any order. So a stream is taken for complete
// only some time after its end, unless no program has a part in that.
const (
	streamGrace = 100 * time.Millisecond
	// textGrace is for texts that end with their line: they seldom do by chance, and
	// are many.
	textGrace = 10 * time.Millisecond
)

// A stream is a file that can be read once, such as a pipe. It ends in an
// interruption if that may be why it ends.
type stream struct {
	file       *os.File  // nil if there is a producer
	producer   *producer // that is run for it
	interrupts *interrupts
	text       bool
	last       byte // of what was read
	begun      bool // to be sent: there is no other try
}

// stream returns f as a stream, and begins to catch signals.
func (c *console) stream(f *os.File) *stream {
	c.interrupts.catch(streamSignals...)
	return &stream{file: f, interrupts: c.interrupts}
}

// textStream is stream for texts.
func (c *console) textStream(f *os.File) *stream {
	s := c.stream(f)
	s.text = true
	return s
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.source().Read(p)
	if n > 0 {
		s.last = p[n-1]
	}
	if s.producer != nil && err != nil || err == io.EOF && !isRegular(s.file) {
		grace := streamGrace
		if s.text && s.last == '\n' {
			grace = textGrace
		}
		if stopped := s.interrupts.settle(grace); stopped != nil {
			err = stopped
		}
	}
	if s.producer != nil && err == io.EOF {
		s.producer.complete.Store(true)
	}
	return n, err
}

func (s *stream) source() io.Reader {
	if s.producer != nil {
		return s.producer
	}
	return s.file
}

// Close ends the producer if there is one. Other streams are their owners' to close.
func (s *stream) Close() error {
	if s.producer != nil {
		return s.producer.Close()
	}
	return nil
}

func isRegular(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}
