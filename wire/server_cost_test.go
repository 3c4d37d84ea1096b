package wire_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labnet/labnet/wire"
)

// A quiet connection costs next to nothing by itself. It brings some bytes and
// then blocks, and forgets what it is told.
type quiet struct {
	bytes  string
	closed chan struct{}
	once   sync.Once
	asleep func() // is called when there is nothing to read
}

func (q *quiet) Read(p []byte) (int, error) {
	if len(q.bytes) > 0 {
		n := copy(p, q.bytes)
		q.bytes = q.bytes[n:]
		return n, nil
	}
	q.asleep()
	<-q.closed
	return 0, net.ErrClosed
}
func (q *quiet) Write(p []byte) (int, error)      { return len(p), nil }
func (q *quiet) Close() error                     { q.once.Do(func() { close(q.closed) }); return nil }
func (q *quiet) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (q *quiet) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (q *quiet) SetDeadline(time.Time) error      { return nil }
func (q *quiet) SetReadDeadline(time.Time) error  { return nil }
func (q *quiet) SetWriteDeadline(time.Time) error { return nil }

// TestIdleMemory has many connections that have said something, and wait.
func TestIdleMemory(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector needs memory of its own")
	}
	const many, most = 2000, 16 << 10
	for name, said := range map[string]string{
		"nothing": "",
		"texts":   strings.Repeat(str(strings.Repeat("x", 4000)), 20),
		"a file":  str("f|") + data(2, "x") + end("x"),
	} {
		t.Run(name, func(t *testing.T) {
			l := newListener()
			s := &wire.Server{Store: sink{}}
			served := make(chan error, 1)
			go func() { served <- s.Serve(l) }()
			before := inUse()
			var asleep sync.WaitGroup
			for range many {
				asleep.Add(1)
				l.accept <- &quiet{bytes: said, closed: make(chan struct{}), asleep: sync.OnceFunc(asleep.Done)}
			}
			asleep.Wait()
			if each := (inUse() - before) / many; each > most {
				t.Errorf("an idle connection holds %d bytes", each)
			} else {
				t.Logf("an idle connection holds %d bytes", each)
			}
			s.Close()
			<-served
		})
	}
}

// inUse is what the process needs of memory, without garbage.
func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // pools keep what they hold for one
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// TestTextAllocations counts what a text costs: itself, if nothing is logged.
func TestTextAllocations(t *testing.T) {
	const texts = 1000
	_, addr := listenTo(t, sink{})
	nc, err := net.Dial("tcp", addr)
	must(t, err)
	defer nc.Close()
	send := []byte(strings.Repeat(str("hello, how goes it?"), texts))
	answer := make([]byte, len(str("Message: hello, how goes it?"))*texts)
	say := func() {
		if _, err := nc.Write(send); err != nil {
			t.Error(err)
		}
		if _, err := io.ReadFull(nc, answer); err != nil {
			t.Error(err)
		}
	}
	say()
	if each := testing.AllocsPerRun(20, say) / texts; each > 1.05 {
		t.Errorf("a text costs %.2f allocations", each)
	}
}

// BenchmarkIdle reports the memory of an idle connection over loopback TCP.
func BenchmarkIdle(b *testing.B) {
	_, addr := listenTo(b, sink{})
	ncs := make([]net.Conn, 0, b.N)
	before := inUse()
	for range b.N {
		nc, err := net.Dial("tcp", addr)
		must(b, err)
		defer nc.Close()
		io.WriteString(nc, str("hi"))
		_, err = io.ReadFull(nc, make([]byte, len(str("Message: hi"))))
		must(b, err)
		ncs = append(ncs, nc)
	}
	b.ReportMetric(float64(inUse()-before)/float64(len(ncs)), "bytes/conn")
}

// BenchmarkServer is what a server does with files and texts of which a client
// never waits for an answer, over loopback TCP and without a disk.
func BenchmarkServer(b *testing.B) {
	const ahead = 64
	body := strings.Repeat("x", 4096)
	file := func(i int) string {
		return fmt.Sprintf("some/folder/f%d|size=4096|mtime=1732285920.123456789|mode=0644|", i)
	}
	b.Run("files", func(b *testing.B) {
		pour(b, func(i int) string {
			b := ""
			if i == 0 {
				for j := range ahead {
					b += str(file(j))
				}
			}
			return b + data(3, body) + end(body) + str(file(i+ahead))
		}, "SAVED")
	})
	b.Run("texts", func(b *testing.B) {
		pour(b, func(i int) string { return str("hello, how goes it?") }, "Message")
	})
}

// pour sends messages and waits until as many answers came.
func pour(b *testing.B, message func(i int) string, answer string) {
	_, addr := listenTo(b, sink{})
	nc, err := net.Dial("tcp", addr)
	must(b, err)
	defer nc.Close()
	first, rest, ends := []byte(message(0)), []byte(nil), []int{0}
	for i := range 999 {
		rest = append(rest, message(i+1)...)
		ends = append(ends, len(rest))
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		buf, left := make([]byte, 256<<10), 0
		for n := 0; n < b.N; {
			m, err := nc.Read(buf[left:])
			if err != nil {
				b.Error(err)
				return
			}
			got := buf[:left+m]
			n += bytes.Count(got, []byte(answer))
			left = copy(buf, got[len(got)-min(len(answer)-1, len(got)):])
		}
	}()
	b.ReportAllocs()
	b.ResetTimer()
	nc.Write(first)
	for left := b.N - 1; left > 0; left -= 999 {
		if _, err := nc.Write(rest[:ends[min(left, 999)]]); err != nil {
			b.Fatal(err)
		}
	}
	<-answered
}
