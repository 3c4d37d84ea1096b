package check

import (
	"encoding/xml"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/wire"
)

var update = flag.Bool("update", false, "write the golden files")

// reported has every verdict, and a server that prints what it should not.
var reported = []Result{
	{ID: "5.256", Task: "5", Verdict: Pass, Title: "256 bytes", Sent: "03 00 01, 256 bytes; end", Expected: "a new file with these bytes", Seconds: 0.01},
	{ID: "5.pieces", Task: "5", Verdict: Fail, Title: "100,000 bytes in three pieces",
		Sent:     "04 a0 86 01, 10 bytes; 39,990 bytes; 60,000 bytes; 100 ms apart; end",
		Expected: "a new file with these 100,000 bytes", Saw: "x7Yt93Qa.bin: the first 10 of 100,000 bytes", Why: loopSize, Seconds: 2.3},
	{ID: "5.count", Task: "5", Verdict: Warn, Title: "a client that stays", Expected: "a new file", Sent: strings.Repeat("å", 150), Saw: "\x00 \x1b[2J & <b> \xff # SKIP", Why: `a "quoted" \ why`},
	{ID: "2.threads", Task: "5", Verdict: CannotTell, Title: "threads # of clients", Why: "it does not show"},
	{ID: "5.half", Task: "5", Verdict: NotRun, Title: "half", Why: "it needs 5.scheme"},
	{ID: "5.lie", Task: "5", Verdict: NotRun, Title: "lie", Why: "it needs 5.scheme"},
}

// TestReports holds the reports, in the files of testdata.
func TestReports(t *testing.T) {
	o := Options{Task: wire.Lab5, Addr: "127.0.0.1:9000", Dir: "srv"}
	counts := Counts{}
	var text, colours, taps strings.Builder
	plain, coloured, tap := &Text{W: &text}, &Text{W: &colours, Colour: true}, &TAP{W: &taps}
	plain.Begin(o)
	tap.Begin(o)
	for _, r := range reported {
		counts[r.Verdict]++
		r.Saw = printable(r.Saw) // as cases do
		plain.Result(r)
		coloured.Result(r)
		tap.Result(r)
	}
	plain.End(counts, 14*time.Second)
	tap.End(nil)
	junit, err := JUnit(o, reported, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{"report.txt": text.String(), "report.tap": taps.String(), "report.xml": string(junit)} {
		file := filepath.Join("testdata", name)
		if *update {
			os.MkdirAll("testdata", 0o755)
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || got != string(want) {
			t.Errorf("%s: %v, got\n%s", name, err, got)
		}
		for line := range strings.Lines(got) {
			if name == "report.txt" && len([]rune(line)) > 81 {
				t.Errorf("more than 80 columns: %s", line)
			}
		}
	}
	if strings.Contains(text.String(), "\x1b") || !strings.Contains(colours.String(), "\x1b[31m✗\x1b[0m 5.pieces") {
		t.Errorf("colours: %q", colours.String())
	}
}

// TestJUnitParses: whatever a program prints, the report can be read, and every
// verdict is where graders look for it.
func TestJUnitParses(t *testing.T) {
	report, err := JUnit(Options{Task: wire.Lab5}, reported, errors.New("\x00 lost"))
	if err != nil {
		t.Fatal(err)
	}
	var suite junitSuite
	if err := xml.Unmarshal(report, &suite); err != nil {
		t.Fatal(err)
	}
	if suite.Tests != 7 || suite.Failures != 1 || suite.Errors != 1 || suite.Skipped != 3 {
		t.Errorf("%+v", suite)
	}
	c := suite.Cases
	if c[0].Failure != nil || c[1].Failure == nil || !strings.Contains(c[1].Failure.Body, "5.pieces") ||
		!strings.Contains(c[2].Out, `\x00 \x1b[2J & <b> \xff`) || c[3].Skipped == nil || c[4].Skipped == nil || c[6].Error == nil {
		t.Errorf("%+v", c)
	}
}

// TestCompare has how the contents of a file can be like those that were sent.
func TestCompare(t *testing.T) {
	sent := "\xff0123456789abcdefghijklmnopqrstuvwxyz"
	for _, test := range []struct{ got, saw, why string }{
		{sent, "", ""},
		{"\x25\x00" + sent, "2 bytes in front of the contents (25 00)", "saved as contents"},
		{sent[3:], "the first 3 bytes are missing", "3 bytes too many were read as the size"},
		{sent[:10], "the first 10 of 37 bytes", ""},
		{sent + "more", "4 bytes more", ""},
		{"", "nothing in it", ""},
		{sent[:5] + "X" + sent[6:], "the first difference at byte 5", ""},
	} {
		l := compare([]byte(test.got), []byte(sent))
		if l.same != (test.got == sent) || !strings.Contains(l.saw, test.saw) || !strings.Contains(l.why, test.why) || (test.why == "") != (l.why == "") {
			t.Errorf("%q: %+v", test.got, l)
		}
	}
}

// TestCases: ids are not used twice in a task, what a case needs stands before it, and
// each has its words.
func TestCases(t *testing.T) {
	for task := wire.Lab1; task <= wire.LabExtra; task++ {
		seen := map[string]bool{}
		for _, c := range casesOf(task) {
			if seen[c.id] || c.title == "" || len([]rune(c.title)) > 64 || c.want == "" || len(c.steps) == 0 {
				t.Errorf("task %s: %s", task, c.id)
			}
			for _, id := range c.needs {
				if !seen[id] {
					t.Errorf("task %s: %s needs %s, which does not stand before it", task, c.id, id)
				}
			}
			seen[c.id] = true
		}
	}
}

// TestQuote has what is quoted of a traceback.
func TestQuote(t *testing.T) {
	var out tail
	out.Write([]byte("before\nTraceback (most recent call last):\n  File \"/old.py\", line 1, in <module>\nOSError: old\n"))
	n := out.printed()
	if got := out.quote(n, ""); got != "" {
		t.Errorf("an old traceback: %q", got)
	}
	out.Write([]byte(strings.Repeat("x\n", maxPrinted) + `Exception in thread Thread-1 (handle):
Traceback (most recent call last):
  File "/usr/lib/python3.11/threading.py", line 1045, in _bootstrap_inner
    self.run()
  File "/home/ann/lab/server.py", line 12, in handle
    text = data.decode()
UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff` + "\x1b[2J\n"))
	if got, want := out.quote(n, "; "), "; UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff\\x1b[2J (server.py, line 12)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
