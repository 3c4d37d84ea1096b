package commands_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/labnet/labnet/wire"
)

// powercuts is small so that all tests stay quick. For 300 cuts, 150 of each
// filesystem:
//
//	go test ./commands/ -run TestPowerCut -v -powercuts 150
var powercuts = flag.Int("powercuts", 25, "how often TestPowerCut cuts each filesystem off")

// TestPowerCut cuts the filesystem of a store off while files arrive, again and
// again, and mounts it again: every file that a client was told is saved must be
// there under the name that it was told, and no other file may be torn.
//
// Some are sent again, or were put there by another program: called unchanged, they
// must be as safe.
//
// It fails when the server leaves out the fsync of the file or that of the
// folder. Without the folder's few names are lost, because on ext4 and XFS any
// fsync soon after makes them durable, too: so the cut comes at the very moment
// of an acknowledgement. For the same reason nothing is lost here without the
// fsyncs of the folders above: tests of package storage watch the calls.
func TestPowerCut(t *testing.T) {
	for _, filesystem := range []string{"ext4", "xfs"} {
		t.Run(filesystem, func(t *testing.T) {
			disk := newDisk(t, filesystem)
			cuts := *powercuts
			if testing.Short() {
				cuts = min(cuts, 5)
			}
			acknowledged, unchanged, lost, found, torn := 0, int64(0), 0, 0, 0
			for i := range cuts {
				c := &powerCut{disk: disk, number: i, random: rand.New(rand.NewPCG(4, uint64(i)))}
				t.Run(fmt.Sprint(i), c.run)
				if !c.checked {
					t.FailNow() // there is nothing to continue with
				}
				acknowledged += len(c.acknowledged)
				unchanged += c.unchanged.Load()
				found += c.found
				lost += c.lost
				torn += c.torn
			}
			t.Logf("%d cuts: %d files acknowledged, %d times unchanged, %d of them lost; %d visible, %d of them torn",
				cuts, acknowledged, unchanged, lost, found, torn)
		})
	}
}

// A disk is a filesystem in a file, which can be cut off from it.
type disk struct {
	filesystem string
	image      string
	dir        string // where it is mounted
}

// newDisk makes a disk, or skips the test where that cannot be done.
func newDisk(t *testing.T, filesystem string) *disk {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting a filesystem needs root")
	}
	mkfs, err := exec.LookPath("mkfs." + filesystem)
	if err != nil {
		t.Skip("cannot make a filesystem: ", err)
	}
	d := &disk{filesystem, filepath.Join(t.TempDir(), "image"), t.TempDir()}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, 320<<20); err != nil { // XFS wants 300 MiB at least
		t.Fatal(err)
	}
	if out, err := exec.Command(mkfs, "-q", d.image).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", mkfs, err, out)
	}
	if err := d.mount(); err != nil {
		t.Skip("cannot mount a file: ", err) // in most containers
	}
	t.Cleanup(func() { // whatever happened between
		syscall.Unmount(d.dir, syscall.MNT_DETACH)
	})
	if err := d.cutOff(); errors.Is(err, syscall.ENOTTY) || errors.Is(err, syscall.EOPNOTSUPP) {
		t.Skipf("this kernel's %s cannot be shut down: %v", filesystem, err)
	} else if err != nil {
		t.Fatal(err)
	}
	d.recover(t)
	return d
}

