package wire

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// MaxAhead is how many files a client may have announced and not ended. A server may
	// allow more, as long as their announcements have at most WindowBytes each on average.
	MaxAhead    = 128
	WindowBytes = 256
	// MaxName is the most bytes of a file's name: it shares a String of
	// MaxString bytes with the fields.
	MaxName = 3072
	// MaxID is the most bytes of an announcement's ID.
	MaxID = 128
)

// An Announcement is what a client says of a file before its contents.
type Announcement struct {
	// Name is slash-separated; empty asks the server to make one.
	Name string
	// ID identifies the upload, so that a later announcement with the same ID can
	// resume it; at most MaxID bytes. Empty if it cannot be resumed.
	ID string
	// Size is in bytes; negative if the client does not know it yet.
	Size int64
	// Holes is how many of them are in holes of a sparse file: zeros that take up
	// no space on the client's disk.
	Holes int64
	// ModTime is the time of the last modification; zero if unknown.
	ModTime time.Time
	// Mode holds permission bits, if HasMode is set: a file may have none.
	Mode    fs.FileMode
	HasMode bool
	// Folders holds the permission bits of the folders that lead to Name,
	// outermost first, for those that do not exist yet. Zero, or a missing mode at
	// the end, means 0755. Others get the owner's bits, so that files can be put
	// into the folder.
	Folders []fs.FileMode
	// Digest is the digest that both sides compute. A client may leave it zero for
	// the default.
	Digest Digest
	// Proofs are the digests by which the client believes what the server has of the
	// file: of that, a store offers nothing without one. A Client takes those that
	// this version supports if there are any, or an ID.
	Proofs []Digest
	// Contents proves all contents, if the client knows them before. If the server
	// has a file of that name and those contents, they are not sent. A Client needs Tell.
	Contents Proof
	told     []byte // by Digest
	// Quick has a file that the server has under that name, of this Size and ModTime, be
	// taken for the same, without reading either (ComparedTimes).
	Quick bool
	// Check has nothing be stored: the file is only looked for. If it is not there, or is
	// another one, it is refused with CodeAbsent or CodeDifferent.
	Check bool
	// Replace says what the file must not replace, if the server was told to
	// replace files.
	Replace Replacement
}

// A Replacement is what the client has sent before under the name of a file, or
// what may be the same name to the server.
type Replacement int

const (
	// ReplaceAny: nothing.
	ReplaceAny Replacement = iota
	// ReplaceOther: a file whose name differs in spelling only, in the case of
	// its letters or the like.
	ReplaceOther
	// ReplaceNone: a file of that very name.
	ReplaceNone
	// RefuseTaken: nothing, but the file is refused if its name is taken, whatever the
	// server was told to do then. No announcement says so: it is for HTTP.
	RefuseTaken
)

// replaceOther is the value of the field "replace" for ReplaceOther. Any other
// value means ReplaceNone, so that values of later versions also restrict.
const replaceOther = "other"

// control encodes an announcement.
func (a Announcement) control() Control {
	ctl := Control{Word: a.Name, Fields: make([]Field, 0, 5)}
	if reserved[a.Name] {
		ctl.Word = namePrefix + a.Name
	}
	if a.ID != "" {
		ctl = ctl.with("id", a.ID)
	}
	if a.Size >= 0 {
		ctl = ctl.with("size", strconv.FormatInt(a.Size, 10))
	}
	if a.Holes > 0 && a.Holes <= a.Size {
		ctl = ctl.with("allocated", strconv.FormatInt(a.Size-a.Holes, 10))
	}
	if !a.ModTime.IsZero() {
		ctl = ctl.with("mtime", formatTime(a.ModTime))
	}
	if a.HasMode {
		ctl = ctl.with("mode", formatMode(a.Mode))
	}
	ctl = ctl.withFolders(a.Folders)
	if a.Digest.Name != digests[0].Name {
		ctl = ctl.with("digest", a.Digest.Name)
	}
	if a.canProve() {
		ctl = ctl.with("proof", proofNames)
	}
	if len(a.Contents.Sum) > 0 {
		ctl = ctl.with(a.Contents.Digest.Name, hex.EncodeToString(a.Contents.Sum))
	}
	if a.Quick {
		ctl = ctl.with("quick", "1")
	}
	if a.Check {
		ctl = ctl.with("check", "1")
	}
	switch a.Replace {
	case ReplaceOther:
		ctl = ctl.with("replace", replaceOther)
	case ReplaceNone:
		ctl = ctl.with("replace", "0")
	}
	return ctl
}

// canProve reports whether the client may be asked to compare what the server has.
func (a *Announcement) canProve() bool { return a.Size >= 0 && (a.ID != "" || len(a.Proofs) > 0) }

// maxFolderModes is how many modes of folders fit into an announcement whatever
// else is in it.
const maxFolderModes = 100

// withFolders appends the modes of folders, unless all are the default.
func (c Control) withFolders(modes []fs.FileMode) Control {
	if !slices.ContainsFunc(modes, func(m fs.FileMode) bool { return m != 0 }) {
		return c
	}
	return c.with("folders", formatFolders(modes))
}

