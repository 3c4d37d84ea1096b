package report

import (
	"fmt"
	"strings"
)

// Markdown writes all figures as tables.
func Markdown(r Report) string {
	var b strings.Builder
	b.WriteString("# Results\n\n")
	fmt.Fprintf(&b, "%s, labnet %s. %s. Medians of %d rounds, with the least and the most.\n",
		r.Date.Format("2006-01-02"), r.Commit, r.Machine, r.Rounds)
	if r.Small {
		b.WriteString("\nThis is the small version: its sizes are not those of the bar.\n")
	}
	b.WriteString("\n![How long the same work takes](results.svg)\n")
	b.WriteString(remarks)
	for _, line := range r.Legend {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	for _, w := range r.Workloads {
		writeWorkload(&b, w)
	}
	writeMemory(&b, r.Memory)
	writeBars(&b, r)
	if len(r.Missing) > 0 {
		fmt.Fprintf(&b, "\nNot installed, and left out: %s.\n", strings.Join(r.Missing, "; "))
	}
	return b.String()
}

const remarks = `
*done*: until the tool says so. *durable*: until a power cut would take nothing away, that is, with
` + "`sync -f`" + ` behind it; labnet is durable when it says done, and is measured the same way. *×*: median of the
ratios to labnet's *done* in the same round. CPU: user and system, client + server. Memory: the most that
the largest process of the client + of the server had resident. ⚠: rounds in which others used the machine.

`

func writeWorkload(b *strings.Builder, w Workload) {
	fmt.Fprintf(b, "\n## %s\n\n", title(w.Title))
	if w.Counted {
		writeCounted(b, w)
		return
	}
	headings := []string{"", "done", "×", "durable", "×", "CPU", "memory", ""}
	if !w.Files {
		headings = []string{"", "done", "×", "CPU", "memory", ""}
	}
	row(b, headings...)
	row(b, repeat("---", len(headings))...)
	reference, _ := w.entry(w.Reference)
	for _, e := range w.ranked() {
		name := escape(e.Name)
		if e.Name == w.Reference {
			name = "**" + name + "**"
		}
		cells := []string{name, seconds(e.of(done)), ratio(e.against(reference, done, done))}
		if w.Files {
			cells = append(cells, seconds(e.of(durable)), ratio(e.against(reference, durable, done)))
		}
		row(b, append(cells, cpu(e), memory(e), remark(e))...)
	}
	for _, e := range w.Entries {
		if e.of(done).Count == 0 && e.Failed != "" {
			cells := repeat("–", len(headings))
			cells[0], cells[len(cells)-1] = escape(e.Name), escape(e.Failed)
			row(b, cells...)
		}
	}
}

// writeCounted tells bytes, of the median round.
func writeCounted(b *strings.Builder, w Workload) {
	row(b, "", "on the wire", "of the contents", "written by the server", "of the contents", "")
	row(b, repeat("---", 6)...)
	for _, e := range w.ranked() {
		name := escape(e.Name)
		if e.Name == w.Reference {
			name = "**" + name + "**"
		}
		row(b, name, size(e.of(wire).Median), percent(e.of(w.ofContents(wire)).Median),
			size(e.of(written).Median), percent(e.of(w.ofContents(written)).Median), escape(e.Failed))
	}
}

// remark is what a reader has to know of a row.
func remark(e Entry) string {
	var list []string
	if e.Slow {
		list = append(list, "one round only")
	}
	disturbed := 0
	for _, run := range e.Runs {
		if run != nil && run.Disturbed() {
			disturbed++
		}
	}
	if disturbed > 0 {
		list = append(list, fmt.Sprintf("⚠ %d of %d", disturbed, e.of(done).Count))
	}
	if e.Failed != "" {
		list = append(list, "then: "+escape(e.Failed))
	}
	return strings.Join(list, "; ")
}

func writeMemory(b *strings.Builder, list []Memory) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## Memory of servers\n\nResident, all processes together.\n\n")
	row(b, "", fmt.Sprintf("%d uploads at once, peak", list[0].Uploads), fmt.Sprintf("each of %d idle connections", list[0].Idle), "")
	row(b, "---", "---", "---", "---")
	for _, m := range list {
		name, peak, each := m.Name, "–", "–"
		if name == "curl" {
			name = "nginx"
		}
		if m.Peak > 0 {
			peak = fmt.Sprintf("%.0f MiB", float64(m.Peak)/(1<<20))
		}
		if m.Each > 0 {
			each = fmt.Sprintf("%.1f KiB", float64(m.Each)/(1<<10))
		}
		row(b, name, peak, each, escape(m.Failed))
	}
}

func writeBars(b *strings.Builder, r Report) {
	fmt.Fprintf(b, "\n## The bar\n\nlabnet's time, verified and durable, divided by the peer's; memory as it is.\n\n")
	row(b, "work", "of", "against", "at most", "measured", "")
	row(b, repeat("---", 6)...)
	for _, bar := range Bars {
		w, ok := r.workload(bar.Workload)
		if !ok {
			continue
		}
		against := bar.Against
		if bar.Durable {
			against += " + sync -f"
		}
		measured, verdict := "–", "not measured"
		s := bar.Measure(w)
		if s.Count == 0 && bar.Against == Before {
			continue
		}
		if s.Count > 0 {
			measured = fmt.Sprintf("%.2f (%.2f … %.2f)", s.Median, s.Min, s.Max)
			verdict = met(s.Median <= bar.AtMost)
		}
		atMost := fmt.Sprintf("%.2f", bar.AtMost)
		if bar.Against == Wire || bar.Against == Written {
			atMost, measured = percent(bar.AtMost), percent(bar.Measure(w).Median)
		}
		row(b, w.Title, bar.Of, against, atMost, measured, verdict)
	}
	for _, limit := range memoryLimits(r) {
		row(b, limit.title, "labnet", "", size(limit.atMost), size(limit.measured), met(limit.measured <= limit.atMost))
	}
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "**not met**"
}

func row(b *strings.Builder, cells ...string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func repeat(cell string, n int) []string {
	return strings.Split(strings.Repeat(cell+"\n", n-1)+cell, "\n")
}

func title(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// escape keeps a foreign text inside its cell.
func escape(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;").Replace(text)
}
