package wire_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/wire"
)

// files are announcements of small files, from the n-th on.
func files(from, to int) (send string) {
	for n := from; n <= to; n++ {
		send += str(fmt.Sprintf("f%d|size=1|", n))
	}
	return send
}

// acceptedFrom are the answers to them; the one with number told has the window.
func acceptedFrom(from, to, told, ahead int) (hear []string) {
	for n := from; n <= to; n++ {
		answer := ok(n)
		if n == told {
			answer = fmt.Sprintf("OK|upload=%d|ahead=%d|offset=0|", n, ahead)
		}
		hear = append(hear, answer)
	}
	return hear
}

func wide(w *world) { w.server.MaxAhead = 1000 }

func tooMany(n int) string { return fmt.Sprintf("ERROR|code=too-many|upload=%d|", n) }

// TestWindow has a client that announces as many files as it is told that it may, and one
// more.
func TestWindow(t *testing.T) {
	serve(t, wide, func(w *world) {
		p := w.dial()
		p.send(files(1, 1000))
		p.hear(acceptedFrom(1, 1000, 64, 1000)...)
		p.send(files(1001, 1001))
		p.hear(tooMany(1001))
		p.send(data(2, "x"), end("x"))
		p.hear(saved(1, "f1", "x"))
		p.send(files(1002, 1003))
		p.hear(ok(1002), tooMany(1003))
		p.Close()
	})
}

// TestWindowOfBytes has announcements that are longer than the server expects.
func TestWindowOfBytes(t *testing.T) {
	serve(t, wide, func(w *world) {
		p := w.dial()
		p.send(files(1, 64))
		p.hear(acceptedFrom(1, 64, 64, 1000)...)
		name := func(n int) string {
			return fmt.Sprintf("%04d/", n) + strings.Repeat("a/", 50) + strings.Repeat("x", 200)
		}
		text := func(n int) string { return name(n) + "|size=1|" }
		bytes, n := len(files(1, 64))-64*3, 64
		for bytes < 1000*wire.WindowBytes {
			n++
			bytes += len(text(n))
			p.send(str(text(n)))
			p.hear(ok(n))
		}
		if n < 600 || n > 900 {
			t.Errorf("%d files", n)
		}
		p.send(str(text(n + 1)))
		p.hear(tooMany(n + 1))
		p.Close()
	})
}

// TestWindowsTogether has connections that get what others leave, and that leave it.
func TestWindowsTogether(t *testing.T) {
	serve(t, wide, func(w *world) {
		var open []*peer
		for _, ahead := range []int{1000, 1000, 1000, 500, 250, 0} {
			p := w.dial()
			p.send(files(1, 64))
			if told := 64; ahead > 0 {
				p.hear(acceptedFrom(1, 64, told, ahead)...)
			} else {
				p.hear(acceptedFrom(1, 64, 0, 0)...)
				p.send(files(65, 129))
				p.hear(append(acceptedFrom(65, 128, 0, 0), tooMany(129))...)
			}
			open = append(open, p)
		}
		for _, p := range open {
			p.Close()
		}
		p := w.dial()
		p.send(files(1, 64))
		p.hear(acceptedFrom(1, 64, 64, 1000)...)
		p.Close()
	})
}

// TestFewAheadOfLarge has files that need a descriptor each: of those only MaxAhead are
// accepted ahead, and what is behind them is once they are sent.
func TestFewAheadOfLarge(t *testing.T) {
	serve(t, func(w *world) {
		wide(w)
		sharing(1000, new(openFiles))(w)
	}, func(w *world) {
		p := w.dial()
		p.send(files(1, 100))
		p.hear(acceptedFrom(1, 100, 64, 1000)...)
		for n := 101; n <= 200; n++ {
			p.send(str(fmt.Sprintf("f%d|size=100000|", n)))
		}
		p.send(files(201, 210))
		p.hear(acceptedFrom(101, 128, 0, 0)...)
		for n := 1; n <= 100; n++ {
			p.send(data(2, "x"), end("x"))
		}
		hear := acceptedFrom(129, 210, 0, 0)
		for n := 1; n <= 100; n++ {
			hear = append(hear, saved(n, fmt.Sprintf("f%d", n), "x"))
		}
		synctest.Wait()
		got := decode(p.heard())
		slices.Sort(got)
		slices.Sort(hear)
		if diff := cmp.Diff(hear, got); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
		p.Close()
	})
}

// TestSlowStoreAnswers has a store that takes a moment for every file, and thousands of files
// that are announced: the client hears of those that are accepted meanwhile.
func TestSlowStoreAnswers(t *testing.T) {
	serve(t, func(w *world) {
		w.store.onCreate = func(wire.Announcement) error { time.Sleep(time.Second); return nil }
	}, func(w *world) {
		p := w.dial()
		go p.send(files(1, 100))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := len(decode(p.heard())); n < 8 {
			t.Errorf("%d answers after ten seconds", n)
		}
		time.Sleep(2 * time.Minute) // the others
		p.Close()
	})
}
