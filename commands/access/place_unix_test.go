//go:build unix

package access

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labnet/labnet/commands/problem"
)

// TestReplaceableTokens: who can put another file in the place of the tokens file
// could make tokens.
func TestReplaceableTokens(t *testing.T) {
	all := t.TempDir()
	folder, other := filepath.Join(all, "folder"), filepath.Join(all, "other")
	file, link := filepath.Join(folder, "tokens"), filepath.Join(other, "link")
	must(t, os.Mkdir(folder, 0o700))
	must(t, os.Mkdir(other, 0o700))
	must(t, os.WriteFile(file, []byte("alice "+hashOf(aliceToken)+"\n"), 0o600))
	must(t, os.Symlink(file, link))
	for _, tt := range []struct {
		folder, other os.FileMode
		file          string
		hint          string // "": it is accepted
	}{
		{0o700, 0o700, file, ""},
		{0o755, 0o755, link, ""},
		{0o777 | os.ModeSticky, 0o700, file, ""},
		{0o777, 0o700, file, "chmod go-w " + folder},
		{0o770, 0o700, file, "chmod go-w " + folder},
		{0o777, 0o700, link, "chmod go-w " + folder},
		{0o700, 0o777, link, "chmod go-w " + other},
	} {
		must(t, os.Chmod(folder, tt.folder))
		must(t, os.Chmod(other, tt.other))
		_, read := readUsers(tt.file)
		_, invited := Invite(tt.file, Grant{Name: "bob"}, false)
		if invited == nil {
			must(t, Revoke(tt.file, "bob"))
		}
		for _, err := range []error{read, invited} {
			if (err == nil) != (tt.hint == "") || err != nil && !strings.HasPrefix(problem.Of(err).Hint, tt.hint) {
				t.Errorf("%v, %v: %v: error %v", tt.folder, tt.other, filepath.Base(tt.file), err)
			}
		}
	}
	must(t, os.Chmod(folder, 0o755))
	must(t, os.Chmod(other, 0o755))
	for _, name := range []string{file, link} {
		must(t, os.Chmod(all, 0o777))
		if _, err := readUsers(name); err == nil || !strings.HasPrefix(problem.Of(err).Hint, "chmod o-w "+all) {
			t.Errorf("%s below a folder that everybody can write to: %v", name, err)
		}
		must(t, os.Chmod(all, 0o775))
		if _, err := readUsers(name); err != nil {
			t.Errorf("%s below a folder that a group can write to: %v", name, err)
		}
		must(t, os.Chmod(all, 0o777|os.ModeSticky))
		if _, err := readUsers(name); err != nil {
			t.Errorf("%s in one's own folder of a shared one: %v", name, err)
		}
	}
	must(t, os.Chmod(all, 0o755))
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	must(t, os.Chmod(folder, 0o755))
	must(t, os.Chown(folder, 4711, -1))
	if _, err := readUsers(file); err == nil || !strings.Contains(err.Error(), "user 4711") {
		t.Errorf("a folder of somebody else: %v", err)
	}
	must(t, os.Chown(file, 4711, -1))
	if _, err := readUsers(file); err != nil {
		t.Errorf("a folder and file of one user: %v", err)
	}
	must(t, os.Chmod(all, 0o777|os.ModeSticky))
	if _, err := readUsers(link); err == nil || !strings.Contains(err.Error(), "above it belongs to somebody else") {
		t.Errorf("a folder of somebody else in a shared one: %v", err)
	}
	must(t, os.Chmod(all, 0o755))
	must(t, os.Chown(folder, 0, -1))
	must(t, os.Chmod(folder, 0o777|os.ModeSticky))
	if _, err := readUsers(file); err == nil || !strings.Contains(err.Error(), "somebody else") {
		t.Errorf("a file of somebody else in a shared folder: %v", err)
	}
}
