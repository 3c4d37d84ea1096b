package s3

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// A client speaks with the object store about the objects of one bucket. Its
// calls are repeated with back-off, for some seconds, when the object store or
// the network fails. Their errors are of package storage where that has one.
type client struct {
	core      *minio.Core
	bucket    string
	transport http.RoundTripper
	health    health
	clock     clock
	synced    func(took time.Duration) // see Options.Synced; may be nil
}

// timed tells how long a request that began at a time has taken.
func (c *client) timed(begun time.Time) {
	if c.synced != nil {
		c.synced(time.Since(begun))
	}
}

func newClient(l Location, transport http.RoundTripper, retries int) (*client, error) {
	if transport == nil {
		var err error
		if transport, err = newTransport(); err != nil {
			return nil, err
		}
	}
	c := &client{bucket: l.Bucket, transport: transport}
	o := &minio.Options{
		Creds:      credentials.NewChainCredentials(providers()),
		Secure:     !l.Insecure,
		Region:     l.Region,
		Transport:  clocked{transport, &c.clock},
		MaxRetries: retries,
	}
	if l.PathStyle != nil {
		o.BucketLookup = minio.BucketLookupDNS
		if *l.PathStyle {
			o.BucketLookup = minio.BucketLookupPath
		}
	}
	var err error
	c.core, err = minio.NewCore(cmp.Or(l.Endpoint, "s3."+l.Region+".amazonaws.com"), o)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// providers lists where credentials may come from: the environment, the file
// ~/.aws/credentials and, unless the environment forbids that, the machine.
func providers() []credentials.Provider {
	list := []credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}}
	if !strings.EqualFold(os.Getenv("AWS_EC2_METADATA_DISABLED"), "true") {
		list = append(list, &credentials.IAM{})
	}
	return list
}

// An object is what a client knows of one.
type object struct {
	key      string
	size     int64
	etag     string
	modified time.Time
	sum      string // CRC64NVME of all its bytes, or ""
	token    string // of who stored it, or ""
	mtime    string // what formatTime made of its time, or ""
}

// The metadata of an object. The names of the first two are rclone's, which can
// so bring a file back as it was.
const (
	metaTime  = "mtime"       // seconds since 1970 and up to nine decimals
	metaMode  = "mode"        // octal
	metaToken = "Labnet-From" // tells one upload from all others
)

func objectOf(info minio.ObjectInfo) object {
	o := object{
		key: info.Key, size: info.Size, etag: info.ETag, modified: info.LastModified,
		token: info.UserMetadata[metaToken],
		mtime: info.UserMetadata[http.CanonicalHeaderKey(metaTime)],
	}
	if info.ChecksumMode == "" || info.ChecksumMode == minio.ChecksumFullObjectMode.String() {
		o.sum = info.ChecksumCRC64NVME
	}
	return o
}

// stat looks at an object; there may be none.
func (c *client) stat(ctx context.Context, key string) (o object, exists bool, err error) {
	info, err := c.core.StatObject(ctx, c.bucket, key, minio.StatObjectOptions{Checksum: true})
	if err = c.seen(err); errors.Is(err, errAbsent) {
		return object{}, false, nil
	}
	return objectOf(info), err == nil, err
}

// get reads an object.
func (c *client) get(ctx context.Context, key string) (io.ReadCloser, object, error) {
	r, info, _, err := c.core.GetObject(ctx, c.bucket, key, minio.GetObjectOptions{})
	return r, objectOf(info), c.seen(err)
}

// getFrom reads an object from some byte on. It fails with errCondition if it has changed.
func (c *client) getFrom(ctx context.Context, o object, from int64) (io.ReadCloser, error) {
	var options minio.GetObjectOptions
	if err := errors.Join(options.SetMatchETag(o.etag), options.SetRange(from, o.size-1)); err != nil {
		return nil, err
	}
	r, _, _, err := c.core.GetObject(ctx, c.bucket, o.key, options)
	return r, c.seen(err)
}

// A condition is on what is there before something is stored. The zero value
// is none.
type condition struct {
	absent bool
	etag   string
}

func (c condition) apply(o *minio.PutObjectOptions) {
	switch {
	case c.absent:
		o.SetMatchETagExcept("*")
	case c.etag != "":
		o.SetMatchETag(c.etag)
	}
}

// put stores an object of the first bytes of r, as many as sum says, and returns
// its ETag. It fails with errCondition if what is there is not as it should be.
func (c *client) put(ctx context.Context, key string, r io.ReaderAt, sum checksum, meta map[string]string, only condition) (string, error) {
	o := minio.PutObjectOptions{
		UserMetadata:         map[string]string{minio.ChecksumCRC64NVME.Key(): sum.String()},
		DisableContentSha256: true,
	}
	for k, v := range meta {
		o.UserMetadata[k] = v
	}
	only.apply(&o)
	body := newBody(r, sum.size)
	defer body.revoke()
	defer c.timed(time.Now())
	info, err := c.core.PutObject(ctx, c.bucket, key, body, sum.size, "", "", o)
	return info.ETag, c.seen(err)
}

