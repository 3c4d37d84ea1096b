package commands_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/wire"
)

// others is the name of what another program has put into the store, which has made
// nothing durable: it may be torn as long as nobody was told that it is unchanged.
const others = "by others"

func isOthers(name string) bool { return strings.HasSuffix(name, others) }

// uploadAgain uploads, until the cut, what is there already and may not be durable yet.
func (c *powerCut) uploadAgain(t *testing.T, addr string, client int, random *rand.Rand) {
	var talks [2]*wire.Client
	for i := range talks {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Error(err)
			return
		}
		talks[i] = wire.NewClient(conn, patience)
		defer talks[i].Close()
	}
	var err error
	for n := 0; err == nil && !c.isOver(); n++ {
		name := fmt.Sprintf("%d again %d-%d", c.number, client, n)
		if n%3 == 1 {
			name = fmt.Sprintf("%d/again/%d-%d", c.number, client, n)
		}
		switch random.IntN(4) {
		case 0:
			err = c.uploadOthers(t, talks[0], name+" "+others, random)
		case 1:
			err = c.uploadTwice(t, talks, name, random)
		case 2:
			err = c.uploadGrown(t, talks[0], name, random)
		case 3:
			err = c.uploadChanged(t, talks[0], name, random)
		}
	}
	if err != nil && !c.isOver() {
		t.Errorf("before the cut: %v", err)
	}
}

// uploadOthers uploads what another program has just put there.
func (c *powerCut) uploadOthers(t *testing.T, talk *wire.Client, name string, random *rand.Rand) error {
	contents, at := signed(random), time.Unix(1_000_000_000, 0)
	file := filepath.Join(c.disk.dir, name)
	os.MkdirAll(filepath.Dir(file), 0o777)
	os.WriteFile(file, contents, 0o666)
	if err := os.Chtimes(file, at, at); err != nil {
		return err
	}
	a := known(name, contents)
	switch random.IntN(3) {
	case 1:
		a.Quick, a.ModTime = true, at
	case 2:
		a.Check = true
	}
	saved, err := c.store(t, talk, a, contents)
	if err == nil && !saved.Unchanged {
		t.Errorf("%q is saved anew, as %q", name, saved.Name)
	}
	return err
}

// uploadTwice uploads a file over two connections at once.
func (c *powerCut) uploadTwice(t *testing.T, talks [2]*wire.Client, name string, random *rand.Rand) error {
	contents := signed(random)
	a := known(name, contents)
	first := make(chan error, 1)
	go func() {
		_, err := c.store(t, talks[0], a, contents)
		first <- err
	}()
	_, err := c.store(t, talks[1], a, contents)
	if ferr := <-first; err == nil {
		err = ferr
	}
	return err
}

// uploadGrown uploads a file, and more of it, some times.
func (c *powerCut) uploadGrown(t *testing.T, talk *wire.Client, name string, random *rand.Rand) error {
	contents := signed(random)
	for range 3 {
		contents = append(contents, bytes.Repeat([]byte{byte(random.Uint32())}, 64<<10)...)
		c.sent.Store(sha256.Sum256(contents), true)
		if _, err := c.store(t, talk, known(name, contents), contents); err != nil {
			return err
		}
	}
	return nil
}

// uploadChanged uploads a file, and others of the same name and size.
func (c *powerCut) uploadChanged(t *testing.T, talk *wire.Client, name string, random *rand.Rand) error {
	contents := signed(random)
	for range 3 {
		if _, err := c.store(t, talk, known(name, contents), contents); err != nil {
			return err
		}
		contents = bytes.Clone(contents)
		contents[len(contents)-1]++
		resign(contents)
	}
	return nil
}

// store uploads a file and notes what the client is told.
func (c *powerCut) store(t *testing.T, talk *wire.Client, a wire.Announcement, contents []byte) (wire.Saved, error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	saved, err := talk.Upload(ctx, a, bytes.NewReader(contents))
	if err == nil {
		if saved.Unchanged {
			c.unchanged.Add(1)
		}
		c.keep(t, saved.Name, sha256.Sum256(contents))
	}
	return saved, err
}

// known announces what the client can prove, and tells the proof if it is small.
func known(name string, contents []byte) wire.Announcement {
	a := wire.Announcement{Name: name, Size: int64(len(contents)), Proofs: wire.Proofs()}
	if len(contents) < 16<<10 {
		a.Tell(contents)
	}
	return a
}

// isWhole reports whether contents that are visible are what somebody has sent.
func (c *powerCut) isWhole(name string, contents []byte) bool {
	_, sent := c.sent.Load(sha256.Sum256(contents))
	return sent || isSigned(contents) || isOthers(name)
}
