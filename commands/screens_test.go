package commands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/commands/terminal/terminaltest"
	"github.com/labnet/labnet/commands/uploader"
	"github.com/labnet/labnet/storage/storagetest"
	"github.com/labnet/labnet/wire"
)

// A scene is a run of upload of which the golden files hold what a person sees.
type scene struct {
	about string
	args  []string
	// prepare makes what args name, and what the server has of it, in an empty folder.
	prepare func(*testing.T, *machine)
	set     func(*uploader.Uploader)
	blobs   int // to be sent in place of files
}

func (s scene) command() string {
	if s.blobs > 0 {
		return fmt.Sprintf("blob -s 1000 -n %d", s.blobs)
	}
	return "upload " + strings.Join(s.args, " ")
}

// sized makes files of so many bytes.
func sized(size int, names ...string) func(*testing.T, *machine) {
	return func(t *testing.T, _ *machine) {
		for _, name := range names {
			must(t, os.MkdirAll(filepath.Dir(name), 0o755))
			must(t, os.WriteFile(name, bytes.Repeat([]byte("x"), size), 0o644))
		}
	}
}

// both does one thing after the other.
func both(all ...func(*testing.T, *machine)) func(*testing.T, *machine) {
	return func(t *testing.T, m *machine) {
		for _, do := range all {
			do(t, m)
		}
	}
}

// manyNames returns so many names.
func manyNames(format string, n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf(format, i+1))
	}
	return names
}

// sentBefore has the server keep what args name.
func sentBefore(args ...string) func(*testing.T, *machine) {
	return func(t *testing.T, m *machine) {
		u, _, _ := retrying(m, defaults)
		defer u.Close()
		must(t, u.Upload(t.Context(), args))
	}
}

// halfSent has the server keep the first half of a file from an upload that was
// interrupted.
func halfSent(file, name string) func(*testing.T, *machine) {
	return func(t *testing.T, m *machine) {
		info, err := os.Stat(file)
		must(t, err)
		contents, err := os.ReadFile(file)
		must(t, err)
		partial, err := m.store.Create(t.Context(), wire.Announcement{Name: name, ID: client.UploadID(file, name, info), Size: info.Size(), Digest: wire.Digests()[0], Proofs: wire.Digests()[1:]})
		must(t, err)
		_, err = partial.ReadFrom(bytes.NewReader(contents[:len(contents)/2]))
		must(t, err)
		must(t, partial.Suspend())
	}
}

func linked(target, name string) func(*testing.T, *machine) {
	return func(t *testing.T, _ *machine) { must(t, os.Symlink(target, name)) }
}

func folderAt(name string) func(*testing.T, *machine) {
	return func(t *testing.T, _ *machine) { must(t, os.MkdirAll(name, 0o755)) }
}

// turnsAway has the server refuse all files for a reason.
func turnsAway(err error) func(*testing.T, *machine) {
	return func(_ *testing.T, m *machine) { m.refusal = err }
}

var fileTooLarge = &wire.Error{Code: wire.CodeTooLarge, Text: "this server accepts at most 10 bytes"}

const (
	longName = "the minutes of the meeting of the committee for very long names, in full, final (3).pdf"
	wideName = "写真/2026年の夏休み、海と山と花火大会の写真その一.jpg"
)