// remove removes an object. It is not an error if there is none.
func (c *client) remove(ctx context.Context, key string) error {
	err := c.seen(c.core.RemoveObject(ctx, c.bucket, key, minio.RemoveObjectOptions{}))
	if errors.Is(err, errAbsent) {
		return nil
	}
	return err
}

// list calls do for the objects whose keys begin with prefix, at most so many
// unless that is zero.
func (c *client) list(ctx context.Context, prefix string, most int, do func(object) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n := 0
	for info := range c.core.ListObjectsIter(ctx, c.bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true, MaxKeys: most}) {
		if err := c.seen(info.Err); err != nil {
			return err
		}
		if err := do(objectOf(info)); err != nil {
			return err
		}
		if n++; n == most {
			break
		}
	}
	return c.seen(nil)
}

// begin begins a multipart upload whose parts and whole have CRC64NVME sums.
func (c *client) begin(ctx context.Context, key string, meta map[string]string) (upload string, err error) {
	o := minio.PutObjectOptions{UserMetadata: map[string]string{
		minio.ChecksumFullObjectMode.Key(): minio.ChecksumFullObjectMode.String(),
		"x-amz-checksum-algorithm":         minio.ChecksumCRC64NVME.String(),
	}}
	for k, v := range meta {
		o.UserMetadata[k] = v
	}
	upload, err = c.core.NewMultipartUpload(ctx, c.bucket, key, o)
	return upload, c.seen(err)
}

// putPart stores a part, which begins at 1.
func (c *client) putPart(ctx context.Context, key, upload string, number int, p *part) (minio.CompletePart, error) {
	body := newBody(p, p.sum.size)
	defer body.revoke()
	stored, err := c.core.PutObjectPart(ctx, c.bucket, key, upload, number, body, p.sum.size, minio.PutObjectPartOptions{
		CustomHeader:         http.Header{http.CanonicalHeaderKey(minio.ChecksumCRC64NVME.Key()): {p.sum.String()}},
		DisableContentSha256: true,
	})
	return minio.CompletePart{PartNumber: number, ETag: stored.ETag, ChecksumCRC64NVME: p.sum.String()}, c.seen(err)
}

// copyPart has a part be copied from an object, from some byte on, of which as many have
// a sum. It fails with errCondition if the object has changed, and with
// errors.ErrUnsupported if the object store cannot do that: versitygw 1.8 gives such a
// part the sum of the whole object.
func (c *client) copyPart(ctx context.Context, from object, at int64, sum checksum, key, upload string, number int) (minio.ObjectPart, error) {
	length := sum.size
	if length == from.size {
		length = -1 // of a small object S3 copies all or nothing
	}
	copied, err := c.core.CopyObjectPart(ctx, c.bucket, from.key, c.bucket, key, upload, number, at, length,
		map[string]string{"x-amz-copy-source-if-match": strconv.Quote(from.etag)})
	switch {
	case minio.ToErrorResponse(err).StatusCode == http.StatusNotImplemented:
		return minio.ObjectPart{}, errors.ErrUnsupported
	case err == nil && copied.ETag == "": // it failed after the head of the answer
		err = errNoCopy
	case err == nil && copied.ChecksumCRC64NVME != sum.String():
		return minio.ObjectPart{}, errors.ErrUnsupported
	}
	return minio.ObjectPart{PartNumber: number, ETag: copied.ETag, Size: sum.size, ChecksumCRC64NVME: sum.String()}, c.seen(err)
}

var errNoCopy = errors.New("a part was not copied")

// parts lists the parts of a multipart upload.
func (c *client) parts(ctx context.Context, key, upload string) (list []minio.ObjectPart, err error) {
	for marker := 0; ; {
		page, err := c.core.ListObjectParts(ctx, c.bucket, key, upload, marker, 1000)
		if err = c.seen(err); err != nil {
			return nil, err
		}
		list = append(list, page.ObjectParts...)
		if !page.IsTruncated || page.NextPartNumberMarker <= marker {
			return list, nil
		}
		marker = page.NextPartNumberMarker
	}
}

// complete makes an object of parts, if their sum is right, and returns its ETag.
func (c *client) complete(ctx context.Context, key, upload string, parts []minio.CompletePart, sum checksum, only condition) (etag string, err error) {
	o := minio.PutObjectOptions{UserMetadata: map[string]string{
		minio.ChecksumCRC64NVME.Key():      sum.String(),
		minio.ChecksumFullObjectMode.Key(): minio.ChecksumFullObjectMode.String(),
	}}
	only.apply(&o)
	defer c.timed(time.Now())
	info, err := c.core.CompleteMultipartUpload(ctx, c.bucket, key, upload, parts, o)
	return info.ETag, c.seen(err)
}

// abort drops a multipart upload. It is not an error if there is none.
func (c *client) abort(ctx context.Context, key, upload string) error {
	err := c.seen(c.core.AbortMultipartUpload(ctx, c.bucket, key, upload))
	if errors.Is(err, errAbsent) {
		return nil
	}
	return err
}

// close ends the connections that are idle.
func (c *client) close() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
