package commands

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/labnet/labnet/commands/hook"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/wire"
)

// A writerFunc is a standard output.
type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }

// TestReceiptsLost: a sender whose receipt cannot be written is not told that all
// is well, though its file is safe; it gets one from the next server.
func TestReceiptsLost(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(t.TempDir(), "report.pdf")
	must(t, os.WriteFile(file, []byte("a report"), 0o666))
	var out bytes.Buffer
	var full atomic.Bool
	full.Store(true)
	for _, want := range []int{problem.ExitServer, 0} {
		d, err := dir.Open(folder, dir.Options{})
		must(t, err)
		con := &terminal.Console{JSON: true, Out: writerFunc(func(p []byte) (int, error) {
			if full.Swap(false) {
				return 0, errors.New("full")
			}
			return out.Write(p)
		})}
		srv := &wire.Server{Store: keeper{d}}
		written := hook.Tell(con, srv, nil)
		l := silent(t)
		served := make(chan error, 1)
		go func() { served <- srv.Serve(l) }()
		client := &terminal.Console{In: os.Stdin, Out: io.Discard, Err: io.Discard}
		if got := run(t.Context(), client, []string{"labnet", "upload", "-a", l.Addr().String(), "--retries", "0", file}); got != want {
			t.Errorf("exit %d, want %d", got, want)
		}
		if want == 0 {
			srv.Close()
		}
		<-served
		if err := written.Close(); (err != nil) != (want != 0) {
			t.Errorf("receipts: %v", err)
		}
		d.Close()
	}
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"unchanged":true`) {
		t.Errorf("receipts: %s", got)
	}
}
