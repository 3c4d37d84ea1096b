package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// errNoLoop means that no file system can be mounted that could be frozen.
var errNoLoop = errors.New("this needs root, loop devices, mkfs.ext4 and fsfreeze")

// A disk is a file system in a file.
type disk struct{ dir string }

// mountDisk makes an ext4 file system of a size, with other options of mkfs.ext4, and
// mounts it at a new folder. It returns nil and errNoLoop where that is impossible.
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
		return nil, err
	}
	return &disk{dir}, nil
}

func (d *disk) freeze() error { return runTool("fsfreeze", "-f", d.dir) }
func (d *disk) thaw() error   { return runTool("fsfreeze", "-u", d.dir) }

func (d *disk) unmount() {
	if d != nil {
		d.thaw() // if it is frozen
		runTool("umount", "-l", d.dir)
	}
}

// runTool runs a program that only some systems have, and only root may use.
func runTool(name string, args ...string) error {
	if output, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s: %w\n%s", errNoLoop, name, err, output)
	}
	return nil
}
