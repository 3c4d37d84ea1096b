package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/crc64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/bench/process"
)

var everybody = flag.Bool("everybody", false, "let every tool that is installed do everything once")

func TestMain(m *testing.M) {
	if err := process.Adopt(); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

var few = workload{name: "few", kind: folder, count: 3, size: 100 * kib}

// doing lets a contestant with such a line do a workload.
func doing(t *testing.T, w workload, c contestant, limit time.Duration) error {
	t.Helper()
	b := &bench{dir: t.TempDir(), limit: limit}
	c.id = "it"
	if err := b.setUp(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	source, err := makeSource(b.dir, w)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second meets what the first left
		if _, err := b.run(t.Context(), w, c, source); err != nil {
			return err
		}
	}
	return nil
}

// TestRun: who says done without having done the work is found out.
func TestRun(t *testing.T) {
	for _, test := range []struct{ name, line, want string }{
		{"all is well", `cp -r "$SRC" "$DEST"`, ""},
		{"nothing", `true`, "0 files came, not 3"},
		{"one is missing", `cp -r "$SRC" "$DEST"; rm "$DEST"/*/f00001`, "2 files came, not 3"},
		{"one too many", `cp -r "$SRC" "$DEST"; touch "$DEST/more"`, "4 files came, not 3"},
		{"another name", `cp -r "$SRC" "$DEST"; mv "$DEST"/*/f00001 "$DEST/other"`, "f00001 did not come"},
		{"not received yet", `mkdir "$DEST/.hidden"; cp "$SRC"/* "$DEST/.hidden"`, "0 files came, not 3"},
		{"a byte is wrong", `cp -r "$SRC" "$DEST"; printf x | dd of="$DEST/$NAME/f00002" bs=1 seek=70000 conv=notrunc`,
			"f00002 is not what was sent as f00002"},
		{"too short", `cp -r "$SRC" "$DEST"; truncate -s -1 "$DEST/$NAME/f00000"`, "f00000 is not what was sent as f00000"},
		{"it fails", `cp -r "$SRC" "$DEST"; echo sorry >&2; exit 1`, "exit code 1: sorry"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := doing(t, few, contestant{does: map[kind]task{folder: {client: test.line}}}, time.Minute)
			if got := text(err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestTooSlow(t *testing.T) {
	err := doing(t, few, contestant{does: map[kind]task{folder: {client: "sleep 1000"}}}, time.Nanosecond)
	if !errors.Is(err, errTooSlow) {
		t.Errorf("got %v", err)
	}
}

func TestServerFails(t *testing.T) {
	err := doing(t, few, contestant{server: "echo no >&2; exit 1", does: map[kind]task{folder: {client: "true"}}}, time.Minute)
	if want := "the server ended: exit code 1: no"; text(err) != want {
		t.Errorf("got %q, want %q", text(err), want)
	}
}

// TestSecondRun: the first run sends what there was before, and is not measured.
func TestSecondRun(t *testing.T) {
	done := filepath.Join(t.TempDir(), "done")
	line := `stat -c %s "$SRC" >>` + done + `; cp "$SRC" "$DEST"`
	c := contestant{server: "exec sleep 1000", does: map[kind]task{file: {client: line}, fileGrown: {client: line}}}
	b := &bench{dir: t.TempDir(), limit: time.Minute}
	if err := b.setUp(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	w := workload{kind: fileGrown, count: 1, size: 1000, tail: 24}
	source, err := makeSource(b.dir, w)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.run(t.Context(), w, c, source)
	if got, _ := os.ReadFile(done); err == nil || string(got) != "" {
		t.Errorf("a server that does not listen: %v, %s", err, got)
	}
	c.server = `exec python3 -c 'import os, socket, time; s = socket.create_server(("127.0.0.1", int(os.environ["PORT"]))); time.sleep(1000)'`
	if c.needs = []string{"python3"}; c.missing() != "" {
		t.Skip("no python3")
	}
	if _, err := b.run(t.Context(), w, c, source); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(done); string(got) != "1000\n1024\n" {
		t.Errorf("sent files of %q bytes", got)
	}
}

// TestRounds: everybody takes part once a round, each round beginning with
// another one. Who fails does not come back, nor who is slow, unless it is the
// one that the others are compared with.
func TestRounds(t *testing.T) {
	for _, test := range []struct {
		slow        time.Duration
		order, runs string
	}{
		{time.Hour, "labnet b fails b labnet labnet b ", "3 3 0 "},
		{0, "labnet b fails labnet labnet ", "3 1 0 "},
	} {
		b := &bench{dir: t.TempDir(), limit: time.Minute}
		order := filepath.Join(b.dir, "order")
		var all []contestant
		for _, name := range []string{"labnet", "b", "fails"} {
			line := `printf '%s ' ` + name + ` >>` + order + `; cp -r "$SRC" "$DEST"`
			if name == "fails" {
				line += "; exit 1"
			}
			c := contestant{id: name, name: name, plain: true, does: map[kind]task{folder: {client: line}}}
			if err := b.setUp(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		result, err := b.measure(t.Context(), few, all, plan{rounds: 3, slow: test.slow})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(order); string(got) != test.order {
			t.Errorf("got %s, want %s", got, test.order)
		}
		runs := ""
		for _, e := range result.Entries {
			n := 0
			for _, run := range e.Runs {
				if run != nil {
					n++
				}
			}
			runs += fmt.Sprint(n, " ")
		}
		if runs != test.runs {
			t.Errorf("got %s runs, want %s", runs, test.runs)
		}
		if got := result.Entries[2].Failed; got != "exit code 1" {
			t.Errorf("it failed because %q", got)
		}
	}
}

func TestOrder(t *testing.T) {
	var got []string
	for round := range 4 {
		got = append(got, fmt.Sprint(order(round, 4)))
	}
	if got, want := strings.Join(got, " "), "[0 1 2 3] [1 0 3 2] [2 3 0 1] [3 2 1 0]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestContestants lets everybody that is installed do everything once, in small.
func TestContestants(t *testing.T) {
	if !*everybody {
		t.Skip("starts every tool that is installed: -everybody")
	}
	program := filepath.Join(t.TempDir(), "labnet")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = ".."
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	o := options{labnet: program, lab: "../examples/lab", dir: t.TempDir(), limit: time.Minute}
	if _, err := o.complete(); err != nil {
		t.Fatal(err)
	}
	b, err := o.open(t.Context(), mib)
	if err != nil {
		t.Fatal(err)
	}
	all, missing, err := b.contestants(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("missing: %v", missing)
	for _, w := range []workload{
		{kind: file, size: mib, count: 1},
		{kind: folder, size: 5 * kib, count: 3},
		{kind: each, size: 5 * kib, count: 3},
		{kind: folder, size: 5 * kib, count: 2, rtt: time.Millisecond},
		{kind: file, size: mib, count: 1, encrypted: true},
		{kind: hello, count: 3},
		{kind: lines, count: 100},
		{kind: fileAgain, size: mib, count: 1},
		{kind: folderAgain, size: 5 * kib, count: 3, more: []piece{{2, mib}}, counted: true},
		{kind: folderQuick, size: 5 * kib, count: 3, rtt: time.Millisecond},
		{kind: fileGrown, size: mib, count: 1, tail: kib},
	} {
		source, err := makeSource(b.dir, w)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if !c.takesPart(w) {
				continue
			}
			if _, err := b.run(t.Context(), w, c, source); err != nil {
				t.Errorf("%s, %s: %v", c.name, w.describe(), err)
			}
		}
	}
	list, err := b.memory(t.Context(), all, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		if m.Failed != "" {
			t.Errorf("memory of %s: %s", m.Name, m.Failed)
		}
	}
}

// TestLines: the shell understands every line.
func TestLines(t *testing.T) {
	for _, c := range append(labnet("labnet", ""), peers()...) {
		all := []string{c.setup, c.server}
		for _, task := range c.does {
			all = append(all, task.before, task.server, task.client)
		}
		for _, line := range all {
			check := exec.CommandContext(context.Background(), "sh", "-n")
			check.Stdin = strings.NewReader(line)
			if output, err := check.CombinedOutput(); err != nil {
				t.Errorf("%s: %s: %s", c.name, line, output)
			}
		}
	}
}

func TestFormat(t *testing.T) {
	for _, test := range []struct {
		text string
		size int64
		back string
	}{
		{"1", 1, "1 bytes"}, {"1536", 1536, "1536 bytes"}, {"4K", 4096, "4 KiB"}, {"512M", 512 * mib, "512 MiB"},
		{"4GiB", 4 * gib, "4 GiB"}, {"1024M", gib, "1 GiB"}, {"", 0, ""}, {"0", 0, ""}, {"M", 0, ""}, {"3X", 0, ""}, {"-1", 0, ""},
	} {
		size, err := parseBytes(test.text)
		if size != test.size || (err != nil) != (test.size == 0) {
			t.Errorf("%q: got %d, %v", test.text, size, err)
		}
		if err == nil && bytes(size) != test.back {
			t.Errorf("%d: got %q, want %q", size, bytes(size), test.back)
		}
	}
	if got := number(1234567); got != "1,234,567" {
		t.Errorf("got %q", got)
	}
}

// TestDigest checks the digest against the value that labnet's protocol gives.
func TestDigest(t *testing.T) {
	if got := crc64.Checksum([]byte("123456789"), crc64nvme); got != 0xae8b14860a799888 {
		t.Errorf("got %x", got)
	}
}
