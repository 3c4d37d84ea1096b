package storage

import (
	"io"
	"sync"
)

// Feed is the loop of Partial.ReadFrom: it gives to take what read puts into the buffer, until
// that returns io.EOF, and returns how many bytes take has taken.
func Feed(buffer []byte, read, take func([]byte) (int, error)) (n int64, err error) {
	for {
		k, rerr := read(buffer)
		if k > 0 {
			taken, err := take(buffer[:k])
			n += int64(taken)
			if err != nil {
				return n, err
			}
		}
		if rerr == io.EOF {
			return n, nil
		}
		if rerr != nil {
			return n, rerr
		}
	}
}

// EndOnce is the frame of Partial.Suspend and Partial.Abort: it calls end, which sets ended, with
// mu, unless that was done before.
func EndOnce(mu *sync.Mutex, ended *bool, end func() error) error {
	mu.Lock()
	defer mu.Unlock()
	if *ended {
		return nil
	}
	return end()
}
