package check

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// adoptOrphans makes this process the parent of what the program leaves behind, also
// in groups of its own.
func adoptOrphans() { unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// killOrphans ends all children of this process, which has none but the program, and
// theirs, which become its own.
func killOrphans() {
	for range 1000 {
		children := childrenOf(os.Getpid())
		if len(children) == 0 {
			return
		}
		for _, pid := range children {
			syscall.Kill(pid, syscall.SIGKILL)
			syscall.Wait4(pid, nil, 0, nil)
		}
	}
}

func childrenOf(pid int) (list []int) {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, task := range tasks {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		for _, field := range strings.Fields(string(b)) {
			if child, err := strconv.Atoi(field); err == nil {
				list = append(list, child)
			}
		}
	}
	return list
}

// busy returns how many processors the program uses over a time.
func busy(p *process, over time.Duration) float64 {
	before := processorTime(p.cmd.Process.Pid)
	time.Sleep(over)
	const ticks = 100 // per second, for programs on every Linux: see proc(5)
	return float64(processorTime(p.cmd.Process.Pid)-before) / ticks / over.Seconds()
}

// processorTime returns the ticks that a process and its children used.
func processorTime(pid int) (ticks int) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	if i := bytes.LastIndexByte(b, ')'); i >= 0 {
		if fields := strings.Fields(string(b[i+1:])); len(fields) > 12 {
			user, _ := strconv.Atoi(fields[11])
			system, _ := strconv.Atoi(fields[12])
			ticks = user + system
		}
	}
	for _, child := range childrenOf(pid) {
		ticks += processorTime(child)
	}
	return ticks
}
