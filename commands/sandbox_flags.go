package commands

import (
	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"
)

// ofSandbox is the title of the flags about it in the help.
const ofSandbox = "Confinement (Linux)"

func sandboxFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "no-sandbox", Category: ofSandbox, Usage: "do not restrict what the process may do"},
	}
}

// confine gives up all that serve does not need once it listens, unless it was
// told not to or runs commands, which would have no more rights than it has. Then it
// has the file with the addresses appear: whoever waits for that meets a server which
// is confined.
func (o *serveOptions) confine(log zerolog.Logger, addrs *addrFile) error {
	switch {
	case o.open:
		log.Info().Msg("not confined, because of --no-sandbox")
	case len(o.exec.Argv) > 0:
		log.Warn().Msg("not confined, because the command of --exec would be, too")
	default:
		s := o.storeNeeds()
		s.Reads = append(s.Reads, o.tls.cert, o.tls.key, o.access.tokens)
		s.Moves = addrs.folder()
		if err := s.Confine(log); err != nil || s.Moves == "" {
			return err
		}
		if err := addrs.appear(); err != nil {
			return err
		}
		s.Moves = ""
		return s.Confine(zerolog.Nop()) // which is said already
	}
	return addrs.appear()
}
