package terminal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/wire"
)

// An Object is what --json prints of one thing done, not done or received. All
// commands share it, so that a field means the same everywhere. docs/json.md
// specifies it.
type Object struct {
	Op   string `json:"op"`   // "ping", "say", "blob", "upload", "folder", "skip", "verify" or others
	Time string `json:"time"` // when its outcome was known

	Addr   string `json:"addr,omitempty"`   // of the server: the host as the user named it, and the port
	Remote string `json:"remote,omitempty"` // of the client, as the server sees it
	Lab    bool   `json:"lab,omitempty"`    // came in the lab dialect
	User   string `json:"user,omitempty"`   // whose token the client has shown

	Seq        int     `json:"seq,omitempty"` // counts pings from 1
	Text       *string `json:"text,omitempty"`
	TextBase64 []byte  `json:"text_base64,omitempty"`
	Reply      *string `json:"reply,omitempty"`
	AnswerLost bool    `json:"answer_lost,omitempty"` // once or more, so that it may have been received once more

	File       string `json:"file,omitempty"` // as the sender knows it
	FileBase64 []byte `json:"file_base64,omitempty"`
	Name       string `json:"name,omitempty"` // as the server keeps it
	Path       string `json:"path,omitempty"` // where the server keeps it
	PathBase64 []byte `json:"path_base64,omitempty"`

	Received     string `json:"received,omitempty"`      // the digest that it had when it was received, and its name
	ReceivedSize *int64 `json:"received_size,omitempty"` // in bytes

	Size        *int64   `json:"size,omitempty"` // in bytes
	CRC64NVME   string   `json:"crc64nvme,omitempty"`
	SHA256      string   `json:"sha256,omitempty"`
	BLAKE3      string   `json:"blake3,omitempty"`
	Seconds     *float64 `json:"seconds,omitempty"`
	Resumed     int64    `json:"resumed,omitempty"`     // bytes that an earlier try had brought
	Unchanged   bool     `json:"unchanged,omitempty"`   // it was there before
	Compared    string   `json:"compared,omitempty"`    // how that was found out
	Unconfirmed bool     `json:"unconfirmed,omitempty"` // the lab dialect acknowledges nothing

	Reason string `json:"reason,omitempty"` // why it was skipped
	Diagnosis
}

// A Diagnosis is why something was not done.
type Diagnosis struct {
	Code  string `json:"code,omitempty"` // stable, for programs
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
}

// A Summary is the last object of a run.
type Summary struct {
	Op      string  `json:"op"` // "summary"
	Time    string  `json:"time"`
	Command string  `json:"command"`
	Done    int     `json:"done"`
	Failed  int     `json:"failed"`
	Skipped int     `json:"skipped,omitempty"`
	Seconds float64 `json:"seconds"`
	*fileTotals
	*PingSummary
	*CheckSummary
	*VerifySummary
	Diagnosis     // what ended the run
	Exit      int `json:"exit"` // what the shell's $? is
}

// A PingSummary is what a summary has of pings.
type PingSummary struct {
	Loss        float64 `json:"loss"` // from 0 to 1
	*ReplyTimes         // nil if there were no replies
}

// A CheckSummary is what a summary has of the cases of check, in addition to done and failed.
type CheckSummary struct {
	Passed     int `json:"passed"`
	Warnings   int `json:"warnings"`
	CannotTell int `json:"cannot_tell"`
	NotRun     int `json:"not_run"`
}

// A VerifySummary is what a summary has of the files of verify, in addition to done,
// failed and skipped.
type VerifySummary struct {
	ReadFiles  int   `json:"read_files"`
	ReadBytes  int64 `json:"read_bytes"`
	Intact     int   `json:"intact"`
	Damaged    int   `json:"damaged"`
	Changed    int   `json:"changed"`
	Different  int   `json:"different"`
	Unreadable int   `json:"unreadable"`
	NoDigest   int   `json:"no_digest"`
}

// ReplyTimes are in seconds.
type ReplyTimes struct {
	Min    float64 `json:"min_seconds"`
	Median float64 `json:"median_seconds"`
	P99    float64 `json:"p99_seconds"`
	Max    float64 `json:"max_seconds"`
}

// fileTotals are about the files and blobs that were sent, in the summary of
// commands that send some.
type fileTotals struct {
	Files     int   `json:"files"`
	Bytes     int64 `json:"bytes"`
	Unchanged int   `json:"unchanged_files"`         // of Files
	Assumed   int   `json:"assumed_files,omitempty"` // of Unchanged, by size and time

	folders int   // empty ones
	sent    int64 // of Bytes, those that no earlier try had brought

	unconfirmed bool // by the server, whether they were kept
}

// add counts what was sent, or an empty folder.
func (t *fileTotals) add(o Object) {
	if o.Op == "folder" {
		t.folders++
	}
	if o.Size == nil {
		return
	}
	t.Files++
	t.Bytes += *o.Size
	t.sent += *o.Size - o.Resumed
	if o.Unchanged {
		t.Unchanged++
		if o.Compared == string(wire.ComparedTimes) {
			t.Assumed++
		}
	}
	t.unconfirmed = t.unconfirmed || o.Unconfirmed
}

// diagnosisOf describes an error for programs.
func diagnosisOf(err error) Diagnosis {
	d := problem.Of(err)
	return Diagnosis{d.Kind, d.Message, d.Hint}
}

// AboutFile sets the file that an object is about. JSON has no bytes that are not
// UTF-8, but some systems have file names of them.
func (o Object) AboutFile(file string) Object {
	o.File = file
	if !utf8.ValidString(file) {
		o.FileBase64 = []byte(file)
	}
	return o
}

// AtPath sets the path of what an object is about. It cannot be taken for a flag.
func (o Object) AtPath(path string) Object {
	o.Path = path
	if strings.HasPrefix(path, "-") {
		o.Path = "./" + path
	}
	if !utf8.ValidString(o.Path) {
		o.PathBase64 = []byte(o.Path)
	}
	return o
}

// WithDigest sets the digest, "crc64nvme", "sha256" or "blake3", and its value.
func (o Object) WithDigest(name, hex string) Object {
	switch name {
	case "crc64nvme":
		o.CRC64NVME = hex
	case "sha256":
		o.SHA256 = hex
	case "blake3":
		o.BLAKE3 = hex
	}
	return o
}

// ReceiptOf is the object of one thing received.
func ReceiptOf(e wire.Event) Object {
	o := Object{
		Op: e.Op, Time: Timestamp(), Remote: e.Remote, Lab: e.Lab, User: e.User,
		Name: e.Name, Size: e.Size, Unchanged: e.Unchanged, Compared: string(e.Compared), Resumed: e.Resumed,
	}
	if e.Size != nil {
		o.Seconds = new(Seconds(e.Took))
	}
	if e.Op == "say" {
		o.Text = &e.Text
	}
	return o.AtPath(e.Path).WithDigest(e.Digest.Name, hex.EncodeToString(e.Sum))
}

// Timestamp is the present as RFC 3339 writes it, in UTC, with milliseconds.
func Timestamp() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// Seconds rounds a duration to what the clock tells.
func Seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1e6) / 1e6 }

// Encode returns the line of an object.
func Encode(object any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(object); err != nil {
		panic(err) // the objects are this package's own
	}
	return escape.JSON(b.Bytes())
}
