package dir

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/labnet/labnet/storage"
)

// attributePrefix and the name of a Digest make the name of the extended attribute
// that holds a note.
const attributePrefix = "user.labnet."

// formatNote writes what is noted of a file: its digest, and the time of its last
// modification and its size, by which one can tell damage from what somebody has done
// since: "995dc9bbdf1939fa 1764403200.000000000 9", the latter two as stat(1) prints
// them with -c '%.9Y %s'.
//
// With CRC-64 it has at most 56 bytes: so much ext4 has room for in an inode of 256. A
// block for each small file would be felt.
func formatNote(sum []byte, fi fs.FileInfo) string {
	t := fi.ModTime()
	return fmt.Sprintf("%x %d.%09d %d", sum, t.Unix(), t.Nanosecond(), fi.Size())
}

// parseNote reads what formatNote has written of a file that is now as fi says. Without
// a time it was written by a version that noted none.
func parseNote(digest, text string, fi fs.FileInfo) (storage.Note, bool) {
	sum, moment, hasMoment := strings.Cut(text, " ")
	b, err := hex.DecodeString(sum)
	if err != nil || len(b) == 0 {
		return storage.Note{}, false
	}
	note := storage.Note{Digest: digest, Sum: b, Size: -1}
	if !hasMoment {
		return note, true
	}
	at, size, _ := strings.Cut(moment, " ")
	seconds, nanoseconds, _ := strings.Cut(at, ".")
	sec, err1 := strconv.ParseInt(seconds, 10, 64)
	nsec, err2 := strconv.ParseInt(nanoseconds, 10, 32)
	n, err3 := strconv.ParseInt(size, 10, 64)
	if errors.Join(err1, err2, err3) != nil {
		return storage.Note{}, false
	}
	note.Size = n
	note.Since = storage.Changed
	if t := fi.ModTime(); t.Unix() == sec && int64(t.Nanosecond()) == nsec {
		note.Since = storage.Untouched
	}
	return note, true
}

// note notes what p is, for whoever wants to know later whether it still is. Not every
// filesystem can.
func (p *partial) note() error {
	if p.sum == nil {
		return nil
	}
	fi, err := p.f.Stat() // its time may be another than what was asked for
	if err != nil {
		return err
	}
	p.f.SetAttribute(attributePrefix+p.file.Digest.Name, formatNote(p.sum, fi))
	return nil
}

// isNoted reports whether what p has summed up is noted of its original.
func (p *partial) isNoted(o *original) bool {
	if p.hash == nil {
		return true
	}
	old, err := o.f.Attribute(attributePrefix + p.file.Digest.Name)
	return err == nil && old == formatNote(p.hash.Sum(nil), o.info)
}

// noteOriginal notes of a file that was there that it has turned out to be the same as
// p. Nothing is written if that is known.
func (p *partial) noteOriginal(f file, fi fs.FileInfo) error {
	if p.sum == nil {
		return nil
	}
	name, note := attributePrefix+p.file.Digest.Name, formatNote(p.sum, fi)
	if old, err := f.Attribute(name); err == nil && old == note {
		return nil
	}
	if err := f.SetAttribute(name, note); !errors.Is(err, fs.ErrPermission) {
		return nil
	}
	// It may not be written to: but by its owner, for a moment.
	mode := fi.Mode().Perm()
	if mode&0o200 != 0 || f.Chmod(mode|0o200) != nil {
		return nil
	}
	f.SetAttribute(name, note)
	return f.Chmod(mode)
}
