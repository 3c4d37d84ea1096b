package process

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc, on every architecture.
const tick = 10 * time.Millisecond

// An entry is a process as /proc/PID/stat describes it.
type entry struct {
	parent, group int
	kernel        bool
	cpu           time.Duration // its own, and that of the children it waited for
}

// table lists all processes. Those that end meanwhile may be missing.
func table() map[int]entry {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	all := make(map[int]entry, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if e, err := read(pid); err == nil {
			all[pid] = e
		}
	}
	return all
}

func read(pid int) (entry, error) {
	const kernelThread = 0x00200000 // PF_KTHREAD
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return entry{}, err
	}
	// The name, in parentheses, may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 15 {
		return entry{}, fmt.Errorf("/proc/%d/stat: %q", pid, stat)
	}
	number := func(nth int) int { // as proc(5) counts
		n, _ := strconv.Atoi(fields[nth-3])
		return n
	}
	return entry{
		parent: number(4),
		group:  number(5),
		kernel: number(9)&kernelThread != 0,
		cpu:    time.Duration(number(14)+number(15)+number(16)+number(17)) * tick,
	}, nil
}

// below reports whether a process is root or descends from it.
func below(all map[int]entry, pid, root int) bool {
	for ; pid != 0; pid = all[pid].parent {
		if pid == root {
			return true
		}
	}
	return false
}

// Tree returns the processes of a line that run, and what they and those they
// waited for have used, to a hundredth of a second.
func (l *Line) Tree() (pids []int, cpu time.Duration) {
	all := table()
	for pid, e := range all {
		if below(all, pid, l.pid) {
			pids = append(pids, pid)
			cpu += e.cpu
		}
	}
	slices.Sort(pids)
	return pids, cpu
}

// Written returns how many bytes the processes of a line, and those they waited for, have
// had written to disks.
func (l *Line) Written() (bytes int64) {
	pids, _ := l.Tree()
	for _, pid := range pids {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
		for line := range strings.Lines(string(text)) {
			if key, value, _ := strings.Cut(line, ": "); key == "write_bytes" {
				n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
				bytes += n
			}
		}
	}
	return bytes
}

// Resident returns the bytes that the processes of a line have resident now,
// and the sum of the most that each ever had.
func (l *Line) Resident() (now, peak int64) {
	pids, _ := l.Tree()
	for _, pid := range pids {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(status)) {
			key, value, _ := strings.Cut(line, ":")
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			switch key {
			case "VmRSS":
				now += kib << 10
			case "VmHWM":
				peak += kib << 10
			}
		}
	}
	return now, peak
}
