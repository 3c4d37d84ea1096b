package storage

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
)

const (
	// leaseLimit is longer than systems let a lease last once somebody wants the
	// file: 45 s by default on Linux (/proc/sys/fs/lease-break-time).
	leaseLimit = 5 * time.Minute
	// The pauses between tries grow from the first to the last.
	firstLeasePause = time.Millisecond
	lastLeasePause  = 100 * time.Millisecond
)

// OpenUnleased calls open, which opens a file with O_NONBLOCK, and waits while another
// program holds a lease on that file, as Samba does for its clients (oplocks): the
// system has the program give it up in time. Without O_NONBLOCK the system would wait
// by itself, but a FIFO that took the file's place would block for ever. So it waits
// for regular files only, as stat tells.
func OpenUnleased[F any](open func() (F, error), stat func() (fs.FileInfo, error)) (F, error) {
	f, err := open()
	pause := firstLeasePause
	for waited := time.Duration(0); errors.Is(err, syscall.EWOULDBLOCK) && waited < leaseLimit; waited += pause {
		if fi, failed := stat(); failed != nil || !fi.Mode().IsRegular() {
			break
		}
		time.Sleep(pause)
		pause = min(2*pause, lastLeasePause)
		f, err = open()
	}
	return f, err
}

// OpenFile opens a file to read it as [OpenUnleased] does. O_NONBLOCK also spares
// package os four calls that try out its poller.
func OpenFile(name string) (*os.File, error) {
	return OpenUnleased(
		func() (*os.File, error) { return os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) },
		func() (fs.FileInfo, error) { return os.Stat(name) })
}
