package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"
)

// A slow reader yields n bytes, a piece at a time.
type slow struct {
	n, piece int
	every    time.Duration
}

func (s *slow) Read(p []byte) (int, error) {
	if s.n == 0 {
		return 0, io.EOF
	}
	time.Sleep(s.every)
	n := min(s.n, s.piece, len(p))
	clear(p[:n])
	s.n -= n
	return n, nil
}

// contents are what a seed makes, always the same. They can be read again.
type contents struct {
	seed uint64
	size int64
	at   int64
	from *rand.ChaCha8
}

func newContents(seed uint64, size int64) *contents {
	c := &contents{seed: seed, size: size}
	c.rewind()
	return c
}

func (c *contents) rewind() {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], c.seed)
	c.at, c.from = 0, rand.NewChaCha8(key)
}

func (c *contents) Read(p []byte) (int, error) {
	if c.at == c.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), c.size-c.at))
	c.from.Read(p[:n])
	c.at += int64(n)
	return n, nil
}

func (c *contents) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekStart {
		return 0, fmt.Errorf("seek to %d, %d", offset, whence)
	}
	c.rewind()
	return 0, nil
}

// name tells what a file holds.
func (c *contents) name() string { return fmt.Sprintf("%d-%d", c.seed, c.size) }

// named is the opposite of name.
func named(name string) (*contents, error) {
	var seed uint64
	var size int64
	if _, err := fmt.Sscanf(name, "%d-%d", &seed, &size); err != nil {
		return nil, fmt.Errorf("a file that nobody sent: %q", name)
	}
	return newContents(seed, size), nil
}

// A pattern is contents that cost little to make.
type pattern struct {
	block []byte
	left  int64
}

func newPattern(seed int, size int64) *pattern {
	block := make([]byte, 1<<20)
	newContents(uint64(seed), int64(len(block))).Read(block)
	return &pattern{block, size}
}

func (p *pattern) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(int64(len(b)), p.left)], p.block)
	p.left -= int64(n)
	return n, nil
}

// compare fails unless a file holds the contents.
func (c *contents) compare(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	c.rewind()
	got, want := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(c, want)
		m, ferr := io.ReadFull(f, got)
		if err != ferr || !bytes.Equal(got[:m], want[:n]) {
			return fmt.Errorf("%s is not what was sent", c.name())
		}
		if err != nil {
			return nil // of both: the end
		}
	}
}
