package commands

import (
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/storage/storagetest"
)

// talk lets test send lines to a machine that is up, and returns what became of
// them, and what was printed.
func talk(t *testing.T, json bool, test func(m *machine, lines chan<- string)) (out, told string, err error) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{store: keeper{storagetest.NewMemory()}}
		m.up()
		u, printed, said := retrying(m, defaults)
		u.Con.JSON = json
		lines := make(chan string, maxAsked)
		l := &lineSender{speaker: &speaker{u.Con, &u.Session, u.Retrier}, lines: lines}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			err = l.sendAll(t.Context())
		}()
		test(m, lines)
		close(lines)
		<-ended
		u.Close()
		if m.isUp() {
			m.crash()
		}
		m.serving.Wait()
		out, told = printed.String(), said.String()
	})
	return out, told, err
}

// TestLinesOutlastRestart: lines that come while the server is away are sent when it
// is back, and nothing is said of those before.
func TestLinesOutlastRestart(t *testing.T) {
	out, told, err := talk(t, false, func(m *machine, lines chan<- string) {
		lines <- "one"
		synctest.Wait()
		m.crash()
		synctest.Wait()
		lines <- "two"
		lines <- "three"
		time.Sleep(4*time.Minute + 30*time.Second)
		m.up()
		time.Sleep(time.Minute)
		m.crash() // while the connection is idle
		m.up()
		synctest.Wait()
		lines <- "four"
	})
	if want := "Message: one\nMessage: two\nMessage: three\nMessage: four\n"; err != nil || out != want {
		t.Errorf("%v, answers:\n%s%s", err, out, told)
	}
	if !strings.HasPrefix(told, "labnet: connect nas:9000: connection refused; trying again for up to 5m\n") || strings.Contains(told, "again; ") {
		t.Errorf("told:\n%s", told)
	}
}

// TestLinesGiveUp: a server that stays away is given up in time.
func TestLinesGiveUp(t *testing.T) {
	out, told, err := talk(t, false, func(m *machine, lines chan<- string) {
		lines <- "one"
		synctest.Wait()
		m.crash()
		synctest.Wait()
		lines <- "two"
		time.Sleep(client.DefaultRetryFor)
		lines <- "three"
	})
	if out != "Message: one\n" || err == nil || err.Error() != "connect nas:9000: connection refused; gave up after 5m" {
		t.Errorf("%v, answers:\n%s%s", err, out, told)
	}
}

// TestUncertainLines: a message that the server may have received is sent again,
// once it can be, and the sender is told; what could not be sent, likewise.
func TestUncertainLines(t *testing.T) {
	for _, back := range []bool{true, false} {
		out, told, err := talk(t, true, func(m *machine, lines chan<- string) {
			lines <- "one"
			synctest.Wait()
			m.crash()
			m.up()
			m.accepted = func(c net.Conn) {
				c.Read(make([]byte, 100))
				c.Close()
				if back {
					m.mu.Lock()
					m.accepted = nil
					m.mu.Unlock()
				}
			}
			lines <- "two"
		})
		outcomes := strings.Split(out, "\n")
		if len(outcomes) < 2 || strings.Contains(outcomes[0], "answer_lost") || !strings.Contains(outcomes[1], `"text":"two"`) || !strings.Contains(outcomes[1], `"answer_lost":true`) {
			t.Errorf("printed:\n%s", out)
		}
		if !strings.Contains(told, "; trying again for up to 5m\nlabnet: sending 1 message again; the server may have received it already\n") {
			t.Errorf("told:\n%s", told)
		}
		if back && err != nil || !back && !strings.HasSuffix(problem.Of(err).Message, "; gave up after 5m; the server may have received it all the same") {
			t.Errorf("in the end: %v", err)
		}
	}
}

// TestSingleThingsOutlastRestart: so do a message and a blob.
func TestSingleThingsOutlastRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{store: keeper{storagetest.NewMemory()}}
		m.up()
		u, out, told := retrying(m, defaults)
		s := &speaker{u.Con, &u.Session, u.Retrier}
		must(t, s.sayOne(t.Context(), "one"))
		for _, send := range []func() error{
			func() error { return s.sayOne(t.Context(), "two") },
			func() error { return (&blobber{u.Con, *s.Session, u.Retrier, 1000}).sendAll(t.Context(), 1) },
		} {
			m.crash()
			time.AfterFunc(4*time.Minute, m.up)
			if err := send(); err != nil {
				t.Errorf("%v\n%s", err, told)
			}
		}
		if !strings.HasPrefix(out.String(), "Message: one\nMessage: two\n") || strings.Count(out.String(), "\n") != 3 {
			t.Errorf("printed:\n%s", out)
		}
		m.crash()
		m.serving.Wait()
	})
}
