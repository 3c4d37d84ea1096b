package check

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

const (
	// maxPortWait is how long a port stays in use after a program that closed its
	// connections first.
	maxPortWait = 65 * time.Second
	// maxPrinted is how much of the end of what a program prints is kept.
	maxPrinted = 64 << 10
)

// A process is the program that is checked.
type process struct {
	cmd    *exec.Cmd
	output tail
	over   chan struct{} // closed when it has ended
}

// absolute makes the arguments that name files absolute: the program runs in another
// folder, which is what its own words for folders are about.
func absolute(argv []string) []string {
	var list []string
	for _, arg := range argv {
		if info, err := os.Stat(arg); err == nil && info.Mode().IsRegular() && (len(list) > 0 || strings.ContainsRune(arg, filepath.Separator)) {
			if abs, err := filepath.Abs(arg); err == nil {
				arg = abs
			}
		}
		list = append(list, arg)
	}
	return list
}

// start starts argv in dir. Its children end with it, as far as the system allows.
func start(argv []string, dir string, stdin *os.File) (*process, error) {
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), over: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, &p.output, &p.output
	if stdin != nil {
		p.cmd.Stdin = stdin
	}
	p.cmd.Env = append(os.Environ(), "PYTHONUNBUFFERED=1", "PYTHONIOENCODING=utf-8")
	p.cmd.WaitDelay = time.Second // children may hold the output open
	ownGroup(p.cmd)
	if err := p.cmd.Start(); err != nil {
		return nil, &NamedError{argv[0], err}
	}
	go func() {
		p.cmd.Wait()
		close(p.over)
	}()
	return p, nil
}

// hasEnded reports whether the program has ended.
func (p *process) hasEnded() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}

// stop ends the program and what it started.
func (p *process) stop() {
	killGroup(p.cmd)
	<-p.over
	killOrphans()
}

// listens waits until the program accepts connections, for at most limit. It returns the
// first of addrs that does.
func (p *process) listens(ctx context.Context, addrs []string, limit time.Duration) (string, error) {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline) && ctx.Err() == nil; {
		for _, addr := range addrs {
			if conn, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
				conn.Close()
				return addr, nil
			}
		}
		select {
		case <-p.over:
			return "", fmt.Errorf("%w: the command ended%s", ErrUnreached, cmp.Or(p.output.quote(0, ": "), p.output.lastLine(": ")))
		case <-time.After(20 * time.Millisecond):
		}
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return "", fmt.Errorf("%w at %s within %v", ErrUnreached, strings.Join(addrs, " or "), limit)
}

// A tail is the end of what a program printed.
type tail struct {
	mu    sync.Mutex
	kept  []byte
	total int
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total += len(b)
	t.kept = append(t.kept, b...)
	if more := len(t.kept) - maxPrinted; more > 0 {
		t.kept = append(t.kept[:0], t.kept[more:]...)
	}
	return len(b), nil
}

// printed returns how many bytes came so far.
func (t *tail) printed() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total
}

// since returns what is kept of the bytes behind the first n.
func (t *tail) since(n int) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.kept[min(len(t.kept), max(0, n-(t.total-len(t.kept)))):])
}

var (
	tracebackFile = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?m)^ *File "([^"\n]+)", line (\d+)`)
	})
	tracebackEnd = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?m)^([A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Warning|error|timeout)(?::.*)?)\r?$`)
	})
)

// quote returns the last line of a traceback that was printed behind the first n
// bytes, with the last file and line of the program's own in it, behind prefix; or "".
func (t *tail) quote(n int, prefix string) string {
	b := t.since(n)
	ends := tracebackEnd().FindAllSubmatchIndex(b, -1)
	if len(ends) == 0 || !bytes.Contains(b, []byte("Traceback")) {
		return ""
	}
	end := ends[len(ends)-1]
	line := strings.TrimSpace(string(b[end[2]:end[3]]))
	place := ""
	if begin := bytes.LastIndex(b[:end[0]], []byte("Traceback")); begin >= 0 {
		for _, m := range tracebackFile().FindAllSubmatch(b[begin:end[0]], -1) {
			file := string(m[1])
			if place == "" || !strings.Contains(file, "/lib/python") && !strings.HasPrefix(file, "<") {
				place = fmt.Sprintf(" (%s, line %s)", filepath.Base(file), m[2])
			}
		}
	}
	return prefix + short(line) + place
}

// lastLine returns the last line that was printed, behind prefix; or "".
func (t *tail) lastLine(prefix string) string {
	lines := strings.Split(strings.TrimSpace(string(t.since(0))), "\n")
	line := strings.TrimSpace(lines[len(lines)-1])
	if line == "" {
		return ""
	}
	return prefix + short(line)
}

// short is a line as a report quotes it.
func short(line string) string {
	if len(line) > 200 {
		line = strings.ToValidUTF8(line[:200], "") + "…"
	}
	return printable(line)
}

// printable has escapes in place of control characters and of bytes that are not
// UTF-8, which could come from the program checked.
func printable(s string) string { return strings.ReplaceAll(xmlText(s), "\n", `\n`) }
