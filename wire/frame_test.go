package wire_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/labnet/labnet/wire"
)

func reader(b string) *bufio.Reader {
	return bufio.NewReaderSize(strings.NewReader(b), 4096)
}

func TestDataHeader(t *testing.T) {
	tests := []struct {
		size uint64
		want string
	}{
		{0, "\x02\x00"},
		{1, "\x02\x01"},
		{255, "\x02\xff"},
		{256, "\x03\x00\x01"},
		{65535, "\x03\xff\xff"},
		{65536, "\x04\x00\x00\x01"},
		{16777215, "\x04\xff\xff\xff"},
		{16777216, "\x05\x00\x00\x00\x01"},
		{1<<32 - 1, "\x05\xff\xff\xff\xff"},
		{1 << 32, "\x06\x00\x00\x00\x00\x01"},
		{1 << 40, "\x07\x00\x00\x00\x00\x00\x01"},
		{1 << 48, "\x08\x00\x00\x00\x00\x00\x00\x01"},
		{1 << 56, "\x09\x00\x00\x00\x00\x00\x00\x00\x01"},
		{1<<64 - 1, "\x09\xff\xff\xff\xff\xff\xff\xff\xff"},
	}
	for _, tt := range tests {
		got := wire.DataHeader(tt.size).Append(nil)
		if string(got) != tt.want {
			t.Errorf("header of %d bytes is %x, want %x", tt.size, got, tt.want)
		}
		if h, err := wire.ReadHeader(reader(tt.want)); err != nil || h != wire.DataHeader(tt.size) || h.IsString() {
			t.Errorf("header %x reads as %+v, %v", tt.want, h, err)
		}
	}
}

func TestReadHeaderErrors(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		in   string
		want error
	}{
		{"", io.EOF},
		{"\x00", wire.ErrType},
		{"\x0a", wire.ErrType},
		{"\xff", wire.ErrType},
		{"\x01", io.ErrUnexpectedEOF},
		{"\x01\x00", io.ErrUnexpectedEOF},
		{"\x01\x00\x10", nil},
		{"\x01\x01\x10", wire.ErrLength},
		{"\x01\xff\xff", wire.ErrLength},
		{"\x02", io.ErrUnexpectedEOF},
		{"\x09\x00\x00\x00\x00\x00\x00\x00", io.ErrUnexpectedEOF},
	}
	for _, tt := range tests {
		for name, r := range map[string]*bufio.Reader{
			"":             reader(tt.in),
			" one by one":  bufio.NewReader(iotest.OneByteReader(strings.NewReader(tt.in))),
			" with an end": bufio.NewReader(iotest.DataErrReader(strings.NewReader(tt.in))),
		} {
			if _, err := wire.ReadHeader(r); err != tt.want {
				t.Errorf("%x%s: %v, want %v", tt.in, name, err, tt.want)
			}
		}
	}
	if _, err := wire.ReadHeader(bufio.NewReader(iotest.ErrReader(broken))); err != broken {
		t.Errorf("a reader's own error became %v", err)
	}
}

func TestReadString(t *testing.T) {
	tests := []struct {
		in, want string
		err      error
	}{
		{str("żółw"), "żółw", nil},
		{str(""), "", nil},
		{str(strings.Repeat("x", 4096)), strings.Repeat("x", 4096), nil},
		{str("hello")[:7], "", io.ErrUnexpectedEOF},
		{str("a\xff"), "", wire.ErrUTF8},
		{str("\xed\xa0\x80"), "", wire.ErrUTF8}, // a surrogate
		{str("\xc0\x80"), "", wire.ErrUTF8},     // NUL in two bytes
	}
	for _, tt := range tests {
		r := reader(tt.in + "rest")
		h, err := wire.ReadHeader(r)
		must(t, err)
		if tt.err == io.ErrUnexpectedEOF {
			r = reader(tt.in[3:])
		}
		got, err := wire.ReadString(r, h)
		if got != tt.want || err != tt.err {
			t.Errorf("%q reads as %q, %v", tt.in, got, err)
		}
		if rest, _ := io.ReadAll(r); err == nil && string(rest) != "rest" {
			t.Errorf("%q: what follows is %q", tt.in, rest)
		}
	}
}

