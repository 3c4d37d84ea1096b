package wire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/wire"
)

// leaves has a store with what earlier uploads left: id, contents, id, …
func leaves(idsAndContents ...string) func(*world) {
	return func(w *world) {
		w.store.left = map[string]string{}
		w.store.busy = map[string]bool{}
		for i := 0; i < len(idsAndContents); i += 2 {
			w.store.left[idsAndContents[i]] = idsAndContents[i+1]
		}
	}
}

// keeps has a store with a file.
func keeps(name, contents string) func(*world) {
	return func(w *world) { w.store.files = map[string]string{name: contents} }
}

// wantLeft checks what there is to resume.
func (s *store) wantLeft(t testing.TB, id, want string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.left[id]; got != want {
		t.Errorf("of %q is left %.100q, want %.100q", id, got, want)
	}
}

var (
	bySHA256, _ = wire.DigestByName("sha256")
	byBLAKE3, _ = wire.DigestByName("blake3")
)

// okFrom is the reply to an announcement of which b is there.
func okFrom(n int, b string) string {
	return fmt.Sprintf("OK|upload=%d|offset=%d|sha256=%s|", n, len(b), sum(bySHA256, b))
}

var resumptions = []conversation{
	{name: "id of which nothing is left", steps: []step{
		{str("f|proof=sha256|id=i|size=3|"), hear(ok(1))},
		{data(2, "abc") + end("abc"), hear(saved(1, "f", "abc"))},
		{str("f|proof=sha256|id=i|size=3|"), hear(ok(2))}, // a file that ended is not in use
		{data(2, "abc") + end("abc"), hear(saved(2, "f", "abc") + "unchanged=1|")},
		{str("f|proof=sha256|id=i|size=3|") + data(2, "ab") + str("CANCEL|"), hear(ok(3), "ERROR|code=cancelled|upload=3|")},
		{str("f|proof=sha256|id=i|size=3|") + str("CANCEL|"), hear(ok(4), "ERROR|code=cancelled|upload=4|")}, // and that dropped it
	}, files: map[string]string{"f": "abc"}, did: []string{"upload f", "upload f"}},

	{name: "resumed", adapt: leaves("i", "abc"), steps: []step{
		{str("f|proof=sha256|id=i|size=5|"), hear(okFrom(1, "abc"))},
		{data(2, "") + data(2, "d") + data(3, "e") + end("abcde"), hear(saved(1, "f", "abcde"))},
	}, files: map[string]string{"f": "abcde"}, did: []string{"upload f"}},

	{name: "resumed where nothing is missing", adapt: leaves("i", "abc"), steps: []step{
		{str("f|size=3|proof=sha256|id=i|"), hear(okFrom(1, "abc"))},
		{end("abc"), hear(saved(1, "f", "abc"))},
	}, files: map[string]string{"f": "abc"}, did: []string{"upload f"}},

	{name: "resumed by sha256", adapt: leaves("i", "ab"), steps: []step{
		{str("f|proof=sha256|id=i|size=3|digest=sha256|"), hear("OK|upload=1|offset=2|sha256=fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603|")},
		{data(2, "c") + str("END|size=3|sha256=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad|"),
			hear("SAVED|upload=1|name=f|size=3|sha256=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad|")},
	}, files: map[string]string{"f": "abc"}, did: []string{"upload f"}},

	{name: "no offer without a proof that nobody can forge", adapt: leaves("i", "abc", "k", "abc"), steps: []step{
		{str("f|id=i|size=3|") + str("g|id=k|size=3|proof=crc64nvme,md5|"), hear(ok(1), ok(2))},
		{data(2, "xyz") + end("xyz") + data(2, "uvw") + end("uvw"), hear(saved(1, "f", "xyz"), saved(2, "g", "uvw"))},
	}, files: map[string]string{"f": "xyz", "g": "uvw"}, did: []string{"upload f", "upload g"}},

	{name: "contents that are told and there", adapt: keeps("f", "abc"), steps: []step{
		{str("f|size=3|blake3=" + sum(byBLAKE3, "abc") + "|"), hear("SAVED|upload=1|unchanged=1|")},
		{str("f|size=3|sha256=" + sum(bySHA256, "abc") + "|"), hear("SAVED|upload=2|unchanged=1|")},
		{str("f|size=3|blake3=" + sum(byBLAKE3, "xyz") + "|"), hear(ok(3))},
		{data(2, "xyz") + end("xyz"), hear(saved(3, "f#2", "xyz"))},
	}, files: map[string]string{"f": "abc", "f#2": "xyz"}, did: []string{"upload f", "upload f", "upload f#2"}},

	{name: "contents that are told and there, announced ahead", adapt: func(w *world) {
		leaves("i", "ab")(w)
		keeps("f", "abc")(w)
	}, steps: []step{
		{str("g|size=1|") + str("h|size=3|id=i|proof=sha256|"), hear(ok(1), okFrom(2, "ab"))},
		{str("f|size=3|blake3=" + sum(byBLAKE3, "abc") + "|"), hear("SAVED|upload=3|unchanged=1|")},
		{data(2, "g") + end("g") + data(2, "c") + end("abc"), hear(saved(1, "g", "g"), saved(2, "h", "abc"))},
	}, files: map[string]string{"f": "abc", "g": "g", "h": "abc"}, did: []string{"upload f", "upload g", "upload h"}},

	{name: "a file that may be the same", adapt: keeps("f", "abc"), steps: []step{
		{str("f|size=3|proof=sha256|"), hear(okFrom(1, "abc"))},
		{end("abc"), hear(saved(1, "f", "abc") + "unchanged=1|")},
		{str("f|size=3|proof=sha256|"), hear(okFrom(2, "abc"))},
		{str("RESTART|") + data(2, "xyz") + end("xyz"), hear(saved(2, "f#2", "xyz"))},
	}, files: map[string]string{"f": "abc", "f#2": "xyz"}, did: []string{"upload f", "upload f#2"}},

	// Its own digest would be a proof, but a client that names no proof and cannot
	// resume sends all contents behind any OK.
	{name: "no offer without proof and id", steps: []step{
		{str("f|size=3|") + data(2, "abc") + end("abc"), hear(ok(1), saved(1, "f", "abc"))},
		{str("f|size=3|digest=sha256|"), hear(ok(2))},
		{data(2, "abc") + str("END|size=3|sha256="+sum(bySHA256, "abc")+"|"),
			hear("SAVED|upload=2|name=f|size=3|sha256=" + sum(bySHA256, "abc") + "|unchanged=1|")},
	}, files: map[string]string{"f": "abc"}, did: []string{"upload f", "upload f"}},

	{name: "restarted", adapt: leaves("i", "abc"), steps: []step{
		{str("f|proof=sha256|id=i|size=4|"), hear(okFrom(1, "abc"))},
		{data(2, "") + str("RESTART|") + str("RESTART|why=not|"), nil},
		{data(2, "wxyz") + end("wxyz"), hear(saved(1, "f", "wxyz"))},
	}, files: map[string]string{"f": "wxyz"}, did: []string{"upload f"}},

	{name: "restarted although nothing was there", steps: []step{
		{str("f|") + str("RESTART|") + data(2, "x") + end("x"), hear(ok(1), saved(1, "f", "x"))},
	}, files: map[string]string{"f": "x"}, did: []string{"upload f"}},

	{name: "announced ahead, some with an id", adapt: leaves("i", "ab", "k", "x"), steps: []step{
		{str("f|proof=sha256|id=i|size=3|") + str("g|size=1|") + str("h|proof=sha256|id=k|size=3|"), hear(okFrom(1, "ab"), ok(2), okFrom(3, "x"))},
		{data(2, "c") + end("abc"), hear(saved(1, "f", "abc"))},
		{data(2, "g") + end("g") + str("RESTART|"), hear(saved(2, "g", "g"))},
		{str("l|proof=sha256|id=i|size=0|"), hear(ok(4))},
		{data(2, "123") + end("123") + end(""), hear(saved(3, "h", "123"), saved(4, "l", ""))},
	}, files: map[string]string{"f": "abc", "g": "g", "h": "123", "l": ""}, did: []string{"upload f", "upload g", "upload h", "upload l"}},

	{name: "the longest id, of any text", adapt: leaves(strings.Repeat("ż", 64), "a"), steps: []step{
		{str("f|proof=sha256|id=" + strings.Repeat("ż", 64) + "|size=2|"), hear(okFrom(1, "a"))},
		{data(2, "b") + end("ab"), hear(saved(1, "f", "ab"))},
		{str("f|proof=sha256|id=a=b c\n|size=0|") + end(""), hear(ok(2), saved(2, "f#2", ""))},
	}, files: map[string]string{"f": "ab", "f#2": ""}, did: []string{"upload f", "upload f#2"}},
}

