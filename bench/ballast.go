package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	// spare is how much memory the ballast leaves free.
	spare = gib / 2
	// step is how much of the ballast is read at once.
	step = 2 * mib
)

// A ballast is a file of nothing but a hole, as large as memory, whose pages the
// kernel keeps for as long as nobody else needs them. Virtual machines may give
// free memory back to their host, and whoever touches it next waits until it is
// there again: up to two seconds for 1 GiB, in some runs and not in others. On a
// machine that has been up for a while there is none that is free either.
// Its zero value does nothing.
type ballast struct{ *os.File }

func newBallast(dir string) (ballast, error) {
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		return ballast{}, err
	}
	var info syscall.Sysinfo_t
	if err := errors.Join(syscall.Sysinfo(&info), f.Truncate(int64(info.Totalram)*int64(info.Unit))); err != nil {
		f.Close()
		return ballast{}, err
	}
	return ballast{f}, nil
}

// fill lets the ballast have what memory is free.
func (b ballast) fill() error {
	if b.File == nil {
		return nil
	}
	info, err := b.Stat()
	if err != nil {
		return err
	}
	for offset := int64(0); offset < info.Size(); offset += step {
		if offset%(64*step) == 0 && meminfo("MemFree:") < spare {
			return nil
		}
		if _, _, errno := syscall.Syscall(syscall.SYS_READAHEAD, b.Fd(), uintptr(offset), step); errno != 0 {
			return fmt.Errorf("readahead: %w", errno)
		}
	}
	return nil
}
