package terminal

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/commands/terminal/terminaltest"
)

// onScreen returns a console both of whose outputs are a screen.
func onScreen(width int) (*Console, *terminaltest.Screen) {
	s := terminaltest.NewScreen(width)
	return New(os.Stdin, s, s), s
}

// bulk is a source of so many bytes, a chunk for each Read.
type bulk struct {
	left  int64
	chunk int64
}

func (b *bulk) Read([]byte) (int, error) {
	n := min(b.left, b.chunk)
	if b.left -= n; n == 0 {
		return 0, io.EOF
	}
	return int(n), nil
}

func (b *bulk) Close() error { return nil }

// sends reads a source to its end, with a pause before every Read.
func sends(r io.ReadCloser, pause time.Duration) {
	for {
		time.Sleep(pause)
		if _, err := r.Read(nil); err != nil {
			r.Close()
			return
		}
	}
}

const mib = 1 << 20

// TestProgressOfFile: nothing before half a second, then a line of the file
// that is drawn five times a second and never blank, then nothing again.
func TestProgressOfFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		con, screen := onScreen(80)
		start := time.Now()
		var shown []string
		screen.AfterWrite(func(string) {
			at := time.Since(start)
			if want := progressAfter + time.Duration(len(shown))*progressEvery; at != want {
				t.Errorf("drawn after %s, want %s", at, want)
			}
			shown = append(shown, strings.Join(screen.Lines(), "|"))
		})
		end := con.progress("files", 1)
		// 10 MiB a second, and 1 MiB of it under way.
		time.Sleep(progressEvery / 4) // so that nothing happens at the same time
		sends(con.Meter.Measure("disk.img", 100*mib, &bulk{100 * mib, mib}, nil), 100*time.Millisecond)
		time.Sleep(time.Second)
		screen.AfterWrite(nil)
		end()
		for i, want := range map[int]string{
			0:  "disk.img  2.0 MiB of 100 MiB  10 MiB/s  0:10 left",
			5:  "disk.img  12 MiB of 100 MiB  10 MiB/s  0:09 left",
			45: "disk.img  92 MiB of 100 MiB  10 MiB/s  0:01 left",
			52: "disk.img  100 MiB  waiting for the server",
		} {
			if i >= len(shown) {
				t.Fatalf("drawn %d times", len(shown))
			}
			if shown[i] != want {
				t.Errorf("drawn as %d: %q\nwant %q", i, shown[i], want)
			}
		}
		if slices.Contains(shown, "") {
			t.Error("the line was blank in between")
		}
		if left := screen.Lines(); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	})
}

// TestProgressOfShortWork: what is quick shows nothing, ever.
func TestProgressOfShortWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		con, screen := onScreen(80)
		screen.AfterWrite(func(s string) { t.Errorf("wrote %q", s) })
		for range 3 {
			end := con.progress("files", 1)
			sends(con.Meter.Measure("f", 4, &bulk{4, 1}, nil), 99*time.Millisecond)
			end()
		}
		time.Sleep(time.Minute)
	})
}

// TestProgressOfPrograms: with --json and --quiet there is none, nor where
// stderr is no terminal.
func TestProgressOfPrograms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, set := range []func(*Console){
			func(c *Console) { c.JSON = true },
			func(c *Console) { c.Quiet = true },
			func(c *Console) { c.Err = struct{ io.Writer }{c.Err} },
		} {
			con, screen := onScreen(80)
			set(con)
			screen.AfterWrite(func(s string) { t.Errorf("wrote %q", s) })
			end := con.progress("files", 1)
			sends(con.Meter.Measure("f", mib, &bulk{mib, 1 << 16}, nil), time.Second)
			end()
		}
	})
}

