package commands

// A sandbox is all that serve needs of the system once it listens. Confine takes
// away the rest, for good, as far as the system can; what is open stays open.
type sandbox struct {
	// store is the folder that is written to; none if it is "".
	store string
	// reads are files that are read again. Their folders can be read with all
	// that is in them: whoever renews a file puts another in its place.
	reads []string
	// connects are the TCP ports that are connected to, at hosts whose names are
	// looked up; none if it is empty.
	connects []uint16
}

// A sandboxError means that a process could not confine itself, and so must not
// go on as if it had.
type sandboxError struct{ err error }

func (e *sandboxError) Error() string { return "cannot confine itself: " + e.err.Error() }
func (e *sandboxError) Unwrap() error { return e.err }

func (e *sandboxError) Describe() description {
	return description{hint: "use --no-sandbox to run without it"}
}
