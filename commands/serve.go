package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/access"
	"github.com/labnet/labnet/commands/address"
	"github.com/labnet/labnet/commands/balancer"
	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/hook"
	"github.com/labnet/labnet/commands/interrupt"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/reload"
	"github.com/labnet/labnet/commands/size"
	"github.com/labnet/labnet/commands/status"
	"github.com/labnet/labnet/commands/systemd"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/commands/threads"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/wire"
)

// defaultDrain is how long uploads in progress may go on after the first signal.
const defaultDrain = 30 * time.Second

// defaultStore is the folder that a server stores in if it is not told another.
const defaultStore = "received"

// serveOptions are the flags of serve.
type serveOptions struct {
	listen    string
	balancers []netip.Prefix
	addrFile  string
	store     string
	keep      dir.Options
	limits    wire.Limits
	memory    int64 // see s3.Options
	reply     string
	lab       wire.Lab
	scheme    wire.LabScheme
	explain   bool
	tls       tlsOptions
	access    accessOptions
	level     zerolog.Level
	exec      hook.Options
	drain     time.Duration
	http      httpOptions
	open      bool // not confined
}

func serveCommand(con *terminal.Console) *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "listen", Aliases: []string{"l"}, Value: "127.0.0.1:9000", Usage: "accept connections at `HOST:PORT`; port 0 chooses a free one"},
		&cli.StringFlag{Name: "proxy-from", Usage: "load balancers at `ADDRESSES` say whose connections theirs are, by the PROXY protocol, version 2"},
		&cli.StringFlag{Name: "store", Value: defaultStore, Usage: "store files in `FOLDER`, or in an object store: s3://BUCKET/PREFIX?endpoint=URL&region=REGION"},
		&cli.StringFlag{Name: "on-conflict", Value: "rename", Usage: "what to do with a file whose name is taken: rename, replace or refuse"},
		&cli.StringFlag{Name: "names", Value: storage.DefaultNames().String(), DefaultText: "native; on Windows portable", Usage: "which names to accept, by `RULE`: native (all that this system can store) or portable (only those that every system can)"},
		&cli.DurationFlag{Name: "partial-ttl", Value: storage.DefaultPartialTTL, Usage: "keep interrupted uploads for `TIME`, so that they can be resumed"},
		&cli.IntFlag{Name: "max-partials", Value: storage.DefaultMaxPartials, Usage: "keep at most `N` interrupted uploads"},
		&cli.StringFlag{Name: "max-partial-size", Value: "1TiB", Usage: "keep at most `SIZE` of interrupted uploads"},
		&cli.StringFlag{Name: "keep-free", Value: "64MiB", Usage: "refuse files that would leave less than `SIZE` free on the disk"},
		&cli.StringFlag{Name: "file-mode", Usage: "give all files the permissions `MODE`, such as 0640, and folders matching ones, whatever the senders' are"},
		&cli.StringFlag{Name: "group", Usage: "give all files and folders the group `GROUP`"},
		&cli.StringFlag{Name: "store-memory", Value: "256MiB", Usage: "with an object store: buffer at most `SIZE`, but at least one part"},
		&cli.StringFlag{Name: "reply", Value: wire.DefaultReply, Usage: "answer messages with `TEXT`, where {} stands for the message"},
		&cli.StringFlag{Name: "lab", Usage: "speak only `TASK` of the course: 1 to 6 or extra"},
		sizeBytesFlag(), bigEndianFlag(), nameBytesFlag(),
		&cli.BoolFlag{Name: "explain", Usage: "with --lab: print what each client sent, how it is read, and what is to be repaired"},
		&cli.DurationFlag{Name: "drain", Value: defaultDrain, Usage: "when told to stop, give uploads `TIME` to finish; clients resume the others later"},
		&cli.StringFlag{Name: "addr-file", Usage: "write the address to `FILE` once the server accepts connections, and below it that of --status"},
		&cli.StringFlag{Name: "log-level", Value: "info", Usage: "log messages of at least `LEVEL`: debug, info, warn or error"},
		&cli.BoolFlag{Name: "json", Usage: "print a receipt for each thing received, as JSON, one object per line"},
	}
	flags = append(flags, limitFlags()...)
	flags = append(flags, tlsFlags()...)
	flags = append(flags, accessFlags()...)
	flags = append(flags, execFlags()...)
	flags = append(flags, httpFlags()...)
	flags = append(flags, sandboxFlags()...)
	clients := clientFlags()
	for _, f := range flags {
		nameEnv(f, clients)
	}
	return &cli.Command{
		Name:  "serve",
		Usage: "receive messages, blobs and files, and store them",
		Flags: flags,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return serveArgument(c.Args().First())
			}
			con.JSON = c.Bool("json")
			o, err := serveOptionsOf(c)
			if err != nil {
				return err
			}
			return serve(c.Context, con, o)
		},
	}
}

