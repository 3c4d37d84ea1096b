// The bench lets labnet and every other tool that is installed do the same
// work, and writes how long each took: a table, a plot, and whether labnet
// meets the bar that it sets itself. README.md tells how it measures.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/labnet/labnet/bench/process"
	"github.com/labnet/labnet/bench/report"
)

type options struct {
	quick       bool
	labnet, lab string
	before      string
	dir, out    string
	big         string
	only, tools string
	commit      string
	plan        plan
	limit       time.Duration
	congestion  string
}

func main() {
	var o options
	flag.BoolVar(&o.quick, "quick", false, "small sizes, two rounds, nothing big far away: under two minutes")
	flag.StringVar(&o.labnet, "labnet", "", "the `program` to measure; by default it is built from ..")
	flag.StringVar(&o.before, "before", "", "an earlier labnet, a `program` that takes part, too")
	flag.StringVar(&o.lab, "lab", "../examples/lab", "the `folder` of the lab's programs")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "work below `folder`, on the filesystem to measure")
	flag.StringVar(&o.out, "out", "", "write results.md and results.svg into `folder`")
	flag.StringVar(&o.big, "size", "", "`size` of the big file (4G; with -quick 256M)")
	flag.StringVar(&o.only, "only", "", "do only these `workloads`, with commas between: big,mid,small,loop,far-small,far-big,tls,say,say-lines,again-bytes,again-small-bytes,again-big,again-small,quick-small,far-again-small,far-quick-small,link-small,link-grown,memory")
	flag.StringVar(&o.tools, "tools", "", "let only these `tools` and labnet take part, with commas between")
	flag.StringVar(&o.commit, "commit", "", "`name` of what is measured; by default git tells")
	flag.IntVar(&o.plan.rounds, "rounds", 0, "`number` of rounds (5; with -quick 2)")
	flag.IntVar(&o.plan.retries, "retries", -1, "do a run that others disturbed again up to `n` times (1; with -quick 0)")
	flag.DurationVar(&o.plan.slow, "slow", 30*time.Second, "who needs longer than `time` does one round only")
	flag.StringVar(&o.congestion, "cc", "", "let TCP over links react to losses as `name` does (bbr, cubic); by default as the machine's does")
	flag.DurationVar(&o.limit, "limit", 0, "stop a run after `time` (2m; with -quick 5s)")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (o *options) run(ctx context.Context) error {
	big, err := o.complete()
	if err != nil {
		return err
	}
	if err := process.Adopt(); err != nil {
		return err
	}
	b, err := o.open(ctx, big)
	if err != nil {
		return err
	}
	defer func() {
		fmt.Fprintln(os.Stderr, "bench: removing what was received")
		os.RemoveAll(b.dir)
	}()

	all, missing, err := b.contestants(ctx, o.tools)
	if err != nil {
		return err
	}
	result := report.Report{
		Machine: report.ThisMachine(b.dir), Date: time.Now(), Commit: o.commit,
		Small: o.quick, Rounds: o.plan.rounds, Missing: missing,
	}
	if result.Machine.Volatile() {
		fmt.Fprintf(os.Stderr, "bench: %s is on %s, where nothing is durable: see -dir\n", o.dir, result.Machine.Filesystem)
	}
	for _, c := range all {
		result.Legend = append(result.Legend, c.name+": "+c.note)
	}
	for _, w := range workloads(o.quick, big) {
		if !o.wants(w.name) {
			continue
		}
		measured, err := b.measure(ctx, w, all, o.plan)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		result.Workloads = append(result.Workloads, measured)
	}
	if o.wants("memory") {
		if result.Memory, err = b.memory(ctx, all, o.quick); err != nil {
			return fmt.Errorf("memory: %w", err)
		}
	}
	return o.write(result)
}

// complete fills in what was not given, and returns the size of the big file.
func (o *options) complete() (big int64, err error) {
	preset := options{big: "4G", limit: 2 * time.Minute, plan: plan{rounds: 5, retries: 1}}
	if o.quick {
		preset = options{big: "256M", limit: 5 * time.Second, plan: plan{rounds: 2, retries: 0}}
	}
	o.big = cmp.Or(o.big, preset.big)
	o.limit = cmp.Or(o.limit, preset.limit)
	o.plan.rounds = cmp.Or(o.plan.rounds, preset.plan.rounds)
	if o.plan.retries < 0 {
		o.plan.retries = preset.plan.retries
	}
	if o.commit == "" {
		o.commit = commit()
	}
	if o.lab, err = filepath.Abs(o.lab); err != nil {
		return 0, err
	}
	return parseBytes(o.big)
}

// open makes the folder below which all happens, and finds or builds labnet.
func (o *options) open(ctx context.Context, big int64) (*bench, error) {
	room, err := free(o.dir)
	if err != nil {
		return nil, err
	}
	if need := 2*big + 3*gib; room < need {
		return nil, fmt.Errorf("%s has %s free, and %s are needed: see -dir and -size",
			o.dir, bytes(room/mib*mib), bytes(need/mib*mib))
	}
	dir, err := os.MkdirTemp(o.dir, "labnet-bench-")
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	b := &bench{dir: dir, labnet: o.labnet, before: o.before, lab: o.lab, limit: o.limit, congestion: o.congestion}
	if b.labnet == "" {
		b.labnet = filepath.Join(dir, "labnet")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "urfave_cli_no_docs", "-o", b.labnet, ".")
		build.Dir = ".."
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			os.RemoveAll(dir)
			return nil, fmt.Errorf("build labnet: %w\n%s", err, output)
		}
	}
	if b.labnet, err = filepath.Abs(b.labnet); err != nil {
		return nil, err
	}
	if b.before != "" {
		if b.before, err = filepath.Abs(b.before); err != nil {
			return nil, err
		}
	}
	if !o.quick { // where work is small, memory matters less than to fill it takes
		if b.ballast, err = newBallast(dir); err != nil {
			return nil, err
		}
	}
	// Not a wrapper that searches for it again at every start.
	if python, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output(); err == nil {
		b.python = strings.TrimSpace(string(python))
	}
	return b, nil
}

// contestants returns who takes part, and the names of those that can't.
func (b *bench) contestants(ctx context.Context, tools string) (part []contestant, missing []string, err error) {
	for i, c := range append(labnet(b.labnet, b.before), peers()...) {
		if tools != "" && c.name != "labnet" && c.program == "" && !slices.Contains(strings.Split(tools, ","), c.name) {
			continue
		}
		c.id = fmt.Sprintf("%02d", i)
		if program := c.missing(); program != "" {
			missing = append(missing, fmt.Sprintf("%s (no %s)", c.name, program))
			continue
		}
		if err := b.setUp(ctx, c); err != nil {
			if ctx.Err() != nil {
				return nil, nil, ctx.Err()
			}
			missing = append(missing, fmt.Sprintf("%s (%v)", c.name, err))
			continue
		}
		part = append(part, c)
	}
	return part, missing, nil
}

func (o *options) wants(name string) bool {
	return o.only == "" || slices.Contains(strings.Split(o.only, ","), name)
}

// write prints the tables, and writes them and the plot if asked to.
func (o *options) write(result report.Report) error {
	table := report.Markdown(result)
	fmt.Print(table)
	if o.out == "" {
		return nil
	}
	return errors.Join(
		os.WriteFile(filepath.Join(o.out, "results.md"), []byte(table), 0o644),
		os.WriteFile(filepath.Join(o.out, "results.svg"), []byte(report.SVG(result)), 0o644),
	)
}

// commit names what is checked out, as git does.
func commit() string {
	name, err := exec.Command("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(name))
}
