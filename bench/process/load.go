package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A Load is how much the machine had worked for others up to a moment: for
// processes that are neither this one, nor below it, nor the kernel's, and for
// other machines on the same hardware.
type Load struct {
	at   time.Time
	used time.Duration
}

// Others measures the load now.
func Others() Load {
	all, self := table(), os.Getpid()
	now := Load{at: time.Now(), used: stolen()}
	for pid, e := range all {
		if !e.kernel && !below(all, pid, self) {
			now.used += e.cpu
		}
	}
	return now
}

// Since returns the load since another was measured, in processors kept busy.
// One that ends without being waited for may make it too small.
func (l Load) Since(before Load) float64 {
	if !l.at.After(before.at) {
		return 0
	}
	return max(0, float64(l.used-before.used)/float64(l.at.Sub(before.at)))
}

// stolen is the time that the hypervisor gave to others.
func stolen() time.Duration {
	stat, _ := os.ReadFile("/proc/stat")
	fields := strings.Fields(string(stat)) // cpu user nice system idle iowait irq softirq steal …
	if len(fields) < 9 {
		return 0
	}
	ticks, _ := strconv.Atoi(fields[8])
	return time.Duration(ticks) * tick
}

// Listening reports whether a TCP port is listened to where the line runs. Unlike connecting, it
// leaves a server that takes only one connection alone.
func (l *Line) Listening(port int) bool {
	const listen = "0A" // TCP_LISTEN
	local := fmt.Sprintf(":%04X", port)
	for _, name := range []string{"tcp", "tcp6"} {
		sockets, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", l.pid, name))
		for line := range strings.Lines(string(sockets)) {
			fields := strings.Fields(line)
			if len(fields) > 3 && strings.HasSuffix(fields[1], local) && fields[3] == listen {
				return true
			}
		}
	}
	return false
}
