// Package hook passes receipts on: to standard output, and to a command for each.
package hook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mattn/go-shellwords"
	"github.com/rs/zerolog"

	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/terminal"
)

const (
	DefaultJobs    = 2         // commands at a time
	DefaultTimeout = time.Hour // of one
	// maxExecWaiting is how many bytes of receipts may wait for their command:
	// those of some hundred thousand files. Of what comes then none is run.
	maxExecWaiting = 32 << 20
)

// Ops are the kinds of receipts.
var Ops = []string{"ping", "say", "blob", "upload", "folder"}

// Options are the flags of serve that are about a command for each receipt.
type Options struct {
	Argv    []string // none: no command
	On      []string // the kinds of receipts that it is run for
	Jobs    int
	Timeout time.Duration
}

// SplitCommand splits a command into words, as a shell does that knows nothing
// but quotes. What only a shell could do is refused, lest somebody relies on it.
func SplitCommand(command string) ([]string, error) {
	const hint = `to use a shell, write --exec 'sh -c "…"'`
	parser := shellwords.NewParser()
	argv, err := parser.Parse(command)
	switch {
	case err != nil:
		return nil, problem.UsageHint(errors.New("--exec: a quote or bracket is not closed, or not within quotes"), hint)
	case parser.Position >= 0:
		return nil, problem.UsageHint(errors.New("--exec: no shell runs it, so ; & | < > have no meaning"), hint)
	case len(argv) == 0:
		return nil, problem.Usage("--exec: no command given")
	}
	for _, word := range argv {
		if strings.HasPrefix(word, "$LABNET_") || strings.HasPrefix(word, "${LABNET_") {
			return nil, problem.UsageHint(errors.New("--exec: no shell runs it, so "+word+" is not expanded"), hint)
		}
	}
	if _, err := exec.LookPath(argv[0]); err != nil {
		var why *exec.Error
		if errors.As(err, &why) {
			err = why.Err
		}
		return nil, problem.UsageHint(problem.Item("--exec: "+argv[0], err), "give the path of a program, or its name if it is in PATH")
	}
	return argv, nil
}

// An Executor runs a command for each receipt. Neither the receipts' senders nor
// the server ever wait for it. Its nil value runs nothing.
type Executor struct {
	Options
	log     zerolog.Logger
	grace   time.Duration   // see execGrace
	ctx     context.Context // ends the commands that run
	endAll  context.CancelFunc
	workers sync.WaitGroup
	reaper  *reaper

	done, failed, dropped atomic.Int64 // commands, see Counts

	mu       sync.Mutex
	changed  sync.Cond
	waiting  [][]byte // receipts, as lines of JSON, oldest first
	size     int      // of them, in bytes
	stopping bool
}

// Start returns an executor whose owner must call Finish.
func Start(o Options, log zerolog.Logger) *Executor {
	if len(o.Argv) == 0 {
		return nil
	}
	e := &Executor{Options: o, log: log, grace: execGrace, reaper: startReaper()}
	e.changed.L = &e.mu
	e.ctx, e.endAll = context.WithCancel(context.Background())
	for range o.Jobs {
		e.workers.Go(func() {
			for line := e.next(); line != nil; line = e.next() {
				e.run(line)
			}
		})
	}
	return e
}

// add has the command run for a receipt, and does not wait.
func (e *Executor) add(op string, line []byte) {
	if e == nil || !slices.Contains(e.On, op) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.stopping:
		e.notRun(line, "the server stops")
	case e.size+len(line) > maxExecWaiting:
		e.notRun(line, "too many wait")
	default:
		e.waiting = append(e.waiting, line)
		e.size += len(line)
		e.changed.Signal()
	}
}

// next waits for a receipt. It returns nil once the executor stops.
func (e *Executor) next() []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.waiting) == 0 && !e.stopping {
		e.changed.Wait()
	}
	if e.stopping {
		return nil
	}
	line := e.waiting[0]
	e.waiting[0] = nil
	e.waiting = e.waiting[1:]
	e.size -= len(line)
	return line
}

// Stop lets no more commands begin.
func (e *Executor) Stop() {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopping = true
	for _, line := range e.waiting {
		e.notRun(line, "the server stops")
	}
	e.waiting = nil
	e.changed.Broadcast()
}

// Finish stops, waits for the commands that run until ctx ends, and then ends
// them.
func (e *Executor) Finish(ctx context.Context) {
	if e == nil {
		return
	}
	e.Stop()
	defer e.reaper.close()
	defer e.workers.Wait()
	defer context.AfterFunc(ctx, e.endAll)()
	e.workers.Wait()
}

// notRun logs all there is to know of a receipt, so that its command can still
// be run by other means.
func (e *Executor) notRun(line []byte, why string) {
	e.dropped.Add(1)
	e.log.Error().Str("why", why).RawJSON("receipt", bytes.TrimSpace(line)).Msg("command not run")
}

// Counts are how many commands are done, have failed and were not run, and how many wait.
type Counts struct{ Done, Failed, Dropped, Waiting int64 }

// Counts returns them.
func (e *Executor) Counts() Counts {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Counts{e.done.Load(), e.failed.Load(), e.dropped.Load(), int64(len(e.waiting))}
}