// resumeRefusals leave the conversation going.
var resumeRefusals = []conversation{
	{name: "END with the digest of the rest", adapt: leaves("i", "abc"), steps: []step{
		{str("f|proof=sha256|id=i|size=5|") + data(2, "de"), hear(okFrom(1, "abc"))},
		{str("END|size=5|crc64nvme=" + crc("de") + "|"), hear("ERROR|code=mismatch|upload=1|")},
		{str("f|proof=sha256|id=i|size=5|") + str("CANCEL|"), hear(ok(2), "ERROR|code=cancelled|upload=2|")},
	}},
	{name: "END with the size of the rest", adapt: leaves("i", "abc"), steps: []step{
		{str("f|proof=sha256|id=i|size=5|") + data(2, "de") + end("de"), hear(okFrom(1, "abc"), "ERROR|code=mismatch|upload=1|")},
		{str("f|proof=sha256|id=i|size=5|") + str("CANCEL|"), hear(ok(2), "ERROR|code=cancelled|upload=2|")},
	}},
	{name: "more than is missing", adapt: leaves("i", "abc"), steps: []step{
		{str("f|proof=sha256|id=i|size=5|") + data(2, "def"), hear(okFrom(1, "abc"), "ERROR|code=mismatch|upload=1|")},
		{str("RESTART|") + data(2, "x") + str("CANCEL|"), nil},
		{str("f|proof=sha256|id=i|size=5|") + str("CANCEL|"), hear(ok(2), "ERROR|code=cancelled|upload=2|")},
	}},
	{name: "over the limit in all", adapt: func(w *world) { leaves("i", "abc")(w); limit(4)(w) }, steps: []step{
		{str("f|proof=sha256|id=i|size=5|"), hear("ERROR|code=too-large|upload=1|")},
		{str("f|proof=sha256|id=i|size=4|") + data(2, "de"), hear(okFrom(2, "abc"), "ERROR|code=too-large|upload=2|")},
		{end("abcde"), nil},
	}},
	{name: "Restart fails", adapt: func(w *world) {
		leaves("i", "abc")(w)
		w.store.onRestart = func(*file) error { return &wire.Error{Code: wire.CodeReadOnly, Text: "no"} }
	}, steps: []step{
		{str("f|proof=sha256|id=i|size=5|") + str("RESTART|"), hear(okFrom(1, "abc"), "ERROR|code=read-only|upload=1|")},
		{str("RESTART|") + data(2, "abcde") + end("abcde"), nil},
	}},
	{name: "Restart fails in words of its own", adapt: func(w *world) {
		w.store.onRestart = func(*file) error { return errors.New("secret") }
	}, steps: []step{
		{str("f|proof=sha256|id=i|size=5|") + str("RESTART|") + str("CANCEL|"), hear(ok(1), "ERROR|code=internal|upload=1|")},
	}},
	{name: "id in use on this connection", steps: []step{
		{str("f|proof=sha256|id=i|size=3|") + data(2, "a"), hear(ok(1))},
		{str("f|proof=sha256|id=i|size=3|") + str("g|proof=sha256|id=i|size=9|"), hear("ERROR|code=in-use|upload=2|", "ERROR|code=in-use|upload=3|")},
		{str("CANCEL|") + str("g|proof=sha256|id=i|size=0|") + str("CANCEL|"),
			hear("ERROR|code=cancelled|upload=1|", ok(4), "ERROR|code=cancelled|upload=4|")},
	}},
	{name: "id of a refused file", adapt: refuses(func(a wire.Announcement) error {
		if a.Name == "bad" {
			return &wire.Error{Code: wire.CodeName, Text: "no"}
		}
		return nil
	}), steps: []step{
		{str("bad|proof=sha256|id=i|size=3|"), hear("ERROR|code=bad-name|upload=1|")},
		{str("f|proof=sha256|id=i|size=3|") + data(2, "abcd"), hear(ok(2), "ERROR|code=mismatch|upload=2|")},
		{str("g|proof=sha256|id=i|size=0|"), hear(ok(3))},
		{str("CANCEL|") + str("CANCEL|"), hear("ERROR|code=cancelled|upload=3|")},
	}},
}