func TestTruncateText(t *testing.T) {
	const text = "aż€🐢" // characters of 1, 2, 3 and 4 bytes
	for n := range len(text) + 2 {
		got := wire.TruncateText(text, n)
		if !utf8.ValidString(got) || len(got) > n || !strings.HasPrefix(text, got) {
			t.Errorf("cut at %d: %q", n, got)
		}
		if rest, size := text[len(got):], 0; rest != "" {
			if _, size = utf8.DecodeRuneInString(rest); len(got)+size <= n {
				t.Errorf("cut at %d: %q is less than fits", n, got)
			}
		}
	}
}

// FuzzReadHeader decodes anything; what it takes for a header must encode to
// the bytes that it took.
func FuzzReadHeader(f *testing.F) {
	for _, b := range []string{"", "\x01\x05\x00hello", "\x01\x00\x10", "\x02\x05hello", "\x05\x05\x00\x00\x00hello",
		"\x09\x00\x00\x00\x00\x00\x00\x00\x80", "\x00", "\x0a", "GET / HTTP/1.1"} {
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(b), 4096)
		h, err := wire.ReadHeader(r)
		if err != nil {
			return
		}
		encoded := h.Append(nil)
		if !bytes.HasPrefix(b, encoded) {
			t.Fatalf("%x decodes to %+v, which encodes to %x", b, h, encoded)
		}
		if h.IsString() {
			text, err := wire.ReadString(r, h)
			if err == nil {
				encoded = wire.AppendString(nil, text)
			}
			if !bytes.HasPrefix(b, encoded) || err == nil && !utf8.ValidString(text) {
				t.Fatalf("%x decodes to %q, %v", b, text, err)
			}
		} else if short := wire.DataHeader(h.Size); short.Type > h.Type {
			t.Fatalf("the shortest header of %d bytes is longer than %x", h.Size, encoded)
		}
		if rest, _ := io.ReadAll(r); len(rest)+len(encoded) != len(b) && !h.IsString() {
			t.Fatalf("%x: %d bytes are left", b, len(rest))
		}
	})
}

// FuzzEncodeHeader is the other way round, for every type and size.
func FuzzEncodeHeader(f *testing.F) {
	f.Add(byte(1), uint64(4096))
	f.Add(byte(9), uint64(1))
	f.Add(byte(2), uint64(255))
	f.Fuzz(func(t *testing.T, kind byte, size uint64) {
		h := wire.Header{Type: kind, Size: size}
		switch width := int(kind) - 1; {
		case kind == 1 && size > wire.MaxString, kind == 0, kind > 9:
			return
		case kind > 1 && width < 8 && size >= 1<<(8*width):
			return
		}
		if got, err := wire.ReadHeader(reader(string(h.Append(nil)))); err != nil || got != h {
			t.Fatalf("%+v comes back as %+v, %v", h, got, err)
		}
	})
}

// TestNoAllocationByAPeersWord has headers that announce much.
func TestNoAllocationByAPeersWord(t *testing.T) {
	in := header(9, 1<<62)
	var before, after runtime.MemStats
	serve(t, limit(1<<63-1), func(w *world) {
		p := w.dial()
		runtime.ReadMemStats(&before)
		p.send(str("f|size=4611686018427387904|"), in+"x")
		p.hear(ok(1))
		runtime.ReadMemStats(&after)
		p.Close()
	})
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes were allocated for a byte", n)
	}
	r := reader(in)
	if n := testing.AllocsPerRun(100, func() {
		r.Reset(strings.NewReader(in))
		if _, err := wire.ReadHeader(r); err != nil {
			t.Fatal(err)
		}
	}); n > 1 { // of the test's own
		t.Errorf("%v allocations a header", n)
	}
}
