package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

var (
	// errNoLoop means that no file system can be mounted that could be frozen.
	errNoLoop = errors.New("this needs root, loop devices, mkfs.ext4 and fsfreeze")
	errNoFUSE = errors.New("this needs root, /dev/fuse and bindfs")
)

// A disk is a file system that can stand still.
type disk struct {
	dir          string
	freeze, thaw func() error
	remove       func() // of what has been thawed
}

func (d *disk) unmount() {
	if d != nil {
		d.thaw() // if it is frozen
		d.remove()
	}
}

// mountDisk makes an ext4 file system of a size in a file, with other options of
// mkfs.ext4, and mounts it at a new folder. Frozen, it keeps waiting who writes. It
// returns nil and errNoLoop where that is impossible.
func mountDisk(dir, size string, options ...string) (*disk, error) {
	image := dir + ".ext4"
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	options = append([]string{"-q", "-F"}, options...)
	err := runTool("mkfs.ext4", append(options, image, size)...)
	if err == nil {
		err = runTool("mount", "-o", "loop", image, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoLoop, err)
	}
	return &disk{
		dir:    dir,
		freeze: func() error { return runTool("fsfreeze", "-f", dir) },
		thaw:   func() error { return runTool("fsfreeze", "-u", dir) },
		remove: func() { runTool("umount", "-l", dir) },
	}, nil
}

// mountFUSE mounts a file system of a program at a new folder. Frozen, the program
// answers nothing: not only who writes waits.
func mountFUSE(dir string) (*disk, error) {
	source := dir + ".source"
	if err := errors.Join(os.MkdirAll(dir, 0o777), os.MkdirAll(source, 0o777)); err != nil {
		return nil, err
	}
	program := exec.Command("bindfs", "-f", source, dir)
	if err := program.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoFUSE, err)
	}
	d := &disk{
		dir:    dir,
		freeze: func() error { return program.Process.Signal(syscall.SIGSTOP) },
		thaw:   func() error { return program.Process.Signal(syscall.SIGCONT) },
		remove: func() {
			runTool("umount", "-l", dir)
			program.Process.Kill() // if it was not mounted
			program.Wait()
		},
	}
	var before, now syscall.Stat_t
	for range 100 {
		if err := errors.Join(syscall.Stat(source, &before), syscall.Stat(dir, &now)); err != nil {
			break
		}
		if before.Dev != now.Dev {
			return d, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	d.unmount()
	return nil, errNoFUSE
}

// runTool runs a program that only some systems have, and only root may use.
func runTool(name string, args ...string) error {
	if output, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, output)
	}
	return nil
}
