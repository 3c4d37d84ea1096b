package uploader

import (
	"os/exec"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A processTree is a command with the processes that it starts: a job, which ends
// with this process, too.
type processTree struct {
	cmd *exec.Cmd
	job windows.Handle // 0 if there is none
}

func (t *processTree) prepare(*exec.Cmd) {}

func (t *processTree) begin(cmd *exec.Cmd) {
	t.cmd = cmd
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return
	}
	var limits windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err == nil {
		var process windows.Handle
		process, err = windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(cmd.Process.Pid))
		if err == nil {
			err = windows.AssignProcessToJobObject(job, process)
			windows.CloseHandle(process)
		}
	}
	if err != nil {
		windows.CloseHandle(job)
		return
	}
	t.job = job
}

// end ends it, and then closes its output, which others can no longer hold open.
func (t *processTree) end(exited <-chan struct{}, closeOutput func()) {
	t.kill()
	<-exited
	closeOutput()
}

func (t *processTree) kill() {
	if t.job == 0 || windows.TerminateJobObject(t.job, 1) != nil {
		t.cmd.Process.Kill()
	}
}
