package status

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/wire"
)

// A store has what a test gives it.
type store struct {
	err  error
	left []storage.Leftover
}

func (s *store) Try() error                    { return s.err }
func (s *store) Leftovers() []storage.Leftover { return s.left }

// newBoard returns one of a server that has seen a little of everything.
func newBoard(t *testing.T) (*Board, *store) {
	b, s := New(), &store{left: []storage.Leftover{{Size: 7}, {Size: 8}}}
	t.Cleanup(b.Close)
	b.Sources = Sources{
		Version: `1 "a\b"`, Server: &wire.Server{}, Store: s, MaxPartials: 2, MaxPartialBytes: 1000,
		Room: func() (storage.Room, error) {
			return storage.Room{Bytes: 100, AllBytes: 1000, Files: 10, AllFiles: 100, Kept: 60}, nil
		},
		Users: func(context.Context) []User {
			return []User{{Name: "alice", MaxBytes: 100, MaxFiles: 10, Used: storage.Usage{Bytes: 90, Files: 1}, Counted: true}, {Name: "bob"}}
		},
		Runs: func() Runs { return Runs{Done: 1, Failed: 2, Dropped: 3, Waiting: 4} },
	}
	b.Received(wire.Event{Op: "upload", User: "alice", Name: "a", Size: new(int64(5))})
	b.Received(wire.Event{Op: "upload", User: "alice", Name: "a", Size: new(int64(5)), Unchanged: true})
	b.Received(wire.Event{Op: "say", User: "bob", Text: "hello"})
	b.Received(wire.Event{Op: "ping"})
	b.Refused(wire.Refusal{Code: wire.CodeName, Name: "<b>\u202e", Remote: "192.0.2.1:5", Err: errors.New("<script>")})
	b.Refused(wire.Refusal{Code: wire.CodeTimeout, Err: io.EOF})
	b.Ended(wire.SpokenHTTP)
	for _, took := range []time.Duration{time.Millisecond, 2 * time.Millisecond, time.Minute} {
		b.Synced(took)
	}
	return b, s
}

func metricsOf(t *testing.T, b *Board) string {
	t.Helper()
	var text bytes.Buffer
	if err := b.WriteMetrics(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func wantLines(t *testing.T, text string, want ...string) {
	t.Helper()
	lines := strings.Split(text, "\n")
	for _, line := range want {
		if !slices.Contains(lines, line) {
			name, _, _ := strings.Cut(line, " ")
			i := strings.Index(text, name)
			t.Errorf("there is no line %q; there is %.100q", line, text[max(0, i):])
		}
	}
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newBoard(t)
		s.err = fmt.Errorf("%w: fsync", storage.ErrFailed)
		now := fmt.Sprintf("%g", float64(time.Now().Unix()))
		wantLines(t, metricsOf(t, b),
			`labnet_build_info{version="1 \"a\\b\""} 1`,
			`labnet_received_total{kind="upload",user="alice"} 2`,
			`labnet_received_total{kind="say",user="bob"} 1`,
			`labnet_received_total{kind="ping",user=""} 1`,
			`labnet_received_bytes_total{kind="upload",user="alice"} 5`,
			`labnet_received_bytes_total{kind="say",user="bob"} 5`,
			`labnet_unchanged_total{kind="upload",user="alice"} 1`,
			`labnet_last_received_timestamp_seconds{user="alice"} `+now,
			`labnet_refusals_total{code="bad-name"} 1`,
			`labnet_refusals_total{code="timeout"} 1`,
			`labnet_refusals_total{code="denied"} 0`,
			`labnet_connections_ended_total{kind="http"} 1`,
			`labnet_connections_ended_total{kind="lab"} 0`,
			`labnet_connections 0`,
			`labnet_uploads_in_progress 0`,
			`labnet_store_up 0`,
			`labnet_store_failed 1`,
			`labnet_partials 2`,
			`labnet_partial_bytes 15`,
			`labnet_store_free_bytes 100`,
			`labnet_store_kept_free_bytes 60`,
			`labnet_store_size_bytes 1000`,
			`labnet_store_free_inodes 10`,
			`labnet_sync_seconds_bucket{le="0.001"} 1`,
			`labnet_sync_seconds_bucket{le="0.0025"} 2`,
			`labnet_sync_seconds_bucket{le="30"} 2`,
			`labnet_sync_seconds_bucket{le="+Inf"} 3`,
			`labnet_sync_seconds_count 3`,
			`labnet_sync_seconds_sum 60.003`,
			`labnet_quota_bytes{user="alice"} 100`,
			`labnet_quota_used_bytes{user="alice"} 90`,
			`labnet_exec_runs_total{result="failed"} 2`,
			`labnet_exec_runs_total{result="dropped"} 3`,
		)
		if text := metricsOf(t, b); strings.Contains(text, `labnet_last_received_timestamp_seconds{user="bob"}`) || strings.Contains(text, `labnet_quota_bytes{user="bob"}`) {
			t.Errorf("bob has sent no file, and has no quota:\n%s", text)
		}
	})
}

// TestMetricsFormat has Prometheus's own tool read them.
func TestMetricsFormat(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool, of Debian's package prometheus, is not here")
	}
	b, _ := newBoard(t)
	cmd := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(metricsOf(t, b))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestFewUsers: however many users there are, not too many are told apart.