func TestResume(t *testing.T) {
	for _, c := range resumptions {
		t.Run(c.name, c.run)
	}
	for _, c := range resumeRefusals {
		c.steps = append(c.steps, step{str("still there"), hear("Message: still there")})
		c.did = append(c.did, "say still there")
		t.Run(c.name, c.run)
	}
}

func TestResumeProtocolErrors(t *testing.T) {
	protocol := "ERROR|code=protocol|"
	for _, c := range []conversation{
		{name: "RESTART of nothing", steps: []step{{str("RESTART|"), hear(protocol)}}},
		{name: "RESTART after END", steps: []step{{str("a|") + end("") + str("RESTART|"), hear(ok(1), saved(1, "a", ""), protocol)}},
			files: map[string]string{"a": ""}, did: []string{"upload a"}},
		{name: "RESTART behind contents", steps: []step{{str("a|") + data(2, "x") + str("RESTART|"), hear(ok(1), protocol)}}},
		{name: "RESTART behind resumed contents", adapt: leaves("i", "ab"), steps: []step{
			{str("a|proof=sha256|id=i|size=3|") + data(2, "c") + str("RESTART|"), hear(okFrom(1, "ab"), protocol)}}},
		{name: "RESTART behind restarted contents", adapt: leaves("i", "ab"), steps: []step{
			{str("a|proof=sha256|id=i|size=3|") + str("RESTART|") + data(2, "xy") + str("RESTART|"), hear(okFrom(1, "ab"), protocol)}}},
		{name: "half a digest of the contents", steps: []step{{str("a|size=3|blake3=00|"), hear(protocol)}}},
		{name: "id of 129 bytes", steps: []step{{str("a|proof=sha256|id=" + strings.Repeat("i", 129) + "|"), hear(protocol)}}},
	} {
		c.ends = true
		t.Run(c.name, c.run)
	}
}

