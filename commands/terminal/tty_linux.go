package terminal

import (
	"bytes"
	"os"
)

// A TTY tells whether this process has a controlling terminal. It holds open
// what the kernel says of the process, which can be read in a sandbox too, but not
// the terminal itself: whatever waits for the end of that would wait for ever.
type TTY struct{ stat *os.File }

func OpenTTY() TTY {
	stat, _ := os.Open("/proc/self/stat")
	return TTY{stat}
}

// Attached reports whether the process has one. Where /proc is not mounted, it does
// not.
func (t TTY) Attached() bool {
	var b [1024]byte
	n, _ := t.stat.ReadAt(b[:], 0)
	name := bytes.LastIndexByte(b[:n], ')') // which may hold anything
	fields := bytes.Fields(b[name+1 : n])   // state, ppid, pgrp, session, tty_nr: proc_pid_stat(5)
	return len(fields) > 4 && string(fields[4]) != "0"
}
