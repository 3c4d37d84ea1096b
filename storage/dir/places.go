package dir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/labnet/labnet/storage"
)

// A place is what is known for a moment of the folder that a file belongs into: it
// may be another filesystem, which no file can be moved to, and have a group of
// its own.
type place struct {
	looked time.Time
	// folder is the deepest on the way that exists.
	folder string
	// elsewhere is set if no file of the hidden folder can get a name there.
	elsewhere bool
	space     *space
	// group is what a file is given that would have another; -1 for none.
	group int
}

// A folderInfo is what a filesystem tells of a folder.
type folderInfo struct {
	// name is that of the folder itself, or of the deepest above it that exists.
	name string
	// device and mount tell filesystems and their mounts from others; mount is 0
	// if the system does not tell it.
	device, mount uint64
	group         int
	inherits      bool // files that are made in it get its group
}

func (i folderInfo) isWith(o folderInfo) bool {
	return i.device == o.device && (i.mount == o.mount || i.mount == 0 || o.mount == 0)
}

// maxPlaces bounds the memory; to forget a place costs some system calls.
const maxPlaces = 1 << 12

// places remembers those that were looked at lately.
type places struct {
	hidden folderInfo
	known  bool // what hidden is
	own    int  // the group of files that are made there

	mu     sync.Mutex
	recent map[string]place
	spaces map[[2]uint64]*otherSpace
	apart  map[string]bool // folders that turned out to be elsewhere
}

// errElsewhere means that only the attempt has shown a folder to be another
// filesystem: the next file is made there.
var errElsewhere = fmt.Errorf("%w: a folder turned out to be on another filesystem; send it again", storage.ErrDegraded)

// findPlaces looks where the store itself is.
func (d *Store) findPlaces() {
	var err error
	d.places.hidden, err = d.fs.Inspect(hidden)
	d.places.known = err == nil
	d.places.own = os.Getegid()
	if d.places.hidden.inherits {
		d.places.own = d.places.hidden.group
	}
}

// placeOf returns what is known of the folder that name is in. A mount or a change
// of its group is seen up to a second late.
func (d *Store) placeOf(name string) place {
	folder, s := ".", &d.places
	if i := strings.LastIndexByte(name, '/'); i > 0 {
		folder = name[:i]
	}
	s.mu.Lock()
	p, ok := s.recent[folder]
	s.mu.Unlock()
	if ok && time.Since(p.looked) < lookAgain {
		return p
	}
	p = place{looked: time.Now(), folder: folder, space: &d.space, group: -1}
	info, err := d.fs.Inspect(folder) // may wait for a filesystem that stands still
	s.mu.Lock()
	defer s.mu.Unlock()
	p.elsewhere = s.isApart(folder)
	if err == nil && s.known {
		p.folder = info.name
		p.elsewhere = p.elsewhere || !info.isWith(s.hidden)
		own := s.own
		if p.elsewhere { // it is made there
			own = info.group
			p.space = s.spaceOf(d, info)
		}
		if info.inherits && info.group != own {
			p.group = info.group
		}
	}
	if d.group != nil {
		p.group = *d.group
	}
	if s.recent == nil || len(s.recent) >= maxPlaces {
		s.recent = make(map[string]place)
	}
	s.recent[strings.Clone(folder)] = p
	return p
}

// isApart needs mu. What a folder is a part of, those in it are, too.
func (s *places) isApart(folder string) bool {
	for ; len(s.apart) > 0 && folder != "."; folder = path.Dir(folder) {
		if s.apart[folder] {
			return true
		}
	}
	return false
}

// An otherSpace is that of another filesystem.
type otherSpace struct {
	space
	folder string // one that was there lately, under mu of places
}

// spaceOf needs mu.
func (s *places) spaceOf(d *Store, info folderInfo) *space {
	key := [2]uint64{info.device, info.mount}
	other := s.spaces[key]
	if other == nil {
		other = &otherSpace{space: space{keep: d.keepFree}}
		other.free = func() (freeSpace, error) {
			s.mu.Lock()
			folder := other.folder
			s.mu.Unlock()
			return d.fs.Free(folder)
		}
		if s.spaces == nil {
			s.spaces = make(map[[2]uint64]*otherSpace)
		}
		s.spaces[key] = other
	}
	other.folder = strings.Clone(info.name)
	return &other.space
}

// apart notes that no file of the hidden folder can be moved to where name is.
func (d *Store) apart(name string) {
	s := &d.places
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.apart == nil {
		s.apart = make(map[string]bool)
	}
	s.apart[strings.Clone(path.Dir(name))] = true
	delete(s.recent, path.Dir(name))
}

// createElsewhere makes p in the folder that it belongs into, without a name, since
// it could not be moved there. Nobody continues with such a file.
func (p *partial) createElsewhere() error {
	p.nameless = true
	f, err := p.dir.fs.CreateNameless(p.place.folder, createMode(p.mode()))
	if errors.Is(err, errors.ErrUnsupported) {
		return &storage.NameError{Name: p.file.Name, Reason: fmt.Sprintf("%q is on another filesystem here, which cannot take unfinished files", p.place.folder)}
	}
	if err != nil {
		return err
	}
	p.f = f
	if p.file.ID != "" { // something may be left of before the folder was elsewhere
		if err := p.dir.fs.Remove(p.path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// setGroup gives f the group of its folder, or that of the store. Where that
// cannot be done, the group that it has gets no permissions.
func (p *partial) setGroup(f file) error {
	if p.place.group < 0 {
		return nil
	}
	err := f.Chown(-1, p.place.group)
	if err != nil {
		p.groupless = true
	}
	return p.dir.tolerate("the group of files cannot be set here: their group may do nothing with them", err)
}

// mkdir makes a folder. While it has not got its group, the one that it has may do
// nothing with it.
func (d *Store) mkdir(name string, mode fs.FileMode) error {
	if d.fileMode != 0 {
		mode = d.fileMode | d.fileMode&0o444>>2 | 0o700
	}
	if d.group == nil && (d.fileMode == 0 || mode&d.umask == 0) {
		return d.fs.Mkdir(name, mode)
	}
	if err := d.fs.Mkdir(name, mode&^0o070); err != nil {
		return err
	}
	err := d.finishFolder(name, mode)
	if err != nil {
		d.fs.Remove(name)
	}
	return err
}

func (d *Store) finishFolder(name string, mode fs.FileMode) error {
	f, err := d.fs.OpenFile(name, dirAccess, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if d.group != nil {
		err := f.Chown(-1, *d.group)
		if err != nil {
			mode &^= 0o070
		}
		if err := d.tolerate("the group of folders cannot be set here: their group may do nothing with them", err); err != nil {
			return err
		}
	}
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if d.fileMode == 0 {
		mode &^= d.umask
	}
	return d.tolerate("permissions cannot be set here: folders have those that they were made with", f.Chmod(mode|fi.Mode()&fs.ModeSetgid))
}

// probeGroup fails unless files can be given the store's group.
func (d *Store) probeGroup() error {
	if d.group == nil {
		return nil
	}
	f, err := d.fs.OpenFile(path.Join(hidden, "group"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	err = f.Chown(-1, *d.group)
	f.Close()
	d.fs.Remove(path.Join(hidden, "group"))
	if err != nil {
		return fmt.Errorf("files cannot be given the group %d: %w", *d.group, err)
	}
	return nil
}
