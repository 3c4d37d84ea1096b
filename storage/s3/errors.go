package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/labnet/labnet/storage"
)

var (
	// errClosed is what a file answers after Commit, Abort or Store.Close.
	errClosed = fmt.Errorf("the file or its store is closed: %w", fs.ErrClosed)
	// errAbsent means that there is no such object, or multipart upload.
	errAbsent = errors.New("there is no such thing in the bucket")
	// errCondition means that what is there is not as it should be, and
	errCondition = errors.New("another writer was quicker")
	// errConflict that somebody is changing it just now.
	errConflict = fmt.Errorf("somebody else is writing it: %w", errCondition)
)

// explain puts an error of the object store in terms of the contract.
func explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, errClosed) {
		return err
	}
	var r minio.ErrorResponse
	if !errors.As(err, &r) {
		return fmt.Errorf("%w: %w", storage.ErrDegraded, err) // of the network
	}
	err = &reply{r}
	switch r.Code {
	case "NoSuchKey", "NoSuchUpload":
		return fmt.Errorf("%w: %w", errAbsent, err)
	case "PreconditionFailed", "InvalidRange": // of an object that is shorter by now
		return fmt.Errorf("%w: %w", errCondition, err)
	case "ConditionalRequestConflict", "OperationAborted":
		return fmt.Errorf("%w: %w", errConflict, err)
	case "BadDigest", "XAmzContentChecksumMismatch", "InvalidPart", "InvalidPartOrder":
		return fmt.Errorf("%w: %w", storage.ErrMismatch, err)
	case "KeyTooLongError", "KeyTooLong":
		return &storage.NameError{Name: r.Key, Reason: "it is too long for the object store"}
	case "ObjectParentIsFile", "XMinioParentIsObject", "XMinioObjectExistsAsDirectory", "ExistingObjectIsDirectory", "ExistingObjectIsFile":
		return &storage.NameError{Name: r.Key, Reason: "a folder would be where a file is, or the reverse"}
	case "EntityTooLarge", "QuotaExceeded", "NoSpaceLeftOnDevice", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded":
		return fmt.Errorf("%w: %w", storage.ErrNoSpace, err)
	}
	if r.StatusCode == http.StatusInsufficientStorage {
		return fmt.Errorf("%w: %w", storage.ErrNoSpace, err)
	}
	return fmt.Errorf("%w: %w", storage.ErrDegraded, err)
}

// A reply is an error that the object store answered.
type reply struct{ minio.ErrorResponse }

func (r *reply) Error() string {
	text := fmt.Sprintf("%s (%s)", r.Message, r.Code)
	if hint := hints[r.Code]; hint != "" {
		text += ": " + hint
	}
	return text
}

// hints says more of what the person who runs the server can mend.
var hints = map[string]string{
	"NoSuchBucket":          "create the bucket; labnet does not",
	"InvalidAccessKeyId":    "see AWS_ACCESS_KEY_ID and ~/.aws/credentials",
	"SignatureDoesNotMatch": "see AWS_SECRET_ACCESS_KEY and ~/.aws/credentials",
	"ExpiredToken":          "the credentials have expired",
	"RequestTimeTooSkewed":  "the clocks of this machine and of the object store differ",
	"AccessDenied":          "the credentials lack a right on the bucket; the documentation lists those that labnet needs",
}

// A health remembers whether the object store does what it is asked.
type health struct {
	mu   sync.Mutex
	err  error     // why not, wrapping storage.ErrDegraded
	last time.Time // it answered as it should
}

// seen notes and explains what a call came to.
func (c *client) seen(err error) error {
	err = explain(err)
	h := &c.health
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case errors.Is(err, storage.ErrDegraded):
		h.err = err
	case err == nil || !errors.Is(err, context.Canceled) && !errors.Is(err, errClosed):
		h.err, h.last = nil, time.Now()
	}
	return err
}

// state tells when the object store last worked, and why it does not.
func (h *health) state() (last time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last, h.err
}
