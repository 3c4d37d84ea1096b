package wire_test

import (
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/labnet/labnet/wire"
)

// labConversations are what the course's programs send; the replies are bare.
var labConversations = []conversation{
	{name: "text", lab: true, steps: []step{{"\x01hello", hear("OK")}}, did: []string{"say hello"}},
	{name: "name, then Data, twice", lab: true, steps: []step{
		{"\x01one.txt", hear("OK")},
		{data(2, "first"), nil},
		{"\x01two.txt", hear("OK")},
		{data(9, "second"), nil},
	}, files: map[string]string{"one.txt": "first", "two.txt": "second"},
		did: []string{"say one.txt", "upload one.txt", "say two.txt", "upload two.txt"}},
	{name: "name and Data joined", lab: true, steps: []step{
		{"\x01one.txt" + data(2, "first") + "\x01two.txt" + data(9, "second"), hear("OKOK")},
	}, files: map[string]string{"one.txt": "first", "two.txt": "second"},
		did: []string{"say one.txt", "upload one.txt", "say two.txt", "upload two.txt"}},
	{name: "Data of no name after one", lab: true, steps: []step{
		{"\x01one.txt" + data(2, "first") + data(2, "second"), hear("OK")},
	}, files: map[string]string{"one.txt": "first", "#1": "second"},
		did: []string{"say one.txt", "upload one.txt", "blob #1"}},
}

// TestEveryCut replays conversations byte by byte, and ends each after every
// one of its bytes. However it is cut, nothing incomplete is kept, every file
// begun is ended once, and the server says of no file that it is kept unless
// it is.
func TestEveryCut(t *testing.T) {
	raw := conversation{name: "raw text", lab: true, steps: []step{{"żółw and more", nil}}}
	for _, c := range slices.Concat([]conversation{raw}, conversations, labConversations, refusals, resumptions, resumeRefusals, folders) {
		var sent string
		for _, s := range c.steps {
			sent += s.send
		}
		if len(sent) > 1000 {
			continue // one of the refusals is about length; it would be slow
		}
		for how, end := range map[string]func(*peer) error{
			"stream ends":       (*peer).CloseWrite,
			"connection breaks": func(p *peer) error { return p.below.in.Close() },
		} {
			t.Run(c.name+", "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					for cut := range len(sent) + 1 {
						w := start(t, c.adapt)
						p := w.dial()
						for i := range cut {
							p.send(sent[i : i+1])
						}
						must(t, end(p))
						p.below.out.Close()
						<-p.done
						synctest.Wait()
						w.wantHonest(c.files, p.heard())
						if cut == len(sent) && how == "stream ends" {
							w.store.wantFiles(t, c.files)
						}
						w.server.Close()
						w.finish()
						if t.Failed() {
							t.Fatalf("when it is cut after %q", sent[:cut])
						}
					}
				})
			})
		}
	}
}

// wantHonest checks that only whole files are kept, and that no other is said
// to be.
func (w *world) wantHonest(whole map[string]string, replies string) {
	w.t.Helper()
	visible := w.store.visible()
	for name, body := range visible {
		if want, known := whole[name]; !known || body != want {
			w.t.Errorf("kept %q: %q", name, body)
		}
	}
	for _, reply := range decode(replies) {
		c, err := wire.ParseControl(strings.ReplaceAll(reply, "|", "\x00"))
		if err != nil || c.Word != "SAVED" && (c.Word != "OK" || c.Get("size") == "") {
			continue
		}
		if c.Get("unchanged") != "" && c.Get("size") == "" { // as the client told it
			if _, there := visible["f"]; !there {
				w.t.Errorf("%q is said although there is no file", reply)
			}
			continue
		}
		if c.Get("size") == "" {
			if !slices.Contains(w.store.folders, c.Get("name")) {
				w.t.Errorf("%q is said of %q", reply, w.store.folders)
			}
			continue
		}
		if body, ok := visible[c.Get("name")]; !ok || c.Get("crc64nvme") != crc(body) && c.Get("sha256") == "" {
			w.t.Errorf("%q is said of %v", reply, maps.Clone(visible))
		}
	}
}

// An eager connection brings the end of its stream with the last bytes.
type eager struct {
	*duplex
	r io.Reader
}

func (e eager) Read(p []byte) (int, error) { return e.r.Read(p) }

// TestEndWithLastBytes has a transport whose reads return bytes and io.EOF
// together, as io.Reader allows.
func TestEndWithLastBytes(t *testing.T) {
	long := strings.Repeat("x", 20_000) // more than is read ahead
	for _, c := range []conversation{
		{name: "long blob", steps: []step{{data(3, long), hear(kept("#1", long))}}, files: map[string]string{"#1": long}},
		{name: "blob", steps: []step{{data(2, "hello"), hear(kept("#1", "hello"))}}, files: map[string]string{"#1": "hello"}},
		{name: "half a blob", steps: []step{{header(2, 6) + "hello", nil}}},
		{name: "say", steps: []step{{str("hi"), hear("Message: hi")}}},
		{name: "upload", steps: []step{{str("f|") + data(2, "x") + end("x"), hear(ok(1), saved(1, "f", "x"))}}, files: map[string]string{"f": "x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			serve(t, nil, func(w *world) {
				near, far := newDuplex()
				p := newPeer(t, near)
				go p.listen()
				w.l.accept <- eager{far, iotest.DataErrReader(strings.NewReader(c.steps[0].send))}
				p.hear(c.steps[0].hear...)
				p.wantClosed()
				w.store.wantFiles(t, c.files)
			})
		})
	}
}
