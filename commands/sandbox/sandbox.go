// Package sandbox gives up the rights that a server does not need once it listens, on Linux with
// Landlock.
package sandbox

import "github.com/labnet/labnet/commands/problem"

// A Sandbox is all that serve needs of the system once it listens. Confine takes
// away the rest, for good, as far as the system can; what is open stays open. Called
// again with less it takes more away.
type Sandbox struct {
	// Store is the folder that is written to; none if it is "".
	Store string
	// Reads are files that are read again. Their folders can be read with all
	// that is in them: whoever renews a file puts another in its place.
	Reads []string
	// Moves is a folder in which a file may get another name; none if it is "".
	Moves string
	// Connects are the TCP ports that are connected to, at hosts whose names are
	// looked up; none if it is empty.
	Connects []uint16
}

// An Error means that a process could not confine itself, and so must not
// go on as if it had.
type Error struct{ Err error }

func (e *Error) Error() string { return "cannot confine itself: " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

func (e *Error) Describe() problem.Description {
	return problem.Description{Hint: "use --no-sandbox to run without it"}
}
