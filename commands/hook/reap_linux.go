package hook

import (
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reapRetry is how soon the reaper looks again while a command that has ended still
// waits for its own parent, which is another goroutine.
const reapRetry = 10 * time.Millisecond

// A reaper waits for processes that nobody waits for, if this process is the first
// of a container: those that commands leave behind become its children. It leaves
// alone what it started itself, whose status is somebody else's. Its nil value does
// nothing.
type reaper struct {
	mu   sync.Mutex
	own  map[int]bool // the commands that were started and not waited for
	stop chan struct{}
	done sync.WaitGroup
}

func startReaper() *reaper {
	if os.Getpid() != 1 {
		return nil
	}
	r := &reaper{own: map[int]bool{}, stop: make(chan struct{})}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	r.done.Go(func() {
		defer signal.Stop(ended)
		for {
			select {
			case <-ended:
			case <-r.stop:
				return
			}
			for r.reap() {
				time.Sleep(reapRetry)
			}
		}
	})
	return r
}

// run is cmd.Run.
func (r *reaper) run(cmd *exec.Cmd) error {
	if r == nil {
		return cmd.Run()
	}
	r.mu.Lock() // nobody may wait for a child whose number is not known yet
	err := cmd.Start()
	if err == nil {
		r.own[cmd.Process.Pid] = true
	}
	r.mu.Unlock()
	if err != nil {
		return err
	}
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.own, cmd.Process.Pid)
	}()
	return cmd.Wait()
}

// reap waits for all that have ended up to the first of its own, and reports whether
// there is one.
func (r *reaper) reap() (again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		child := endedChild()
		switch {
		case child == 0:
			return false
		case r.own[child]:
			return true
		}
		syscall.Wait4(child, nil, syscall.WNOHANG, nil)
	}
}

// endedChild returns the number of a child that has ended, or 0, and leaves it as it
// is.
func endedChild() int {
	var info unix.Siginfo
	if unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) != nil {
		return 0
	}
	// Behind three ints there is a union, of which the number is the first field: see
	// sigaction(2).
	union := (unsafe.Sizeof(int32(0))*3 + unsafe.Sizeof(uintptr(0)) - 1) &^ (unsafe.Sizeof(uintptr(0)) - 1)
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), union)))
}

// close ends the reaper.
func (r *reaper) close() {
	if r != nil {
		close(r.stop)
		r.done.Wait()
	}
}
