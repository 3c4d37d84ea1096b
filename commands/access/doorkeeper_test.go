package access

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/commands/reload"
	"github.com/labnet/labnet/commands/terminal/terminaltest"
	"github.com/labnet/labnet/storage/dir"
)

// TestChangesAreNoticed: what becomes of a watched file is noticed within a
// second, whether anybody connects or not, and logged once.
func TestChangesAreNoticed(t *testing.T) {
	line := func(user string) string { return fmt.Sprintf("%s %x", user, sha256.Sum256([]byte(user))) }
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		file := filepath.Join(folder, "tokens")
		write := func(name, text string) {
			must(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
		}
		move := func(text string) {
			write("next", text)
			must(t, os.Rename(filepath.Join(folder, "next"), file))
		}
		move(line("alice"))
		store, err := dir.Open(t.TempDir(), dir.Options{})
		must(t, err)
		defer store.Close()
		var log terminaltest.Buffer
		files := &reload.Watcher{}
		d, err := NewDoorkeeper(files, file, store, nil, zerolog.New(&log))
		must(t, err)
		go files.Run(t.Context())
		for i, step := range []struct {
			do   func()
			want string // what the log says of it
			user string // that there is then
		}{
			{func() {}, "", "alice"},
			{func() { move("nonsense") }, `"error":"line 1: `, "alice"},
			{func() { move(line("bob") + "\n" + line("bob2")) }, fmt.Sprintf(`"users":2,"sha256":"%x"`, sha256.Sum256([]byte(line("bob")+"\n"+line("bob2")))), "bob"},
			{func() { must(t, os.Remove(file)) }, "no such file", "bob"},
			{func() { move(line("carol")) }, `"users":1`, "carol"},
			{func() { must(t, os.Chmod(file, 0o666)) }, errWritable.Error(), "carol"},
			{func() { must(t, os.Chmod(file, 0o600)) }, `"users":1`, "carol"},
			{func() { // as Kubernetes swaps a folder
				must(t, os.Mkdir(filepath.Join(folder, "one"), 0o700))
				write("one/tokens", line("dave"))
				must(t, os.Symlink("one", filepath.Join(folder, "data")))
				must(t, os.Symlink("data/tokens", filepath.Join(folder, "next")))
				must(t, os.Rename(filepath.Join(folder, "next"), file))
			}, `"users":1`, "dave"},
			{func() {
				must(t, os.Mkdir(filepath.Join(folder, "two"), 0o700))
				write("two/tokens", line("erin"))
				must(t, os.Symlink("two", filepath.Join(folder, "next")))
				must(t, os.Rename(filepath.Join(folder, "next"), filepath.Join(folder, "data")))
			}, `"users":1`, "erin"},
		} {
			log.Reset()
			step.do()
			time.Sleep(reload.Interval)
			synctest.Wait()
			time.Sleep(time.Hour)
			synctest.Wait()
			got := log.String()
			if !strings.Contains(got, step.want) || strings.Count(got, "\n") != min(len(step.want), 1) {
				t.Errorf("step %d: logged %q, want a line with %q", i, got, step.want)
			}
			if d.users.Current().byName[step.user] == nil {
				t.Errorf("step %d: there is no %s", i, step.user)
			}
		}
	})
}
