package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// A web page can make a browser send an HTTP request to any address that the
// browser reaches, loopback included. To the lab dialect its bytes would be a raw
// text. So a connection that begins with a request line of HTTP/1 (RFC 9112,
// section 3) is none of the dialects: it is handed over to Server.HTTP, or nothing is
// taken from it and it is refused in HTTP. The line is
//
//	method SP request-target SP HTTP-version CRLF
//
// where the method is any token (RFC 9110, section 5.6.2), the target anything
// without a space, the version "HTTP/", a digit, "." and a digit, and a bare CR or
// LF does for CRLF. All other lines are texts.
//
// The end of a stream, or a silence, can cut the line before it is known which it
// is. A browser sends the line at once, so that only a line longer than
// shortLine can be cut; a shorter one is a text. What is cut later is a request
// if its target begins with "/": all that browsers send to a server do. A line
// that fills the buffer is always one.

// shortLine is less than the first segment of any TCP connection holds.
const shortLine = 256

// errHTTP ends a connection that speaks HTTP, after the answer.
var errHTTP = errors.New("an HTTP request")

// errHTTPOnly ends one that does not, at a server for nothing else.
var errHTTPOnly = &Error{CodeProtocol, "this address is for HTTP only"}

const httpBody = "This is labnet, which does not speak HTTP. Use 'labnet upload' or 'labnet say'.\n"

// httpHeader has the status for methods that a server does not know, even by
// their length (RFC 9110, section 9.1, and RFC 9112, section 3).
var httpHeader = fmt.Sprintf("HTTP/1.1 501 Not Implemented\r\n"+
	"Connection: close\r\n"+
	"Content-Type: text/plain; charset=utf-8\r\n"+
	"Content-Length: %d\r\n"+
	"Cache-Control: no-store\r\n"+
	"X-Content-Type-Options: nosniff\r\n\r\n", len(httpBody))

// takeHTTP hands an HTTP request over, or refuses it, and returns an error then. It
// returns nil for anything else, of which it takes nothing. It reads no further than it
// must.
func (c *conn) takeHTTP(first byte) error {
	if !isTokenChar(first) {
		return nil
	}
	c.link.limitEach(labSilence)
	defer func() {
		if !c.handedOver { // net/http may still read from what it has closed
			c.link.limitTotal(c.srv.limits.HeaderTimeout)
		}
	}()
	var line requestLine
	for !line.known() {
		_, err := c.r.Peek(line.size + 1)
		switch {
		case err == nil:
			b, _ := c.r.Peek(c.r.Buffered())
			line.add(b[line.size:])
		case err == io.EOF, timedOut(err):
			c.textEnded = true
			line.cut()
		case err == bufio.ErrBufferFull:
			line.part = lineHTTP
		default:
			return err
		}
	}
	if line.part != lineHTTP {
		return nil
	}
	if c.srv.HTTP != nil && c.srv.Lab == 0 {
		return c.handOver()
	}
	c.out.addBytes(httpHeader)
	if b, _ := c.r.Peek(5); string(b) != "HEAD " { // its answer has no content
		c.out.addBytes(httpBody)
	}
	return errHTTP
}

// A requestLine recognises a request line in pieces of any size.
type requestLine struct {
	part linePart
	at   int // bytes of the part
	size int // of all that was added
	path bool
}

type linePart int

const (
	lineMethod linePart = iota
	lineTarget
	lineVersion
	lineHTTP // it is one
	lineText // it is none
)

// lineEnd is how the line ends; 0 is any digit.
const lineEnd = "HTTP/0.0"

// known reports whether what was added tells what the line is.
func (l *requestLine) known() bool { return l.part >= lineHTTP }

// add takes the next bytes of a stream.
func (l *requestLine) add(b []byte) {
	for _, ch := range b {
		before := l.part
		if l.known() {
			break
		}
		l.part = l.next(ch)
		l.at++
		l.size++
		if l.part != before {
			l.at = 0
		}
	}
}

// next returns which part of the line ends with a byte, or goes on.
func (l *requestLine) next(ch byte) linePart {
	switch {
	case ch == ' ' && l.at > 0 && l.part < lineVersion:
		return l.part + 1
	case l.part == lineMethod && isTokenChar(ch):
		return lineMethod
	case l.part == lineTarget && ch != ' ' && ch != '\n':
		l.path = l.path || l.at == 0 && ch == '/'
		return lineTarget
	case l.part == lineVersion && l.at < len(lineEnd):
		if want := lineEnd[l.at]; ch == want || want == '0' && '0' <= ch && ch <= '9' {
			return lineVersion
		}
	case l.part == lineVersion && (ch == '\r' || ch == '\n'):
		return lineHTTP
	}
	return lineText
}

// cut decides what a line is of which no more comes.
func (l *requestLine) cut() {
	whole := l.part == lineVersion && l.at == len(lineEnd)
	if whole || l.path && l.size >= shortLine {
		l.part = lineHTTP
	} else {
		l.part = lineText
	}
}

// isTokenChar reports whether a token of HTTP may hold a byte.
func isTokenChar(b byte) bool {
	switch {
	case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9':
		return true
	}
	switch b {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~':
		return true
	}
	return false
}