// mount mounts the disk by a loop device, which goes away with the mount.
func (d *disk) mount() error {
	out, err := exec.Command("mount", "-t", d.filesystem, "-o", "loop", d.image, d.dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mount: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// recover does what happens when the power comes back. Nobody may use the disk.
func (d *disk) recover(t *testing.T) {
	t.Helper()
	if err := syscall.Unmount(d.dir, 0); err != nil {
		t.Fatal("unmount: ", err)
	}
	if err := d.mount(); err != nil {
		t.Fatal(err)
	}
}

const (
	// shutdownRequest is _IOR('X', 125, __u32). ext4 calls it
	// EXT4_IOC_SHUTDOWN, and XFS XFS_IOC_GOINGDOWN.
	shutdownRequest = 2<<30 | 4<<16 | 'X'<<8 | 125
	// withoutLog loses what is in memory, the journal's too.
	withoutLog = 2
)

// cutOff ends all writing to the disk at once.
func (d *disk) cutOff() error {
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.IoctlSetPointerInt(int(f.Fd()), shutdownRequest, withoutLog)
}

// A powerCut is one life of a server: from its start to the cut, and what is
// found afterwards.
type powerCut struct {
	disk   *disk
	number int
	random *rand.Rand
	ending

	sent      sync.Map     // by SHA-256: what is not signed
	unchanged atomic.Int64 // of what was acknowledged

	checked           bool
	found, lost, torn int // files; found has all visible ones
}

func (c *powerCut) run(t *testing.T) {
	first, clients := 0, 12
	c.at, c.end = 1+c.random.IntN(150), c.disk.cutOff
	if c.number%2 == 1 { // what is called unchanged is rarely the last to be acknowledged
		c.at, c.counts = 1+c.random.IntN(8), isOthers
	}
	if c.number%4 == 3 { // one client alone, for which there are no rounds
		first, clients = 2, 3
	}

	server, addr := launchServe(t, c.disk.dir, "--log-level", "warn")
	var uploading sync.WaitGroup
	for client := first; client < clients; client++ {
		random := rand.New(rand.NewPCG(c.random.Uint64(), 0))
		uploading.Go(func() {
			switch client % 3 {
			case 0:
				c.upload(t, addr, client/3, random)
			case 1:
				c.uploadByHTTP(t, addr, client/3, random)
			case 2:
				c.uploadAgain(t, addr, client/3, random)
			}
		})
	}
	uploading.Wait() // until the cut
	server.kill()
	server.wait()
	if !t.Failed() {
		c.disk.recover(t)
		c.check(t)
		c.checked = true
	}
}

// upload uploads files as a client of its own until the cut. Half of these clients
// wait for each answer, and the others have up to 64 files under way.
func (c *powerCut) upload(t *testing.T, addr string, client int, random *rand.Rand) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	talk := wire.NewClient(conn, patience)
	defer talk.Close()
	type flight struct {
		*wire.Transfer
		contents []byte
	}
	ahead := 1
	if client%2 == 1 {
		ahead <<= random.IntN(7)
	}
	step := func(n int, announced, sent []flight) (_, _ []flight, err error) {
		f := flight{contents: signed(random)}
		f.Transfer, err = talk.Announce(t.Context(), wire.Announcement{Name: c.name(client, n), Size: int64(len(f.contents))})
		if err != nil {
			return nil, nil, err
		}
		if announced = append(announced, f); len(announced) < ahead {
			return announced, sent, nil
		}
		f, announced = announced[0], announced[1:]
		if err := f.Send(t.Context(), bytes.NewReader(f.contents)); err != nil {
			return nil, nil, err
		}
		if sent = append(sent, f); len(sent) < ahead {
			return announced, sent, nil
		}
		talk.Flush(t.Context()) // a failure shows again at the answer
		f, sent = sent[0], sent[1:]
		saved, err := f.Saved(t.Context())
		if err == nil {
			c.keep(t, saved.Name, sha256.Sum256(f.contents))
		}
		return announced, sent, err
	}
	var announced, sent []flight
	for n := 0; err == nil && !c.isOver(); n++ {
		announced, sent, err = step(n, announced, sent)
	}
	if err != nil && !c.isOver() {
		t.Errorf("before the cut: %v", err)
	}
}

// uploadByHTTP is upload by PUT or, half of the clients, tus.
func (c *powerCut) uploadByHTTP(t *testing.T, addr string, client int, random *rand.Rand) {
	sender := newWebSender(addr)
	defer sender.close()
	for n := 0; !c.isOver(); n++ {
		name, contents := c.name(client, n), signed(random)
		var err error
		if client%2 == 0 {
			name, err = sender.put(t.Context(), name, contents)
		} else {
			name, err = sender.tus(t.Context(), name, &tusUpload{contents: contents}, 1+random.IntN(3))
		}
		if err == nil {
			c.keep(t, name, sha256.Sum256(contents))
		} else if !c.isOver() {
			t.Errorf("before the cut: %v", err)
			return
		}
	}
}

// name is that of a client's n-th file.
func (c *powerCut) name(client, n int) string {
	name := fmt.Sprintf("%d-%d-%d", c.number, client, n)
	switch n % 4 {
	case 1:
		name += "/in a/new folder"
	case 2:
		name = fmt.Sprintf("%d/of one folder/%s", c.number, name)
	case 3:
		name = fmt.Sprintf("%d of one name", c.number) // SAVED tells another
	}
	return name
}

// check compares what is found with what clients were told, and removes it.
func (c *powerCut) check(t *testing.T) {
	t.Helper()
	found := map[string][sha256.Size]byte{}
	if err := visibleFiles(c.disk.dir, func(name string, contents []byte) {
		found[name] = sha256.Sum256(contents)
		if !c.isWhole(name, contents) {
			c.torn++
			t.Errorf("torn: %q, %d bytes", name, len(contents))
		}
	}); err != nil {
		t.Fatal(err)
	}
	c.found = len(found)
	for name, sum := range c.acknowledged {
		if got, ok := found[name]; got != sum {
			c.lost++
			t.Errorf("lost: %q was acknowledged; there: %t", name, ok)
		}
	}
	for name := range found {
		top, _, _ := strings.Cut(name, "/")
		if err := os.RemoveAll(filepath.Join(c.disk.dir, top)); err != nil {
			t.Fatal(err)
		}
	}
}
