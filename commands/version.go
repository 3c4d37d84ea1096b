package commands

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/terminal"
)

// A build is what labnet version --json tells of the binary.
type build struct {
	Op       string `json:"op"`                 // "version"
	Version  string `json:"version"`            // "(devel)" or "unknown" if none was recorded
	Revision string `json:"revision,omitempty"` // the commit it was built from, if known
	Modified *bool  `json:"modified,omitempty"` // whether the sources differed from the commit, if known
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func versionCommand(con *terminal.Console) *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "show the version",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print all that is known about the binary, as a JSON object"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return problem.Usage("version takes no arguments, but %q was given", c.Args().First())
			}
			if con.JSON = c.Bool("json"); con.JSON {
				con.Write(terminal.Encode(thisBuild()))
			} else {
				fmt.Fprintln(con, "labnet", version())
			}
			return nil
		},
	}
}

// version is the version that the go command recorded in the binary.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := strings.TrimPrefix(info.Main.Version, "v")
	if v == "" {
		return "(devel)"
	}
	return v
}

func thisBuild() build {
	b := build{Op: "version", Version: version(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			if modified, err := strconv.ParseBool(s.Value); err == nil {
				b.Modified = &modified
			}
		}
	}
	return b
}
