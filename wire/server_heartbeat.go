package wire

import (
	"sync"
	"time"
)

// waitInterval is how often a server that is busy with a request says so.
const waitInterval = 5 * time.Second

// A heartbeat calls beat every waitInterval while there is work. It may be used
// by several goroutines at once.
type heartbeat struct {
	beat func()

	mu      sync.Mutex
	works   int
	timer   *time.Timer
	pending sync.WaitGroup // the next beat, or the one that is running
}

// begin notes that work starts, and end that it ends.
func (h *heartbeat) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.works++; h.works == 1 {
		h.armLocked()
	}
}

func (h *heartbeat) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.works--; h.works == 0 && h.timer.Stop() {
		h.pending.Done()
	}
}

func (h *heartbeat) armLocked() {
	if h.timer == nil {
		h.pending.Add(1)
		h.timer = time.AfterFunc(waitInterval, h.run)
	} else if !h.timer.Reset(waitInterval) {
		h.pending.Add(1)
	}
}

func (h *heartbeat) run() {
	defer h.pending.Done()
	h.beat()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.works > 0 {
		h.armLocked()
	}
}

// working calls do if there is work. The work cannot end meanwhile.
func (h *heartbeat) working(do func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.works > 0 {
		do()
	}
}
