package hook

import (
	"os/exec"
	"syscall"
)

// ownGroup lets Ctrl-C in this process's console leave a command alone. If it has
// to end, it alone is killed: Windows has no gentler way, and no groups to kill.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func killGroup(*exec.Cmd) {}