// TestProgressStates holds what is shown of each kind of work, on terminals of 80 and
// of 40 columns.
func TestProgressStates(t *testing.T) {
	at := func(n int64) func() int64 { return func() int64 { return n } }
	tests := []struct {
		name string
		do   func(*Meter)
	}{
		{"nothing yet", func(m *Meter) {
			m.begin("files", 0)
			time.Sleep(3 * time.Second)
		}},
		{"a stream", func(m *Meter) {
			m.begin("files", 1)
			reads(m.Measure("-", -1, &bulk{1 << 40, mib}, nil), 5, time.Second)
		}},
		{"compared", func(m *Meter) {
			m.begin("files", 1)
			reads(m.Measure("disk.img", 4<<30, &bulk{4 << 30, mib}, at(300*mib)), 100, 30*time.Millisecond)
		}},
		{"resumed", func(m *Meter) {
			m.begin("files", 1)
			s := m.Measure("disk.img", 4<<30, &bulk{4 << 30, mib}, at(300*mib))
			reads(s, 301, 0)
			reads(s, 31, 100*time.Millisecond)
		}},
		{"begun again after all", func(m *Meter) {
			m.begin("files", 1)
			left := int64(300 * mib)
			s := m.Measure("disk.img", 4<<30, &seekable{bulk{4 << 30, mib}}, func() int64 { return left })
			reads(s, 300, 0)
			left = 0
			time.Sleep(time.Hour)
			s.(io.Seeker).Seek(0, io.SeekStart)
			reads(s, 32, 100*time.Millisecond)
		}},
		{"after a lost connection", func(m *Meter) {
			m.begin("files", 1)
			s := m.Measure("disk.img", 4<<30, &bulk{4 << 30, mib}, nil)
			reads(s, 30, 100*time.Millisecond)
			s.Close()
			m.Wait("lost server:9000: the connection was closed", time.Now().Add(3*time.Second), time.Now().Add(4*time.Minute))
		}},
		{"while it is tried again", func(m *Meter) {
			m.begin("files", 1)
			m.Wait("lost server:9000: the connection was closed", time.Now().Add(3*time.Second), time.Now().Add(4*time.Minute))
			time.Sleep(3 * time.Second)
		}},
		{"many, some still to be found", func(m *Meter) {
			m.begin("files", 0)
			for range 30 {
				m.Find()
				reads(m.Measure("f", 1000, &bulk{1000, 1000}, nil), 1, 100*time.Millisecond)
				m.now.Close()
				m.Tell()
			}
		}},
		{"many, which are read", func(m *Meter) {
			m.begin("files", 0)
			m.reading()
			for range 30 {
				m.Find()
			}
			reads(m.Measure("disk.img", 60*mib, &bulk{60 * mib, mib}, nil), 32, 100*time.Millisecond)
		}},
		{"one that was read", func(m *Meter) {
			m.begin("files", 0)
			m.reading()
			m.Find()
			reads(m.Measure("disk.img", mib, &bulk{mib, mib}, nil), 32, 100*time.Millisecond)
			m.now.Close()
		}},
		{"many, all found, a long one", func(m *Meter) {
			m.begin("files", 0)
			for range 1234 {
				m.Find()
				m.Tell()
			}
			for range 7 {
				m.Find()
			}
			m.FoundAll()
			reads(m.Measure("disk.img", 60*mib, &bulk{60 * mib, mib}, nil), 32, 100*time.Millisecond)
		}},
		{"many, a stream among them", func(m *Meter) {
			m.begin("files", 0)
			m.Find()
			m.Find()
			m.FoundAll()
			reads(m.Measure("-", -1, &bulk{60 * mib, mib}, nil), 32, 100*time.Millisecond)
		}},
		{"a control character in a name", func(m *Meter) {
			m.begin("files", 1)
			reads(m.Measure("a\x1b[2J\n", -1, &bulk{1 << 40, mib}, nil), 5, time.Second)
		}},
	}
	for _, width := range []int{80, 40} {
		var got strings.Builder
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var m Meter
					test.do(&m)
					text := m.text(width - 1)
					if columnsOf(text) >= width {
						t.Errorf("%q is too wide for %d columns", text, width)
					}
					fmt.Fprintf(&got, "# %s\n\n%s\n\n", test.name, text)
				})
			})
		}
		terminaltest.Golden(t, filepath.Join("testdata", "screens", fmt.Sprintf("progress-%d.golden", width)), got.String())
	}
}

