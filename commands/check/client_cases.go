package check

import (
	"strings"
	"time"

	"github.com/labnet/labnet/wire"
)

// A clientCase is one thing that a client is to do, and how labnet answers.
type clientCase struct {
	id    string
	tasks tasks
	title string
	want  string

	text  string // to send, or
	size  int    // random bytes, or -1, or
	files []int  // files of these sizes

	slow      time.Duration // between reads
	death     Verdict       // if the client dies
	deadly    bool          // the case is about whether the client dies
	refusable bool          // the client may refuse, and not connect

	converse func(*visit)
}

// clientCasesOf returns the cases of a task.
func clientCasesOf(task wire.Lab) (list []*clientCase) {
	all := clientCases()
	for i := range all {
		if c := &all[i]; c.tasks&(1<<task) != 0 {
			list = append(list, c)
		}
	}
	return list
}

// manyBytes is a text of so many bytes, each letter of which has two.
func manyBytes(n int) string { return strings.Repeat("å", n/2) }

// clientCases are the cases in the order in which they run.
func clientCases() []clientCase {
	return []clientCase{
		{id: "c1", tasks: pings, size: -1, death: Fail, title: "the server accepts and closes", want: "the client connects and goes on", deadly: true,
			converse: func(v *visit) { v.peer.close() }},

		{id: "c3.text", tasks: task3, size: -1, text: "blåbær 😀", death: Fail, title: "a text with æ, ø, å and 😀", want: "its bytes in UTF-8",
			converse: func(v *visit) { v.sameText(v.heardText(len(v.c.text)), v.c.text); v.say("Message: " + v.c.text) }},
		{id: "c3.long", tasks: task3, size: -1, text: manyBytes(8192), death: Warn, title: "a text of 4096 letters and 8192 bytes", want: "at most 4096 bytes, or none", refusable: true,
			converse: func(v *visit) {
				if got := v.heardText(4097); len(got) > 4096 {
					v.note(Warn, v.seen(), overLong)
				}
				v.say("Message: " + v.c.text[:2000])
			}},
		{id: "c3.read", tasks: task3, size: -1, text: "hello", death: Fail, title: "an answer after 300 ms", want: "it is read", converse: readAnswer},
		{id: "c3.cut", tasks: task3, size: -1, text: manyBytes(4096), death: Warn, deadly: true, title: "an answer of 4105 bytes", want: "the client goes on",
			converse: func(v *visit) {
				v.heardText(4096)
				v.say("Message: " + v.c.text) // recv(4096) ends in the middle of a letter
			}},

		{id: "c4.type", tasks: task4, size: -1, text: "hello", death: Fail, title: "a text", want: `01 "hello"`,
			converse: func(v *visit) { typed(v, "\x01", len("hello")) }},
		{id: "c4.random", tasks: task4, size: 1000, death: Fail, title: "1000 random bytes", want: "02 and 1000 bytes",
			converse: func(v *visit) { typed(v, "\x02", 1000) }},
		{id: "c4.end", tasks: task4, size: 10, death: Fail, title: "the end behind random bytes", want: "the client closes the connection",
			converse: func(v *visit) {
				if !v.peer.await(v.Timeout, isOver) {
					v.note(Fail, "the connection stayed open", "close(): in task 4 only the end says that all has been sent")
				}
			}},

		clientSize("c5.1", 1), clientSize("c5.255", 255), clientSize("c5.256", 256), clientSize("c5.65535", 65_535), clientSize("c5.65536", 65_536), clientSize("c5.0", 0),

		clientFile("c6.bytes", "a file of any bytes", 1000), clientFile("c6.0", "an empty file", 0),
		clientFile("c6.256", "a file of 256 bytes", 256), clientFile("c6.65536", "a file of 65,536 bytes", 65_536),
		{id: "c6.wait", tasks: files, files: []int{1000}, death: Fail, title: "OK after a second", want: "nothing before it",
			converse: func(v *visit) {
				at := v.name(0, 0)
				if at == 0 {
					return
				}
				if v.more(at, time.Second) {
					v.note(Fail, "contents before the answer", awaitOK)
					return
				}
				v.say("OK")
				v.contents(at, 1000, v.bodies[0])
			}},
		{id: "c6.no", tasks: files, files: []int{1000}, death: Warn, title: "NO in place of OK", want: "nothing is sent",
			converse: func(v *visit) {
				if at := v.name(0, 0); at != 0 {
					v.say("NO")
					if v.more(at, v.Timeout/2) {
						v.note(Fail, "the contents were sent", "if answer == b'OK'")
					}
				}
			}},
		{id: "c6.split", tasks: files, files: []int{1000}, death: Pass, title: "O, and K 200 ms later", want: "the file",
			converse: func(v *visit) {
				at := v.name(0, 0)
				if at == 0 {
					return
				}
				v.say("O")
				time.Sleep(2 * pieces)
				v.say("K")
				if !v.more(at, v.Timeout) {
					v.note(CannotTell, "nothing was sent", "recv(2) may return 1 byte; servers send OK in one piece, so it is nothing to repair")
					return
				}
				v.contents(at, 1000, v.bodies[0])
			}},
		{id: "c6.gone", tasks: files, files: []int{1000}, death: Warn, deadly: true, title: "the server ends the connection after the name", want: "the client goes on",
			converse: func(v *visit) {
				if v.name(0, 0) != 0 {
					v.peer.conn.Close()
				}
			}},
		{id: "c6.slow", tasks: files, files: []int{1 << 20}, death: Fail, slow: 2 * time.Millisecond, title: "1 MiB, read slowly", want: "the file", converse: oneFile},
		{id: "cx.reuse", tasks: extra, files: []int{5000, 300}, death: Fail, title: "two files", want: "both on the same connection", converse: twoFiles},
	}
}

