package commands

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/terminal"
)

// ofAllClients is the title of flags that are not of one command alone.
const ofAllClients = "Flags of all clients"

// helpWidth is how many columns the help has at most.
const helpWidth = 80

func helpCommand() *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "show the commands, or the examples and flags of one",
		ArgsUsage: "[COMMAND]",
		Action: func(c *cli.Context) error {
			switch name := c.Args().First(); {
			case c.Args().Len() > 1:
				return problem.Usage("help takes one command, but %q and %q were given", name, c.Args().Get(1))
			case name == "":
				return writeHelp(c.App)
			case c.App.Command(name) == nil:
				return unknownCommand(c.App, c.Args().Slice())
			default:
				return writeCommandHelp(c.App.Writer, c.App.Command(name))
			}
		},
	}
}

// withHelp gives a command the flag that shows its help.
func withHelp(cmd *cli.Command) {
	action := cmd.Action
	cmd.HideHelpCommand = true // otherwise a file called "h" or "help" would print the help
	cmd.Flags = append(cmd.Flags, &cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "show this help"})
	cmd.Action = func(c *cli.Context) error {
		if c.Bool("help") {
			return writeCommandHelp(c.App.Writer, cmd)
		}
		return action(c)
	}
}

// A helpGroup is several commands that have one line in the help together.
type helpGroup struct {
	names []string
	says  string
}

var helpGroups = []helpGroup{
	{[]string{"invite", "revoke", "users"}, "at the server: who may send"},
	{[]string{"join", "servers", "leave"}, "at the sender: where to"},
}

// writeHelp shows what labnet can do, on one screen.
func writeHelp(app *cli.App) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "labnet: %s.\n\n", app.Usage)
	writeExamples(&b, examples[""])
	b.WriteString("\nCommands:\n")
	column := 0
	for _, g := range helpGroups {
		column = max(column, len(strings.Join(g.names, ", "))+4)
	}
	for _, cmd := range app.Commands {
		names, says := cmd.Name, cmd.Usage
		for _, g := range helpGroups {
			switch slices.Index(g.names, cmd.Name) {
			case -1:
			case 0:
				names, says = strings.Join(g.names, ", "), g.says
			default:
				names = ""
			}
		}
		if names != "" {
			writeEntry(&b, "  "+names, column, says)
		}
	}
	b.WriteString("\n'labnet help COMMAND' shows the examples and flags of a command.\n")
	_, err := app.Writer.Write(b.Bytes())
	return err
}

// writeCommandHelp shows all of a command.
func writeCommandHelp(w io.Writer, cmd *cli.Command) error {
	var b bytes.Buffer
	writeWrapped(&b, 0, describeCommand(cmd))
	b.WriteString("\nUsage: " + usageLine(cmd) + "\n")
	if list := examples[cmd.Name]; len(list) > 0 {
		b.WriteString("\nExamples:\n")
		writeExamples(&b, list)
	}
	groups := flagGroups(cmd)
	column := 0
	everyEnv := len(groups) > 0
	for _, g := range groups {
		everyEnv = everyEnv && g.everyEnv
		for _, f := range g.flags {
			column = max(column, utf8.RuneCountInString(f.spelling())+4)
		}
	}
	for _, g := range groups {
		fmt.Fprintf(&b, "\n%s:\n", g.title)
		for _, f := range g.flags {
			writeEntry(&b, "  "+f.spelling(), column, f.text(!everyEnv))
		}
	}
	if everyEnv {
		b.WriteString("\n")
		writeWrapped(&b, 0, "Each of these flags has an environment variable, such as "+groups[0].flags[0].env+" for "+groups[0].flags[0].long+". Clients ignore these variables.")
	}
	_, err := w.Write(b.Bytes())
	return err
}

func usageLine(cmd *cli.Command) string {
	line := "labnet " + cmd.Name
	if len(cmd.Flags) > 1 {
		line += " [FLAG…]"
	}
	return strings.TrimSpace(line + " " + cmd.ArgsUsage)
}

// describeCommand says in sentences what a command does.
func describeCommand(cmd *cli.Command) string {
	text := strings.ToUpper(cmd.Usage[:1]) + cmd.Usage[1:] + "."
	return strings.TrimSpace(text + " " + cmd.Description)
}

