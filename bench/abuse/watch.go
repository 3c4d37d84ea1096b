package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/labnet/labnet/bench/report"
)

// A watch notes what a server holds, again and again.
type watch struct {
	begun   time.Time
	every   time.Duration
	of      func() (state, error)
	day     *day
	samples []sample
}

// A sample is a state at a time, and what was acknowledged until then.
type sample struct {
	state
	at         time.Duration
	kept, sent int64
}

// until watches until ctx ends or a state is as it should be. It fails once the
// server has ended.
func (w *watch) until(ctx context.Context, done func(state) bool) error {
	for {
		select {
		case <-w.day.ended:
			return fmt.Errorf("the server has ended: %v", w.day.err)
		case <-ctx.Done():
			return nil
		case <-time.After(w.every):
		}
		st, err := w.of()
		if err != nil {
			return err
		}
		w.samples = append(w.samples, sample{st, time.Since(w.begun), w.day.count.kept.Load(), w.day.sent.Load()})
		if done(st) {
			return nil
		}
	}
}

// last is the last state that was seen.
func (w *watch) last() state {
	if len(w.samples) == 0 {
		return state{}
	}
	return w.samples[len(w.samples)-1].state
}

// figures are what is told of a state.
var figures = []struct {
	title string
	of    func(state) float64
}{
	{"resident memory, MiB", func(st state) float64 { return mib(st.resident) }},
	{"threads", func(st state) float64 { return float64(st.threads) }},
	{"goroutines", func(st state) float64 { return float64(st.Goroutines) }},
	{"open descriptors", func(st state) float64 { return float64(st.files) }},
}

// write says what there was at first, at most and in the end, and writes the rest to
// files.
func (w *watch) write(prefix string, a *abuse, before state) error {
	if len(w.samples) == 0 {
		return errors.New("nothing was seen")
	}
	end := w.samples[len(w.samples)-1]
	work := fmt.Sprintf("%d connections with small files and %d with %.0f MiB each: %d files, %.1f GiB acknowledged in %v",
		w.day.small, w.day.big, mib(w.day.dayTest.size), end.kept, mib(end.sent)/1024, w.day.time)
	a.say("%s; %d failed", work, w.day.count.failed.Load())
	header, rows, curves := []string{"seconds"}, make([][]string, len(w.samples)), []report.Curve{}
	for i, s := range w.samples {
		rows[i] = []string{strconv.FormatFloat(s.at.Seconds(), 'f', 0, 64)}
	}
	for _, f := range figures {
		most, c := 0.0, report.Curve{Title: f.title}
		header = append(header, f.title)
		for i, s := range w.samples {
			v := f.of(s.state)
			most = max(most, v)
			rows[i] = append(rows[i], strconv.FormatFloat(v, 'f', -1, 64))
			c.Points = append(c.Points, report.Point{At: s.at, Value: v})
		}
		curves = append(curves, c)
		a.say("  %s: %.0f at first, %.0f at most, %.0f in the end", f.title, f.of(before), most, f.of(end.state))
	}
	if prefix == "" {
		return nil
	}
	table, err := os.Create(prefix + ".csv")
	if err != nil {
		return err
	}
	to := csv.NewWriter(table)
	err = errors.Join(to.Write(header), to.WriteAll(rows), table.Close())
	title := "What a server holds under load"
	if w.day.race {
		title += ", built with -race"
	}
	return errors.Join(err, os.WriteFile(prefix+".svg", []byte(report.CurvesSVG(title, work, curves)), 0o666))
}
