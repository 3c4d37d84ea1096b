package status

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestAlerts: the alerts are about what the server tells, and go off when they should.
func TestAlerts(t *testing.T) {
	const folder = "../../packaging"
	rules, err := os.ReadFile(folder + "/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := newBoard(t)
	told := metricsOf(t, b)
	names := regexp.MustCompile(`\blabnet_[a-z_]+`).FindAllString(string(rules), -1)
	for _, name := range names {
		if !strings.Contains(told, "\n"+name) {
			t.Errorf("%s is not told", name)
		}
	}
	if len(names) < 10 {
		t.Errorf("only %q were found", names)
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool, of Debian's package prometheus, is not here")
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = folder
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}
