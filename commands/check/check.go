// Package check tries a program of the course: it talks to it as the lab's programs
// do, and as they do not, and reports case by case what was wrong and where to look.
package check

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/labnet/labnet/wire"
)

// A Verdict is the outcome of a case.
type Verdict string

// The verdicts, from the best to the worst of those that say something.
const (
	Pass       Verdict = "pass"
	Warn       Verdict = "warn"        // it works with the lab's programs, or the task leaves it open
	Fail       Verdict = "fail"        // a sentence of the task is broken, bytes are lost, or a client harms others
	CannotTell Verdict = "cannot-tell" // it does not show from outside
	NotRun     Verdict = "not-run"     // a case that it builds on failed
)

// A Result is what came of one case.
type Result struct {
	ID       string  `json:"id"`
	Task     string  `json:"task"`
	Verdict  Verdict `json:"verdict"`
	Title    string  `json:"title"`
	Sent     string  `json:"sent"`
	Expected string  `json:"expected"`
	Saw      string  `json:"saw"`
	Why      string  `json:"why"`
	Seconds  float64 `json:"seconds"`
}

// ErrUnreached is the error of a run in which the program never accepted a
// connection.
var ErrUnreached = errors.New("no connection was accepted")

// ErrInUse is the error when something else listens where the command is to listen.
var ErrInUse = errors.New("another program listens there already")

// A NamedError is about the command or the folder that was named: it cannot be used.
type NamedError struct {
	Name string
	Err  error
}

func (e *NamedError) Error() string { return e.Name + ": " + e.Err.Error() }
func (e *NamedError) Unwrap() error { return e.Err }

// Options say what to check, and how.
type Options struct {
	Task    wire.Lab
	Addr    string   // HOST:PORT of the server
	Dir     string   // where the server stores files, on this machine; "" if unknown
	Command []string // starts the server; nil if it runs already
	Only    []string // ids, or their beginnings with a dot at the end; none means all
	Timeout time.Duration
	Keep    bool // leave the files that were sent

	// Scheme is how sizes and names are written. FixedScheme says that it is not to
	// be found out.
	Scheme      wire.LabScheme
	FixedScheme bool

	// Listener is where a client connects, which is closed in the end; nil if a server is
	// checked.
	//
	// The words {host}, {port}, {value}, {values}, {kind} and {type} of Command and Type
	// stand for what it is to do. Type is typed; "" means the values, each on a line, if
	// Command has none. Tell is called with what somebody has to do, without Command.
	Listener net.Listener
	Type     string
	Tell     func(string)

	// Report is called with each result, by one goroutine.
	Report func(Result)
}

// long is how long a program may take to start, or for much.
func (o Options) long() time.Duration { return 5 * max(o.Timeout, 2*time.Second) }

// tryTime is how long each try to find the scheme may take.
func (o Options) tryTime() time.Duration { return max(700*time.Millisecond, o.Timeout/3) }

// A Listing is what a case is about.
type Listing struct{ ID, Title, Expected string }

// List returns the cases of a task for a server, or for a client, in the order in which
// they run.
func List(task wire.Lab, client bool) (list []Listing) {
	if client {
		for _, c := range clientCasesOf(task) {
			list = append(list, Listing{c.id, c.title, c.want})
		}
		return list
	}
	for _, c := range casesOf(task) {
		list = append(list, Listing{c.id, c.title, c.want})
	}
	return list
}

// CheckOnly returns an error if an element of Only selects no case of the task.
func CheckOnly(task wire.Lab, client bool, only []string) error {
	for _, id := range only {
		if !slices.ContainsFunc(List(task, client), func(c Listing) bool { return selects(id, c.ID) }) {
			return fmt.Errorf("task %s has no case %q", task, id)
		}
	}
	return nil
}

// selects reports whether a word of Only means the case id.
func selects(word, id string) bool {
	return word == id || strings.HasSuffix(word, ".") && strings.HasPrefix(id, word)
}

// selected reports whether one of the words of Only means the case id.
func selected(only []string, id string) bool {
	return slices.ContainsFunc(only, func(word string) bool { return selects(word, id) })
}

// Counts are how many cases had each verdict.
type Counts map[Verdict]int

// String is as in "20 passed, 1 warning, 1 failed".
func (c Counts) String() string {
	words := []string{fmt.Sprintf("%d passed", c[Pass])}
	for _, v := range []struct {
		verdict   Verdict
		one, many string
	}{{Warn, "warning", "warnings"}, {Fail, "failed", "failed"}, {CannotTell, "cannot tell", "cannot tell"}, {NotRun, "not run", "not run"}} {
		switch n := c[v.verdict]; n {
		case 0:
		case 1:
			words = append(words, "1 "+v.one)
		default:
			words = append(words, fmt.Sprintf("%d %s", n, v.many))
		}
	}
	return strings.Join(words, ", ")
}

// counted is as in "1 byte" and "20,000 bytes".
func counted(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return group(n) + " bytes"
}

// group writes a number with a comma before every three digits.
func group[N int | uint64](n N) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
