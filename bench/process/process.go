// Package process starts shell lines so that what they used can be told
// exactly, and looks at what else runs on the machine. It needs Linux.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Usage is what a process used, with all the processes that it started and
// waited for.
type Usage struct {
	CPU  time.Duration // user and system
	Peak int64         // bytes that the largest of them ever had resident
}

// A Line is a shell line that runs.
type Line struct {
	pid, group int
	began      time.Time
	done       chan struct{} // closed when the line has ended and what follows is set
	ended      time.Time
	usage      Usage
	err        error
}

// Adopt makes this process the parent of all orphans below it. Start needs it.
func Adopt() error {
	const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER of prctl(2)
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		return fmt.Errorf("become the parent of orphans: %w", errno)
	}
	return nil
}

// starter runs its argument in a process that it then orphans. A child of this
// program itself would not do: between fork and exec it shares our memory, and
// the kernel then counts our size in its peak. The process waits at a gate, the
// end of input 4, or it could end while the starter is there to reap it.
const starter = `{ read -r _ <&4; exec 4<&-; eval "$1"; } <&0 3>&- & echo $! >&3`

// Start runs a line in the shell. Its output goes to output, its input is
// empty.
func Start(line string, env []string, output *os.File) (*Line, error) {
	told, tell, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer told.Close()
	gate, open, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	defer open.Close()
	command := exec.Command("sh", "-c", starter, "sh", line)
	command.Env = env
	command.Stdout, command.Stderr = output, output
	command.ExtraFiles = []*os.File{tell, gate}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = command.Run()
	tell.Close()
	if err != nil {
		return nil, fmt.Errorf("start %q: %w", line, err)
	}
	l := &Line{group: command.Process.Pid, done: make(chan struct{})}
	if _, err := fmt.Fscan(told, &l.pid); err != nil {
		return nil, fmt.Errorf("start %q: no process: %w", line, err)
	}
	l.began = time.Now()
	open.Close()
	go l.reap()
	return l, nil
}

// reap waits for the line itself.
func (l *Line) reap() {
	defer close(l.done)
	status, err := l.wait(l.pid)
	l.ended = time.Now()
	switch {
	case err != nil:
		l.err = fmt.Errorf("wait: %w", err)
	case status.Signaled():
		l.err = fmt.Errorf("ended by signal: %v", status.Signal())
	case status.ExitStatus() != 0:
		l.err = fmt.Errorf("exit code %d", status.ExitStatus())
	}
}

// wait waits for a process, or one of a group, and adds up what it used.
func (l *Line) wait(pid int) (syscall.WaitStatus, error) {
	var status syscall.WaitStatus
	var used syscall.Rusage
	for {
		_, err := syscall.Wait4(pid, &status, 0, &used)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err == nil {
			l.usage.CPU += time.Duration(used.Utime.Nano() + used.Stime.Nano())
			l.usage.Peak = max(l.usage.Peak, used.Maxrss<<10)
		}
		return status, err
	}
}

// Wait waits for the line to end, and returns why it failed if it did. When ctx
// ends before, it kills the line.
func (l *Line) Wait(ctx context.Context) error {
	select {
	case <-l.done:
		return l.err
	case <-ctx.Done():
		l.Stop(0)
		return context.Cause(ctx)
	}
}

// Ended reports whether the line has ended by itself.
func (l *Line) Ended() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// Stop asks the line to end, and after patience kills what is left. It returns
// when nothing is.
func (l *Line) Stop(patience time.Duration) {
	if patience > 0 {
		syscall.Kill(-l.group, syscall.SIGTERM)
		select {
		case <-l.done:
		case <-time.After(patience):
		}
	}
	syscall.Kill(-l.group, syscall.SIGKILL)
	<-l.done
	for { // orphans of the line that did not leave its group
		if _, err := l.wait(-l.group); err != nil {
			return
		}
	}
}

// BeganAt tells when the line was let run.
func (l *Line) BeganAt() time.Time { return l.began }

// EndedAt tells when the line ended, and waits for it.
func (l *Line) EndedAt() time.Time {
	<-l.done
	return l.ended
}

// Took tells for how long the line ran. It must have ended.
func (l *Line) Took() time.Duration {
	<-l.done
	return l.ended.Sub(l.began)
}

// Usage tells what the line used. It must have ended.
func (l *Line) Usage() Usage {
	<-l.done
	return l.usage
}