// TestInterrupted ends connections in the middle of an upload: what can be
// resumed is kept, and nothing else.
func TestInterrupted(t *testing.T) {
	breaks := func(p *peer) { p.Close() }
	ends := func(p *peer) { p.CloseWrite() }
	tests := []struct {
		name, send string
		how        func(*peer)
		left       string
	}{
		{"breaks", str("f|proof=sha256|id=i|size=5|") + data(2, "ab") + data(2, "c"), breaks, "abc"},
		{"ends", str("f|proof=sha256|id=i|size=5|") + data(2, "abc"), ends, "abc"},
		{"breaks in a Data", str("f|proof=sha256|id=i|size=5|") + header(2, 5) + "abcd", breaks, "abcd"},
		{"breaks in a header", str("f|proof=sha256|id=i|size=5|") + data(2, "a") + "\x09\x01", breaks, "a"},
		{"breaks the protocol", str("f|proof=sha256|id=i|size=5|") + data(2, "a") + "\x00", ends, "a"},
		{"breaks before END", str("f|proof=sha256|id=i|size=5|") + data(2, "abcde"), breaks, "abcde"},
		{"falls silent", str("f|proof=sha256|id=i|size=5|") + header(2, 5) + "ab", func(*peer) { time.Sleep(time.Minute) }, "ab"},
		{"breaks behind another file", str("g|") + str("f|proof=sha256|id=i|size=5|") + end("") + data(2, "a"), breaks, "a"},
		{"breaks after RESTART", str("f|proof=sha256|id=i|size=5|") + str("RESTART|") + data(2, "z"), breaks, "z"},
		{"no id", str("f|size=5|") + data(2, "abc"), breaks, ""},
		{"empty id", str("f|id=|size=5|") + data(2, "abc"), breaks, ""},
		{"no size", str("f|proof=sha256|id=i|") + data(2, "abc"), breaks, ""},
		{"refused before", str("f|proof=sha256|id=i|size=2|") + data(2, "abc"), breaks, ""},
		{"cancelled before", str("f|proof=sha256|id=i|size=5|") + data(2, "abc") + str("CANCEL|"), breaks, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serve(t, leaves(), func(w *world) {
				p := w.dial()
				p.send(tt.send)
				p.heard()
				tt.how(p)
				synctest.Wait()
				w.store.wantLeft(t, "i", tt.left)
				delete(w.store.files, "g")
				w.store.wantFiles(t, map[string]string{})
				p.Close()

				again := w.dial()
				again.send(str("f|proof=sha256|id=i|size=5|"))
				if tt.left == "" {
					again.hear(ok(1))
				} else {
					again.hear(okFrom(1, tt.left))
				}
				again.send(data(2, "abcde"[len(tt.left):]), end("abcde"))
				if tt.left == "z" {
					again.hear("ERROR|code=mismatch|upload=1|")
				} else {
					again.hear(saved(1, "f", "abcde"))
				}
				w.store.wantLeft(t, "i", "")
				again.Close()
			})
		})
	}
}

