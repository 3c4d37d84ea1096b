package check

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// marks stand before a case in the report for people, in a colour.
var marks = map[Verdict]struct{ mark, colour string }{
	Pass:       {"✓", "32"},
	Warn:       {"!", "33"},
	Fail:       {"✗", "31"},
	CannotTell: {"?", "36"},
}

// A Text writes the report for people.
type Text struct {
	W      io.Writer
	Colour bool

	notRun []Result // told at the end
}

// Begin writes the heading.
func (r *Text) Begin(o Options) {
	task := "Task " + o.Task.String()
	if o.Task.String() == "extra" {
		task = "Extra tasks"
	}
	if o.Listener != nil {
		task += ", a client"
	}
	where := " at " + o.Addr
	if o.Dir != "" {
		where += ", folder " + o.Dir
	}
	fmt.Fprintln(r.W, printable(task+where))
}

// Result writes one result: a line, and what there is to say if it is not a pass.
func (r *Text) Result(res Result) {
	if res.Verdict == NotRun {
		r.notRun = append(r.notRun, res)
		return
	}
	m := marks[res.Verdict]
	mark := m.mark
	if r.Colour {
		mark = "\x1b[" + m.colour + "m" + mark + "\x1b[0m"
	}
	var text strings.Builder // written at once: who reads may go away within
	fmt.Fprintf(&text, "  %s %-11s %s\n", mark, res.ID, res.Title)
	if res.Verdict != Pass {
		for _, line := range details(res) {
			wrap(&text, line[0], line[1])
		}
	}
	io.WriteString(r.W, text.String())
}

// details are what a result says in addition to its title.
func details(res Result) (lines [][2]string) {
	for _, line := range [][2]string{{"sent", res.Sent}, {"expected", res.Expected}, {"saw", res.Saw}, {"why", res.Why}} {
		if line[1] != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// wrap writes a word and a text behind it, in lines of 80 columns.
func wrap(w io.Writer, word, text string) {
	const width = 80 - 16
	line := ""
	flush := func() {
		fmt.Fprintf(w, "      %-9s %s\n", word, line)
		word, line = "", ""
	}
	for _, next := range strings.Fields(text) {
		for utf8.RuneCountInString(next) > width { // such as a text without spaces
			if line != "" {
				flush()
			}
			cut := len(string([]rune(next)[:width]))
			line, next = next[:cut], next[cut:]
		}
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(next) > width {
			flush()
		}
		if line != "" {
			line += " "
		}
		line += next
	}
	flush()
}

// End writes the sum.
func (r *Text) End(c Counts, took time.Duration) {
	for len(r.notRun) > 0 {
		why, ids := r.notRun[0].Why, []string{}
		r.notRun = slices.DeleteFunc(r.notRun, func(res Result) bool {
			if res.Why == why {
				ids = append(ids, res.ID)
			}
			return res.Why == why
		})
		wrap(r.W, "not run", strings.Join(ids, " "))
		wrap(r.W, "why", why)
	}
	fmt.Fprintf(r.W, "%s (%.0f s)\n", c, took.Seconds())
}

// A TAP writes the report as version 14 of the Test Anything Protocol.
type TAP struct {
	W io.Writer
	n int
}

// Begin writes the first line.
func (r *TAP) Begin(Options) { fmt.Fprintln(r.W, "TAP version 14") }

// Result writes one test point.
func (r *TAP) Result(res Result) {
	r.n++
	ok, directive := "ok", ""
	switch res.Verdict {
	case Fail:
		ok = "not ok"
	case CannotTell, NotRun:
		directive = " # SKIP " + tapText(res.Why)
	}
	fmt.Fprintf(r.W, "%s %d - %s %s%s\n", ok, r.n, res.ID, tapText(res.Title), directive)
	if res.Verdict == Pass {
		return
	}
	fmt.Fprintf(r.W, "  ---\n  severity: %s\n", map[Verdict]string{Warn: "warning", Fail: "fail", CannotTell: "comment", NotRun: "comment"}[res.Verdict])
	for _, line := range details(res) {
		fmt.Fprintf(r.W, "  %s: %s\n", line[0], yamlString(line[1]))
	}
	fmt.Fprintln(r.W, "  ...")
}

// End writes the plan, which may stand at the end. A run that never reached the server
// bails out.
func (r *TAP) End(err error) {
	if err != nil {
		fmt.Fprintf(r.W, "Bail out! %s\n", printable(err.Error()))
		return
	}
	fmt.Fprintf(r.W, "1..%d\n", r.n)
}

// tapText escapes what begins a directive.
func tapText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "#", `\#`, "\n", " ").Replace(printable(s))
}

// yamlString quotes a string for YAML.
func yamlString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(printable(s)) + `"`
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string    `xml:"classname,attr"`
	Name    string    `xml:"name,attr"`
	Time    string    `xml:"time,attr"`
	Skipped *junitWhy `xml:"skipped"`
	Error   *junitWhy `xml:"error"`
	Failure *junitWhy `xml:"failure"`
	Out     string    `xml:"system-out,omitempty"`
}

type junitWhy struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Body    string `xml:",chardata"`
}

// JUnit returns the report as JUnit's XML. With err the server was never reached.
func JUnit(o Options, results []Result, err error) ([]byte, error) {
	suite := junitSuite{Name: "labnet check --lab " + o.Task.String()}
	name := "reach the server"
	if o.Listener != nil {
		suite.Name, name = "labnet check --client --lab "+o.Task.String(), "be reached by the client"
	}
	total := 0.0
	for _, res := range results {
		c := junitCase{Class: "task " + res.Task, Name: xmlText(res.ID + " " + res.Title), Time: fmt.Sprintf("%.3f", res.Seconds)}
		var body strings.Builder
		for _, line := range details(res) {
			fmt.Fprintf(&body, "%-9s %s\n", line[0], xmlText(line[1]))
		}
		text := c.Name + "\n" + body.String()
		switch res.Verdict {
		case Warn:
			c.Out = "warning: " + text
		case Fail:
			c.Failure = &junitWhy{xmlText(res.Why), "fail", text}
			suite.Failures++
		case CannotTell, NotRun:
			c.Skipped = &junitWhy{Message: xmlText(res.Why), Body: text}
			suite.Skipped++
		}
		total += res.Seconds
		suite.Cases = append(suite.Cases, c)
	}
	if err != nil {
		suite.Errors++
		suite.Cases = append(suite.Cases, junitCase{Class: "task " + o.Task.String(), Name: name, Time: "0.000",
			Error: &junitWhy{xmlText(err.Error()), "error", xmlText(err.Error())}})
	}
	suite.Tests, suite.Time = len(suite.Cases), fmt.Sprintf("%.3f", total)
	b, xmlErr := xml.MarshalIndent(suite, "", "  ")
	return append(append([]byte(xml.Header), b...), '\n'), xmlErr
}

// xmlText has escapes in place of what XML cannot hold.
func xmlText(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && s[i] != 0xEF, r < ' ' && r != '\n', r >= 0x7F && r < 0xA0, r == 0xFFFE, r == 0xFFFF:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
