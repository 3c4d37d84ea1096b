package commands

import (
	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"
)

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

// ofSandbox is the title of the flags about it in the help.
const ofSandbox = "Confinement (Linux)"

func sandboxFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "no-sandbox", Category: ofSandbox, Usage: "do not restrict what the process may do"},
	}
}

// confine gives up all that serve does not need once it listens, unless it was
// told not to or runs commands, which would have no more rights than it has.
func (o *serveOptions) confine(log zerolog.Logger) error {
	switch {
	case o.open:
		log.Info().Msg("not confined, because of --no-sandbox")
	case len(o.exec.argv) > 0:
		log.Warn().Msg("not confined, because the command of --exec would be, too")
	default:
		s := o.storeNeeds()
		s.reads = append(s.reads, o.tls.cert, o.tls.key, o.access.tokens)
		return s.confine(log)
	}
	return nil
}

// A sandboxError means that a process could not confine itself, and so must not
// go on as if it had.
type sandboxError struct{ err error }

func (e *sandboxError) Error() string { return "cannot confine itself: " + e.err.Error() }
func (e *sandboxError) Unwrap() error { return e.err }

func (e *sandboxError) describe() description {
	return description{hint: "use --no-sandbox to run without it"}
}
