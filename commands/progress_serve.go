package commands

import (
	"context"
	"io"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/wire"
)

const (
	// longUpload is how long a file takes to arrive before the log tells of its
	// beginning. Of its end it always does.
	longUpload = 2 * time.Second
	// minLong is from how many bytes on a file is watched for that.
	minLong = 1 << 20
)

// A watchedStore logs which uploads are under way, if they take long.
type watchedStore struct {
	wire.Store
	log zerolog.Logger
}

func (s watchedStore) Create(ctx context.Context, a wire.Announcement) (wire.Upload, error) {
	upload, err := s.Store.Create(ctx, a)
	if err != nil || a.Size >= 0 && a.Size < minLong {
		return upload, err
	}
	return watchedUpload{upload, s.log, a}, nil
}

type watchedUpload struct {
	wire.Upload
	log zerolog.Logger
	a   wire.Announcement
}

func (u watchedUpload) ReadFrom(r io.Reader) (int64, error) {
	resumed := u.Resumed().Size
	begun := time.AfterFunc(longUpload, func() {
		line := u.log.Info().Str("name", u.a.Name)
		if u.a.Size >= 0 {
			line = line.Int64("size", u.a.Size)
		}
		if resumed > 0 {
			line = line.Int64("resumed_at", resumed)
		}
		line.Msg("upload under way")
	})
	defer begun.Stop()
	return u.Upload.ReadFrom(r)
}