type seekable struct{ bulk }

func (*seekable) Seek(int64, int) (int64, error) { return 0, nil }

// reads reads so many times, with a pause after each.
func reads(r io.Reader, n int, pause time.Duration) {
	for range n {
		r.Read(nil)
		time.Sleep(pause)
	}
}

// TestProgressOfSlowSteps: on a slow connection the rate does not jump with
// each chunk, and time left goes down.
func TestProgressOfSlowSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Meter
		m.begin("files", 1)
		s := m.Measure("f", 30*mib, &bulk{30 * mib, mib}, nil)
		go sends(s, 8*time.Second) // 128 KiB/s
		for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(progressEvery) {
			text := m.text(80)
			m.mu.Lock()
			sent := m.sent
			m.mu.Unlock()
			if sent >= 3*mib && sent < 29*mib && !strings.Contains(text, "  128 KiB/s  ") {
				t.Fatalf("after %d KiB: %q", sent>>10, text)
			}
		}
	})
}

// TestProgressStall: the rate sinks when nothing moves.
func TestProgressStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Meter
		m.begin("files", 1)
		s := m.Measure("f", 1000*mib, &bulk{1000 * mib, mib}, nil)
		before := 1e18
		for i := range 60 {
			if i < 20 {
				reads(s, 10, progressEvery/10)
			} else {
				time.Sleep(progressEvery)
			}
			m.text(80)
			rate := m.rate.perSecond(time.Now())
			if i > 22 && rate >= before {
				t.Fatalf("%.0f bytes a second after %.0f in the stall", rate, before)
			}
			before = rate
		}
		if before > 20*mib {
			t.Errorf("still %.0f bytes a second", before)
		}
	})
}

// TestResultsAboveProgress: lines stand whole above the progress, which is
// there all the time, whether or not the terminal changes its width.
func TestResultsAboveProgress(t *testing.T) {
	for _, reflows := range []bool{true, false} {
		t.Run(fmt.Sprintf("reflows=%t", reflows), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				con, screen := onScreen(100)
				screen.Reflows = reflows
				end := con.progress("files", 0)
				for range 100 {
					con.Meter.Find()
				}
				source := con.Meter.Measure("a rather long name of a file 一二三四五六七八九十.tar.gz", 1<<40, &bulk{1 << 40, mib}, nil)
				time.Sleep(progressEvery / 4) // so that nothing happens at the same time
				reads(source, 60, 100*time.Millisecond)
				var want []string
				var printed atomic.Int64 // lines, or about to be
				for i, width := range []int{100, 60, 31, 30, 12, 3, 40, 120, 80, 79} {
					if width < 30 && !reflows {
						continue // it would cut the results
					}
					screen.Resize(width)
					screen.AfterWrite(func(string) {
						if lines := screen.Lines(); width > 3 && len(lines) == int(printed.Load()) {
							t.Errorf("no progress at %d columns below %q", width, lines)
						}
					})
					for j := range 3 {
						line := fmt.Sprintf("result %d.%d", i, j)
						want = append(want, line)
						printed.Add(1)
						if j == 2 {
							want[len(want)-1] = "labnet: " + line
							con.Note("%s", line)
						} else {
							con.Result(Object{}, "%s", line)
						}
						con.Meter.Tell()
						reads(source, 3, 100*time.Millisecond)
					}
					screen.AfterWrite(nil)
				}
				end()
				screen.Resize(120)
				if got := screen.Lines(); !slices.Equal(got, want) {
					t.Errorf("the screen shows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			})
		})
	}
}
