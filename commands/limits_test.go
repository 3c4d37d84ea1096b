package commands

import (
	"testing"

	"github.com/labnet/labnet/wire"
)

// TestShareFiles: whatever a process may open, all that connections may need at
// once is within it.
func TestShareFiles(t *testing.T) {
	for _, asked := range []bool{false, true} {
		most := 0
		for _, files := range []int{1, 64, 110, 120, 128, 160, 256, 512, 1024, 4096, 20_000, 65_536, 1 << 20, 1 << 30} {
			for _, conns := range []int{1, 10, 100, wire.DefaultMaxConns, 100_000} {
				l := wire.Limits{MaxConns: conns}
				if err := shareFiles(&l, files, asked); err != nil {
					if files >= ownFiles+connFiles*conns+callFiles*minCalls+minShared {
						t.Errorf("%d files are too few for %d connections: %v", files, conns, err)
					}
					continue
				}
				if need := ownFiles + connFiles*l.MaxConns + l.MaxOpen + callFiles*l.MaxCalls; need > files {
					t.Errorf("%+v need %d of %d files", l, need, files)
				}
				if l.MaxConns < 1 || l.MaxConns > conns || asked && l.MaxConns != conns || l.MaxOpen < minShared || l.MaxCalls < minCalls {
					t.Errorf("%d files: %+v", files, l)
				}
				most = max(most, l.MaxConns)
			}
		}
		if most != 100_000 {
			t.Errorf("at most %d connections, where there was room for more", most)
		}
	}
}
