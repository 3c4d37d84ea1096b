package s3

import (
	"context"
	"sync"

	"github.com/minio/minio-go/v7"
)

// maxSending is how many parts of a file are on their way at once: enough for
// 100 MiB/s to an object store that takes 0.3 s for a part.
const maxSending = 6

// A multipart is the multipart upload of a file.
type multipart struct {
	key, upload string
	copy        int   // the n of NumberedName
	claimed     bool  // so that no other upload goes for the key
	partSize    int64 // 0 if parts grow
	count       int   // of parts that were sent on their way or are there
	turn        chan struct{}
	context     context.Context
	cancel      context.CancelFunc
	sending     sync.WaitGroup

	mu     sync.Mutex
	parts  map[int]minio.CompletePart // that arrived, by number from 1 on
	marks  map[int]mark               // behind each part of those that may not have arrived
	behind mark                       // all parts that have arrived without a gap
	first  int                        // number of the part that comes next to those
	err    error
}

// A mark is what there is to know of the bytes up to the end of a part.
type mark struct {
	sum         checksum
	hash, proof []byte // the states of the digest and of the proof
}

func newMultipart(key, upload string, copy int, partSize int64) *multipart {
	m := &multipart{
		key: key, upload: upload, copy: copy, partSize: partSize,
		turn:  make(chan struct{}, maxSending),
		parts: make(map[int]minio.CompletePart),
		marks: make(map[int]mark),
		first: 1,
	}
	m.context, m.cancel = context.WithCancel(context.Background())
	return m
}

// take notes a part that is there already, behind those taken before.
func (m *multipart) take(p minio.ObjectPart, end mark) {
	m.count++
	m.parts[m.count] = minio.CompletePart{PartNumber: m.count, ETag: p.ETag, ChecksumCRC64NVME: p.ChecksumCRC64NVME}
	m.behind, m.first = end, m.count+1
}

// send sends a part to the object store, once fewer than maxSending are on their
// way, and gives its memory back when it is there.
func (m *multipart) send(c *client, p *part, end mark) error {
	select {
	case m.turn <- struct{}{}:
	case <-m.context.Done():
		p.release()
		return m.failureOr(context.Cause(m.context))
	}
	m.count++
	number := m.count
	m.mu.Lock()
	m.marks[number] = end
	m.mu.Unlock()
	m.sending.Go(func() {
		defer func() { <-m.turn }()
		defer p.release()
		stored, err := c.putPart(m.context, m.key, m.upload, number, p)
		m.arrived(number, stored, err)
	})
	return nil
}

func (m *multipart) arrived(number int, part minio.CompletePart, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		if m.err == nil {
			m.err = err
		}
		m.cancel() // the others are of no use
		return
	}
	m.parts[number] = part
	for ; m.parts[m.first].ETag != ""; m.first++ {
		if end, ok := m.marks[m.first]; ok {
			m.behind = end
			delete(m.marks, m.first)
		}
	}
}

// mark is that of the parts which have arrived without a gap.
func (m *multipart) mark() mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.behind
}

// wait returns when no part is on its way any more.
func (m *multipart) wait() { m.sending.Wait() }

// failure tells why a part did not arrive.
func (m *multipart) failure() error { return m.failureOr(nil) }

func (m *multipart) failureOr(other error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	return other
}

// list lists the parts in order once all have arrived.
func (m *multipart) list() []minio.CompletePart {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]minio.CompletePart, m.count)
	for i := range list {
		list[i] = m.parts[i+1]
	}
	return list
}
