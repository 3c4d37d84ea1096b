package wire_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// bareDenied is what is told in the other dialects.
const bareDenied = "ERROR: this server requires a valid token"

// frames are messages of every kind, what is none, and what other dialects say.
func frames() []string {
	list := []string{
		"", str("hi"), str(""), str("AUTH"), str("AUTH|"), str("AUTH|token=|"), str("AUTH|token=short|"), str("AUTH|token"),
		auth("mallory"), str("AUTH|token=" + strings.Repeat("x", 2000) + "|"), str("auth|token=" + tokenOf("alice") + "|"),
		str("f|"), str("f|size=2|proof=sha256|id=i|"), str("f|size=2|mtime=1.5|mode=0644|digest=sha256|"), str("|"), str("f|size=x|"), str("folder/|"), str("../f|"),
		str("./AUTH|"), end("ab"), str("END|"), str("CANCEL|"), str("RESTART|"), str("HELLO|"), str("OK|"), str("WAIT|"), str("ERROR|code=denied|"),
		str("\xff"), str(strings.Repeat("x", 4096)), "\x01\x01\x10" + strings.Repeat("x", 4097),
		"\x01hello", "\x01A", "\x01name" + data(2, "x"), "\x01\xc5\xbc", "hello\n", "GET / HTTP/1.1\r\n\r\n", "żółw",
		"\x16\x03\x01\x00\x05hello",
	}
	for kind := byte(2); kind <= 9; kind++ {
		list = append(list, data(kind, ""), data(kind, "ab"), header(kind, 1<<63|0xff)+"ab")
	}
	for _, first := range []byte{0, 10, 11, 0x15, 0x17, 0x7f, 0x80, 0xff} {
		list = append(list, string(first)+"rest")
	}
	return list
}

// TestUnauthenticatedWrites sends everything possible to a server that requires a
// token: in the clear, as the first thing inside TLS, behind and before what was
// refused, whole and cut, with and without an end of the stream. Nobody is told
// anything but the one refusal, and the store is not even asked how it is.
func TestUnauthenticatedWrites(t *testing.T) {
	for i, frame := range frames() {
		t.Run(fmt.Sprintf("%d %.20q", i, frame), func(t *testing.T) {
			nobody(t, "in the clear", frame, false, true)
			for n := range len(frame) + 1 {
				if n < 6 || n > len(frame)-3 {
					nobody(t, "alone", frame[:n], true, true)
					nobody(t, "alone, and waits", frame[:n], true, false)
				}
			}
			for name, send := range map[string]string{
				"behind a bad token":  auth("mallory") + frame,
				"behind a text":       str("hi") + frame,
				"before another":      frame + str("g|size=1|") + data(2, "x") + end("x"),
				"before a bad token":  frame + auth("mallory"),
				"behind lab's":        "\x01hello" + frame,
				"behind a blob":       data(2, "x") + frame,
				"behind announcement": str("f|size=2|proof=sha256|id=i|") + frame,
			} {
				nobody(t, name, send, true, i%2 == 0)
			}
		})
	}
}

// nobody sends bytes, and checks that nothing comes of them.
func nobody(t *testing.T, name, sent string, encrypt, ends bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		w := start(t, func(w *world) {
			guarded(t)(w)
			w.server.Log = zerolog.New(&log)
		})
		near, far := newDuplex()
		w.l.accept <- far
		p := newPeer(t, near)
		if encrypt {
			p.halfCloser = tls.Client(strict{roomy(near)}, trusting())
		}
		go p.listen()
		if sent != "" {
			io.WriteString(p, sent) // the server may have had enough
		}
		if ends {
			p.CloseWrite()
		} else {
			time.Sleep(tokenTime)
		}
		synctest.Wait()
		heard := p.heard()
		p.Close()
		w.finish()
		w.wantDid()
		if !isRefusal(heard, encrypt) {
			t.Errorf("%s: %.40q was answered by %q", name, sent, heard)
		}
		if strings.Contains(log.String(), "token of") || strings.Contains(log.String(), "panic") {
			t.Errorf("%s: %.40q: the log says %s", name, sent, &log)
		}
	})
}

// isRefusal reports whether all that was heard is one refusal, or nothing.
func isRefusal(heard string, encrypted bool) bool {
	allowed := []string{"", bareDenied, str("ERROR|code=denied|text=this server requires a valid token|"), str("ERROR|code=timeout|text=nothing was received for too long|")}
	if !encrypted {
		const alert = "\x15\x03\x01\x00\x02\x02P" // of TLS, internal_error, to what is no hello
		allowed = []string{"", alert, "ERROR: this server requires TLS", str("ERROR|code=tls-required|text=this server requires TLS|")}
	}
	return slices.Contains(allowed, heard) || strings.HasPrefix(heard, "HTTP/1.1 501 ")
}

// FuzzUnauthenticated is TestUnauthenticatedWrites with anything, in pieces of any size.
func FuzzUnauthenticated(f *testing.F) {
	for _, frame := range frames() {
		f.Add([]byte(frame), 0, true)
		f.Add([]byte(str("AUTH|")+frame), 1, false)
	}
	f.Fuzz(func(t *testing.T, sent []byte, piece int, ends bool) {
		if len(sent) > 10_000 {
			return
		}
		if piece <= 0 || piece > len(sent) {
			piece = max(1, len(sent))
		}
		synctest.Test(t, func(t *testing.T) {
			w := start(t, guarded(t))
			p := w.dial()
			must(t, p.halfCloser.(*tls.Conn).Handshake())
			for rest := range slices.Chunk(sent, piece) {
				if _, err := p.Write(rest); err != nil {
					break
				}
			}
			if ends {
				p.CloseWrite()
			} else {
				time.Sleep(tokenTime)
			}
			heard := p.heard()
			p.Close()
			w.finish()
			w.wantDid()
			if !isRefusal(heard, true) {
				t.Errorf("it answered %q", heard)
			}
		})
	})
}
