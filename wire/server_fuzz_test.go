package wire_test

import (
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/wire"
)

// FuzzServer sends anything, in pieces of any size, with or without silences
// between them. The server must end the connection when the client does, end
// every file that it began, and publish only what an END agreed with, a blob
// or what came in the lab dialect.
func FuzzServer(f *testing.F) {
	for _, cs := range [][]conversation{conversations, refusals, labConversations, resumptions, resumeRefusals, folders} {
		for i, c := range cs {
			var sent string
			for _, s := range c.steps {
				sent += s.send
			}
			f.Add([]byte(sent), i, false)
			f.Add([]byte(sent), 1, true)
		}
	}
	for _, s := range []string{"", "\x00", "GET / HTTP/1.1\r\n\r\n", "\x01A", "\x01hello\x09\x01\x00", str("f|") + header(9, 1<<63)} {
		f.Add([]byte(s), 3, false)
	}
	f.Fuzz(func(t *testing.T, sent []byte, piece int, pauses bool) {
		fuzzServer(t, 0, sent, piece, pauses)
	})
}

// FuzzLab does the same to servers of one task.
func FuzzLab(f *testing.F) {
	for l := range wire.LabExtra + 1 {
		for _, s := range []string{"\x01name" + data(2, "x"), "\x02bytes", data(9, "bytes"), "\x01name\x01name" + data(3, "x") + "\x01ab\tc",
			"\x01\xc5\xbc" + data(2, ""), "text", "\x01name\x09\x06\x00\x00"} {
			f.Add(int(l), []byte(s), 0, true)
			f.Add(int(l), []byte(s), 1, false)
		}
	}
	f.Fuzz(func(t *testing.T, l int, sent []byte, piece int, pauses bool) {
		if l >= 0 && l <= int(wire.LabExtra) {
			fuzzServer(t, wire.Lab(l), sent, piece, pauses)
		}
	})
}

func fuzzServer(t *testing.T, l wire.Lab, sent []byte, piece int, pauses bool) {
	if len(sent) > 10_000 {
		return // nothing new comes of much more than a String
	}
	files, events, replies := hearOut(t, l, sent, piece, pauses)
	if pauses {
		return
	}
	// How the stream is cut must make no difference.
	files1, events1, replies1 := hearOut(t, l, sent, 0, false)
	if guessed(l, sent, len(files)+len(files1) > 0, replies+replies1) {
		return
	}
	slices.Sort(events)
	slices.Sort(events1)
	said, said1 := byOrder(decode(replies)), byOrder(decode(replies1))
	// Which of the files announced ahead are decided when the stream ends, or breaks,
	// is a matter of luck.
	said[0], said1[0] = aboutSame(said[0], said1[0]), aboutSame(said1[0], said[0])
	if diff := cmp.Diff(files1, files) + cmp.Diff(events1, events) + cmp.Diff(said1, said); diff != "" {
		t.Errorf("in pieces of %d (-whole +pieces):\n%s", piece, diff)
	}
}

// guessed reports whether the server had to guess how a size is written in the lab
// dialect: it does so by what has come by then, so that the cut makes a difference.
func guessed(l wire.Lab, sent []byte, kept bool, replies string) bool {
	lab := l != 0 || len(sent) > 2 && sent[0] == 1 && sent[2] >= ' '
	return lab && kept || strings.Contains(replies, "more bytes came") || strings.Contains(replies, "more came") || strings.Contains(replies, "says a size")
}

// hearOut sends bytes to a server and returns what came of it.
func hearOut(t *testing.T, l wire.Lab, sent []byte, piece int, pauses bool) (files map[string]string, did []string, replies string) {
	if piece <= 0 || piece > len(sent) {
		piece = max(1, len(sent))
	}
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(w *world) {
			w.server.Lab = l
			w.server.MaxSize = 1000
		})
		p := w.dial()
		for rest := sent; len(rest) > 0; {
			n := min(piece, len(rest))
			if _, err := p.Write(rest[:n]); err == io.ErrClosedPipe {
				break // the server had enough
			} else if err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
			if pauses {
				time.Sleep(150 * time.Millisecond)
			}
		}
		p.CloseWrite()
		<-p.done
		p.Close()
		synctest.Wait()
		w.store.balance(t) // before Close could help
		w.finish()
		w.wantAgreed()
		files, did, replies = w.store.visible(), w.did(), p.got.String()
	})
	return files, did, replies
}

// wantAgreed checks that nothing was published without a digest but blobs and
// files in the lab dialect.
func (w *world) wantAgreed() {
	blind := 0
	for _, want := range w.store.wants {
		if len(want.Digest) == 0 {
			blind++
		}
	}
	for _, e := range w.events {
		if e.Op == "blob" || e.Lab && e.Op == "upload" {
			blind--
		}
	}
	if blind != 0 {
		w.t.Errorf("%d more files were published without a digest than blobs", blind)
	}
}

// FuzzRequest sends a request of any words and fields, with an end that agrees
// with some contents: what FuzzServer seldom gets right by itself.
func FuzzRequest(f *testing.F) {
	for _, text := range []string{"f|", "f|size=3|", "./END|size=3|mtime=1732285920.000000005|mode=0640|", "f|digest=sha256|proof=sha256|id=abc|", "folder|folder=1|",
		"f|size=-1|", "f|size=9223372036854775808|", "f|mtime=1e9|", "f|mode=9|", "f|size=3|size=4|", "../f|", "END|size=3|", "CANCEL|", "RESTART|", "HELLO|", "AUTH|token=x|", "|", "f|=|", "f|x"} {
		f.Add(text, "xxx")
	}
	f.Fuzz(func(t *testing.T, text, contents string) {
		if len(text) > wire.MaxString || len(contents) > 255 {
			return
		}
		fuzzServer(t, 0, []byte(str(text)+data(2, contents)+end(contents)+str("hello")), 0, false)
	})
}
