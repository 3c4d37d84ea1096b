package commands

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/commands/terminal/terminaltest"
)

// TestManual: packaging/labnet.1 tells of the commands and flags that there are.
// Its date is that of its last change.
func TestManual(t *testing.T) {
	file := filepath.Join("..", "packaging", "labnet.1")
	old, _ := os.ReadFile(file)
	date := regexp.MustCompile(`\d{4}-\d\d-\d\d`).FindString(string(old))
	text := manual(newApp(&terminal.Console{}), date)
	if *terminaltest.Update && text != string(old) {
		text = manual(newApp(&terminal.Console{}), time.Now().UTC().Format(time.DateOnly))
	}
	terminaltest.Golden(t, file, text)
}

// TestManualLint: programs that show manuals find nothing to complain of.
func TestManualLint(t *testing.T) {
	file := filepath.Join("..", "packaging", "labnet.1")
	for _, lint := range [][]string{
		{"mandoc", "-Tlint", file},
		{"groff", "-man", "-Tutf8", "-ww", "-rCHECKSTYLE=3", "-z", file},
	} {
		t.Run(lint[0], func(t *testing.T) {
			program, err := exec.LookPath(lint[0])
			if err != nil {
				t.Skip("not installed: ", err)
			}
			if said, err := exec.Command(program, lint[1:]...).CombinedOutput(); err != nil || len(said) > 0 {
				t.Errorf("%v\n%s", err, said)
			}
		})
	}
}

// manual returns the manual in the language of man(7).
func manual(app *cli.App, date string) string {
	var b strings.Builder
	section := func(title string) { fmt.Fprintf(&b, ".SH %s\n", title) }
	text := func(s string) { b.WriteString(lines(s)) }
	paragraph := func(s string) { b.WriteString(".PP\n" + lines(s)) }
	entry := func(term, says string) { fmt.Fprintf(&b, ".TP\n%s\n%s", term, lines(says)) }

	b.WriteString(".\\\" Made from the help of labnet by: go test ./commands -update\n")
	fmt.Fprintf(&b, ".TH LABNET 1 %s labnet \"User Commands\"\n", date)
	section("NAME")
	text("labnet \x00 " + app.Usage)
	section("SYNOPSIS")
	for i, cmd := range app.Commands {
		if i > 0 {
			b.WriteString(".br\n")
		}
		line := strings.TrimPrefix(usageLine(cmd), "labnet "+cmd.Name)
		fmt.Fprintf(&b, "%s%s\n", bold("labnet "+cmd.Name), roff(line))
	}
	section("DESCRIPTION")
	text("labnet is one program that receives and sends. When it says that a file is uploaded, the server has compared a checksum of the whole file with the sender's and has forced the file and its name to the disk. Until then nothing appears under the file's name, and nothing is ever overwritten unless the server is told so.")
	paragraph("Flags may stand before or after other arguments; \x01--\x02 ends them. A TIME is written as in 30s, 5m or 2d; without a unit it is in seconds. A SIZE is written as in 500MB or 2GiB, where k, M, G and T are powers of 1000, and Ki, Mi, Gi and Ti of 1024, with or without the B; without a unit it is in bytes. HOST:PORT may lack the port, which is then 9000. Results go to standard output, and everything else to standard error.")
	section("COMMANDS")
	for _, cmd := range app.Commands {
		fmt.Fprintf(&b, ".SS labnet %s\n", cmd.Name)
		text(describeCommand(cmd))
		for _, group := range flagGroups(cmd) {
			if group.title == ofAllClients {
				paragraph("It has the flags of all clients, too, which are below.")
				continue
			}
			for _, f := range group.flags {
				entry(manFlag(f), f.text(!group.everyEnv))
			}
		}
	}
	b.WriteString(".SS Flags of all clients\n")
	text("These are of ping, say, blob and upload.")
	for _, group := range flagGroups(app.Command("say")) {
		for _, f := range group.flags {
			entry(manFlag(f), f.text(true))
		}
	}
	section("EXIT STATUS")
	for _, e := range [][2]string{
		{"0", "All was done."},
		{"1", "Something failed. The rest was still tried."},
		{"2", "The command line is wrong."},
		{"3", "The server could not be reached, or was lost."},
	} {
		entry(e[0], e[1])
	}
	paragraph("When a signal stops it, labnet dies of that signal, so that Ctrl-C stops a loop of a shell.")
	section("ENVIRONMENT")
	text("A flag takes precedence over its variable. An empty variable counts as unset. Clients ignore the variables of serve and serve ignores those of clients, so both may be set in one environment.")
	paragraph("Clients (ping, say, blob and upload) read these; their other flags have no variable:")
	for _, f := range flagsOf(app.Command("say")) {
		if f.env != "" {
			entry(bold(f.env), f.long+": "+f.says)
		}
	}
	entry(bold(client.TokenEnv), "the token to show the server; a file of it takes precedence")
	paragraph("serve reads a variable for each of its flags: \x01LABNET_\x02 and the flag's name in capitals, with _ for \x01-\x02, such as \x01LABNET_ON_CONFLICT\x02 for \x01--on-conflict\x02. " + irregular(app.Command("serve")) + " It also reads:")
	entry(bold("NO_COLOR"), "if not empty, the log has no colours")
	section("FILES")
	entry(italic("~/.config/labnet/servers.json"), "has the servers that were joined, with their tokens, and is read by its owner only. On macOS it is in ~/Library/Application Support, on Windows in %AppData%.")
	entry(italic("received/.labnet/identity.pem"), "is the server's key.")
	entry(italic("received/.labnet/access/tokens"), "has the users who were invited, with the hashes of their tokens.")
	entry(italic("received"), "is where serve stores files, in the folder where it is started, unless --store names another.")
	entry(italic("received/.labnet"), "has what was interrupted, and the lock by which one server at a time uses the folder.")
	entry(italic("~/.local/state/labnet/sender"), "has the random secret by which upload recognizes its own interrupted uploads. It is made when it is first needed; without it, or with another one, uploads begin again.")
	entry(italic("/etc/default/labnet"), "sets variables for the service of systemd, where the Debian package is installed.")
	entry(italic("/var/lib/labnet"), "is where that service stores files.")
	section("EXAMPLES")
	for _, name := range commandNames(app) {
		b.WriteString(".SS labnet " + name + "\n")
		for _, e := range examples[name] {
			b.WriteString(".TP\n.B " + roff(e.line) + "\n" + cmp.Or(roff(e.says), `\&`) + "\n")
		}
	}
	section("SEE ALSO")
	b.WriteString(".BR nc (1),\n.BR rsync (1),\n.BR systemd.socket (5)\n")
	return b.String()
}

