package wire_test

import (
	"testing"
	"testing/synctest"

	"github.com/labnet/labnet/wire"
)

// TestReplaceWaits announces files that must not replace those before them: they
// are begun when those are published, and what follows waits, too.
func TestReplaceWaits(t *testing.T) {
	var begun []string
	var release chan struct{}
	serve(t, func(w *world) {
		release = make(chan struct{})
		w.store.onCreate = func(a wire.Announcement) error {
			begun = append(begun, a.Name)
			return nil
		}
		w.store.onCommit = func(f *file) error {
			if f.Name == "a" {
				<-release
			}
			return nil
		}
	}, func(w *world) {
		p := w.dial()
		p.send(str("a|"), str("a|replace=0|"), str("b|"))
		p.hear(ok(1))
		p.send(data(2, "x"), end("x"))
		p.hear()
		if len(begun) != 1 {
			t.Errorf("begun: %q, although nothing is published", begun)
		}
		close(release)
		p.hear(saved(1, "a", "x"), ok(2), ok(3))
		p.send(data(2, "y"), end("y"), end(""))
		p.hear(saved(2, "a#2", "y"), saved(3, "b", ""))
		p.Close()
	})
}

// TestClientSaysReplace has what a client says of names.
func TestClientSaysReplace(t *testing.T) {
	for r, want := range map[wire.Replacement]string{
		wire.ReplaceAny: "f|size=0|", wire.ReplaceOther: "f|size=0|replace=other|", wire.ReplaceNone: "f|size=0|replace=0|",
	} {
		talk(t, func(s *script) {
			s.want(want)
			s.say(ok(1))
			s.want(endOf(0))
			s.say(saved(1, "f", ""))
			s.want("EOF")
		}, func(t *testing.T, c *wire.Client) {
			a := known(0)
			a.Replace = r
			if _, err := c.Upload(bg, a, xs(0)); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		})
	}
}
