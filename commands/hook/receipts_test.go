package hook

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

type stalling func([]byte) (int, error)

func (w stalling) Write(p []byte) (int, error) { return w(p) }

// TestReceiptsStall: when nobody reads receipts any more, the server is stopped
// before anybody who waits for one goes on.
func TestReceiptsStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read := make(chan struct{})
		stopped := 0
		var out bytes.Buffer
		r := writeReceipts(stalling(func(p []byte) (int, error) {
			if bytes.HasPrefix(p, []byte("slow")) {
				<-read
			}
			return out.Write(p)
		}), func(error) {
			time.Sleep(time.Minute) // so that who does not wait for it is seen
			stopped++
		})
		if !r.write([]byte("quick\n")) || stopped != 0 {
			t.Fatal("not written")
		}
		for range 3 {
			go func() {
				if r.write([]byte("slow\n")) {
					t.Error("goes on as if it were written")
				}
				if stopped != 1 {
					t.Errorf("goes on, and the server was stopped %d times", stopped)
				}
			}()
		}
		synctest.Wait()
		<-r.broken
		synctest.Wait()
		if err := r.Close(); !errors.Is(err, ErrStalled) || out.String() != "quick\n" {
			t.Errorf("%v, %q", err, &out)
		}
		close(read)
	})
}