// TestCloseInterrupts has the server end in the middle of uploads.
func TestCloseInterrupts(t *testing.T) {
	serve(t, leaves(), func(w *world) {
		p := w.dial()
		p.send(str("f|proof=sha256|id=i|size=5|"), str("g|proof=sha256|id=k|size=5|"), str("h|size=5|"), header(2, 5)+"ab")
		p.heard()
		w.server.Close()
		p.wantClosed()
		w.store.wantLeft(t, "i", "ab")
		if w.store.suspended != 3 {
			t.Errorf("%d uploads were suspended", w.store.suspended)
		}
	})
}

// TestSuspendFails checks that the id is free afterwards.
func TestSuspendFails(t *testing.T) {
	serve(t, func(w *world) {
		w.store.onSuspend = func(*file) error { return errors.New("no") }
	}, func(w *world) {
		p := w.dial()
		p.send(str("f|proof=sha256|id=i|size=5|"), data(2, "a"))
		p.Close()
		synctest.Wait() // or that connection could be the later one
		again := w.dial()
		again.send(str("f|proof=sha256|id=i|size=5|"))
		again.hear(ok(1))
		again.Close()
	})
}

// TestSlowResume has a store that reads long what was left.
func TestSlowResume(t *testing.T) {
	serve(t, func(w *world) {
		leaves("i", "ab")(w)
		w.store.onCreate = func(wire.Announcement) error { time.Sleep(11 * time.Second); return nil }
	}, func(w *world) {
		p := w.dial()
		p.send(str("f|proof=sha256|id=i|size=3|"))
		for range 2 {
			time.Sleep(5 * time.Second)
			p.hear("WAIT|")
		}
		time.Sleep(time.Second)
		p.hear(okFrom(1, "ab"))
		p.Close()
	})
}

// TestSlowCopy has a store that copies long what it has, once a little more comes.
func TestSlowCopy(t *testing.T) {
	serve(t, func(w *world) {
		leaves("i", "ab")(w)
		w.store.onBytes = func(*file) error { time.Sleep(11 * time.Second); return nil }
	}, func(w *world) {
		p := w.dial()
		p.send(str("f|proof=sha256|id=i|size=3|"))
		p.hear(okFrom(1, "ab"))
		p.send(data(2, "c"), end("abc"))
		for range 2 {
			time.Sleep(5 * time.Second)
			p.hear("WAIT|")
		}
		time.Sleep(time.Second)
		p.hear(saved(1, "f", "abc"))
		p.Close()
	})
}

// TestEveryCutResumes ends an upload, resumed or restarted, after every byte,
// and then has another connection complete it.
func TestEveryCutResumes(t *testing.T) {
	for name, sent := range map[string]string{
		"resumed":   str("f|proof=sha256|id=i|size=6|") + data(2, "c") + data(9, "de") + data(2, "") + data(2, "f") + end("abcdef"),
		"restarted": str("f|proof=sha256|id=i|size=6|") + str("RESTART|") + data(2, "abc") + data(3, "def") + end("abcdef"),
	} {
		t.Run(name, func(t *testing.T) {
			for cut := range len(sent) + 1 {
				serve(t, leaves("i", "ab"), func(w *world) {
					p := w.dial()
					p.send(sent[:cut])
					p.heard()
					p.Close()
					synctest.Wait()
					left := w.store.left["i"]
					if !strings.HasPrefix("abcdef", left) {
						t.Errorf("%q is left", left)
					}
					if cut == len(sent) {
						w.store.wantFiles(t, map[string]string{"f": "abcdef"})
					} else {
						w.store.wantFiles(t, nil)
					}

					again := w.dial()
					again.send(str("f|proof=sha256|id=i|size=6|"))
					want := ok(1)
					if left != "" {
						want = okFrom(1, left)
					}
					again.hear(want)
					again.send(data(2, "abcdef"[len(left):]), end("abcdef"))
					if cut == len(sent) {
						again.hear(saved(1, "f", "abcdef") + "unchanged=1|")
					} else {
						again.hear(saved(1, "f", "abcdef"))
					}
					again.Close()
					w.store.wantFiles(t, map[string]string{"f": "abcdef"})
				})
				if t.Failed() {
					t.Fatalf("when it is cut after %q", sent[:cut])
				}
			}
		})
	}
}
