package wire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/wire"
)

// sized is an announcement of a file of so many x.
func sized(name string, size int64) wire.Announcement {
	return wire.Announcement{Name: name, Size: size}
}

// announceAll announces files called a, b, c … of one byte.
func announceAll(t *testing.T, c *wire.Client, names string) (files []*wire.Transfer) {
	t.Helper()
	for _, name := range names {
		f, err := c.Announce(bg, sized(string(name), 1))
		if err != nil {
			t.Fatalf("Announce %c: %v", name, err)
		}
		files = append(files, f)
	}
	return files
}

// sendAll sends files of one byte, and returns what Send said of each.
func sendAll(c *wire.Client, files []*wire.Transfer) (errs []error) {
	for _, f := range files {
		errs = append(errs, f.Send(bg, xs(1)))
	}
	c.Flush(bg)
	return errs
}

// codeOf is the code of a refusal, "" of success, and else the error's text.
func codeOf(err error) string {
	refusal, ok := errors.AsType[*wire.Error](err)
	switch {
	case ok:
		return string(refusal.Code)
	case err != nil:
		return err.Error()
	}
	return ""
}

// TestAnnounceAhead has three files under way, and their answers waited for in
// any order.
func TestAnnounceAhead(t *testing.T) {
	talk(t, func(s *script) {
		s.want("a|size=1|", "b|size=1|", "c|size=1|", "e/|")
		s.say(ok(1), ok(2), ok(3), "SAVED|upload=4|name=e|")
		s.want("Data 1", endOf(1), "Data 1", endOf(1), "d|size=1|", "Data 1", endOf(1))
		s.say(saved(1, "a", "x"), ok(5), saved(2, "b", "x"), saved(3, "c", "x"))
		s.want("Data 1", endOf(1))
		s.say(saved(5, "d (2)", "x"))
	}, func(t *testing.T, c *wire.Client) {
		files := announceAll(t, c, "abc")
		folder, err := c.AnnounceFolder(bg, "e", nil)
		must(t, err)
		sendAll(c, files[:2])
		more := announceAll(t, c, "d")
		sendAll(c, files[2:])
		sendAll(c, more)
		for i, want := range map[int]string{2: "c", 0: "a", 1: "b"} {
			if got, err := files[i].Saved(bg); err != nil || got.Name != want {
				t.Errorf("%s: %+v, %v", want, got, err)
			}
		}
		if got, err := more[0].Saved(bg); err != nil || got.Name != "d (2)" {
			t.Errorf("d: %+v, %v", got, err)
		}
		if got, err := folder.Saved(bg); err != nil || got.Name != "e" {
			t.Errorf("e: %+v, %v", got, err)
		}
	})
}

// TestAnsweredWithoutWaiting checks that a server's answers are taken even if
// nobody waits for them: it may not receive before it has sent them.
func TestAnsweredWithoutWaiting(t *testing.T) {
	const files = wire.MaxAhead
	talk(t, func(s *script) {
		for n := range files {
			s.next()
			s.say(ok(n + 1))
		}
		for n := range files {
			s.want("Data 1", endOf(1))
			s.say(saved(n+1, "f", "x"))
		}
	}, func(t *testing.T, c *wire.Client) {
		var all []*wire.Transfer
		for range files {
			f, err := c.Announce(bg, sized("f", 1))
			must(t, err)
			must(t, c.Flush(bg))
			all = append(all, f)
		}
		sendAll(c, all)
		synctest.Wait()
		for n, f := range all {
			if _, err := f.Saved(bg); err != nil {
				t.Errorf("file %d: %v", n, err)
			}
		}
	})
}

