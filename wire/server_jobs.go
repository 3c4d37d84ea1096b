package wire

import "sync"

// jobs are goroutines that work for a connection. Other than for a sync.WaitGroup, some
// may begin while others are waited for. It is ready for use.
type jobs struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed once there are none; nil if nobody waits
}

func (j *jobs) begin() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.n++
}

func (j *jobs) end() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.n--; j.n == 0 && j.none != nil {
		close(j.none)
		j.none = nil
	}
}

func (j *jobs) count() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.n
}

// wait returns once there were none.
func (j *jobs) wait() {
	j.mu.Lock()
	if j.n == 0 {
		j.mu.Unlock()
		return
	}
	if j.none == nil {
		j.none = make(chan struct{})
	}
	none := j.none
	j.mu.Unlock()
	<-none
}
