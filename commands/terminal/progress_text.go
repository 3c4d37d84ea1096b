package terminal

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"
	"golang.org/x/text/width"

	"github.com/labnet/labnet/commands/escape"
)

// longFile is how long a file among many is sent before it is named.
const longFile = time.Second

// A part is one of a line of progress. Where there is no room for all, a name is
// shortened, and those of the highest rank go first. One of rank 0 stays.
type part struct {
	text   string
	rank   int
	isName bool
}

// text is what to tell now, in at most columns; "" if there is nothing.
func (m *Meter) text(columns int) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, s := time.Now(), m.now
	switch {
	case m.why != "":
		return fit(m.waiting(now), columns)
	case m.found > 1:
		return fit(m.many(now), columns)
	case s == nil:
		return ""
	}
	return fit(m.one(s, now), columns)
}

// one tells of the only thing there is.
func (m *Meter) one(s *metered, now time.Time) []part {
	name := part{escape.Name(s.name), 0, true}
	at, rate := s.resumed+s.sent, part{text: m.perSecond(now), rank: 2}
	switch {
	case s.closed && !m.reads:
		return []part{name, {text: Amount(at), rank: 1}, {text: "waiting for the server"}}
	case s.read < s.resumed:
		return []part{name, {text: Amount(s.read) + " of " + Amount(s.resumed) + " compared"}}
	case s.size < 0:
		return []part{name, {text: Amount(at)}, rate}
	}
	return append([]part{name, {text: Amount(at) + " of " + Amount(s.size)}, rate}, m.left(s, now, 1)...)
}

// waiting tells of a server that is to be tried again.
func (m *Meter) waiting(now time.Time) []part {
	parts := []part{{m.why, 0, true}}
	if pause := m.next.Sub(now); pause > 0 {
		return append(parts,
			part{text: "next try in " + clock(math.Ceil(pause.Seconds())), rank: 1},
			part{text: "giving up in " + clock(math.Ceil(m.until.Sub(now).Seconds())), rank: 2})
	}
	return append(parts, part{text: "trying again", rank: 1})
}

// many tells of many things, and of one of them if that takes long.
func (m *Meter) many(now time.Time) []part {
	done := " sent"
	if m.reads {
		done = " read"
	}
	parts := []part{
		{text: fmt.Sprintf("%s of %s%s %s", Grouped(m.done), Grouped(m.found), m.more(), m.things)},
		{text: Amount(m.sent) + done, rank: 1},
		{text: m.perSecond(now), rank: 2},
	}
	s := m.now
	if s == nil || s.closed || now.Sub(s.since) < longFile {
		return parts
	}
	parts = append(parts, part{escape.Name(s.name), 3, true})
	switch at := s.resumed + s.sent; {
	case s.read < s.resumed:
		return append(parts, part{text: "being compared", rank: 4})
	case s.size < 0:
		return append(parts, part{text: Amount(at), rank: 4})
	default:
		return append(append(parts, part{text: fmt.Sprintf("%d%%", 100*at/max(s.size, 1)), rank: 4}), m.left(s, now, 5)...)
	}
}

// left tells how long the rest of a thing of known size takes, and where it
// began, in parts of a rank and of higher ones.
func (m *Meter) left(s *metered, now time.Time, rank int) (parts []part) {
	if rate := m.rate.perSecond(now); rate > 0 {
		seconds := math.Ceil(float64(s.size-s.resumed-s.sent) / rate)
		parts = append(parts, part{text: clock(seconds) + " left", rank: rank})
	}
	if s.resumed > 0 {
		parts = append(parts, part{text: "resumed at " + Amount(s.resumed), rank: rank + 2})
	}
	return parts
}