// serveArgument is the error about an argument of serve, which takes none: a folder
// would be made where none was meant.
func serveArgument(arg string) error {
	bad := &problem.UsageError{Err: fmt.Errorf("serve takes no arguments, but %q was given", arg)}
	_, likely := address.Likely(arg)
	switch {
	case arg == "help":
		bad.Hint = problem.DidYouMean("'labnet help serve'")
	case likely || address.IsNumber(arg) || strings.HasPrefix(arg, ":"):
		bad.Hint = problem.DidYouMean("--listen " + shellWords([]string{arg}))
	default:
		bad.Hint = problem.DidYouMean("--store " + shellWords([]string{arg}))
	}
	return bad
}

// nameEnv gives a flag of serve its environment variable, which is none that
// clients read: serve may be started where those are set.
func nameEnv(f cli.Flag, clients []cli.Flag) {
	name := strings.ToUpper(strings.ReplaceAll(f.Names()[0], "-", "_"))
	env := []string{"LABNET_" + name}
	for _, of := range clients {
		if slices.Equal(of.(cli.DocGenerationFlag).GetEnvVars(), env) {
			env = []string{"LABNET_SERVE_" + name}
			break
		}
	}
	switch f := f.(type) {
	case *cli.StringFlag:
		f.EnvVars = env
	case *cli.IntFlag:
		f.EnvVars = env
	case *cli.DurationFlag:
		f.EnvVars = env
	case *cli.BoolFlag:
		f.EnvVars = env
	}
}

func serveOptionsOf(c *cli.Context) (o serveOptions, err error) {
	o = serveOptions{
		addrFile: c.String("addr-file"),
		store:    c.String("store"),
		reply:    c.String("reply"),
		drain:    c.Duration("drain"),
		open:     c.Bool("no-sandbox"),
	}
	if o.listen, err = address.Listen(c.String("listen"), "--listen"); err != nil {
		return o, err
	}
	if from := c.String("proxy-from"); from != "" {
		if o.balancers, err = address.Networks(from, "--proxy-from"); err != nil {
			return o, err
		}
	}
	o.keep.Foreign = []string{identityName, access.FolderName, status.LastName}
	o.keep.Partials.Age, o.keep.Partials.Count = c.Duration("partial-ttl"), c.Int("max-partials")
	switch {
	case o.keep.Partials.Age <= 0:
		return o, problem.Usage("--partial-ttl must be more than zero")
	case o.keep.Partials.Count <= 0:
		return o, problem.Usage("--max-partials must be more than zero")
	case o.drain <= 0:
		return o, problem.Usage("--drain must be more than zero")
	}
	if o.http, err = httpOptionsOf(c); err != nil {
		return o, err
	}
	if o.http.status == o.listen && !strings.HasSuffix(o.listen, ":0") {
		return o, problem.UsageHint(errors.New("--status must be another address than --listen"), "without --status, the status is on the address of --listen")
	}
	if o.exec, err = execOptionsOf(c); err != nil {
		return o, err
	}
	conflict, err := chosen(c, "on-conflict")
	if err != nil {
		return o, err
	}
	if o.keep.OnConflict, err = storage.ParseConflict(conflict); err != nil {
		return o, err
	}
	names, err := chosen(c, "names")
	if err != nil {
		return o, err
	}
	if o.keep.Names, err = storage.ParseNames(names); err != nil {
		return o, err
	}
	if o.limits, err = limitsOf(c); err != nil {
		return o, err
	}
	if err := o.limits.CheckReply(o.reply); err != nil {
		return o, problem.Usage("--reply: %w", err)
	}
	if o.keep.Partials.Bytes, err = sizeOf(c, "max-partial-size"); err != nil {
		return o, err
	}
	if o.keep.KeepFree, err = sizeOf(c, "keep-free"); err != nil {
		return o, err
	}
	if err := o.ownershipOf(c); err != nil {
		return o, err
	}
	if o.memory, err = sizeOf(c, "store-memory"); err != nil {
		return o, err
	}
	if c.String("lab") != "" {
		if o.lab, err = parseLab(c); err != nil {
			return o, err
		}
	}
	if o.scheme, _, err = schemeOf(c); err != nil {
		return o, err
	}
	if o.explain = c.Bool("explain"); o.explain && o.lab == 0 {
		return o, problem.Usage("--explain goes with --lab")
	}
	if o.tls, err = tlsOptionsOf(c); err != nil {
		return o, err
	}
	if err := o.checkStore(); err != nil {
		return o, err
	}
	if o.access, err = accessOptionsOf(c, o.tls.on); err != nil {
		return o, err
	}
	level, err := chosen(c, "log-level")
	if err != nil {
		return o, err
	}
	o.level, err = zerolog.ParseLevel(level)
	return o, err
}

