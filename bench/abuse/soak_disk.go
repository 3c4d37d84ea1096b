package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
)

// freezeDisk has the disk stand still for longer than the server waits for anything.
func (s *soak) freezeDisk(ctx context.Context) {
	if s.pause(ctx); s.disk == nil || ctx.Err() != nil {
		return
	}
	err := s.disk.freeze()
	if err == nil {
		s.note("the disk stood still")
		sleep(ctx, rand.N(s.test.faults/5))
		err = s.disk.thaw()
	}
	if err != nil {
		s.fail(err)
	}
}

// fillDisk leaves no inodes, or no room, for a while.
func (s *soak) fillDisk(ctx context.Context) {
	if s.pause(ctx); s.disk == nil || ctx.Err() != nil {
		return
	}
	dir := filepath.Join(s.disk.dir, "full")
	defer os.RemoveAll(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return // others have filled it
	}
	if rand.N(2) == 0 {
		s.note("the disk had no inodes")
		for n := 0; ctx.Err() == nil; n++ {
			if os.WriteFile(filepath.Join(dir, fmt.Sprint(n)), nil, 0o600) != nil {
				break
			}
		}
	} else if f, err := os.Create(filepath.Join(dir, "room")); err == nil {
		s.note("the disk had no room")
		defer f.Close()
		for size := int64(1 << 30); size >= 4096 && ctx.Err() == nil; {
			end, _ := f.Seek(0, 2)
			if syscall.Fallocate(int(f.Fd()), 0, end, size) != nil {
				size /= 2
			}
		}
	}
	sleep(ctx, rand.N(s.test.faults/5))
}

// pause waits for the next fault of the disk.
func (s *soak) pause(ctx context.Context) { sleep(ctx, s.test.faults/2+rand.N(s.test.faults)) }
