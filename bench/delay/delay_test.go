package delay

import (
	"bufio"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

const rtt = 40 * time.Millisecond

// connected returns the client's end of a connection through a proxy to what
// server does with the other end, and waits for both when the test ends.
func connected(t *testing.T, proxy Proxy, server func(net.Conn)) net.Conn {
	t.Helper()
	proxy.RTT = rtt
	done := make(chan struct{}, 2)
	proxy.Dial = func() (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer func() { done <- struct{}{} }()
			defer far.Close()
			server(far)
		}()
		return near, nil
	}
	client, other := net.Pipe()
	go func() {
		defer func() { done <- struct{}{} }()
		proxy.Connect(other)
	}()
	t.Cleanup(func() {
		client.Close()
		<-done
		<-done
	})
	return client
}

func echo(conn net.Conn) { io.Copy(conn, conn) }

// since is how many round trips of the bubble's clock have passed.
func since(begin time.Time) float64 { return float64(time.Since(begin)) / float64(rtt) }

// TestPingPong counts: one round trip for the connection, one for each answer.
func TestPingPong(t *testing.T) {
	for _, rounds := range []int{1, 2, 10} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			client := connected(t, Proxy{}, echo)
			for range rounds {
				send(t, client, "ping")
				if got := receive(t, client, 4); got != "ping" {
					t.Fatalf("got %q", got)
				}
			}
			if got, want := since(begin), float64(rounds+1); got != want {
				t.Errorf("%d answers took %v round trips, want %v", rounds, got, want)
			}
		})
	}
}

// TestServerSpeaksFirst: a greeting takes two round trips, and its answer is
// not charged for the handshake once more.
func TestServerSpeaksFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		client := connected(t, Proxy{}, func(conn net.Conn) {
			send(t, conn, "hello")
			echo(conn)
		})
		receive(t, client, 5)
		if got := since(begin); got != 2 {
			t.Errorf("the greeting took %v round trips, want 2", got)
		}
		send(t, client, "ping")
		receive(t, client, 4)
		if got := since(begin); got != 3 {
			t.Errorf("the answer came after %v round trips, want 3", got)
		}
	})
}

// TestClientThinks: what a client does before it sends comes on top of the
// handshake, which is over for it only after a round trip.
func TestClientThinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		client := connected(t, Proxy{}, echo)
		time.Sleep(rtt)
		send(t, client, "ping")
		receive(t, client, 4)
		if got := since(begin); got != 3 {
			t.Errorf("the answer came after %v round trips, want 3", got)
		}
	})
}

// TestPipelined: what is sent without waiting arrives together.
func TestPipelined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		client := connected(t, Proxy{}, echo)
		go func() {
			for range 500 {
				send(t, client, "x")
			}
		}()
		receive(t, client, 500)
		if got := since(begin); got != 2 {
			t.Errorf("500 messages took %v round trips, want 2", got)
		}
	})
}

// TestEnd: the end of the stream travels as slowly as the bytes before it.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		client := connected(t, Proxy{}, func(conn net.Conn) { receive(t, conn, 4) })
		send(t, client, "bye.")
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("got %v, want the end of the stream", err)
		}
		if got := since(begin); got != 2 {
			t.Errorf("the server's end came after %v round trips, want 2", got)
		}
	})
}

// TestWindow: more than the window is not taken before some of it was delivered.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		client := connected(t, Proxy{Window: 4}, func(conn net.Conn) { io.Copy(io.Discard, conn) })
		for range 3 { // one is under way, one waits for room, one is not read
			send(t, client, "four")
		}
		if got := since(begin); got != 1.5 {
			t.Errorf("the third piece was taken after %v round trips, want 1.5", got)
		}
	})
}

// TestNoServer: a client whose server does not answer is told so.
func TestNoServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proxy := Proxy{RTT: rtt, Dial: func() (net.Conn, error) { return nil, errors.New("refused") }}
		client, other := net.Pipe()
		go proxy.Connect(other)
		if _, err := client.Read(make([]byte, 1)); err == nil {
			t.Error("read something")
		}
	})
}

// TestTCP hands 8 MiB over real connections in both directions, and the ends
// of both streams.
func TestTCP(t *testing.T) {
	server := listen(t)
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		echo(conn)
		conn.(*net.TCPConn).CloseWrite()
	}()
	front := listen(t)
	proxy := Proxy{RTT: time.Millisecond, Dial: func() (net.Conn, error) {
		return net.Dial("tcp", server.Addr().String())
	}}
	served := make(chan error)
	go func() { served <- proxy.Serve(front) }()

	conn, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const size = 8 << 20
	go func() {
		w := bufio.NewWriter(conn)
		for i := range size {
			w.WriteByte(byte(i % 251))
		}
		w.Flush()
		conn.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil || len(got) != size {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
	for i, b := range got {
		if b != byte(i%251) {
			t.Fatalf("byte %d is %d", i, b)
		}
	}
	front.Close()
	if err := <-served; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Error(err)
	}
}

func receive(t *testing.T, conn net.Conn, size int) string {
	t.Helper()
	buffer := make([]byte, size)
	if _, err := io.ReadFull(conn, buffer); err != nil {
		t.Error(err)
	}
	return string(buffer)
}
