//go:build !linux

package hook

import "os/exec"

// A reaper is for the first process of a container, of which only Linux has any.
type reaper struct{}

func startReaper() *reaper { return nil }

func (*reaper) run(cmd *exec.Cmd) error { return cmd.Run() }
func (*reaper) close()                  {}
