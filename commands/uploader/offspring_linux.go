package uploader

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// adoptOrphans makes this process the parent of what its children leave behind.
func adoptOrphans() { unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// offspring are all processes below one.
func offspring(pid int) (all []*os.Process) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		children, _ := os.ReadFile(list)
		for _, field := range strings.Fields(string(children)) {
			if child, err := strconv.Atoi(field); err == nil {
				if p, err := os.FindProcess(child); err == nil { // by pidfd: it can be no other
					all = append(all, p)
				}
				all = append(all, offspring(child)...)
			}
		}
	}
	return all
}
