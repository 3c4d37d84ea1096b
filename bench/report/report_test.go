package report

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// runs makes a contestant that took so many seconds, and half a second more
// until durable; 0 is a round without it.
func runs(name string, seconds ...float64) Entry {
	e := Entry{Name: name}
	for _, s := range seconds {
		var run *Run
		if s > 0 {
			took := time.Duration(s * float64(time.Second))
			run = &Run{Done: took, Durable: took + time.Second/2}
		}
		e.Runs = append(e.Runs, run)
	}
	return e
}

func example() Report {
	cp := runs("cp", 1, 1, 1)
	cp.Local = true
	labnet, toLabnet := runs("labnet", 2, 3, 10), runs("curl to labnet", 1, 4, 5)
	labnet.ToLabnet, toLabnet.ToLabnet = true, true
	slow := runs("scp", 40, 0, 0)
	slow.Slow = true
	failed := Entry{Name: "a|b <c>", Runs: make([]*Run, 3), Failed: "no | such\n<thing> & more"}
	return Report{
		Rounds: 3,
		Workloads: []Workload{
			{Name: "big", Title: "one file", Reference: "labnet", Files: true, Entries: []Entry{
				labnet, toLabnet, cp, runs("curl", 4, 1, 20), runs("rsync daemon", 3, 0, 5), slow, failed,
			}},
			{Name: "far-big", Title: "one file far away", Reference: "labnet", Files: true, Entries: []Entry{
				labnet, toLabnet, cp, runs("curl", 4, 1, 20), runs("tar | nc", 3, 6, 5),
			}},
			{Name: "again-bytes", Title: "again", Reference: "labnet", Files: true, Counted: true, Contents: 1000, Entries: []Entry{
				{Name: "labnet", Runs: []*Run{{Done: time.Second, Wire: 5, Written: 30}, {Done: time.Second, Wire: 7, Written: 30}}},
				{Name: "rsync daemon", Runs: []*Run{{Done: time.Second, Wire: 2}, {Done: time.Second, Wire: 2}}},
			}},
			{Name: "say", Title: "messages", Reference: "labnet", Entries: []Entry{{Name: "labnet", Runs: []*Run{{Done: time.Second}}}}},
		},
		Memory: []Memory{{Name: "labnet", Uploads: 1000, Peak: 300 << 20, Idle: 10000, Each: 8 << 10}},
	}
}

func TestSpread(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   Spread
	}{
		{nil, Spread{}},
		{[]float64{3}, Spread{3, 3, 3, 1}},
		{[]float64{4, 1}, Spread{2.5, 1, 4, 2}},
		{[]float64{9, 1, 2}, Spread{2, 1, 9, 3}},
	} {
		if got := spread(test.values); got != test.want {
			t.Errorf("%v: got %v, want %v", test.values, got, test.want)
		}
	}
}

func TestBars(t *testing.T) {
	r := example()
	for _, test := range []struct {
		bar  Bar
		want Spread
	}{
		{Bar{"big", "labnet", "cp", true, 1}, Spread{2, 2 / 1.5, 10 / 1.5, 3}},
		{Bar{"big", "labnet", "curl", false, 1}, Spread{0.5, 0.5, 3, 3}}, // not the ratio of the medians
		{Bar{"big", "labnet", "rsync daemon", false, 1}, Spread{(2./3 + 2) / 2, 2. / 3, 2, 2}},
		{Bar{"big", "labnet", "scp", false, 1}, Spread{2. / 40, 2. / 40, 2. / 40, 1}},
		{Bar{"big", "labnet", "a|b <c>", false, 1}, Spread{}},
		{Bar{"big", "labnet", "nobody", false, 1}, Spread{}},
		{Bar{"far-big", "labnet", Best, false, 1}, Spread{2, 2. / 3, 3, 3}}, // 3, 1 and 5 s; cp has no network
		{Bar{"big", "curl to labnet", "curl", false, 1}, Spread{0.25, 0.25, 4, 3}},
	} {
		w, _ := r.workload(test.bar.Workload)
		if got := test.bar.Measure(w); got != test.want {
			t.Errorf("%v: got %v, want %v", test.bar, got, test.want)
		}
	}
}

// TestMarkdown: every row of a table has as many cells as its head.
func TestMarkdown(t *testing.T) {
	text := Markdown(example())
	cells := 0
	for line := range strings.Lines(text) {
		bare := strings.ReplaceAll(line, `\|`, "")
		switch n := strings.Count(bare, "|"); {
		case n == 0:
			cells = 0
		case cells == 0:
			cells = n
		case n != cells:
			t.Errorf("%d cells, not %d: %s", n-1, cells-1, line)
		}
	}
	for _, want := range []string{
		"| **labnet** | 3.00 s (2.00 … 10.0) |", "one round only", "no \\| such &lt;thing> & more",
		"| one file | labnet | curl | 0.75 | 0.50 (0.50 … 3.00) | met |",
		"| one file | labnet | cp + sync -f | 1.15 | 2.00 (1.33 … 6.67) | **not met** |",
		"| **labnet** | 0.0 KiB | 0.60 % | 0.0 KiB | 3.00 % |",
		"| again | labnet | the contents: bytes on the wire | 1.00 % | 0.60 % | met |",
		"| again | labnet | the contents: bytes written by the server | 1.00 % | 3.00 % | **not met** |",
		"| one file | labnet | sftp | 0.75 | – | not measured |",
		"| memory for 1000 uploads at once | labnet |  | 256.0 MiB | 300.0 MiB | **not met** |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s\nin\n%s", want, text)
		}
	}
}

// TestSVG: whatever contestants are called, the plot can be read.
func TestSVG(t *testing.T) {
	isPicture(t, SVG(example()), "a|b &lt;c&gt;", "One file far away", "×")
}

// TestCurvesSVG: also of what never was, or only once.
func TestCurvesSVG(t *testing.T) {
	isPicture(t, CurvesSVG("A & B", "none < all", nil), "<title>A &amp; B</title>", "none &lt; all")
	isPicture(t, CurvesSVG("A", "", []Curve{
		{"threads", []Point{{0, 8}, {30 * time.Minute, 23.4}, {time.Hour, 9}}},
		{"zero", []Point{{0, 0}}},
		{"nothing", nil},
	}), "threads", ">23.4<", ">30m0s<", ">1h0m0s<", `points="118.0,`)
}

// isPicture fails unless a picture can be read and has some texts.
func isPicture(t *testing.T, text string, wanted ...string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
	for _, bad := range []string{"NaN", "Inf", `width="-`} {
		if strings.Contains(text, bad) {
			t.Errorf("%s in the plot", bad)
		}
	}
}
