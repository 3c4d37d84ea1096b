package report

import (
	"fmt"
	"strings"
	"time"
)

// A Curve is a figure over time.
type Curve struct {
	Title  string
	Points []Point
}

// A Point is the figure at a time after the first.
type Point struct {
	At    time.Duration
	Value float64
}

// Sizes of the panels of curves, in pixels.
const (
	curveHeight = 96
	curveWidth  = plotWidth - nameWidth - 40
)

// CurvesSVG draws figures over the same time, one below the other, each from zero to
// the highest.
func CurvesSVG(title, note string, curves []Curve) string {
	var b strings.Builder
	label(&b, 16, 24, `font-size="15" font-weight="600"`, title)
	label(&b, 16, 42, "", note)
	y := 52.0
	for _, c := range curves {
		c.draw(&b, y)
		y += panelSpace + curveHeight
	}
	return picture(title, y+30, b.String())
}

// draw draws one panel at y.
func (c Curve) draw(b *strings.Builder, y float64) {
	most, last := 0.0, time.Duration(1)
	for _, p := range c.Points {
		most, last = max(most, p.Value), max(last, p.At)
	}
	x := func(at time.Duration) float64 { return nameWidth + float64(at)/float64(last)*curveWidth }
	bottom := y + panelSpace - 12 + curveHeight
	height := func(value float64) float64 { return value / max(most, 1) * curveHeight }

	label(b, nameWidth, y+24, `font-size="13" font-weight="600"`, c.Title)
	label(b, nameWidth-8, bottom-height(most)+4, `text-anchor="end"`, figure(most))
	label(b, nameWidth-8, bottom+4, `text-anchor="end"`, "0")
	rect(b, nameWidth, bottom, curveWidth, 1, peerColour, 0.6)
	for part := range 5 {
		at := last * time.Duration(part) / 4
		label(b, x(at), bottom+16, `text-anchor="middle"`, at.Round(time.Second).String())
	}
	fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="1.2" points="`, labnetColour)
	for _, p := range c.Points {
		fmt.Fprintf(b, "%.1f,%.1f ", x(p.At), bottom-height(p.Value))
	}
	b.WriteString("\"/>\n")
}