var scenes = []scene{
	{about: "one file", args: []string{"report.pdf"}, prepare: sized(4<<20, "report.pdf")},
	{about: "a file without contents", args: []string{"empty"}, prepare: sized(0, "empty")},
	{about: "two files", args: []string{"a", longName}, prepare: sized(1000, "a", longName)},
	{about: "a folder", args: []string{"photos"}, prepare: both(sized(1<<10, manyNames("photos/%04d.jpg", 1234)...), folderAt("photos/empty"))},
	{about: "a folder of one file", args: []string{"d"}, prepare: sized(1, "d/a")},
	{about: "a folder and files, with --verbose", args: []string{"photos", "b"}, prepare: sized(300<<10, "photos/1.jpg", "photos/2.jpg", "b"),
		set: func(u *uploader.Uploader) { u.Verbose = true }},
	{about: "a folder, with --quiet", args: []string{"d"}, prepare: sized(10, "d/a", "d/b"), set: func(u *uploader.Uploader) { u.Con.Quiet = true }},
	{about: "a folder, the results to a pipe", args: []string{"d"}, prepare: sized(10, "d/a", "d/b"), set: func(u *uploader.Uploader) { u.Con.Out = writer{u.Con.Out} }},
	{about: "a folder, messages elsewhere", args: []string{"d"}, prepare: both(sized(10, "d/a", "d/b"), linked("a", "d/c")), set: func(u *uploader.Uploader) { u.Con.Err = io.Discard }},
	{about: "an empty folder", args: []string{"empty"}, prepare: folderAt("empty")},
	{about: "folders in a folder, all empty", args: []string{"d"}, prepare: both(folderAt("d/a"), folderAt("d/b"))},
	{about: "symbolic links", args: []string{"d"}, prepare: both(folderAt("d"), linked("a", "d/b"), linked("c", "d/写真の中の写真"), linked("c", "d/z"))},
	{about: "an unchanged file", args: []string{"a"}, prepare: both(sized(10, "a"), sentBefore("a"))},
	{about: "an unchanged folder", args: []string{"d"}, prepare: both(sized(10, manyNames("d/%d", 30)...), sentBefore("d"))},
	{about: "a folder with some unchanged files", args: []string{"d"}, prepare: both(sized(10, manyNames("d/%d", 1100)...), sentBefore("d"), sized(10, "d/new"))},
	{about: "a name that is taken", args: []string{"r.txt"}, prepare: both(sized(10, "r.txt"), sentBefore("r.txt"), sized(11, "r.txt"))},
	{about: "a file that was kept under another name before", args: []string{"r.txt"},
		prepare: both(sized(10, "r.txt"), sentBefore("r.txt"), sized(11, "r.txt"), sentBefore("r.txt"))},
	{about: "the same in a folder", args: []string{"d"},
		prepare: both(sized(10, "d/r.txt", "d/s.txt"), sentBefore("d"), sized(11, "d/r.txt"), sentBefore("d"), sized(12, "d/s.txt"))},
	{about: "a resumed file", args: []string{"disk.img"}, prepare: both(sized(4<<20, "disk.img"), halfSent("disk.img", "disk.img"))},
	{about: "a resumed file in a folder, whose name is taken", args: []string{"d"},
		prepare: both(sized(10, "d/disk.img"), sentBefore("d"), sized(4<<20, "d/disk.img"), halfSent("d/disk.img", "d/disk.img"))},
	{about: "wide and long names", args: []string{"写真"}, prepare: both(sized(10, wideName, "写真/"+longName), sentBefore("写真"), sized(11, wideName, "写真/"+longName))},
	{about: "a missing file", args: []string{"missing"}},
	{about: "files, two of which are missing", args: []string{"a", "b", "c"}, prepare: sized(10, "b")},
	{about: "a folder that is refused", args: []string{"d"}, prepare: both(sized(11, "d/a", "d/b", "d/c"), turnsAway(fileTooLarge))},
	{about: "a folder of which many files fail", args: []string{"d"},
		prepare: both(sized(10, manyNames("d/%d", 3)...), func(t *testing.T, _ *machine) {
			for i := range 25 {
				must(t, os.Symlink("nowhere", fmt.Sprintf("d/n%02d", i)))
			}
		}, linked("../d", "d/round")),
		set: func(u *uploader.Uploader) { u.Follow = true }},
	{about: "the same with --quiet", args: []string{"d"},
		prepare: both(sized(10, "d/a"), linked("nowhere", "d/b"), linked("nowhere", "d/c")),
		set:     func(u *uploader.Uploader) { u.Follow, u.Con.Quiet = true, true }},
	{about: "a server that was never there", args: []string{"d"}, prepare: both(sized(10, "d/a", "d/b"), down)},
	{about: "the same with --quiet", args: []string{"d"}, prepare: both(sized(10, "d/a", "d/b"), down), set: func(u *uploader.Uploader) { u.Con.Quiet = true }},
	{about: "a server that was never there, with --retry-for 1h", args: []string{"d"}, prepare: both(sized(10, "d/a", "d/b"), down),
		set: func(u *uploader.Uploader) { u.Retrier = client.Retrier{Limit: time.Hour, Always: true} }},
	{about: "a server that reboots", args: []string{"d"}, prepare: both(sized(10, manyNames("d/%02d", 20)...), downAt("d/11", 3*time.Minute))},
	{about: "the same with --quiet", args: []string{"d"}, prepare: both(sized(10, manyNames("d/%02d", 20)...), downAt("d/11", 3*time.Minute)),
		set: func(u *uploader.Uploader) { u.Con.Quiet = true }},
	{about: "a server that goes away for good", args: []string{"d"}, prepare: both(sized(10, manyNames("d/%02d", 20)...), downAt("d/11", time.Hour))},
	{about: "a server that is busy", args: []string{"a", "b"},
		prepare: both(sized(10, "a", "b"), turnsAway(&wire.Error{Code: wire.CodeTooMany, Text: "too many uploads of this address"})),
		set: func(u *uploader.Uploader) {
			u.Retrier = client.Retrier{Limit: time.Minute, Max: 1234, Capped: true, Always: true}
		}},
	{about: "a program of the course", args: []string{"a", "d"}, prepare: both(sized(1000, "a", "d/b", "d/c"), answersOK), set: func(u *uploader.Uploader) { u.Lab = wire.Lab6 }},
	{about: "a blob", blobs: 1},
	{about: "blobs", blobs: 3},
	{about: "blobs that are refused", blobs: 3, prepare: turnsAway(fileTooLarge)},
}

