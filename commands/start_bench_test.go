package commands_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/labnet/labnet/commands"
)

// BenchmarkStart runs one process after the other, as a shell loop does. The
// least that any of them needs is what version needs; cpu-ns/op is the
// client's alone, and steadier than the time.
func BenchmarkStart(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "labnet.exe")
	build := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-tags", "urfave_cli_no_docs", "-o", binary, "github.com/labnet/labnet")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as the justfile
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	addr := serveHere(b)
	file := filepath.Join(b.TempDir(), "file")
	if err := os.WriteFile(file, make([]byte, 4096), 0o644); err != nil {
		b.Fatal(err)
	}
	name := 0
	for _, bench := range []struct {
		name string
		args func() []string
	}{
		{"version", func() []string { return []string{"version"} }},
		{"say", func() []string { return []string{"say", "-a", addr, "hello"} }},
		{"upload", func() []string {
			name++ // the same again would be unchanged, and cost no write
			return []string{"upload", "-a", addr, "--name", strconv.Itoa(name), file}
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			var cpu time.Duration
			for b.Loop() {
				cmd := exec.CommandContext(b.Context(), binary, bench.args()...)
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
				cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			}
			b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

// serveHere runs a server in this process until the benchmark ends, and
// returns its address.
func serveHere(b *testing.B) string {
	dir := b.TempDir()
	addrFile := filepath.Join(dir, "addr")
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan int, 1)
	go func() {
		stopped <- commands.Main(ctx, []string{"labnet", "serve", "-l", "127.0.0.1:0",
			"--addr-file", addrFile, "--store", filepath.Join(dir, "store"), "--log-level", "error", "--no-sandbox"})
	}()
	b.Cleanup(func() {
		stop()
		<-stopped
	})
	for {
		if addr, err := os.ReadFile(addrFile); err == nil {
			return string(addr[:len(addr)-1])
		}
		select {
		case code := <-stopped:
			stopped <- code
			b.Fatalf("the server ended with %d", code)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
