package wire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/labnet/labnet/wire"
)

// A countedReader counts what is read of it, and how often it begins again.
type countedReader struct {
	*strings.Reader
	read, rewound atomic.Int64
}

func (r *countedReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.read.Add(int64(n))
	return n, err
}

func (r *countedReader) Seek(offset int64, whence int) (int64, error) {
	r.rewound.Add(1)
	return r.Reader.Seek(offset, whence)
}

// offer is an OK of what the server has, proven by BLAKE3.
func offer(b string) string {
	digest, _ := wire.DigestByName("blake3")
	h := digest.New()
	io.WriteString(h, b)
	return fmt.Sprintf("OK|upload=1|offset=%d|blake3=%x|", len(b), h.Sum(nil))
}

// TestClientOverlaps: while the server reads what it has of a large file, the client
// reads that, too, and only once if the server has all of it.
func TestClientOverlaps(t *testing.T) {
	const size = wire.OverlapFrom
	body := abc(size)
	whole := []string{fmt.Sprintf("Data %d", 1<<20)}
	for len(whole) < size>>20 {
		whole = append(whole, whole[0])
	}
	for what, test := range map[string]struct {
		answer  string
		sends   []string
		rewound int64
		resumed int64
	}{
		"it has all":         {offer(body), nil, 0, size},
		"it has nothing":     {ok(1), whole, 1, 0},
		"it has another":     {offer(body[:size-1] + "?"), append([]string{"RESTART|"}, whole...), 1, 0},
		"it has a beginning": {offer(body[:size-1<<20]), whole[:1], 1, size - 1<<20},
		"another beginning":  {offer("?"), append([]string{"RESTART|"}, whole...), 2, 0},
		"by SHA-256":         {okFrom(1, body), nil, 1, size},
	} {
		t.Run(what, func(t *testing.T) {
			r := &countedReader{Reader: strings.NewReader(body)}
			talk(t, func(s *script) {
				s.want(fmt.Sprintf("f|id=i|size=%d|proof=blake3,sha256|", size))
				synctest.Wait()
				if n := r.read.Load(); n != size {
					t.Errorf("%d bytes were read before the answer", n)
				}
				s.say("WAIT|", test.answer)
				s.want(test.sends...)
				s.want(endOfText(body))
				s.say(saved(1, "f", body))
				s.want("EOF")
			}, func(t *testing.T, c *wire.Client) {
				got, err := c.Upload(bg, withID(size), r)
				if err != nil || got.Resumed != test.resumed || got.Hex() != crc(body) || r.rewound.Load() != test.rewound {
					t.Errorf("Upload: %+v, %v; begun again %d times", got, err, r.rewound.Load())
				}
			})
		})
	}
}

// TestClientOverlapFails: what ends the reading ends the upload, and nobody reads any more
// once Send has returned.
func TestClientOverlapFails(t *testing.T) {
	const size = wire.OverlapFrom
	body := abc(size)
	for what, test := range map[string]struct {
		contents string
		say      []string
		sends    []string
		want     func(error) bool
	}{
		"it grew":       {body + "x", []string{offer(body)}, []string{"CANCEL|"}, isSourceError},
		"it shrank":     {body[1:], []string{offer(body)}, []string{"CANCEL|"}, isSourceError},
		"it is refused": {body, []string{"ERROR|code=no-space|upload=1|"}, nil, isCode(wire.CodeNoSpace)},
		"refused then":  {body, []string{offer(body), "ERROR|code=degraded|upload=1|"}, nil, nil},
	} {
		t.Run(what, func(t *testing.T) {
			r := &countedReader{Reader: strings.NewReader(test.contents)}
			talk(t, func(s *script) {
				s.want(fmt.Sprintf("f|id=i|size=%d|proof=blake3,sha256|", size))
				s.say(test.say...)
				if test.want == nil { // which of the two comes first is not known
					return
				}
				s.want(test.sends...)
				s.want("EOF")
			}, func(t *testing.T, c *wire.Client) {
				_, err := c.Upload(bg, withID(size), r)
				if err == nil || test.want != nil && !test.want(err) {
					t.Errorf("error %v", err)
				}
				before := r.read.Load()
				synctest.Wait()
				if after := r.read.Load(); after != before {
					t.Errorf("%d bytes were read afterwards", after-before)
				}
			})
		})
	}
}

func isCode(code wire.Code) func(error) bool {
	return func(err error) bool {
		refused, ok := errors.AsType[*wire.Error](err)
		return ok && refused.Code == code
	}
}

// TestClientOverlapCancelled: the reading ends with the context.
func TestClientOverlapCancelled(t *testing.T) {
	const size = wire.OverlapFrom
	r := &countedReader{Reader: strings.NewReader(abc(size))}
	ctx, cancel := context.WithCancel(bg)
	talk(t, func(s *script) {
		s.want(fmt.Sprintf("f|id=i|size=%d|proof=blake3,sha256|", size))
		cancel()
	}, func(t *testing.T, c *wire.Client) {
		if _, err := c.Upload(ctx, withID(size), r); !errors.Is(err, context.Canceled) {
			t.Errorf("Upload: %v", err)
		}
	})
	cancel()
}
