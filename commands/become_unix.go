//go:build unix && labnet_no_s3

package commands

import (
	"os"
	"syscall"
)

// become replaces this program by another one.
func become(program string, args []string) error {
	return &os.PathError{Op: "exec", Path: program, Err: syscall.Exec(program, args, os.Environ())}
}
