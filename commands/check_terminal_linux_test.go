package commands_test

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestCheckOnTerminal: a report has 80 columns, and colours only where somebody sees them
// and wants them.
func TestCheckOnTerminal(t *testing.T) {
	t.Parallel()
	addr := answering(t, strings.Repeat("no spaces: ", 3)+strings.Repeat("x", 200))
	const plain = "  ! 3.answer    a text"
	for _, test := range []struct{ env, want string }{
		{"NO_COLOR=", "  \x1b[33m!\x1b[0m 3.answer    a text"},
		{"NO_COLOR=1", plain},
	} {
		cmd := labnetCommand(t, "check", "--lab", "3", "--only", "3.answer", addr)
		cmd.Env = append(cmd.Env, test.env)
		p := sitDown(t, cmd)
		p.resize(t, 80)
		screen := p.ends(t, cmd)
		if !strings.Contains(screen, test.want+"\r\n") || !strings.Contains(screen, "\r\n1 passed, 1 warning (") {
			t.Errorf("%s: %q", test.env, screen)
		}
		for line := range strings.SplitSeq(screen, "\r\n") {
			line = strings.NewReplacer("\x1b[33m", "", "\x1b[32m", "", "\x1b[0m", "").Replace(line)
			if n := utf8.RuneCountInString(line); n > 80 {
				t.Errorf("%d columns: %q", n, line)
			}
		}
	}
	if report := run(t, labnetCommand(t, "check", "--lab", "3", "--only", "3.answer", addr)); !strings.Contains(report, plain+"\n") || strings.Contains(report, "\x1b") {
		t.Errorf("without a terminal: %q", report)
	}
}