// TestRefusedAhead has one of three files refused, at different times. The
// others are not touched.
func TestRefusedAhead(t *testing.T) {
	no := func(n int) string { return fmt.Sprintf("ERROR|code=no-space|text=full|upload=%d|", n) }
	file := []string{"Data 1", endOf(1)}
	for name, play := range map[string]func(s *script){
		"at once": func(s *script) {
			s.say(ok(1), no(2), ok(3))
			s.want(append(file, file...)...)
			s.say(saved(1, "a", "x"), saved(3, "c", "x"))
		},
		"before it is its turn": func(s *script) {
			s.say(ok(1), ok(2), ok(3), no(2))
			s.want(file...)
			if got := s.next(); got != "CANCEL|" { // or it had not heard of it
				s.want(file[1])
			}
			s.want(file...)
			s.say(saved(1, "a", "x"), saved(3, "c", "x"))
		},
		"in the end": func(s *script) {
			s.say(ok(1), ok(2), ok(3))
			s.want(append(append(file, file...), file...)...)
			s.say(saved(1, "a", "x"), no(2), saved(3, "c", "x"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			talk(t, func(s *script) {
				s.want("a|size=1|", "b|size=1|", "c|size=1|")
				play(s)
				s.want("hi")
				s.say("yes")
			}, func(t *testing.T, c *wire.Client) {
				files := announceAll(t, c, "abc")
				c.Flush(bg)
				sendAll(c, files)
				for i, want := range []string{"", "no-space", ""} {
					if _, err := files[i].Saved(bg); codeOf(err) != want {
						t.Errorf("file %d: %v, want %q", i+1, err, want)
					}
				}
				if _, err := c.Say(bg, "hi"); err != nil {
					t.Errorf("then: %v", err)
				}
			})
		})
	}
}

// TestSourceFailsAhead has the second of three files fail at the client.
func TestSourceFailsAhead(t *testing.T) {
	talk(t, func(s *script) {
		s.want("a|size=1|", "b|size=1|", "c|size=1|")
		s.say(ok(1), ok(2), ok(3))
		s.want("Data 1", endOf(1), "CANCEL|", "Data 1", endOf(1))
		s.say(saved(1, "a", "x"), "ERROR|code=cancelled|upload=2|", saved(3, "c", "x"))
	}, func(t *testing.T, c *wire.Client) {
		files := announceAll(t, c, "abc")
		torn := errors.New("torn")
		must(t, files[0].Send(bg, xs(1)))
		if err := files[1].Send(bg, iotest.ErrReader(torn)); !errors.Is(err, torn) || !isSourceError(err) {
			t.Errorf("Send: %v", err)
		}
		must(t, files[2].Send(bg, xs(1)))
		must(t, c.Flush(bg))
		for i, want := range []string{"", "torn", ""} {
			if _, err := files[i].Saved(bg); codeOf(err) != want {
				t.Errorf("file %d: %v, want %q", i+1, err, want)
			}
		}
	})
}

// TestConnectionEndsAhead has the connection end while three files are under
// way, with the first safe.
func TestConnectionEndsAhead(t *testing.T) {
	const lost = "the server closed the connection without an answer"
	for name, tt := range map[string]struct {
		last string
		want [3]string
		then string // of an announcement after it
	}{
		"without a word": {"", [3]string{"", lost, lost}, lost},
		"time is up":     {"ERROR|code=timeout|", [3]string{"", "timeout", "timeout"}, "timeout"},
		// Others may go on elsewhere.
		"one is superseded": {"ERROR|code=superseded|upload=3|", [3]string{"", lost, "superseded"}, lost},
		"nonsense":          {"SAVED|upload=7|", [3]string{"", "the server's answer does not follow the protocol", "the server's answer does not follow the protocol"}, "the server's answer does not follow the protocol"},
	} {
		t.Run(name, func(t *testing.T) {
			talk(t, func(s *script) {
				s.want("a|size=1|", "b|size=1|", "c|size=1|")
				s.say(ok(1), ok(2), ok(3))
				s.want("Data 1", endOf(1), "Data 1", endOf(1))
				s.say(saved(1, "a", "x"))
				if tt.last != "" {
					s.say(tt.last)
				}
			}, func(t *testing.T, c *wire.Client) {
				files := announceAll(t, c, "abc")
				sendAll(c, files[:2])
				synctest.Wait()
				files[2].Send(bg, xs(1))
				c.Flush(bg)
				for i, want := range tt.want {
					if _, err := files[i].Saved(bg); codeOf(err) != want {
						t.Errorf("file %d: %v, want %q", i+1, err, want)
					}
				}
				if _, err := c.Announce(bg, sized("d", 1)); codeOf(err) != tt.then {
					t.Errorf("then: %v, want %q", err, tt.then)
				}
			})
		})
	}
}

// TestShutdownAhead has a server that is shutting down: it ends what it has begun.
func TestShutdownAhead(t *testing.T) {
	talk(t, func(s *script) {
		s.want("a|size=1|", "b|size=1|")
		s.say(ok(1), "ERROR|code=shutdown|upload=2|")
		s.want("Data 1", endOf(1))
		s.say(saved(1, "a", "x"))
	}, func(t *testing.T, c *wire.Client) {
		files := announceAll(t, c, "ab")
		sendAll(c, files)
		if _, err := files[0].Saved(bg); err != nil {
			t.Errorf("a: %v", err)
		}
		if _, err := files[1].Saved(bg); codeOf(err) != "shutdown" {
			t.Errorf("b: %v", err)
		}
		if _, err := c.Announce(bg, sized("c", 1)); codeOf(err) != "shutdown" {
			t.Errorf("c: %v", err)
		}
	})
}

// TestServerWithoutNumbers has a server that leaves the field upload out.
func TestServerWithoutNumbers(t *testing.T) {
	bare := func(s string) string {
		return strings.NewReplacer("upload=1|", "", "upload=2|", "", "upload=3|", "").Replace(s)
	}
	talk(t, func(s *script) {
		s.want("a|size=1|", "b|size=1|", "c|size=1|")
		s.say(bare(ok(1)), bare(ok(2)), bare(ok(3)))
		s.want("Data 1", endOf(1), "Data 1", endOf(1), "Data 1", endOf(1))
		s.say(bare(saved(1, "a", "x")), "ERROR|code=exists|", bare(saved(3, "c", "x")))
	}, func(t *testing.T, c *wire.Client) {
		files := announceAll(t, c, "abc")
		sendAll(c, files)
		for i, want := range []string{"", "exists", ""} {
			if _, err := files[i].Saved(bg); codeOf(err) != want {
				t.Errorf("file %d: %v, want %q", i+1, err, want)
			}
		}
	})
}

// TestSilentServer has a server that answers a while, and then no more: it is
// waited for as long as nothing is heard of it.
func TestSilentServer(t *testing.T) {
	talk(t, func(s *script) {
		s.want("a|size=1|", "b|size=1|")
		s.say(ok(1), ok(2))
		s.want("Data 1", endOf(1), "Data 1", endOf(1))
		time.Sleep(20 * time.Second)
		s.say(saved(1, "a", "x"))
		s.want("EOF")
	}, func(t *testing.T, c *wire.Client) {
		files := announceAll(t, c, "ab")
		sendAll(c, files)
		begin := time.Now()
		if _, err := files[1].Saved(bg); codeOf(err) != "the server did not answer in time" {
			t.Errorf("b: %v", err)
		}
		if d := time.Since(begin); d != 50*time.Second {
			t.Errorf("after %v, want 50 s", d)
		}
		if _, err := files[0].Saved(bg); err != nil {
			t.Errorf("a: %v", err)
		}
	})
}

// TestAskAhead has several texts under way, one of them refused.
func TestAskAhead(t *testing.T) {
	talk(t, func(s *script) {
		s.want("one", "two", "three")
		s.say("1", "ERROR|code=internal|text=no|", "3")
	}, func(t *testing.T, c *wire.Client) {
		var asked []wire.Question
		for _, text := range []string{"one", "two", "three"} {
			q, err := c.Ask(bg, text)
			must(t, err)
			asked = append(asked, q)
		}
		must(t, c.Flush(bg))
		for i, want := range []string{"1", "", "3"} {
			got, err := asked[i].Answer(bg)
			if got != want || (err != nil) != (want == "") {
				t.Errorf("text %d: %q, %v", i+1, got, err)
			}
		}
	})
}

// TestUnsent: what the server said of a file is the better reason not to send it
// than the end of the connection, which came right after.
func TestUnsent(t *testing.T) {
	talk(t, func(s *script) {
		s.want("a|size=1|", "b|size=1|")
		s.say("ERROR|upload=1|code=exists|text=taken|")
		s.hangup()
	}, func(t *testing.T, c *wire.Client) {
		files := announceAll(t, c, "ab")
		c.Flush(bg)
		synctest.Wait()
		lost := c.Err()
		if lost == nil {
			t.Fatal("the connection goes on")
		}
		if got := codeOf(files[0].Unsent(lost)); got != "exists" {
			t.Errorf("a: %s", got)
		}
		if got := files[1].Unsent(lost); got != lost {
			t.Errorf("b: %v, want %v", got, lost)
		}
	})
}
