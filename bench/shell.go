package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/labnet/labnet/bench/process"
)

// variables returns what the lines of a contestant may refer to.
func (b *bench) variables(c contestant, port int) map[string]string {
	conf := b.conf(c.id)
	env := map[string]string{
		"DEST": b.dest(), "CONF": conf, "LOG": filepath.Join(conf, "log"), "LIST": filepath.Join(conf, "names"),
		"HOST": "127.0.0.1", "PORT": strconv.Itoa(port), "LABNET": b.labnet, "LAB": b.lab, "PYTHON": b.python,
		"PATH": os.Getenv("PATH") + ":/usr/sbin:/sbin", "HOME": os.Getenv("HOME"), "TMPDIR": b.dir, "LC_ALL": "C",
	}
	if c.program != "" {
		env["LABNET"] = c.program
	}
	if me, err := user.Current(); err == nil {
		env["USER"] = me.Username
	}
	if os.Getuid() == 0 { // servers that would become somebody else
		env["RSYNC_IDS"] = "uid = 0\ngid = 0"
		env["NGINX_USER"] = "user root;"
	}
	return env
}

// expand replaces ${VARIABLES} in a configuration.
func (j *job) expand(text string) string {
	return os.Expand(text, func(name string) string {
		if name == "CLIENT_PORT" && j.env[name] == "" {
			return j.env["PORT"]
		}
		return j.env[name]
	})
}

// start starts a line of the contestant, whose output goes to its log. Over a link that
// is in a namespace.
func (j *job) start(line, namespace string) (*process.Line, error) {
	if namespace != "" {
		line = "exec ip netns exec " + namespace + " sh -c '" + strings.ReplaceAll(line, "'", `'\''`) + "'"
	}
	return process.Start(line, environment(j.env), j.log)
}

// shell runs a line that prepares the job; the names of the files are in LIST.
func (j *job) shell(ctx context.Context, line string, files []string) error {
	var list strings.Builder
	for _, name := range files {
		fmt.Fprintln(&list, filepath.Base(name))
	}
	if err := os.WriteFile(j.env["LIST"], []byte(list.String()), 0o600); err != nil {
		return err
	}
	return runShell(ctx, line, j.env)
}

// setUp makes a contestant's folder, and runs its setup there.
func (b *bench) setUp(ctx context.Context, c contestant) error {
	if err := os.MkdirAll(b.conf(c.id), 0o755); err != nil {
		return err
	}
	return runShell(ctx, c.setup, b.variables(c, 0))
}

func runShell(ctx context.Context, line string, env map[string]string) error {
	command := exec.CommandContext(ctx, "sh", "-c", line)
	command.Env = environment(env)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(output)))
	}
	return nil
}

func environment(variables map[string]string) []string {
	var list []string
	for name, value := range variables {
		list = append(list, name+"="+value)
	}
	return list
}

// freePort returns a port that nobody listened to a moment ago.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// listening waits for a server to listen.
func listening(ctx context.Context, server *process.Line, port int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !server.Listening(port) {
		if server.Ended() {
			return fmt.Errorf("the server ended: %w", server.Wait(ctx))
		}
		if ctx.Err() != nil {
			return errors.New("the server does not listen")
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

// syncFilesystem makes all of a filesystem durable, and returns how long it took.
func syncFilesystem(dir string) (time.Duration, error) {
	begin := time.Now()
	output, err := exec.Command("sync", "-f", dir).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("sync: %w: %s", err, output)
	}
	return time.Since(begin), nil
}

// settle waits until the kernel has little left to write.
func settle(dir string) error {
	const little = 4 * mib
	if _, err := syncFilesystem(dir); err != nil {
		return err
	}
	for deadline := time.Now().Add(2 * time.Second); dirty() > little && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

// dirty is how many bytes the kernel has still to write.
func dirty() int64 { return meminfo("Dirty:", "Writeback:") }

// meminfo adds up lines of /proc/meminfo, in bytes.
func meminfo(names ...string) (total int64) {
	info, _ := os.ReadFile("/proc/meminfo")
	for line := range strings.Lines(string(info)) {
		if fields := strings.Fields(line); len(fields) == 3 && slices.Contains(names, fields[0]) {
			kib, _ := strconv.ParseInt(fields[1], 10, 64)
			total += kib << 10
		}
	}
	return total
}

// complete waits until a destination has all files in full.
func complete(ctx context.Context, files []string, dir string) error {
	for ; ; time.Sleep(time.Millisecond) {
		if all(files, dir) {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

func all(files []string, dir string) bool {
	found, err := received(dir)
	if err != nil || len(found) < len(files) {
		return false
	}
	for _, name := range files {
		want, err := os.Stat(name)
		if err != nil {
			return false
		}
		if got, err := os.Stat(found[filepath.Base(name)]); err != nil || got.Size() != want.Size() {
			return false
		}
	}
	return true
}

// free returns how many bytes fit below dir.
func free(dir string) (int64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}
