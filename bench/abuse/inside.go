package main

import (
	"encoding/json"
	"net"
	"os"
	"runtime"
	"runtime/debug"
)

// What is asked of tellInside.
const (
	asItIs    = 'i'
	collected = 'c' // once what is no longer used was given back
)

// tellInside tells whoever connects to a socket and asks what is inside this process. It
// does nothing without one.
func tellInside(socket string) (stop func()) {
	if socket == "" {
		return func() {}
	}
	os.Remove(socket)
	l, err := net.Listen("unix", socket)
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			var question [1]byte
			if nc.Read(question[:]); question[0] == collected {
				debug.FreeOSMemory()
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			json.NewEncoder(nc).Encode(inside{runtime.NumGoroutine(), int64(m.HeapInuse)})
			nc.Close()
		}
	}()
	return func() { l.Close() }
}