// irregular tells of the variables that are not named like their flags.
func irregular(cmd *cli.Command) string {
	var b strings.Builder
	for _, f := range flagsOf(cmd) {
		if f.env != "" && !f.regular() {
			fmt.Fprintf(&b, "The variable of \x01%s\x02, which clients have too, is \x01%s\x02. ", f.long, f.env)
		}
	}
	return strings.TrimSpace(b.String())
}

// manFlag is how a flag is written, in letters of its kind.
func manFlag(f flagDoc) string {
	var spellings []string
	for _, s := range f.spellings() {
		spellings = append(spellings, bold(s))
	}
	term := strings.Join(spellings, ", ")
	if f.value != "" {
		term += " " + italic(f.value)
	}
	return term
}

func bold(s string) string   { return `\fB` + roff(s) + `\fR` }
func italic(s string) string { return `\fI` + roff(s) + `\fR` }

// lines breaks a text into lines, in which nothing is a command to roff.
func lines(s string) string {
	var b strings.Builder
	writeWrapped(&b, 0, roff(s))
	return strings.ReplaceAll(b.String(), "\n.", "\n\\&.")
}

// roff escapes what means something to it. Hyphens are such as can be copied.
// For a dash stands NUL; bold is between SOH and STX.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "~", `\(ti`, "^", `\(ha`, "`", `\(ga`,
		"…", `\&...`, "×", `\(mu`, "\x00", `\-`, "\x01", `\fB`, "\x02", `\fR`).Replace(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}
