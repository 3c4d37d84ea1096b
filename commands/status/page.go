package status

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"strings"
	"sync"
	"time"

	"github.com/labnet/labnet/commands/escape"
)

// What people read is a list of tables, which the page shows as they are: here as HTML,
// for browsers without JavaScript, and there whenever something has changed.
type (
	table struct {
		Title string   `json:"title"`
		Head  []string `json:"head,omitempty"`
		Rows  [][]cell `json:"rows"`
		Empty string   `json:"empty,omitempty"` // what is told without rows
	}
	cell struct {
		Text  string   `json:"text"`
		Share *float64 `json:"share,omitempty"` // from 0 to 1, shown as a bar
		Bad   bool     `json:"bad,omitempty"`
	}
)

//go:embed page.html
var page string

// pageParts are the page around its tables, and its policy: nothing but its own script and
// style, and connections to the server that it came from.
var pageParts = sync.OnceValue(func() (parts struct{ before, after, policy string }) {
	parts.before, parts.after, _ = strings.Cut(page, "<!-- tables -->")
	parts.policy = fmt.Sprintf("default-src 'none'; style-src %s; script-src %s; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		hashOf("style"), hashOf("script"))
	return parts
})

// hashOf returns that of an element of the page.
func hashOf(element string) string {
	_, rest, _ := strings.Cut(page, "<"+element+">")
	text, _, _ := strings.Cut(rest, "</"+element+">")
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Policy is the Content-Security-Policy of the page.
func Policy() string { return pageParts().policy }

// Page is the page of the moment.
func (b *Board) Page() []byte {
	var text bytes.Buffer
	text.WriteString(pageParts().before)
	for _, t := range tablesOf(b.Snapshot()) {
		t.write(&text)
	}
	text.WriteString(pageParts().after)
	return text.Bytes()
}

// Tables are what the page shows now, as a line of JSON.
func (b *Board) Tables() []byte {
	s := b.Snapshot()
	b.taking.Lock()
	defer b.taking.Unlock()
	if b.tables == nil || !s.Time.Equal(b.tablesAt) {
		b.tables, _ = json.Marshal(tablesOf(s))
		b.tablesAt = s.Time
	}
	return b.tables
}

func (t table) write(w *bytes.Buffer) {
	fmt.Fprintf(w, "<section><h2>%s</h2>", html.EscapeString(t.Title))
	if len(t.Rows) == 0 {
		fmt.Fprintf(w, "<p>%s</p></section>\n", html.EscapeString(t.Empty))
		return
	}
	w.WriteString("<table>")
	if len(t.Head) > 0 {
		w.WriteString("<thead><tr>")
		for _, name := range t.Head {
			fmt.Fprintf(w, "<th>%s</th>", html.EscapeString(name))
		}
		w.WriteString("</tr></thead>")
	}
	w.WriteString("<tbody>")
	for _, row := range t.Rows {
		w.WriteString("<tr>")
		for _, c := range row {
			class := ""
			if c.Bad {
				class = ` class="bad"`
			}
			fmt.Fprintf(w, "<td%s>", class)
			if c.Share != nil {
				fmt.Fprintf(w, `<progress max="1" value="%.3f"></progress>`, *c.Share)
			}
			w.WriteString(html.EscapeString(c.Text) + "</td>")
		}
		w.WriteString("</tr>")
	}
	w.WriteString("</tbody></table></section>\n")
}

func tablesOf(s Snapshot) []table {
	list := []table{{Title: "Attention", Empty: "All is well."}, s.server(), s.nowReceiving(), s.lastReceived()}
	for _, text := range s.Attention {
		list[0].Rows = append(list[0].Rows, []cell{{Text: text, Bad: true}})
	}
	if len(s.Users) > 0 {
		list = append(list, s.ofUsers())
	}
	return append(list, s.lastRefused())
}

func (s *Snapshot) server() table {
	store := cell{Text: "works"}
	if !s.Store.OK {
		store = cell{Text: s.Store.Error, Bad: true}
	}
	rows := [][]cell{{{Text: "Store"}, store}}
	add := func(name, text string) { rows = append(rows, []cell{{Text: name}, {Text: text}}) }
	if r := s.Store.Room; r != nil {
		free := bytesOf(r.FreeBytes)
		if r.AllBytes > 0 {
			free += " of " + bytesOf(r.AllBytes)
		}
		add("Free", free+"; "+bytesOf(r.KeptBytes)+" are kept free")
	}
	if !s.Store.Measured.IsZero() {
		add("Interrupted uploads", fmt.Sprintf("%d with %s", s.Store.Partials.Now, bytesOf(s.Store.PartialB.Now)))
	}
	add("Connections", filesShare(&s.Connections.Share))
	if e := s.Exec; e != nil {
		add("Commands", fmt.Sprintf("%d done, %d failed, %d not run, %d waiting", e.Done, e.Failed, e.Dropped, e.Waiting))
	}
	add("Running for", ago(s.Started, s.Time)+", version "+s.Version)
	return table{Title: "Server", Rows: rows}
}

func (s *Snapshot) nowReceiving() table {
	t := table{Title: fmt.Sprintf("Being received: %d", s.InProgress), Head: []string{"Name", "User", "Progress", "Rate"}, Empty: "Nothing at the moment."}
	for _, r := range s.Receiving {
		done := cell{Text: bytesOf(r.Received)}
		if r.Size != nil && *r.Size > 0 {
			share := min(1, float64(r.Received)/float64(*r.Size))
			done = cell{Text: fmt.Sprintf("%.0f%% of %s", 100*share, bytesOf(*r.Size)), Share: &share}
		}
		t.Rows = append(t.Rows, []cell{nameCell(r.Name, "(blob)"), userCell(r.User, r.Remote), done, {Text: bytesOf(int64(r.Rate)) + "/s"}})
	}
	return t
}

func (s *Snapshot) lastReceived() table {
	t := table{Title: "Received last", Head: []string{"When", "What", "Size", "User"}, Empty: "Nothing since the start."}
	for _, r := range s.Received {
		what := nameCell(r.Name, "("+r.Op+")")
		if r.Unchanged {
			what.Text += " (unchanged)"
		}
		size := bytesOf(r.Bytes)
		if r.Op == "folder" {
			size = ""
		}
		t.Rows = append(t.Rows, []cell{{Text: ago(r.Time, s.Time) + " ago"}, what, {Text: size}, userCell(r.User, r.Remote)})
	}
	return t
}

func (s *Snapshot) ofUsers() table {
	t := table{Title: "Users", Head: []string{"User", "Last file", "Quota"}}
	for _, u := range s.Users {
		last, quota := "none since the start", cell{Text: "none"}
		if !u.LastReceived.IsZero() {
			last = ago(u.LastReceived, s.Time) + " ago"
		}
		if u.Bytes != nil {
			share := min(1, float64(u.Bytes.Now)/float64(u.Bytes.Max))
			quota = cell{Text: bytesShare(u.Bytes), Share: &share, Bad: u.Bytes.near()}
		}
		if u.Files != nil {
			quota.Text += ", " + filesShare(u.Files) + " files"
			quota.Bad = quota.Bad || u.Files.near()
		}
		t.Rows = append(t.Rows, []cell{nameCell(u.Name, "(without a token)"), {Text: last}, quota})
	}
	return t
}

func (s *Snapshot) lastRefused() table {
	t := table{Title: "Refused last", Head: []string{"When", "Why", "What", "User"}, Empty: "Nothing since the start."}
	for _, r := range s.Refused {
		t.Rows = append(t.Rows, []cell{{Text: ago(r.Time, s.Time) + " ago"}, {Text: escape.Text(r.Why)}, nameCell(r.Name, r.Code), userCell(r.User, r.Remote)})
	}
	return t
}

func nameCell(name, without string) cell {
	if name == "" {
		return cell{Text: without}
	}
	return cell{Text: escape.Name(name)}
}

func userCell(user, remote string) cell {
	if user == "" {
		return cell{Text: remote}
	}
	return cell{Text: user}
}

// ago is a time in one unit that fits it.
func ago(then, now time.Time) string {
	d := max(0, now.Sub(then))
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}
