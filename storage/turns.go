package storage

import (
	"context"
	"io/fs"
)

// Turns bound how many at once do what takes long, such as to read large files: a disk that
// has to seek between many gets nowhere.
type Turns chan struct{}

// NewTurns returns Turns for n at once.
func NewTurns(n int) Turns { return make(Turns, n) }

// Take waits for a turn, and says so by Waiting. It fails if ctx ends before, or with
// fs.ErrClosed if closing is closed. Who has taken a turn must give it back.
func (t Turns) Take(ctx context.Context, closing <-chan struct{}) (err error) {
	select {
	case t <- struct{}{}:
		return nil
	default:
	}
	Waiting(ctx, func() {
		select {
		case t <- struct{}{}:
			if err = ctx.Err(); err != nil { // both came at once
				t.Give()
			}
		case <-ctx.Done():
			err = ctx.Err()
		case <-closing:
			err = fs.ErrClosed
		}
	})
	return err
}

// Give gives a turn back.
func (t Turns) Give() { <-t }

type waitingKey struct{}

// WithWaiting returns a context for Create that has around be called for each wait in
// which Create holds nothing, such as an open file, that others may need.
func WithWaiting(ctx context.Context, around func(wait func())) context.Context {
	return context.WithValue(ctx, waitingKey{}, around)
}

// Waiting calls wait as the caller of Create wants it.
func Waiting(ctx context.Context, wait func()) {
	if around, ok := ctx.Value(waitingKey{}).(func(wait func())); ok {
		around(wait)
	} else {
		wait()
	}
}
