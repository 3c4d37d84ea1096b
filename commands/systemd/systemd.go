// Package systemd speaks the protocols of a service manager: sockets that it passes, and what it is told.
package systemd

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/labnet/labnet/commands/problem"
)

// firstPassed is the descriptor of the first socket passed (SD_LISTEN_FDS_START).
const firstPassed = 3

// TakeEnv removes a variable from the environment, where programs that this
// process starts would take it for theirs, and returns it.
func TakeEnv(name string) string {
	value := os.Getenv(name)
	os.Unsetenv(name)
	return value
}

// A Listener is a socket that was passed.
type Listener struct {
	net.Listener
	Name string // FileDescriptorName= of systemd.socket(5); "" if it has none
}

// isPassed reports whether sockets are passed to this process, rather than to the one
// that started it, if at all.
func isPassed() bool { return os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) }

func passedNames() []string { return strings.Split(os.Getenv("LISTEN_FDNAMES"), ":") }

// IsPassed reports whether a socket of that name is passed to this process, as long as
// Listeners has not been called.
func IsPassed(name string) bool { return isPassed() && slices.Contains(passedNames(), name) }

// Listeners returns the sockets on which systemd, or who else does as it
// does, listens for this process, as sd_listen_fds(3) specifies. There are none
// if it was started otherwise. It must be called only once, and before this
// process could start another, which would inherit the sockets.
func Listeners() (passed []Listener, err error) {
	mine, names := isPassed(), passedNames()
	os.Unsetenv("LISTEN_PID")
	os.Unsetenv("LISTEN_FDNAMES")
	fds := TakeEnv("LISTEN_FDS")
	if !mine {
		return nil, nil
	}
	n, err := strconv.ParseUint(fds, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("LISTEN_FDS=%q is no number of sockets", fds)
	}
	for i := range int(n) {
		l, err := passedListener(firstPassed + i)
		if err != nil {
			for _, l := range passed {
				l.Close()
			}
			return nil, problem.Item(fmt.Sprintf("descriptor %d (LISTEN_FDS=%s)", firstPassed+i, fds), err)
		}
		name := ""
		if i < len(names) {
			name = names[i]
		}
		passed = append(passed, Listener{l, name})
	}
	return passed, nil
}

func passedListener(fd int) (net.Listener, error) {
	f := os.NewFile(uintptr(fd), "LISTEN_FD_"+strconv.Itoa(fd))
	defer f.Close() // the listener has a copy, which is closed on exec
	return net.FileListener(f)
}

// A Notifier tells the service manager that started this process what becomes
// of it, as sd_notify(3) specifies. Its zero value tells nobody. It is connected
// from the start because a process that has confined itself may reach nobody new.
type Notifier struct {
	conn net.Conn
	err  error // why there is none
}

// NewNotifier returns one for the address of a Unix datagram socket, or "".
func NewNotifier(address string) (n Notifier) {
	if address != "" {
		n.conn, n.err = net.Dial("unixgram", address)
	}
	return n
}

func (n Notifier) Notify(state string) error {
	if n.conn == nil {
		return n.err
	}
	_, err := n.conn.Write([]byte(state))
	return err
}