func TestFewUsers(t *testing.T) {
	b, _ := newBoard(t)
	for i := range 2 * maxUsers {
		b.Received(wire.Event{Op: "upload", User: fmt.Sprint("user", i), Size: new(int64(1))})
	}
	text := metricsOf(t, b)
	if n := strings.Count(text, "labnet_received_total{"); n > maxUsers+10 {
		t.Errorf("%d are told apart", n)
	}
	if !strings.Contains(text, `labnet_received_total{kind="upload",user="_other"} 1`) {
		t.Error("the others are not counted")
	}
}

// TestStandsStill: a store that does not answer holds nobody up for long, and is asked by
// one goroutine at a time.
func TestStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newBoard(t)
		b.Users = nil
		s.err = storage.ErrDegraded
		answers := make(chan bool)
		var asked atomic.Int32
		b.Room = func() (storage.Room, error) {
			asked.Add(1)
			<-answers
			return storage.Room{Bytes: 1}, nil
		}
		for range 5 {
			begun := time.Now()
			text := metricsOf(t, b)
			if took := time.Since(begun); took > time.Second {
				t.Errorf("it took %v", took)
			}
			wantLines(t, text, "labnet_store_up 0", "labnet_connections 0")
			if strings.Contains(text, "labnet_store_free_bytes") || strings.Contains(text, "labnet_partials ") {
				t.Error("it tells what nobody knows")
			}
			time.Sleep(time.Second)
		}
		if asked.Load() != 1 {
			t.Errorf("it was asked %d times", asked.Load())
		}
		close(answers)
		synctest.Wait()
		time.Sleep(time.Second)
		wantLines(t, metricsOf(t, b), "labnet_store_free_bytes 1")
	})
}

// TestRate is what has come since somebody looked before.
func TestRate(t *testing.T) {
	b := New()
	defer b.Close()
	begun := time.Unix(1000, 0)
	at := func(second, received int64) float64 {
		list := []wire.InProgress{{Remote: "r", Name: "n", Size: 100, Resumed: 10, Received: received, Started: begun}}
		return b.receiving(list, begun.Add(time.Duration(second)*time.Second))[0].Rate
	}
	for _, got := range [][2]float64{{at(2, 30), 10}, {at(3, 80), 50}, {at(5, 80), 0}} {
		if got[0] != got[1] {
			t.Errorf("%g bytes a second, want %g", got[0], got[1])
		}
	}
	b.receiving(nil, begun)
	if len(b.rates) > 0 {
		t.Error("what has ended is remembered")
	}
}

// TestPage: what others have named is shown as text.
func TestPage(t *testing.T) {
	b, s := newBoard(t)
	s.err = errors.New("it is <broken>")
	text := string(b.Page())
	for _, want := range []string{"&lt;script&gt;", `&#34;&lt;b&gt;\u202e&#34;`, "it is &lt;broken&gt;", "The quota of alice is nearly used up: 90 B of 100 B.", "Commands of --exec: 2 have failed, and 3 were not run."} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not have %s", want)
		}
	}
	for _, not := range []string{"<script>\n<", "<b>", "<broken>", "style=", "http://", "https://", "innerHTML"} {
		if strings.Contains(text, not) {
			t.Errorf("the page has %s", not)
		}
	}
	if json := string(b.Tables()); !strings.HasPrefix(json, "[{") || strings.Contains(json, "\n") {
		t.Errorf("the tables are %s", json)
	}
}

func TestLastOnes(t *testing.T) {
	var r ring[int]
	for i := range maxLast + 5 {
		r.add(i)
	}
	got := r.newest()
	if len(got) != maxLast || got[0] != maxLast+4 || got[maxLast-1] != 5 {
		t.Errorf("they are %v", got)
	}
}

// BenchmarkReceived is what watching costs for each file.
func BenchmarkReceived(b *testing.B) {
	board := New()
	defer board.Close()
	e := wire.Event{Op: "upload", User: "alice", Remote: "192.0.2.1:5", Name: "photos/cat.jpg", Size: new(int64(4096))}
	b.ReportAllocs()
	for b.Loop() {
		board.Received(e)
		board.Synced(time.Millisecond)
		board.Synced(time.Millisecond)
	}
}

// TestResume: when the last file of a user came survives a restart, for those who still
// may send, and a broken file is no obstacle.
func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := LastIn(t.TempDir())
		before, _ := newBoard(t)
		before.Received(wire.Event{Op: "upload", User: "carol", Size: new(int64)})
		came := time.Now()
		ctx, stop := context.WithCancel(t.Context())
		stop()
		before.RecordLast(ctx, file, zerolog.Nop())

		time.Sleep(time.Hour)
		b := New()
		defer b.Close()
		known := func(user string) bool { return user != "carol" }
		if err := b.Resume(file, known); err != nil {
			t.Error(err)
		}
		b.Received(wire.Event{Op: "blob", User: "dora", Size: new(int64)})
		want := map[string]time.Time{"alice": came, "dora": time.Now()}
		if got := b.lastReceived(); !maps.EqualFunc(got, want, time.Time.Equal) {
			t.Errorf("got %v, want %v", got, want)
		}
		if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := b.Resume(file, known); err == nil || len(b.lastReceived()) != 2 {
			t.Errorf("a broken file: %v, %v", err, b.lastReceived())
		}
	})
}