// sizeOf reads a flag that is a size, and not zero.
func sizeOf(c *cli.Context, flag string) (int64, error) {
	n, err := size.Parse(c.String(flag))
	switch {
	case err != nil:
		return 0, problem.Usage("--%s: %w", flag, err)
	case n == 0:
		return 0, problem.Usage("--%s must be more than zero", flag)
	}
	return n, nil
}

// serve receives until ctx ends or a signal stops it, which it returns then.
func serve(ctx context.Context, con *terminal.Console, o serveOptions) error {
	ctx, signals := catchSignals(ctx)
	err := serveUntilDone(ctx, signals, con, o)
	signals.stop(nil)
	if stopped, ok := errors.AsType[interrupt.Error](context.Cause(ctx)); ok {
		return stopped
	}
	return err
}

func serveUntilDone(ctx context.Context, signals *serverSignals, con *terminal.Console, o serveOptions) error {
	log := newLog(con, signals.stop).Level(o.level)
	files := &reload.Watcher{}
	board := status.New()
	o.keep.Synced = board.Synced
	store, err := o.openStore(ctx, log)
	if err != nil {
		return err
	}
	defer store.Close()
	defer board.Close()
	hidden := hiddenFolder(store)
	receiving, telling, err := passedSockets()
	if err != nil {
		return err
	}
	listeners, err := listen(receiving, "--listen", o.listen, func(addr net.Addr) error { return o.secure(hidden, addr) })
	if err != nil {
		closeAll(telling)
		return err
	}
	if o.balancers != nil {
		for i, l := range listeners {
			listeners[i] = balancer.Listener(l, o.balancers, log)
		}
	}
	watching, err := listen(telling, "--status", o.http.status, o.checkStatus)
	if err != nil {
		closeAll(listeners)
		return err
	}
	all := slices.Concat(listeners, watching)
	certificate, err := o.tls.certificate(files, hidden, log)
	if err != nil {
		closeAll(all)
		return err
	}
	users, err := o.access.users(files, store, o.keep, log)
	if err != nil {
		closeAll(all)
		return err
	}
	srv := &wire.Server{
		Store:  keeper{store},
		Reply:  o.reply,
		Lab:    o.lab,
		Scheme: o.scheme,
		Limits: o.limits,
		Log:    log,

		Certificate: certificate,
	}
	if users != nil {
		srv.Authenticate = users.Authenticate
	}
	if front := o.front(users != nil, board); front != nil {
		defer front.Close()
		srv.HTTP = front.Serve
	}
	explainer := explainerOf(con, o.lab)
	if o.explain {
		for i, l := range listeners {
			listeners[i] = explainer.Listener(l)
		}
	}
	servers := servingOn(srv, listeners)
	if len(watching) > 0 {
		front := o.statusFront(users != nil, board)
		defer front.Close()
		servers = append(servers, servingOn(o.statusServer(srv, front, board), watching)...)
	}
	commands := hook.Start(o.exec, log)
	receipts := hook.Tell(con, srv, commands)
	o.watch(board, srv, store, users, commands)
	if o.explain {
		follow(explainer, srv)
	}
	manager := systemd.NewNotifier(systemd.TakeEnv("NOTIFY_SOCKET"))
	tell := func(state string) {
		if err := manager.Notify(state); err != nil {
			log.Warn().Err(err).Str("state", state).Msg("cannot tell the service manager")
		}
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		log.Info().Str("why", why(ctx)).Msg("stopping; a second signal stops at once")
		tell("STOPPING=1")
		commands.Stop()
		drain, cancel := context.WithTimeout(context.Background(), drainTime(ctx, o.drain))
		defer cancel()
		for _, s := range servers { // the status last
			if s.Shutdown(drain) != nil {
				s.Close()
			}
		}
		commands.Finish(drain)
	})
	for _, l := range listeners {
		line := log.Info().Stringer("address", l.Addr()).Str("store", o.store)
		if srv.HTTP != nil && certificate != nil {
			if cert, err := certificate(); err == nil {
				line.Str("curl", o.curlLine(l.Addr(), cert, users != nil))
			}
		}
		line.Msg("listening")
		if o.isExposed(l.Addr()) {
			log.Warn().Stringer("address", l.Addr()).Bool("tls", o.tls.on).Msg("insecure: whoever reaches this address can send files")
		}
	}
	for _, l := range watching {
		log.Info().Stringer("status", l.Addr()).Msg("the status is at an address of its own")
		if o.isExposed(l.Addr()) {
			log.Warn().Stringer("status", l.Addr()).Bool("tls", o.tls.on).Msg("insecure: whoever reaches this address sees the status")
		}
	}
	addrs, err := makeAddrFile(o.addrFile, all)
	if err == nil && users != nil && hidden != "" {
		err = access.MakeFolderIn(hidden)
	}
	if err == nil {
		err = o.confine(log, addrs)
	}
	if err != nil {
		addrs.remove()
		stop()
		closeAll(all)
		commands.Stop()
		return err
	}
	var background sync.WaitGroup
	defer background.Wait()
	defer signals.stop(nil)
	recording, endRecording := context.WithCancel(context.Background()) // to the very end
	defer endRecording()
	if users != nil && hidden != "" {
		background.Go(func() { users.RecordSeen(recording, access.SeenIn(hidden), log) })
	}
	if hidden != "" {
		background.Go(func() { board.RecordLast(recording, status.LastIn(hidden), log) })
	}
	background.Go(func() { files.Run(ctx) })
	background.Go(func() { threads.Trim(ctx) })
	background.Go(func() { signals.follow(files, log) })
	tell("READY=1")
	err = serveAll(servers)
	if stop() {
		drain, cancel := context.WithTimeout(ctx, o.drain)
		defer cancel()
		commands.Finish(drain)
	} else {
		<-stopped
	}
	if err := receipts.Close(); errors.Is(err, syscall.EPIPE) {
		return interrupt.Error{Signal: syscall.SIGPIPE} // as programs do that nobody reads
	} else if err != nil {
		return err
	}
	if errors.Is(err, wire.ErrServerClosed) {
		return nil
	}
	return err
}

// newLog makes the log: for people on a terminal, JSON for programs. What
// peers say cannot reach through it to a terminal. If what reads it ends, stop is
// called.
func newLog(con *terminal.Console, stop context.CancelCauseFunc) zerolog.Logger {
	f, ok := con.Err.(*os.File)
	return logTo(logWriter{con.Err, stop}, ok && isatty.IsTerminal(f.Fd()))
}

func logTo(w io.Writer, terminal bool) zerolog.Logger {
	if terminal {
		w = zerolog.ConsoleWriter{Out: w, NoColor: os.Getenv("NO_COLOR") != "", TimeFormat: time.TimeOnly}
	} else {
		w = escape.JSONWriter{Writer: w}
	}
	return zerolog.New(w).With().Timestamp().Logger()
}
