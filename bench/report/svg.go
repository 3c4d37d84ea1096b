package report

import (
	"fmt"
	"math"
	"strings"
)

// Sizes of the plot, in pixels.
const (
	plotWidth  = 920
	nameWidth  = 118 // names end here
	barsStart  = nameWidth + 10
	barsWidth  = 460
	rowHeight  = 20
	barHeight  = 12
	panelSpace = 44 // above the rows of a workload, with its title
	headHeight = 70
)

// columns are where the figures end: done and durable, each with its ratio.
var columns = [4]float64{675, 735, 835, 895}

// These can be read on white and on black.
const (
	textColour   = "#737b85"
	labnetColour = "#2f81d8"
	peerColour   = "#98a1ab"
)

// SVG draws the workloads: for each contestant a bar as long as it took until
// done, and in a paler colour until durable.
func SVG(r Report) string {
	var b strings.Builder
	y := float64(headHeight)
	for _, w := range r.Workloads {
		if w.Counted {
			continue
		}
		y += panel(&b, w, y)
	}
	var top strings.Builder
	head(&top, r)
	return picture("How long labnet and others take for the same work", y+16, top.String()+b.String())
}

// picture is an SVG file.
func picture(title string, height float64, contents string) string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" width="%d" height="%.0f" `+
		`font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="12" fill="%s" role="img">`+"\n"+
		"<title>%s</title>\n%s</svg>\n", plotWidth, height, plotWidth, height, textColour, xmlEscaper.Replace(title), contents)
}

// head draws what was measured, and what the colours mean.
func head(b *strings.Builder, r Report) {
	label(b, 16, 24, `font-size="15" font-weight="600"`, "How long the same work takes")
	label(b, 16, 42, "", fmt.Sprintf("%s · labnet %s · medians of %d rounds · %s, %d cores, %s",
		r.Date.Format("2006-01-02"), r.Commit, r.Rounds, r.Machine.CPU, r.Machine.Cores, r.Machine.Filesystem))
	x := 16.0
	for _, item := range []struct {
		colour  string
		opacity float64
		text    string
	}{
		{labnetColour, 1, "labnet, verified and durable"},
		{peerColour, 1, "others, until they say done"},
		{peerColour, 0.4, "… and until it is durable (sync -f)"},
	} {
		rect(b, x, 53, 12, 10, item.colour, item.opacity)
		label(b, x+17, 62, "", item.text)
		x += 44 + 6.1*float64(len([]rune(item.text)))
	}
}

// panel draws one workload at y, and returns its height.
func panel(b *strings.Builder, w Workload, y float64) float64 {
	var failed []Entry
	for _, e := range w.Entries {
		if e.of(done).Count == 0 && e.Failed != "" {
			failed = append(failed, e)
		}
	}
	ranked := w.ranked()
	if len(ranked) == 0 {
		return 0
	}
	scale, logarithmic := scaleOf(ranked)
	heading := title(w.Title)
	label(b, 16, y+28, `font-size="13" font-weight="600"`, heading)
	if logarithmic {
		label(b, barsStart+barsWidth, y+28, `text-anchor="end" font-style="italic"`, "logarithmic")
	}
	headings := []string{"done", "ratio", "durable", "ratio"}
	if !w.Files {
		headings = headings[:2]
	}
	for i, text := range headings {
		label(b, columns[i], y+28, `text-anchor="end"`, text)
	}
	top := y + panelSpace - 6
	reference, found := w.entry(w.Reference)
	for i, e := range ranked {
		bar(b, e, reference, found, scale, top+float64(i*rowHeight))
	}
	if found {
		x := barsStart + scale(reference.of(done).Median)
		fmt.Fprintf(b, `<path d="M%.1f %.1fV%.1f" stroke="%s" stroke-dasharray="3 3"/>`+"\n",
			x, top-2, top+float64(len(ranked)*rowHeight)-4, labnetColour)
	}
	for i, e := range failed {
		rowY := top + float64((len(ranked)+i)*rowHeight)
		label(b, nameWidth, rowY+11, `text-anchor="end"`, e.Name)
		label(b, barsStart, rowY+11, `font-style="italic"`, shortened(e.Failed))
	}
	return panelSpace + float64((len(ranked)+len(failed))*rowHeight)
}

// bar draws one contestant.
func bar(b *strings.Builder, e, reference Entry, compared bool, scale func(float64) float64, y float64) {
	colour, weight := peerColour, ""
	if e.ToLabnet {
		colour = labnetColour
	}
	if e.Name == reference.Name {
		weight = ` font-weight="600"`
	}
	label(b, nameWidth, y+11, `text-anchor="end"`+weight, e.Name)

	said, safe := e.of(done).Median, e.of(durable).Median
	end := scale(said)
	rect(b, barsStart, y, end, barHeight, colour, 1)
	cells := []string{figure(said) + " s", "×" + ratio(e.against(reference, done, done))}
	if safe > 0 && !e.ToLabnet {
		rect(b, barsStart+end, y, max(0, scale(safe)-end), barHeight, colour, 0.4)
	}
	if safe > 0 {
		cells = append(cells, figure(safe)+" s", "×"+ratio(e.against(reference, durable, done)))
	}
	for i, text := range cells {
		if compared || i%2 == 0 {
			label(b, columns[i], y+11, `text-anchor="end"`+weight, text)
		}
	}
}

// scaleOf returns how long bars are: linear, if the shortest can be seen then.
func scaleOf(entries []Entry) (scale func(float64) float64, logarithmic bool) {
	least, most := math.Inf(1), 0.0
	for _, e := range entries {
		least = min(least, e.of(done).Median)
		most = max(most, e.of(done).Median, e.of(durable).Median)
	}
	if most <= 15*least {
		return func(v float64) float64 { return v / most * barsWidth }, false
	}
	begin := least / 2
	return func(v float64) float64 {
		return max(1, math.Log(v/begin)/math.Log(most/begin)*barsWidth)
	}, true
}

// ratio writes a ratio with two digits that mean something.
func ratio(s Spread) string {
	switch v := s.Median; {
	case s.Count == 0:
		return "–"
	case v >= 9.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 0.995:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2g", v)
	}
}

// shortened is a reason that fits on a line.
func shortened(text string) string {
	if letters := []rune(text); len(letters) > 80 {
		return string(letters[:79]) + "…"
	}
	return text
}

func rect(b *strings.Builder, x, y, width, height float64, colour string, opacity float64) {
	fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.0f" fill="%s" fill-opacity="%g"/>`+"\n",
		x, y, width, height, colour, opacity)
}

var xmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func label(b *strings.Builder, x, y float64, attributes, text string) {
	if attributes != "" {
		attributes = " " + attributes
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f"%s>%s</text>`+"\n", x, y, attributes, xmlEscaper.Replace(text))
}
