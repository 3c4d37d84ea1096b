package uploader

import "testing"

// What is prepared is passed on at once if nothing else waits, and else with what
// follows.
func TestBatchIsPassedOn(t *testing.T) {
	batch := make([]*item, 5)
	for i := range batch {
		batch[i] = &item{folder: true}
	}
	before, queue := make(chan struct{}), make(chan []*item, 1)
	close(before)
	go new(Uploader).prepareBatch(t.Context(), batch, before, queue)
	first := <-queue
	rest := <-queue
	for len(first)+len(rest) < len(batch) {
		rest = append(rest, <-queue...)
	}
	if first[0] != batch[0] || len(first) == len(batch) || rest[len(rest)-1] != batch[4] {
		t.Errorf("first %d of %d", len(first), len(batch))
	}
}
