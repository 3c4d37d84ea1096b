package interrupt

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

// A Stream is what another program writes, such as a pipe, or a file in its place. It
// ends in an Error if a signal may be why it ends.
type Stream struct {
	source  io.Reader
	catcher *Catcher
	text    bool
	last    byte // of what was read
}

// Stream returns source as a stream, and begins to catch signals. If it is not an
// *os.File, none of its errors is told before it is known whether a signal came.
func (c *Catcher) Stream(source io.Reader) *Stream {
	c.Catch(streamStops...)
	return &Stream{source: source, catcher: c}
}

// TextStream is Stream for lines of text.
func (c *Catcher) TextStream(source io.Reader) *Stream {
	s := c.Stream(source)
	s.text = true
	return s
}

func (s *Stream) Read(p []byte) (int, error) {
	n, err := s.source.Read(p)
	if n > 0 {
		s.last = p[n-1]
	}
	if f, ok := s.source.(*os.File); err != nil && (!ok || err == io.EOF && !isRegular(f)) {
		grace := streamGrace
		if s.text && s.last == '\n' {
			grace = textGrace
		}
		if stopped := s.catcher.settle(grace); stopped != nil {
			err = stopped
		}
	}
	return n, err
}

func isRegular(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}