// stopped tells how far work has come that a signal stops, so many things of it being
// saved, and what follows from that; "" if there is nothing to tell. In the lab dialect
// nobody knows what the server keeps.
func (m *Meter) stopped(saved int, lab bool) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	const again, unknown = "; run it again to continue", "; the course's protocol does not tell what the server keeps"
	s := m.now
	switch {
	case !m.active || m.found <= saved && m.all:
		return ""
	case m.reads:
		return fmt.Sprintf("stopped: %s of %s%s %s read", Grouped(m.done), Grouped(m.found), m.more(), m.things)
	case m.found > 1:
		text := fmt.Sprintf("stopped: %s of %s%s %s ", Grouped(saved), Grouped(m.found), m.more(), m.things)
		switch {
		case lab:
			return text + "sent" + unknown
		case m.things == "files":
			return text + "saved" + again
		}
		return text + "saved"
	case s == nil:
		return "stopped before anything was sent"
	}
	name, at := escape.Name(s.name)+": ", s.resumed+s.sent
	switch {
	case lab:
		return name + "stopped at " + Amount(at) + unknown
	case s.from != nil && at > 0:
		return name + "stopped at " + Amount(at) + again
	case s.from == nil && (s.ended || s.size >= 0 && s.read >= s.size):
		return name + "stopped before the server said that it was saved; it may have been kept"
	}
	return name + "stopped; nothing was kept"
}

// more is behind a number that is not known yet.
func (m *Meter) more() string {
	if m.all {
		return ""
	}
	return "+"
}

// perSecond tells the rate.
func (m *Meter) perSecond(now time.Time) string {
	return Amount(int64(m.rate.perSecond(now))) + "/s"
}

func Amount(n int64) string { return humanize.IBytes(uint64(n)) }

// clock writes a number of seconds as 0:42, 1:02:03 or 3 days.
func clock(seconds float64) string {
	const day = 24 * 60 * 60
	if seconds >= 100*day {
		return "over 99 days"
	}
	s := int(seconds)
	switch {
	case s >= 2*day:
		return fmt.Sprintf("%d days", s/day)
	case s >= 60*60:
		return fmt.Sprintf("%d:%02d:%02d", s/(60*60), s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// minName is to how many columns a name is shortened before another part goes.
const minName = 16

// fit joins parts to a line of at most so many columns.
func fit(parts []part, columns int) string {
	for {
		room, last := columns, 0
		var name string
		for i, p := range parts {
			if i > 0 {
				room -= len("  ")
			}
			if p.isName {
				name = p.text
			} else {
				room -= columnsOf(p.text)
			}
			if p.rank > parts[last].rank {
				last = i
			}
		}
		if room < min(minName, columnsOf(name)) && parts[last].rank > 0 {
			parts = append(parts[:last:last], parts[last+1:]...)
			continue
		}
		var texts []string
		for _, p := range parts {
			if p.isName {
				p.text = shorten(p.text, room)
			}
			if p.text != "" {
				texts = append(texts, p.text)
			}
		}
		return shorten(strings.Join(texts, "  "), columns)
	}
}

// shorten takes from the middle of a text what is over so many columns.
func shorten(s string, columns int) string {
	if columnsOf(s) <= columns {
		return s
	}
	if columns < 1 {
		return ""
	}
	runes := []rune(s)
	head, tail := 0, len(runes)
	for room := columns - 1; head < tail; {
		// The end, which tells the kind of a file, is as good as the beginning.
		next, atHead := runes[head], columnsOf(string(runes[:head])) <= columnsOf(string(runes[tail:]))
		if !atHead {
			next = runes[tail-1]
		}
		if room -= columnsOfRune(next); room < 0 {
			break
		}
		if atHead {
			head++
		} else {
			tail--
		}
	}
	for tail < len(runes) && columnsOfRune(runes[tail]) == 0 { // its letter is gone
		tail++
	}
	return string(runes[:head]) + "…" + string(runes[tail:])
}

// columnsOf is how wide a terminal shows a text.
func columnsOf(s string) (n int) {
	for _, r := range s {
		n += columnsOfRune(r)
	}
	return n
}

func columnsOfRune(r rune) int {
	const emojiFollows = '\uFE0F' // widens the character before it
	switch kind := width.LookupRune(r).Kind(); {
	case kind == width.EastAsianWide, kind == width.EastAsianFullwidth:
		return 2
	case unicode.In(r, unicode.Mn, unicode.Me) && r != emojiFollows:
		return 0
	}
	return 1
}
