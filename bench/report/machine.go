package report

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// A Machine is what a measurement was made on.
type Machine struct {
	CPU        string
	Cores      int
	MemoryGiB  int
	Kernel     string
	Filesystem string
	Disk       string
	Congestion string // TCP's congestion control
}

// ThisMachine describes the machine, with the disk below dir.
func ThisMachine(dir string) Machine {
	m := Machine{CPU: runtime.GOARCH, Cores: runtime.NumCPU(), Filesystem: "unknown filesystem", Disk: "unknown disk"}
	for line := range strings.Lines(read("/proc/cpuinfo")) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		m.MemoryGiB = int((uint64(info.Totalram)*uint64(info.Unit) + 1<<29) >> 30)
	}
	m.Kernel = "Linux " + strings.TrimSpace(read("/proc/sys/kernel/osrelease"))
	m.Congestion = strings.TrimSpace(read("/proc/sys/net/ipv4/tcp_congestion_control"))

	found, err := exec.Command("findmnt", "-no", "FSTYPE,SOURCE", "--target", dir).Output()
	if fields := strings.Fields(string(found)); err == nil && len(fields) == 2 {
		m.Filesystem = fields[0]
		m.Disk = disk(fields[1])
	}
	return m
}

// Volatile reports whether nothing can be durable here.
func (m Machine) Volatile() bool { return m.Filesystem == "tmpfs" || m.Filesystem == "ramfs" }

// disk describes what a filesystem is on: a device, and perhaps a part of it in
// brackets.
func disk(source string) string {
	source, _, _ = strings.Cut(source, "[")
	device, err := filepath.EvalSymlinks(source)
	if err != nil {
		return "no disk of its own"
	}
	if device, err = filepath.EvalSymlinks("/sys/class/block/" + filepath.Base(device)); err != nil {
		return "no disk of its own"
	}
	if read(device+"/partition") != "" {
		device = filepath.Dir(device)
	}
	name := filepath.Base(device)
	kind := "SSD"
	switch {
	case strings.HasPrefix(name, "vd") || strings.HasPrefix(name, "xvd"):
		kind = "virtual disk"
	case strings.HasPrefix(name, "nvme"):
		kind = "NVMe disk"
	case strings.HasPrefix(name, "dm-"), strings.HasPrefix(name, "md"), strings.HasPrefix(name, "loop"):
		kind = "volume"
	case strings.TrimSpace(read(device+"/queue/rotational")) == "1":
		kind = "rotating disk"
	}
	sectors, _ := strconv.ParseInt(strings.TrimSpace(read(device+"/size")), 10, 64)
	return fmt.Sprintf("%s, %d GiB", kind, sectors>>21)
}

func read(name string) string {
	text, _ := os.ReadFile(name)
	return string(text)
}

func (m Machine) String() string {
	return fmt.Sprintf("%s, %d cores, %d GiB of memory, %s on %s, %s, TCP %s",
		m.CPU, m.Cores, m.MemoryGiB, m.Filesystem, m.Disk, m.Kernel, m.Congestion)
}