// parse decodes an announcement. It ignores fields that it does not know, which are
// for later versions.
func (a *Announcement) parse(ctl Control) (err error) {
	var known bool
	if a.Digest, known = DigestByName(ctl.Get("digest")); !known {
		return &Error{CodeUnsupported, fmt.Sprintf("this server does not know the digest %q", ctl.Get("digest"))}
	}
	a.Name = strings.TrimPrefix(ctl.Word, namePrefix)
	// A client that knows no proofs and gives no id does not expect an offset.
	if ctl.Get("proof") != "" || ctl.Get("id") != "" {
		a.Proofs = parseProofs(ctl.Get("proof"), a.Digest)
	}
	if a.ID = ctl.Get("id"); len(a.ID) > MaxID {
		return ErrControl
	}
	a.Size = -1
	if s := ctl.Get("size"); s != "" {
		if a.Size, err = parseSize(s); err != nil {
			return err
		}
	}
	for _, d := range proofs {
		s := ctl.Get(d.Name)
		if s == "" {
			continue
		}
		sum, err := hex.DecodeString(s)
		if err != nil || len(sum) != proofSize {
			return ErrControl
		}
		if len(a.Contents.Sum) == 0 {
			a.Contents = Proof{d, sum}
		}
	}
	a.Quick, a.Check = ctl.Get("quick") != "", ctl.Get("check") != ""
	if s := ctl.Get("allocated"); s != "" {
		allocated, err := parseSize(s)
		if err != nil {
			return err
		}
		a.Holes = max(0, a.Size-allocated)
	}
	if s := ctl.Get("mtime"); s != "" {
		if a.ModTime, err = parseTime(s); err != nil {
			return err
		}
	}
	switch ctl.Get("replace") {
	case "":
	case replaceOther:
		a.Replace = ReplaceOther
	default:
		a.Replace = ReplaceNone
	}
	if s := ctl.Get("mode"); s != "" {
		if a.Mode, err = parseMode(s); err != nil {
			return err
		}
		a.HasMode = true
	}
	a.Folders, err = parseFolders(ctl.Get("folders"), strings.TrimSuffix(a.Name, "/"))
	return err
}

// folderModes returns the modes of the folders that lead to a folder, and its own.
func (a *Announcement) folderModes(folder string) []fs.FileMode {
	if !a.HasMode {
		return a.Folders
	}
	modes := make([]fs.FileMode, strings.Count(folder, "/")+1)
	copy(modes, a.Folders)
	modes[len(modes)-1] = a.Mode | folderOwner
	return modes
}

// formatTime writes t as seconds since 1970 with nine decimals.
func formatTime(t time.Time) string {
	var buf [32]byte
	b := strconv.AppendInt(buf[:0], t.Unix(), 10)
	point := len(b)
	b = strconv.AppendInt(b, 1e9+int64(t.Nanosecond()), 10)
	b[point] = '.' // in place of the 1
	return string(b)
}

// The times that an announcement may have: those of the years 1 to 9999.
const minTime, maxTime = -62135596800, 253402300799

// parseTime reads seconds since 1970, with up to nine decimals. Times outside the
// years of calendars and file systems are ignored.
func parseTime(s string) (time.Time, error) {
	whole, frac, _ := strings.Cut(s, ".")
	if !isDigits(strings.TrimPrefix(whole, "-")) || len(frac) > 9 {
		return time.Time{}, ErrControl
	}
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil { // it is even further away
		sec = maxTime + 1
	}
	ns, err := strconv.ParseUint("0"+frac+strings.Repeat("0", 9-len(frac)), 10, 64)
	if err != nil {
		return time.Time{}, ErrControl
	}
	if sec < minTime || sec > maxTime {
		return time.Time{}, nil
	}
	return time.Unix(sec, int64(ns)), nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// formatMode writes permission bits as four octal digits.
func formatMode(m fs.FileMode) string {
	return strconv.FormatUint(uint64(0o10000+m.Perm()), 8)[1:]
}

// parseMode reads permission bits, and drops others.
func parseMode(s string) (mode fs.FileMode, err error) {
	for _, digit := range []byte(s) {
		if digit < '0' || digit > '7' {
			return 0, ErrControl
		}
		mode = (mode<<3 | fs.FileMode(digit-'0')) & fs.ModePerm
	}
	return mode, nil
}

// folderOwner are the bits that every folder has for its owner.
const folderOwner = 0o700

// formatFolders writes the modes of folders, with commas between.
func formatFolders(modes []fs.FileMode) string {
	var b []byte
	for i, m := range modes {
		if i > 0 {
			b = append(b, ',')
		}
		if m != 0 {
			b = append(b, formatMode(m|folderOwner)...)
		}
	}
	return string(b)
}

// parseFolders reads what formatFolders writes. There is one mode for each slash
// in the name at most.
func parseFolders(s, name string) (modes []fs.FileMode, err error) {
	if s == "" {
		return nil, nil
	}
	if strings.Count(s, ",") >= strings.Count(name, "/") {
		return nil, ErrControl
	}
	for text := range strings.SplitSeq(s, ",") {
		var mode fs.FileMode
		if text != "" {
			if mode, err = parseMode(text); err != nil {
				return nil, err
			}
			mode |= folderOwner
		}
		modes = append(modes, mode)
	}
	return modes, nil
}
