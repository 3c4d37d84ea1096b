// Package wan stands a long way between a client and a server on the same machine, through
// which the kernel's own TCP runs: two network namespaces, joined by a link that is slow, of
// limited rate, and loses packets. It needs Linux, and root.
package wan

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Link says what is between the two.
type Link struct {
	RTT        time.Duration // there and back
	Rate       int64         // bits a second, each way
	Loss       float64       // the part of the packets that is lost, each way
	Congestion string        // how TCP reacts to it (cubic, bbr); empty keeps what the machine has
}

// queue is how long a packet waits at most for its turn: beyond, it is dropped.
const queue = 100 * time.Millisecond

// FarAddress is that of the far end.
const FarAddress, nearAddress = "10.77.0.2", "10.77.0.1"

// A Way is a link that is there.
type Way struct {
	Near, Far string // the namespaces
	ends      []*os.File
	carrying  sync.WaitGroup
}

// Open makes the namespaces and the link between them.
func Open(l Link) (*Way, error) {
	name := fmt.Sprintf("labnet-bench-%d-", os.Getpid())
	w := &Way{Near: name + "near", Far: name + "far"}
	for namespace, address := range map[string]string{w.Near: nearAddress, w.Far: FarAddress} {
		err := ip("netns", "add", namespace)
		if err == nil {
			err = w.enter(namespace, address, l)
		}
		if err != nil {
			return nil, errors.Join(err, w.Close())
		}
	}
	w.carrying.Go(func() { l.carry(w.ends[0], w.ends[1]) })
	w.carrying.Go(func() { l.carry(w.ends[1], w.ends[0]) })
	return w, nil
}

// Close removes all.
func (w *Way) Close() error {
	for _, end := range w.ends {
		end.Close()
	}
	w.carrying.Wait()
	return errors.Join(ip("netns", "del", w.Near), ip("netns", "del", w.Far))
}

// enter makes an end of the link in a namespace.
func (w *Way) enter(namespace, address string, l Link) error {
	type opened struct {
		f   *os.File
		err error
	}
	c := make(chan opened)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with this goroutine
		f, err := openTUN(namespace)
		c <- opened{f, err}
	}()
	end := <-c
	if end.err != nil {
		return end.err
	}
	w.ends = append(w.ends, end.f)
	for _, args := range [][]string{
		{"addr", "add", address + "/24", "dev", device},
		{"link", "set", device, "mtu", "1500", "txqueuelen", "10000", "up"},
		{"link", "set", "lo", "up"},
	} {
		if err := ip(append([]string{"-n", namespace}, args...)...); err != nil {
			return err
		}
	}
	if l.Congestion == "" {
		return nil
	}
	return ip("netns", "exec", namespace, "sysctl", "-qw", "net.ipv4.tcp_congestion_control="+l.Congestion)
}

const device = "wan0"

// openTUN makes the device in a namespace, which the calling thread is then in.
func openTUN(namespace string) (*os.File, error) {
	file, err := os.Open("/run/netns/" + namespace)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, os.NewSyscallError("setns", err)
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq(device)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = os.NewSyscallError("TUNSETIFF", unix.IoctlIfreq(fd, unix.TUNSETIFF, request))
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "/dev/net/tun"), nil
}

func ip(args ...string) error {
	if output, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %q: %w: %s", args, err, output)
	}
	return nil
}

type packet struct {
	due  time.Time
	data []byte
}

// carry takes packets from one end to the other, as late and as few as the link has it.
func (l Link) carry(from, to *os.File) {
	line := make(chan packet, 1<<16)
	var delivering sync.WaitGroup
	defer delivering.Wait()
	defer close(line)
	delivering.Go(func() {
		for p := range line {
			time.Sleep(time.Until(p.due))
			to.Write(p.data)
		}
	})
	var free time.Time // when the bottleneck has sent all that it holds
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		now := time.Now()
		if free.Before(now) {
			free = now
		}
		if rand.Float64() < l.Loss || free.Sub(now) > queue {
			continue
		}
		free = free.Add(time.Duration(float64(n*8) / float64(l.Rate) * float64(time.Second)))
		line <- packet{free.Add(l.RTT / 2), append([]byte(nil), buffer[:n]...)}
	}
}
