package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The server under test is this program, where it need not be small.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asLabnet {
		os.Exit(labnetMain(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// abusing returns an abuse of labnet.
func abusing(t *testing.T) *abuse {
	t.Helper()
	dir := t.TempDir()
	a := &abuse{labnet: filepath.Join(dir, "labnet"), dir: dir, out: testLog{t}}
	build := exec.Command("go", "build", "-o", a.labnet, "github.com/labnet/labnet")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return a
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("%s", p)
	return len(p), nil
}

// TestAbuse does all in small. What depends on how busy the machine is has no
// bar here.
func TestAbuse(t *testing.T) {
	a := abusing(t)
	for name, do := range map[string]func(context.Context, *abuse) error{
		"drip":        dripTest{drips: 90, pings: 20, size: 1 << 20, short: true}.run,
		"descriptors": descriptorsTest{files: 160, clients: 60, ahead: 20, time: 4 * time.Second, every: 200 * time.Millisecond, lax: true}.run,
		"idle":        func(ctx context.Context, a *abuse) error { return idle(ctx, a, 1000, false, false) },
		"idle http":   func(ctx context.Context, a *abuse) error { return idle(ctx, a, 1000, false, true) },
		"cost":        costTest{time: 100 * time.Millisecond, most: time.Second}.run,
		"day": dayTest{time: 6 * time.Second, pause: 50 * time.Millisecond, every: 200 * time.Millisecond, calm: time.Minute,
			small: 10, big: 4, size: 2 << 20, rate: 4 << 20, keep: 4 << 20, out: filepath.Join(t.TempDir(), "day")}.run,
		"soak":        soakTest{time: 8 * time.Second, kills: 2 * time.Second, faults: 3 * time.Second, calm: 3 * time.Second}.run,
		"freeze":      freezeTest{clients: 300, time: time.Second, size: 64 << 10, threads: 200, rss: 150}.run,
		"freeze fuse": freezeTest{clients: 300, time: time.Second, size: 64 << 10, threads: 200, rss: 150, fuse: true}.run,
		"cgroup":      cgroupTest{clients: 50, size: 500 << 20, limit: 64, most: 48}.run,
	} {
		t.Run(name, func(t *testing.T) {
			if strings.HasPrefix(name, "freeze") {
				t.Parallel() // they wait most of the time
			}
			if name == "cgroup" {
				if g, err := newGroup(64 << 20); err != nil {
					t.Skip(err)
				} else {
					g.remove()
				}
			}
			if err := do(t.Context(), a); errors.Is(err, errNoLoop) || errors.Is(err, errNoFUSE) {
				t.Skip(err)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
