package commands

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/labnet/labnet/commands/terminal"
)

func TestPingSummary(t *testing.T) {
	upTo := func(n int) []float64 {
		times := make([]float64, n)
		for i, j := range rand.Perm(n) {
			times[i] = float64(j + 1)
		}
		return times
	}
	late := []float64{1000}
	for range 19 {
		late = append(late, 0.1)
	}
	tests := []struct {
		name  string
		sent  int
		times []float64
		want  string
		json  string
	}{
		{"none", 0, nil, "", ""},
		{"all lost", 3, nil, "3 sent, 0 replies, 100% lost\n", `,"loss":1,`},
		{"one", 1, upTo(1), "1 sent, 1 reply, 0% lost; min/median/p99/max 1.00/1.00/1.00/1.00 ms\n",
			`,"loss":0,"min_seconds":0.001,"median_seconds":0.001,"p99_seconds":0.001,"max_seconds":0.001,`},
		{"too few for a histogram", 19, upTo(19), "19 sent, 19 replies, 0% lost; min/median/p99/max 1.00/10.00/19.00/19.00 ms\n", ""},
		{"one late", 20, late, "20 sent, 20 replies, 0% lost; min/median/p99/max 0.10/0.10/1000.00/1000.00 ms\n" +
			"0.10 ms █                              ▁ 1000.00 ms\n", ""},
		{"a hundred", 101, upTo(100), "101 sent, 100 replies, 0.99% lost; min/median/p99/max 1.00/50.50/99.00/100.00 ms\n" +
			"1.00 ms ▁   ▁  ▁ ▁ ▁▁▁▁▁▂▂▂▂▂▂▃▃▃▄▄▅▅▆▇█ 100.00 ms\n", ""},
		{"more", 200, upTo(200), "200 sent, 200 replies, 0% lost; min/median/p99/max 1.00/100.50/198.00/200.00 ms\n" +
			"1.00 ms ▁   ▁ ▁ ▁▁▁▁▁▁▁▁▁▁▂▂▂▂▂▃▃▄▄▅▅▆▇█ 200.00 ms\n", ""},
	}
	for _, test := range tests {
		var out bytes.Buffer
		con := &terminal.Console{Out: &out}
		summarize(con, test.sent, test.times)
		if got := out.String(); got != test.want {
			t.Errorf("%s:\n%swant\n%s", test.name, got, test.want)
		}
		out.Reset()
		con.JSON = true
		con.End(nil)
		if got := out.String(); test.json != "" && !strings.Contains(got, test.json) {
			t.Errorf("%s: %s, want %s", test.name, got, test.json)
		}
	}
}

func TestHistogram(t *testing.T) {
	same := make([]float64, 20)
	if got, want := histogram(same), "█"; got[:len(want)] != want {
		t.Errorf("%q of pings without a time", got)
	}
	for range 1000 {
		times := make([]float64, 20+rand.IntN(100))
		at := rand.ExpFloat64()
		for i := range times {
			times[i] = at
			at += rand.ExpFloat64() * rand.ExpFloat64()
		}
		if got := histogram(times); utf8.RuneCountInString(got) != histogramBars {
			t.Fatalf("%q of %v", got, times)
		}
	}
}

// TestPercent: what is not nothing is not shown as 0, and what is not all not as 100.
func TestPercent(t *testing.T) {
	for part, want := range map[float64]string{0: "0", 1e-9: "0.01", 1.0 / 3: "33.33", 0.5: "50", 1 - 1e-9: "99.99", 1: "100"} {
		if got := percent(part); got != want {
			t.Errorf("%g: %s, want %s", part, got, want)
		}
	}
}
