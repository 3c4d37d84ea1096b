// Abuse does to a labnet server what nobody should, or too many do, and shows
// that it keeps working: each of its commands prints figures, and fails over the
// bar that it names. README.md in the folder above tells how to run them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/labnet/labnet/commands"
)

// A command is one way to abuse a server.
type command struct {
	name, says string
	// flags notes the command's own flags, and returns what does it then.
	flags func(*flag.FlagSet) func(context.Context, *abuse) error
}

var all = []command{
	{"drip", "slow connections, before and after TLS, beside a client that means well", dripFlags},
	{"descriptors", "many more clients than the server may open files", descriptorsFlags},
	{"idle", "the memory of connections that say nothing", idleFlags},
	{"cgroup", "much to receive with little memory, in a control group (as root)", cgroupFlags},
	{"freeze", "a file system that stands still while thousands write (as root)", freezeFlags},
	{"cost", "what bytes cost that are dear to receive", costFlags},
	{"day", "what a busy day brings, for an hour, with what the server holds in a plot", dayFlags},
	{"soak", "everything at once, with kills, for long; build it with -race", soakFlags},
}

// An abuse is what the commands share.
type abuse struct {
	labnet string // the program
	dir    string // to work in
	out    io.Writer
}

func (a *abuse) say(format string, args ...any) { fmt.Fprintf(a.out, format+"\n", args...) }

func main() {
	if len(os.Args) > 1 && os.Args[1] == asLabnet {
		os.Exit(labnetMain(os.Args[1:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "abuse:", err)
		os.Exit(1)
	}
}

// asLabnet, as the first argument, makes this program labnet, so that what is
// built with -race, or tells of its goroutines, is the server.
const asLabnet = "as-labnet"

func labnetMain(args []string) int {
	stop := tellInside(os.Getenv(insideEnv))
	defer stop()
	return commands.Main(context.Background(), append([]string{"labnet"}, args[1:]...))
}

func run(ctx context.Context, args []string) error {
	var usage strings.Builder
	usage.WriteString("usage: abuse COMMAND [FLAG…]\n")
	for _, c := range all {
		fmt.Fprintf(&usage, "  %-12s %s\n", c.name, c.says)
		if len(args) == 0 || args[0] != c.name {
			continue
		}
		var program, dir string
		flags := flag.NewFlagSet(c.name, flag.ExitOnError)
		flags.StringVar(&program, "labnet", "", "the `program` to abuse; by default it is built from ..")
		flags.StringVar(&dir, "dir", os.TempDir(), "work below `folder`")
		do := c.flags(flags)
		flags.Parse(args[1:])
		a, err := prepare(ctx, program, dir)
		if err != nil {
			return err
		}
		defer os.RemoveAll(a.dir)
		return do(ctx, a)
	}
	return errors.New(strings.TrimSpace(usage.String()))
}

// prepare makes a folder to work in, and labnet if no program was given.
func prepare(ctx context.Context, program, below string) (*abuse, error) {
	dir, err := os.MkdirTemp(below, "labnet-abuse-")
	if err != nil {
		return nil, err
	}
	a := &abuse{labnet: program, dir: dir, out: os.Stdout}
	if a.labnet == "" {
		a.labnet = filepath.Join(dir, "labnet")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", a.labnet, "github.com/labnet/labnet")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			os.RemoveAll(dir)
			return nil, fmt.Errorf("build labnet: %w\n%s", err, output)
		}
	}
	return a, nil
}
