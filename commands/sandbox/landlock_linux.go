package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/landlock-lsm/go-landlock/landlock"
	kernel "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

const (
	// inStore is all that a store does in its folder. It runs nothing there and
	// makes no devices, FIFOs and sockets. It makes symlinks: one that is to be
	// replaced has a second name until its successor is durable.
	inStore = kernel.AccessFSReadFile | kernel.AccessFSReadDir | kernel.AccessFSWriteFile | kernel.AccessFSTruncate |
		kernel.AccessFSMakeReg | kernel.AccessFSMakeDir | kernel.AccessFSMakeSym |
		kernel.AccessFSRemoveFile | kernel.AccessFSRemoveDir | kernel.AccessFSRefer
	// moves is what a file needs to get another name in a folder.
	moves = kernel.AccessFSMakeReg | kernel.AccessFSRemoveFile
	// filesFrom is the version of Landlock from which on files can be confined to
	// the store: an earlier one lets nobody move a file to another folder.
	filesFrom = 2
	// soundFrom is the version from which on it is worth no warning.
	soundFrom = 6
	dns       = 53
)

// versions tell what is confined from which version of Landlock on. Each stands
// for a Linux: 5.19, 6.2, 6.7, 6.10, 6.12; the rest is newer than 6.18.
var versions = []struct {
	from int
	what string
}{
	{filesFrom, "files"}, {3, "their length"}, {4, "TCP"}, {5, "devices"},
	{soundFrom, "signals"}, {soundFrom, "abstract sockets"}, {9, "sockets with a name"}, {10, "UDP"},
}

// Confine gives up, in every thread, new privileges and by Landlock all that s
// does not have, and tells the log what that is. What the kernel does not know
// how to confine it leaves as it is.
func (s Sandbox) Confine(log zerolog.Logger) error {
	_, _ = time.Now().Zone() // reads the time zone's file, if nobody did before
	version := Version()
	if !reachesThreads(version) {
		log.Warn().Msg("not confined: where /proc does not show this process, one that was built with cgo cannot reach its threads")
		return nil
	}
	var err error
	if version < filesFrom {
		err = kernel.AllThreadsPrctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	} else {
		err = s.restrict() // sees to new privileges, too
	}
	if err != nil {
		return &Error{err}
	}
	var confined, not []string
	for _, v := range versions {
		if version >= v.from {
			confined = append(confined, v.what)
		} else {
			not = append(not, v.what)
		}
	}
	if version < soundFrom {
		log.Warn().Msg("this kernel confines the server less than newer ones do; --log-level debug shows how far")
	}
	log.Debug().Int("landlock", version).Strs("confined", confined).Strs("not", not).Msg("confined to the store")
	return nil
}

// reachesThreads reports whether all threads can be confined. From version 8 on
// Landlock does that itself, and before that the Go runtime does, unless there is
// C in the program: then package psx finds the threads in /proc, and waits for
// ever for those that are not its own.
func reachesThreads(version int) bool {
	if _, _, err := syscall.AllThreadsSyscall(unix.SYS_GETPID, 0, 0, 0); version >= 8 || err != syscall.ENOTSUP {
		return true
	}
	self, err := os.Readlink("/proc/self")
	return err == nil && self == strconv.Itoa(os.Getpid())
}

func (s Sandbox) restrict() error {
	var rules []landlock.Rule
	if s.Store != "" {
		rules = append(rules, landlock.PathAccess(inStore, s.Store))
	}
	if s.Moves != "" {
		rules = append(rules, landlock.PathAccess(moves, s.Moves))
	}
	for _, folder := range s.readFolders() {
		rules = append(rules, landlock.PathAccess(kernel.AccessFSReadFile, folder))
	}
	for _, port := range s.Connects {
		rules = append(rules, landlock.ConnectTCP(port))
	}
	if len(s.Connects) > 0 {
		rules = append(rules, landlock.ConnectTCP(dns), landlock.ConnectSendUDP(dns), landlock.BindUDP(0))
	}
	return landlock.V11.BestEffort().Restrict(rules...)
}

// readFolders are the folders of the files that are read again: those which name
// them and, where a name is a symlink, those which hold them.
func (s Sandbox) readFolders() (folders []string) {
	for _, name := range s.Reads {
		if name == "" {
			continue
		}
		folders = append(folders, filepath.Dir(name))
		if target, err := filepath.EvalSymlinks(name); err == nil {
			folders = append(folders, filepath.Dir(target))
		}
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}

// Version is what the kernel knows of Landlock; 0 is nothing. Without the
// second of its errata mended, version 6 has threads refuse each other's signals.
func Version() int {
	version, err := kernel.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	if errata, err := kernel.LandlockGetErrata(); version >= soundFrom && (err != nil || errata&2 == 0) {
		return soundFrom - 1
	}
	return version
}