func writeExamples(w io.Writer, list []example) {
	column := 0
	for _, e := range list {
		if e.says != "" {
			column = max(column, len(e.line)+4)
		}
	}
	for _, e := range list {
		writeEntry(w, "  "+e.line, column, e.says)
	}
}

// writeEntry writes a term, and from a column on what is said of it.
func writeEntry(w io.Writer, term string, column int, says string) {
	if says == "" {
		fmt.Fprintln(w, term)
		return
	}
	fmt.Fprintf(w, "%-*s", column, term)
	writeWrapped(w, column, says)
}

// writeWrapped writes words, and further lines of them from a column on.
func writeWrapped(w io.Writer, column int, text string) {
	at := column
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+n > helpWidth:
			fmt.Fprintf(w, "\n%*s", column, "")
			at = column
		default:
			io.WriteString(w, " ")
			at++
		}
		io.WriteString(w, word)
		at += n
	}
	fmt.Fprintln(w)
}

// A flagDoc is what help, manual and completion tell of a flag.
type flagDoc struct {
	long, short string // with their hyphens; there may be no short one
	value       string // what stands for its value, or "" if it has none
	says        string
	fallback    string // its value if it is not given, or "" if that is nothing
	env         string // its environment variable, or ""
}

func docOf(f cli.Flag) flagDoc {
	doc := flagDoc{}
	for _, name := range f.Names() {
		if len(name) == 1 {
			doc.short = "-" + name
		} else {
			doc.long = "--" + name
		}
	}
	told, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return doc
	}
	before, rest, _ := strings.Cut(told.GetUsage(), "`")
	value, after, _ := strings.Cut(rest, "`")
	doc.says = before + value + after
	if told.TakesValue() {
		doc.value = cmp.Or(value, "WORD")
		doc.fallback = strings.Trim(told.GetDefaultText(), `"`)
		if doc.fallback == "0" {
			doc.fallback = ""
		}
		doc.fallback = terminal.WithoutZeros(doc.fallback)
	}
	if env := told.GetEnvVars(); len(env) > 0 {
		doc.env = env[0]
	}
	return doc
}

// spelling is how the flag is written, with its value.
func (f flagDoc) spelling() string {
	short := "    "
	if f.short != "" {
		short = f.short + ", "
	}
	return strings.TrimRight(short+f.long+" "+f.value, " ")
}

// regular reports whether the environment variable is named like the flag.
func (f flagDoc) regular() bool {
	return f.env == "LABNET_"+strings.ToUpper(strings.ReplaceAll(f.long[2:], "-", "_"))
}

// text is what is said of the flag.
func (f flagDoc) text(withEnv bool) string {
	var more []string
	if f.fallback != "" {
		more = append(more, f.fallback)
	}
	if f.env != "" && (withEnv || !f.regular()) {
		more = append(more, "$"+f.env)
	}
	if len(more) == 0 {
		return f.says
	}
	return f.says + " (" + strings.Join(more, ", ") + ")"
}

// A flagGroup is some flags of a command that are shown together.
type flagGroup struct {
	title    string
	flags    []flagDoc
	everyEnv bool // each has an environment variable, named like it
}

// flagGroups returns the flags of a command: its own, those with a category,
// and those that all clients have.
func flagGroups(cmd *cli.Command) []flagGroup {
	ofClients := make(map[string]bool)
	for _, f := range clientFlags() {
		ofClients[f.Names()[0]] = true
	}
	isClient := slices.ContainsFunc(cmd.Flags, func(f cli.Flag) bool { return f.Names()[0] == "addr" })
	var groups []flagGroup
	for _, f := range cmd.Flags {
		name := f.Names()[0]
		if name == "help" {
			continue
		}
		title := "Flags"
		if c, ok := f.(cli.CategorizableFlag); ok && c.GetCategory() != "" {
			title = c.GetCategory()
		} else if isClient && ofClients[name] {
			title = ofAllClients
		}
		i := slices.IndexFunc(groups, func(g flagGroup) bool { return g.title == title })
		if i < 0 {
			i = len(groups)
			groups = append(groups, flagGroup{title: title, everyEnv: true})
		}
		doc := docOf(f)
		groups[i].flags = append(groups[i].flags, doc)
		groups[i].everyEnv = groups[i].everyEnv && doc.env != ""
	}
	return groups
}
