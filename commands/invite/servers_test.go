package invite

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/commands/problem"
)

// home makes a home of its own for the test, and returns the file of servers in it.
func home(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	t.Setenv("AppData", dir)
	file, err := File()
	must(t, err)
	return file
}

func server(name string) Server { return ServerOf(sample(), name) }

func names(t *testing.T) string {
	t.Helper()
	servers, err := Servers()
	must(t, err)
	var all []string
	for _, s := range servers {
		all = append(all, s.Name)
	}
	return strings.Join(all, " ")
}

// TestServers saves, finds, prefers and leaves servers.
func TestServers(t *testing.T) {
	file := home(t)
	if got := names(t); got != "" {
		t.Errorf("there is %s", got)
	}
	for _, name := range []string{"one", "two", "three"} {
		must(t, Save(server(name)))
	}
	must(t, Prefer("THREE"))
	if got := names(t); got != "three one two" {
		t.Errorf("there is %s", got)
	}
	servers, err := Servers()
	must(t, err)
	if diff := cmp.Diff(server("two"), *Find(servers, "Two")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	must(t, Leave("three"))
	if got := names(t); got != "one two" {
		t.Errorf("there is %s", got)
	}
	for _, err := range []error{Leave("three"), Prefer("three")} {
		if d := problem.Of(err); d.Kind != "not-found" || d.Hint != "there is one, two" {
			t.Errorf("%+v", d)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestTaken: a name is one server's and one user's; a new token of the same takes the
// place of the old one.
func TestTaken(t *testing.T) {
	home(t)
	must(t, Save(server("lab")))
	renewed := server("lab")
	renewed.Token = strings.Repeat("n", 43)
	must(t, Save(renewed))
	if servers, err := Servers(); err != nil || len(servers) != 1 || servers[0].Token != renewed.Token {
		t.Errorf("%d servers, %v", len(servers), err)
	}
	otherUser, otherKey := server("lab"), server("Lab")
	otherUser.User = "bob"
	otherKey.Fingerprint = "sha256:00"
	for _, s := range []Server{otherUser, otherKey} {
		if _, taken := errors.AsType[*TakenError](Save(s)); !taken {
			t.Errorf("%s of %s is saved", s.Name, s.User)
		}
	}
	if servers, err := Servers(); err != nil || len(servers) != 1 || servers[0].User != "alice" {
		t.Errorf("%d servers, %v", len(servers), err)
	}
}

// TestExposed: tokens that others can read are neither used nor written over.
func TestExposed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	file := home(t)
	must(t, Save(server("lab")))
	must(t, os.Chmod(file, 0o640))
	_, err := Servers()
	for _, err := range []error{err, Save(server("two")), Leave("lab"), Prefer("lab")} {
		if d := problem.Of(err); d.Kind != "exposed-token" || !strings.HasPrefix(d.Hint, "chmod 600 "+file) {
			t.Errorf("%+v", d)
		}
	}
	must(t, os.Chmod(file, 0o600))
	if got := names(t); got != "lab" {
		t.Errorf("there is %s", got)
	}
}

// TestNoHome: without a home nothing is saved, and there are no servers.
func TestNoHome(t *testing.T) {
	home(t)
	for _, variable := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} {
		t.Setenv(variable, "")
	}
	if got := names(t); got != "" {
		t.Errorf("there is %s", got)
	}
	if err := Save(server("lab")); err != errNoFolder {
		t.Errorf("error %v", err)
	}
}

// TestSpoilt: a damaged file is an error, which shows nothing of it.
func TestSpoilt(t *testing.T) {
	file := home(t)
	must(t, Save(server("lab")))
	text, err := os.ReadFile(file)
	must(t, err)
	token := sample().Token
	for _, spoilt := range []string{string(text[:len(text)-9]), strings.Replace(string(text), `"lab"`, `"l b"`, 1), strings.Replace(string(text), `lab.example.org:9000`, `lab`, 1)} {
		must(t, os.WriteFile(file, []byte(spoilt), 0o600))
		_, err := Servers()
		for _, err := range []error{err, Save(server("two"))} {
			if err == nil || !strings.Contains(err.Error(), "damaged") || strings.Contains(err.Error(), token) {
				t.Errorf("error %v", err)
			}
		}
	}
}

// TestServerNames: what servers are called by themselves.
func TestServerNames(t *testing.T) {
	for _, test := range []struct{ addr, label, want string }{
		{"lab.example.org:9000", "", "lab.example.org"}, {"192.0.2.7:9000", "lab", "lab"}, {"192.0.2.7:9000", "", "192.0.2.7"},
		{"[2001:db8::7]:9000", "", "2001-db8--7"}, {"[fe80::1%eth0]:9000", "", "fe80--1-eth0"}, {"[2001:db8::]:9000", "der keller", "2001-db8"},
	} {
		inv := sample()
		inv.Addrs, inv.Server = []string{test.addr}, test.label
		if got := ServerOf(inv, "").Name; got != test.want {
			t.Errorf("%s %q is called %q, want %q", test.addr, test.label, got, test.want)
		}
	}
	for _, name := range []string{"", "9000", "a:1", "-a", ".", "a b", "a/b"} {
		if IsServerName(name) {
			t.Errorf("%q is a name", name)
		}
	}
}
