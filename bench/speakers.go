package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc64"
	"io"
	"net"
	"strings"
)

// A speaker says what a client of a server says, for the measurements that need
// more clients than processes are reasonable.
type speaker struct {
	// upload sends uploadSize bytes, calls wait in the middle, and waits for the
	// server's word that it has them, where it gives one.
	upload func(conn net.Conn, name string, wait func()) error
	// greet says something small and reads the answer, if the protocol has that.
	greet func(conn net.Conn) error
}

var speakers = map[string]speaker{
	"labnet":        {labnetUpload, labnetGreet},
	"curl":          {httpUpload, httpGreet},
	"lab in Python": {labUpload, nil},
}

var body = make([]byte, uploadSize)

// halves sends the body.
func halves(conn net.Conn, wait func()) error {
	if _, err := conn.Write(body[:uploadSize/2]); err != nil {
		return err
	}
	wait()
	_, err := conn.Write(body[uploadSize/2:])
	return err
}

// labnetUpload is an upload as labnet's package wire specifies it.
func labnetUpload(conn net.Conn, name string, wait func()) error {
	replies := bufio.NewReaderSize(conn, 512)
	if err := labnetAsk(conn, replies, fmt.Sprintf("%s\x00size=%d\x00", name, uploadSize), "OK\x00"); err != nil {
		return err
	}
	if _, err := conn.Write(binary.LittleEndian.AppendUint32([]byte{5}, uploadSize)); err != nil {
		return err
	}
	if err := halves(conn, wait); err != nil {
		return err
	}
	end := fmt.Sprintf("END\x00size=%d\x00crc64nvme=%016x\x00", uploadSize, bodyDigest)
	return labnetAsk(conn, replies, end, "SAVED\x00")
}

var (
	crc64nvme  = crc64.MakeTable(0x9a6c9329ac4bc9b5)
	bodyDigest = crc64.Checksum(body, crc64nvme)
)

func labnetGreet(conn net.Conn) error {
	return labnetAsk(conn, bufio.NewReaderSize(conn, 64), "hello", "Message: hello")
}

// labnetAsk sends a String and reads the answer.
func labnetAsk(conn net.Conn, replies *bufio.Reader, text, want string) error {
	if _, err := conn.Write(append([]byte{1, byte(len(text)), byte(len(text) >> 8)}, text...)); err != nil {
		return err
	}
	var header [3]byte
	if _, err := io.ReadFull(replies, header[:]); err != nil {
		return err
	}
	reply := make([]byte, binary.LittleEndian.Uint16(header[1:]))
	if _, err := io.ReadFull(replies, reply); err != nil {
		return err
	}
	if header[0] != 1 || !strings.HasPrefix(string(reply), want) {
		return fmt.Errorf("labnet answered %q", reply)
	}
	return nil
}

func httpUpload(conn net.Conn, name string, wait func()) error {
	if _, err := fmt.Fprintf(conn, "PUT /%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", name, uploadSize); err != nil {
		return err
	}
	if err := halves(conn, wait); err != nil {
		return err
	}
	return httpAnswer(conn, "201")
}

func httpGreet(conn net.Conn) error {
	if _, err := fmt.Fprint(conn, "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return err
	}
	return httpAnswer(conn, "403")
}

// httpAnswer reads the head of an answer.
func httpAnswer(conn net.Conn, want string) error {
	answer := bufio.NewReaderSize(conn, 512)
	first, err := answer.ReadString('\n')
	for line := first; err == nil && line != "\r\n"; {
		line, err = answer.ReadString('\n')
	}
	if err == nil && !strings.HasPrefix(first, "HTTP/1.1 "+want+" ") {
		err = fmt.Errorf("the server answered %q", first)
	}
	return err
}

// labUpload is an upload as the lab's programs do it. The server says nothing at
// its end.
func labUpload(conn net.Conn, name string, wait func()) error {
	if _, err := fmt.Fprintf(conn, "\x01%s", name); err != nil {
		return err
	}
	answer := make([]byte, 2)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	if _, err := conn.Write(binary.LittleEndian.AppendUint32([]byte{5}, uploadSize)); err != nil {
		return err
	}
	if err := halves(conn, wait); err != nil {
		return err
	}
	conn.(*net.TCPConn).CloseWrite()
	_, err := conn.Read(answer) // the server closes
	if err == io.EOF {
		err = nil
	}
	return err
}