const awaitOK = "recv() the answer, and send the contents if it is OK"

func clientSize(id string, n int) clientCase {
	return clientCase{id: id, tasks: task5, size: n, death: Fail, title: counted(n), want: "the type, the size and so many bytes",
		converse: func(v *visit) { v.contents(0, n, nil) }}
}

func clientFile(id, title string, n int) clientCase {
	return clientCase{id: id, tasks: files, files: []int{n}, death: Fail, title: title, want: "its name, and after OK its bytes", converse: oneFile}
}

func oneFile(v *visit) {
	if at := v.name(0, 0); at != 0 {
		v.say("OK")
		v.contents(at, v.c.files[0], v.bodies[0])
	}
}

func twoFiles(v *visit) {
	at := v.name(0, 0)
	if at == 0 {
		return
	}
	v.say("OK")
	at = v.contents(at, v.c.files[0], v.bodies[0])
	if v.verdict == Fail {
		return
	}
	switch err := v.next(at); {
	case err == errNoClient:
		v.note(CannotTell, "no second file", "{values} in the command stands for both files; without it they are typed, one on each line")
	case err != nil:
		v.note(Fail, err.Error(), "connect() once, and close() after the last file")
	default:
		if at = v.name(1, at); at == 0 {
			return
		}
		if v.more(at, 3*pieces) {
			v.note(Fail, "contents before the second answer", awaitOK)
			return
		}
		v.say("OK")
		v.contents(at, v.c.files[1], v.bodies[1])
	}
}

// typed expects a type and n bytes behind it.
func typed(v *visit, kind string, n int) {
	v.peer.await(v.Timeout, isOver)
	heard, _ := v.peer.state()
	switch {
	case len(heard) == n+1 && heard[:1] == kind && (v.c.text == "" || heard[1:] == v.c.text):
	case strings.HasPrefix(heard, string('0'+kind[0])):
		v.note(Fail, v.seen(), typeIsByte)
	case len(heard) > 0 && heard[:1] == kind && v.c.text != "" && strings.TrimSpace(heard[1:]) == v.c.text:
		v.note(Warn, v.seen(), stripLine)
	default:
		v.note(Fail, v.seen(), "the type as one byte, then the contents")
	}
}

// readAnswer answers late: who closes before cannot have read the answer.
func readAnswer(v *visit) {
	const why = "the client closed the connection and did not read the answer; the task leaves that open"
	v.heardText(len(v.c.text))
	if v.peer.await(3*pieces, isOver) {
		v.say("Message: ") // a client may have ended only its side
		time.Sleep(pieces)
		if _, err := v.peer.conn.Write([]byte(v.c.text)); err != nil {
			v.note(CannotTell, "the end before the answer", why)
		}
		return
	}
	v.say("Message: " + v.c.text)
	v.peer.conn.CloseWrite() // some read to the server's end
	v.peer.await(v.Timeout, isOver)
	if _, end := v.peer.state(); end == reset {
		v.note(CannotTell, "a reset after the answer", why)
	}
}
