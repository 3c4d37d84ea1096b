//go:build unix

package uploader

import (
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/labnet/labnet/commands/interrupt"
)

// ownSignal is how long it may take a command to die of a signal that it got itself.
const ownSignal = 250 * time.Millisecond

// A processTree is a command with the processes that it starts. Where there is a
// terminal they stay in its foreground, so that they can ask for a password there
// and Ctrl-C reaches them; elsewhere they are a process group.
type processTree struct {
	cmd *exec.Cmd
	own bool // group
}

func (t *processTree) prepare(cmd *exec.Cmd) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err == nil {
		tty.Close()
		adoptOrphans()
		return
	}
	t.own = true
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func (t *processTree) begin(cmd *exec.Cmd) { t.cmd = cmd }

// end ends it: gently, and after a while by force. It closes its output, and returns
// once the command has exited.
func (t *processTree) end(exited <-chan struct{}, closeOutput func()) {
	closeOutput()
	if !t.own {
		select { // of the signal that the terminal has sent to it as well
		case <-exited:
		case <-time.After(ownSignal):
		}
	}
	t.signal(syscall.SIGTERM)
	select {
	case <-exited:
	case <-time.After(interrupt.ProducerGrace):
	}
	t.kill()
	<-exited
}

func (t *processTree) kill() { t.signal(syscall.SIGKILL) }

func (t *processTree) signal(s syscall.Signal) {
	if t.own {
		syscall.Kill(-t.cmd.Process.Pid, s)
		return
	}
	t.cmd.Process.Signal(s)
	for _, p := range offspring(os.Getpid()) {
		if p.Pid != t.cmd.Process.Pid {
			p.Signal(s)
		}
		p.Release()
	}
}