// A steadyScreen shows something else in place of what differs from run to run.
type steadyScreen struct{ *terminaltest.Screen }

var (
	randomName = regexp.MustCompile(`[A-Za-z0-9]{8}\.bin(.*crc64nvme:)[0-9a-f]{16}`)
	withJitter = regexp.MustCompile(`, \d+m\d*s?, \d B/s`)
)

func (s steadyScreen) Write(p []byte) (int, error) {
	p = randomName.ReplaceAll(p, []byte("RANDOM12.bin${1}0123456789abcdef"))
	return s.Screen.Write(withJitter.ReplaceAll(p, []byte(", 3m4s, 1 B/s")))
}

// writer hides what else a writer is.
type writer struct{ io.Writer }

// answersOK is what a server of the course does.
func answersOK(_ *testing.T, m *machine) {
	m.accepted = func(c net.Conn) {
		c.Read(make([]byte, 100)) // the name
		c.Write([]byte("OK"))
		time.AfterFunc(30*time.Millisecond, func() { c.Close() }) // when all has come
		io.Copy(io.Discard, c)
	}
}

func down(_ *testing.T, m *machine) { m.crash() }

// downAt takes a machine down, for some time, when it is to keep a file.
func downAt(file string, pause time.Duration) func(*testing.T, *machine) {
	return func(_ *testing.T, m *machine) {
		m.store = &standstill{Store: m.store, from: file, then: func() {
			time.Sleep(time.Second) // until all before it are told
			m.crash()
			time.Sleep(pause)
			m.up()
		}}
		m.server.Store = m.store
	}
}

// A standstill is a store that keeps no file from a name on, until something is done.
type standstill struct {
	wire.Store
	from string
	then func()

	begun, done atomic.Bool
}

func (s *standstill) Create(ctx context.Context, a wire.Announcement) (wire.Upload, error) {
	u, err := s.Store.Create(ctx, a)
	return standing{u, a.Name, s}, err
}

type standing struct {
	wire.Upload
	name string
	*standstill
}

func (s standing) Commit(ctx context.Context, want wire.Sum) (wire.Saved, error) {
	if s.name >= s.from && !s.done.Load() {
		if s.begun.CompareAndSwap(false, true) {
			go func() {
				s.then()
				s.done.Store(true)
			}()
		}
		time.Sleep(10 * time.Second)
		return wire.Saved{}, errors.New("no power")
	}
	return s.Upload.Commit(ctx, want)
}

// TestScreens holds what a person sees of uploads, on terminals of 80 and of 40
// columns: results, notes, errors and totals.
func TestScreens(t *testing.T) {
	needLinux(t)
	for _, width := range []int{80, 40} {
		var got strings.Builder
		for _, s := range scenes {
			fmt.Fprintf(&got, "# %s\n\n%s\n", s.about, s.play(t, width))
		}
		terminaltest.Golden(t, filepath.Join("testdata", "screens", fmt.Sprintf("upload-%d.golden", width)), got.String())
	}
}

func (s scene) play(t *testing.T, width int) (seen string) {
	t.Run(s.about, func(t *testing.T) {
		t.Chdir(t.TempDir())
		synctest.Test(t, func(t *testing.T) {
			store := storagetest.NewMemory()
			m := &machine{store: keeper{store}}
			store.Fault = func(step string) error {
				switch step {
				case storagetest.Create:
					return m.refusal
				case storagetest.Sync:
					time.Sleep(30 * time.Millisecond) // as a disk takes
				}
				return nil
			}
			m.up()
			if s.prepare != nil {
				s.prepare(t, m)
			}
			screen := terminaltest.NewScreen(width)
			con := terminal.New(os.Stdin, steadyScreen{screen}, steadyScreen{screen})
			screen.Write([]byte("$ labnet " + s.command() + "\n"))
			u, _, _ := retrying(m, defaults)
			u.Con = con
			if s.set != nil {
				s.set(u)
			}
			send := func() error { return u.Upload(t.Context(), s.args) }
			if s.blobs > 0 {
				send = func() error { return (&blobber{con, u.Session, u.Retrier, 1000}).sendAll(t.Context(), s.blobs) }
			}
			code := con.End(send())
			u.Close()
			time.Sleep(2 * time.Hour) // until it is up again
			if m.isUp() {
				m.crash()
			}
			m.serving.Wait()
			seen = fmt.Sprintf("%s\nexit %d\n", strings.Join(screen.Lines(), "\n"), code)
		})
	})
	return seen
}