// receiptIn reads a line that encode made of a receipt.
func receiptIn(line []byte) (o terminal.Object) {
	if err := json.Unmarshal(line, &o); err != nil {
		panic(err) // it is this package's own
	}
	if o.PathBase64 != nil {
		o.Path = string(o.PathBase64)
	}
	return o
}

const (
	// execGrace is how long a command that must end may take after it was asked
	// to, and how long processes that it leaves behind may hold its output.
	execGrace = 5 * time.Second
	// maxOutputLine is how many bytes of a line of a command's output are
	// logged, maxOutputLines how many lines.
	maxOutputLine  = 1024
	maxOutputLines = 1000
)

// run runs the command for one receipt, and logs what becomes of it.
func (e *Executor) run(line []byte) {
	o := receiptIn(line)
	log := e.log.With().Str("op", o.Op).Str("remote", o.Remote)
	if o.Name != "" {
		log = log.Str("name", o.Name)
	}
	logger := log.Logger()
	took, err := e.execute(o, line, logger)
	switch {
	case err == nil:
		e.done.Add(1)
		logger.Info().Float64("seconds", terminal.Seconds(took)).Msg("command done")
	case errors.Is(err, exec.ErrWaitDelay):
		e.done.Add(1)
		logger.Warn().Float64("seconds", terminal.Seconds(took)).Msg("command done, but a process that it left behind holds its output")
	default:
		e.failed.Add(1)
		logger.Error().Err(err).Float64("seconds", terminal.Seconds(took)).Msg("command failed")
	}
}

func (e *Executor) execute(o terminal.Object, line []byte, log zerolog.Logger) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(e.ctx, e.Timeout, errors.New("took longer than "+e.Timeout.String()))
	defer cancel()
	cmd := exec.CommandContext(ctx, e.Argv[0], e.Argv[1:]...)
	cmd.Env = append(environ(), Facts(o)...)
	cmd.Stdin = bytes.NewReader(line)
	stdout, stderr := &loggedOutput{log: log, stream: "stdout"}, &loggedOutput{log: log, stream: "stderr"}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = e.grace
	ownGroup(cmd)
	begun := time.Now()
	err := e.reaper.run(cmd)
	took := time.Since(begun)
	if ctx.Err() != nil {
		killGroup(cmd)
		if err != nil {
			err = errors.Join(context.Cause(ctx), err)
		}
	}
	stdout.end()
	stderr.end()
	return took, err
}

// environ is this process's environment without what is meant for itself, or
// could be taken for a fact.
func environ() (env []string) {
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(strings.ToUpper(variable), "LABNET_") {
			env = append(env, variable)
		}
	}
	return env
}

// Facts are the fields of a receipt as environment variables. A field that the
// receipt does not have is not set.
func Facts(o terminal.Object) (env []string) {
	set := func(name, value string) {
		if value != "" && !strings.ContainsRune(value, 0) {
			env = append(env, "LABNET_"+name+"="+value)
		}
	}
	yes := func(b bool) string {
		if b {
			return "1"
		}
		return ""
	}
	set("OP", o.Op)
	set("TIME", o.Time)
	set("REMOTE", o.Remote)
	set("LAB", yes(o.Lab))
	set("USER", o.User)
	set("NAME", o.Name)
	set("PATH", o.Path)
	set("CRC64NVME", o.CRC64NVME)
	set("SHA256", o.SHA256)
	set("BLAKE3", o.BLAKE3)
	set("UNCHANGED", yes(o.Unchanged))
	set("COMPARED", o.Compared)
	if o.Size != nil {
		set("SIZE", strconv.FormatInt(*o.Size, 10))
	}
	if o.Seconds != nil {
		set("SECONDS", strconv.FormatFloat(*o.Seconds, 'f', -1, 64))
	}
	if o.Resumed > 0 {
		set("RESUMED", strconv.FormatInt(o.Resumed, 10))
	}
	if o.Text != nil {
		set("TEXT", *o.Text)
	}
	return env
}

// A loggedOutput logs what a command writes, line by line. It may be a lot, and
// anything.
type loggedOutput struct {
	log    zerolog.Logger
	stream string
	line   []byte // begun, of which no more than maxOutputLine is kept
	begun  bool
	lines  int // logged or left out
}

func (l *loggedOutput) Write(p []byte) (int, error) {
	for part := range bytes.Lines(p) {
		text, whole := bytes.CutSuffix(part, []byte("\n"))
		l.begun = true
		l.line = append(l.line, text[:min(len(text), maxOutputLine-len(l.line))]...)
		if whole {
			l.flush()
		}
	}
	return len(p), nil
}

func (l *loggedOutput) flush() {
	if l.lines++; l.lines <= maxOutputLines {
		l.log.Info().Str(l.stream, strings.ToValidUTF8(strings.TrimSuffix(string(l.line), "\r"), "\uFFFD")).Msg("command says")
	}
	l.line, l.begun = l.line[:0], false
}

// end logs a last line that has no end, and how many were left out.
func (l *loggedOutput) end() {
	if l.begun {
		l.flush()
	}
	if more := l.lines - maxOutputLines; more > 0 {
		l.log.Warn().Str("stream", l.stream).Int("lines", more).Msg("more output of the command is left out")
	}
}
