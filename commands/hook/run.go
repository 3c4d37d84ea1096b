package hook

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/commands/terminal"
)

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
		logger.Info().Float64("seconds", terminal.Seconds(took)).Msg("command done")
	case errors.Is(err, exec.ErrWaitDelay):
		logger.Warn().Float64("seconds", terminal.Seconds(took)).Msg("command done, but a process that it left behind holds its output")
	default:
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
