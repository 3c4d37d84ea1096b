package check

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labnet/labnet/wire"
)

// parser returns a program that reads reports, or skips the test.
func parser(t *testing.T, name, from string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s, of %s, is not installed", name, from)
	}
	return path
}

// TestJUnitIsValid: the report conforms to the schema, whatever a program has printed and
// also if it was never reached.
func TestJUnitIsValid(t *testing.T) {
	xmllint := parser(t, "xmllint", "libxml2-utils")
	for name, o := range map[string]Options{"of a server": {Task: wire.Lab5}, "of a client": {Task: wire.LabExtra, Listener: &net.TCPListener{}}} {
		for _, err := range []error{nil, errors.New("\x00 \x1b lost")} {
			report, xmlErr := JUnit(o, reported, err)
			if xmlErr != nil {
				t.Fatal(xmlErr)
			}
			file := filepath.Join(t.TempDir(), "report.xml")
			if err := os.WriteFile(file, report, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(xmllint, "--noout", "--schema", filepath.Join("testdata", "junit.xsd"), file).CombinedOutput(); err != nil {
				t.Errorf("%s: %v, %s", name, err, out)
			}
		}
	}
}

// TestTAPIsValid: a parser of version 14 finds the verdicts and the words of each case,
// and nothing that is not TAP.
func TestTAPIsValid(t *testing.T) {
	tapParser := parser(t, "tap-parser", "npm's package tap-parser, version 18")
	for _, unreached := range []error{nil, errors.New("no connection # TODO was accepted")} {
		var out strings.Builder
		tap := &TAP{W: &out}
		tap.Begin(Options{})
		results := reported
		if unreached != nil {
			results = nil
		}
		for _, r := range results {
			r.Saw = printable(r.Saw) // as cases do
			tap.Result(r)
		}
		tap.End(unreached)
		cmd := exec.Command(tapParser, "--strict", "--json")
		cmd.Stdin = strings.NewReader(out.String())
		parsed, _ := cmd.Output() // it fails as the report does
		var events []json.RawMessage
		if err := json.Unmarshal(parsed, &events); err != nil {
			t.Fatalf("%v: %s", err, parsed)
		}
		var asserts []tapAssert
		for _, e := range events {
			var event [2]json.RawMessage
			var kind string
			json.Unmarshal(e, &event)
			json.Unmarshal(event[0], &kind)
			switch kind {
			case "assert":
				var a tapAssert
				if err := json.Unmarshal(event[1], &a); err != nil {
					t.Fatal(err)
				}
				asserts = append(asserts, a)
			case "extra":
				t.Errorf("no TAP: %s", e)
			case "complete":
				var c struct {
					Count, Fail, Skip int
					Bailout           any
					Failures          []struct{ TapError any }
				}
				if err := json.Unmarshal(event[1], &c); err != nil {
					t.Fatal(err)
				}
				if unreached != nil {
					if c.Bailout != unreached.Error() {
						t.Errorf("bails out: %v", c.Bailout)
					}
				} else if c.Count != 6 || c.Fail != 1 || c.Skip != 3 || c.Failures[0].TapError != nil {
					t.Errorf("%s", e)
				}
			}
		}
		for i, r := range results {
			a := asserts[i]
			skipped := r.Verdict == CannotTell || r.Verdict == NotRun
			if a.OK == (r.Verdict == Fail) || a.Name != r.ID+" "+r.Title || skipped != (a.Skip == r.Why) || a.Diag["why"] != r.Why && r.Why != "" {
				t.Errorf("%+v for %+v", a, r)
			}
		}
	}
}

// A tapAssert is what the parser says of a test point.
type tapAssert struct {
	OK   bool
	Name string
	Skip any
	Diag map[string]string
}
