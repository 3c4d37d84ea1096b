package check

import (
	"fmt"
	"strings"
	"time"

	"github.com/labnet/labnet/wire"
)

// tasks is a set of tasks.
type tasks uint

const (
	task1 tasks = 1 << wire.Lab1
	task2 tasks = 1 << wire.Lab2
	task3 tasks = 1 << wire.Lab3
	task4 tasks = 1 << wire.Lab4
	task5 tasks = 1 << wire.Lab5
	task6 tasks = 1 << wire.Lab6
	extra tasks = 1 << wire.LabExtra

	pings   = task1 | task2
	files   = task6 | extra
	talking = task3 | task4 | task5 | files
	all     = pings | talking
)

// A serverCase is one thing to try. What it needs stands before it in the table.
type serverCase struct {
	id    string
	tasks tasks
	title string
	want  string
	needs []string
	steps []step
	after step // also after a fail

	ascii  bool   // the contents are letters
	name   string // in the name of the file
	folder bool   // a folder is made
}

// casesOf returns the cases of a task. Ids that begin with "n." get its number.
func casesOf(task wire.Lab) (list []*serverCase) {
	number := map[wire.Lab]string{wire.LabExtra: "x"}[task]
	if number == "" {
		number = task.String()
	}
	for _, c := range serverCases() {
		if c.tasks&(1<<task) == 0 {
			continue
		}
		if rest, ok := strings.CutPrefix(c.id, "n."); ok {
			c.id = number + "." + rest
		}
		var needs []string
		for _, id := range c.needs {
			for _, before := range list { // what this task has
				if before.id == id || strings.HasPrefix(id, "n.") && before.id == number+id[1:] {
					needs = append(needs, before.id)
				}
			}
		}
		c.needs = needs
		list = append(list, &c)
	}
	return list
}

const (
	readAll   = "recv(n) returns what has come, at most n bytes: loop until all is there"
	loopToEnd = "recv(n) returns what has come, at most n bytes: loop until recv() == b''"
	loopSize  = "recv(n) returns what has come, at most n bytes: loop until len(data) == size"
	sizeUsed  = "the size says how many bytes are contents: read so many, and int.from_bytes(size, sys.byteorder) of as many bytes as the type says"
	checkSize = "compare len(data) with the size before open(): what came is not the whole"
	useLength = "read size bytes and not more: the size is not used"
	baseName  = "os.path.basename(name), before it is put behind the folder"
	notData   = "`if not data: break`: recv() returns b'' when the client has ended its side"
	apart     = "recv(1) for the type, then the name: they may come apart"
	closeIt   = "clientsocket.close(), or `with clientsocket:`"
)

// serverCases are the cases in the order in which they run: first how the server reads sizes,
// then what harms nobody, then what may end the server or leave a thread behind.
func serverCases() []serverCase {
	return []serverCase{
		{id: "1.close", tasks: pings, title: "a connection", want: "the server closes it",
			steps: []step{A.connect(), A.ends(Fail, closeIt), A.silent("task 1 has no answer")}},
		{id: "1.again", tasks: all, title: "four connections", want: "all are accepted",
			needs: []string{"1.close"}, steps: []step{again(4)}},
		{id: "1.hello", tasks: pings, title: "a client that says hello", want: "the server closes the connection",
			needs: []string{"1.close"}, steps: []step{A.send(raw("hello")), A.ends(Fail, closeIt)}},
		{id: "1.crowd", tasks: pings, title: "20 connections at once", want: "all are closed",
			needs: []string{"1.close", "1.again"}, steps: []step{crowd(20)}},
		{id: "2.threads", tasks: task2, title: "a thread for each client", want: "each client has a thread of its own",
			steps: []step{cannotTell("a server that closes at once looks the same without threads: it shows from task 3 on")}},

		{id: "3.answer", tasks: task3, title: "a text", want: `"Message: hello"`, needs: []string{"1.again"},
			steps: []step{A.send(raw("hello")), A.answers("hello", "clientsocket.send(f\"Message: {text}\".encode())")}},
		{id: "3.utf8", tasks: task3, title: "a text with æ, ø, å and 😀", want: "the same text", needs: []string{"3.answer"},
			steps: []step{A.send(raw("blåbær 😀")), A.answers("blåbær 😀", "encode('utf-8') and decode('utf-8')")}},
		{id: "3.4096", tasks: task3, title: "a text of 4096 bytes", want: "all of it", needs: []string{"3.answer"},
			steps: []step{A.send(raw(strings.Repeat("a", 4096))), A.answers(strings.Repeat("a", 4096), "recv(4096), and sendall(): fewer bytes came back")}},
		{id: "3.close", tasks: task3, title: "the end after an answer", want: "the server closes the connection", needs: []string{"3.answer"},
			steps: []step{A.send(raw("hi")), A.answers("hi", "an answer"), A.ends(Warn, closeIt)}},

		{id: "4.text", tasks: task4 | task5, title: "type 1 and a text", want: "an orderly end, and the server serves on", needs: []string{"1.again"},
			steps: []step{A.send(message("hello")), A.half(),
				A.endsOrderly(Warn, closeIt, "closed with the text unread: type 1 is still text"), A.silent("task 4 has no answer")}},
		{id: "4.bytes", tasks: task4, title: "type 2 and 1000 random bytes", want: "a new file with these bytes", needs: []string{"1.again"},
			steps: []step{A.send(raw("\x02"), contents(0, 1000)), A.half(), A.saved(1, 1000, Fail, "after type 2 come random bytes: save all up to the client's end in a file")},
			after: probeTypes()},
		{id: "4.ascii", tasks: task4, ascii: true, title: "type 2 and 1000 letters", want: "a new file with these bytes", needs: []string{"4.bytes"},
			steps: []step{A.send(raw("\x02"), contents(0, 1000)), A.half(), A.saved(1, 1000, Fail, "the type says what the bytes are: do not guess by decode()")}},
		{id: "4.pieces", tasks: task4, title: "100,000 bytes in four pieces", want: "a new file with these 100,000 bytes", needs: []string{"4.bytes"},
			steps: []step{A.inPieces(raw("\x02"), contents(0, 1000), contents(1000, 40_000), contents(40_000, 100_000)), A.half(), A.saved(1, 100_000, Fail, loopToEnd)}},
		{id: "4.names", tasks: task4, title: "two blobs", want: "two files", needs: []string{"4.bytes"},
			steps: []step{A.send(raw("\x02"), data(1, 0, 1000)), A.half(), A.saved(1, 1000, Fail, loopToEnd),
				B.send(raw("\x02"), data(2, 0, 1000)), B.half(), B.saved(2, 1000, Fail, loopToEnd),
				twoNames("each file needs a random name of its own")}},

		{id: "n.scheme", tasks: task5 | files, title: "how sizes and names are read", want: "types 2 to 9, or type 2 and 4 bytes", needs: []string{"1.again"},
			steps: []step{findScheme()}},
		sized("5.1", 1, Fail), sized("5.255", 255, Fail), sized("5.256", 256, Fail),
		sized("5.65535", 65_535, Fail), sized("5.65536", 65_536, Fail), sized("5.100000", 100_000, Fail), sized("5.0", 0, Warn),
		{id: "5.type5", tasks: task5, title: "a size in more bytes than it needs", want: "a new file with these 3,000 bytes", needs: []string{"n.scheme"},
			steps: []step{A.send(raw("\x05\xb8\x0b\x00\x00"), contents(0, 3000)), A.half(), A.saved(1, 3000, Warn, "a type of 5 says that the size has 4 bytes")}},
		{id: "5.pieces", tasks: task5, title: "100,000 bytes in three pieces", want: "a new file with these 100,000 bytes", needs: []string{"n.scheme"},
			steps: []step{A.send(size(100_000), contents(0, 10)), pause(pieces), A.inPieces(contents(10, 40_000), contents(40_000, 100_000)), A.half(), A.saved(1, 100_000, Fail, loopSize)}},
		{id: "5.header", tasks: task5, title: "a size that comes byte by byte", want: "a new file with these 100,000 bytes", needs: []string{"n.scheme"},
			steps: []step{headerInPieces(100_000), A.send(contents(0, 100_000)), A.half(), A.saved(1, 100_000, Warn, "recv(2) may return 1 byte: loop for the size, too")}},
		{id: "5.more", tasks: task5, title: "150 bytes after a size of 100", want: "a file with 100 bytes, or none", needs: []string{"n.scheme"},
			steps: []step{A.send(size(100), contents(0, 150)), A.half(), A.atMost(100, useLength)}},
		{id: "5.count", tasks: task5, title: "a client that stays after its bytes", want: "a new file while the connection is open", needs: []string{"n.scheme"},
			steps: []step{A.send(size(1000), contents(0, 1000)), A.saved(1, 1000, Warn, "it waits for the client's end; extra task 1 needs the count")}},
		{id: "5.speed", tasks: task5, title: "20 MiB", want: "a new file, with more than 2 MiB/s", needs: []string{"5.100000"},
			steps: []step{A.send(size(20<<20), contents(0, 20<<20)), A.half(), A.saved(1, 20<<20, Fail, loopSize), fast("`data += part` copies all of it each time: collect the parts in a bytearray()")}},

		{id: "6.ok", tasks: files, title: "a type, and the name 100 ms later", want: "OK, and the file", needs: []string{"n.scheme"},
			steps: []step{nameInPieces(), A.ok(Fail, apart), A.send(size(10), contents(0, 10)), A.half(), A.saved(1, 10, Fail, apart)}},
		upload("6.small", 10, "", ""), upload("6.empty", 0, "", ""), upload("6.256", 256, "", ""), upload("6.100k", 100_000, "", ""),
		upload("6.name", 1000, " æøå", "a name with a space, æ, ø and å"),
		{id: "6.pieces", tasks: files, title: "100,000 bytes in three pieces", want: "the file", needs: []string{"6.small"},
			steps: []step{A.send(name(1)), A.ok(Fail, "OK"), A.send(size(100_000), contents(0, 10)), pause(pieces), A.inPieces(contents(10, 40_000), contents(40_000, 100_000)), A.half(),
				A.saved(1, 100_000, Fail, loopSize)}},
		{id: "6.20m", tasks: files, title: "20 MiB", want: "the file", needs: []string{"6.100k"},
			steps: []step{A.send(name(1)), A.ok(Fail, "OK"), A.send(size(20<<20), contents(0, 20<<20)), A.half(), A.saved(1, 20<<20, Fail, loopSize)}},
		{id: "6.two", tasks: files, title: "two uploads at the same time", want: "both files", needs: []string{"6.small"},
			steps: []step{A.send(name(1)), A.ok(Fail, "OK"), B.send(name(2)), B.ok(Fail, "one client at a time: threading.Thread(target=handle, args=(conn, addr)).start()"),
				A.send(size(10_000), data(1, 0, 5000)), B.send(size(20_000), data(2, 0, 5000)), pause(pieces),
				A.send(data(1, 5000, 10_000)), B.send(data(2, 5000, 20_000)), A.half(), B.half(),
				A.saved(1, 10_000, Fail, "what belongs to one client must be in local variables of its thread"), B.saved(2, 20_000, Fail, "what belongs to one client must be in local variables of its thread")}},

		{id: "x.next", tasks: extra, title: "a second file on the same connection", want: "OK, and both files", needs: []string{"6.small"},
			steps: []step{A.send(name(1)), A.ok(Fail, "OK"), A.send(size(5000), data(1, 0, 5000)), pause(3 * pieces),
				A.send(name(2)), A.ok(Fail, "read size bytes and not until b'', then the next name"), A.send(size(300), data(2, 0, 300)), A.half(),
				A.saved(1, 5000, Fail, useLength), A.saved(2, 300, Fail, useLength)}},
		{id: "x.three", tasks: extra, title: "three files on a connection", want: "three times OK, and the files", needs: []string{"x.next"},
			steps: []step{A.send(name(1)), A.ok(Fail, "OK"), A.send(size(5000), data(1, 0, 5000)), pause(pieces),
				A.send(name(2)), A.ok(Fail, "OK"), A.send(size(300), data(2, 0, 300)), pause(pieces),
				A.send(name(3)), A.ok(Fail, "a loop for the files, and not just two"), A.send(size(70_000), data(3, 0, 70_000)), A.half(),
				A.saved(1, 5000, Fail, useLength), A.saved(2, 300, Fail, useLength), A.saved(3, 70_000, Fail, useLength)}},
		{id: "x.glued", tasks: extra, title: "the next name right behind contents", want: "OK, and both files", needs: []string{"x.next"},
			steps: []step{A.send(name(1)), A.ok(Fail, "OK"), A.send(size(6000), data(1, 0, 6000), name(2)),
				A.ok(Fail, "the next name was read as contents: recv(min(4096, size - len(data)))"), A.send(size(300), data(2, 0, 300)), A.half(),
				A.saved(1, 6000, Fail, "recv(min(4096, size - len(data)))"), A.saved(2, 300, Fail, "recv(min(4096, size - len(data)))")}},
		{id: "x.create", tasks: extra, title: "a name and nothing more", want: "the file exists", needs: []string{"6.small"},
			steps: []step{A.send(name(1)), A.ok(Fail, "OK"), grows(0, Fail, "open() the file where the name is taken")}},
		{id: "x.grows", tasks: extra, title: "200 of 400 kB", want: "at least 100 kB on the disk", needs: []string{"6.100k"},
			steps: []step{A.send(name(1)), A.ok(Fail, "OK"), A.send(size(400_000), contents(0, 200_000)), grows(100_000, Fail, "write each part as it comes, and do not collect them")}},

		// What may end the server, or leave a thread behind.
		{id: "n.second", tasks: talking, title: "a client while another is silent", want: "it is served", needs: []string{"1.again", "3.answer", "4.bytes", "n.scheme"},
			steps: []step{silentFirst(), together()}},
		{id: "n.gone", tasks: talking, title: "a client that does not wait", want: "the next client is served", needs: []string{"1.again", "3.answer", "4.bytes", "n.scheme"},
			steps: []step{A.send(message("hello")), A.close(), alive()}},
		{id: "n.reset", tasks: talking, title: "a client that resets the connection", want: "the next client is served", needs: []string{"1.again", "3.answer", "4.bytes", "n.scheme"},
			steps: []step{A.send(message("hel")), A.reset(), alive()}},
		{id: "n.badutf8", tasks: talking, title: "a text that is not UTF-8", want: "the next client is served", needs: []string{"1.again", "3.answer", "4.bytes", "n.scheme"},
			steps: []step{A.send(message("caf\xe9\xff")), A.half(), A.ends(Pass, ""), alive()}},
		{id: "n.badtype", tasks: talking &^ task3, title: "an unknown type", want: "the next client is served", needs: []string{"1.again", "4.bytes", "n.scheme"},
			steps: []step{A.send(raw("\xc8abc")), A.half(), A.ends(Pass, ""), alive()}},
		{id: "4.empty", tasks: task4, title: "type 2 and nothing", want: "the server ends the connection", needs: []string{"4.bytes"},
			steps: []step{spins(), A.send(raw("\x02")), A.half(), A.ends(Warn, notData)}},
		{id: "5.half", tasks: task5, title: "500 of 1000 bytes", want: "no file, and the next client is served", needs: []string{"n.scheme"},
			steps: []step{spins(), A.send(size(1000), contents(0, 500)), A.half(), A.nothing(Fail, checkSize), A.ends(Warn, notData), alive()}},
		{id: "5.halfreset", tasks: task5, title: "500 of 1000 bytes, and a reset", want: "no file, and the next client is served", needs: []string{"n.scheme"},
			steps: []step{spins(), A.send(size(1000), contents(0, 500)), pause(pieces), A.reset(), A.nothing(Fail, checkSize), alive()}},
		{id: "5.lie", tasks: task5, title: "a size of 4 GiB and 10 bytes", want: "the next client is served", needs: []string{"n.scheme"},
			steps: []step{spins(), A.send(raw("\x05\xff\xff\xff\xff"), contents(0, 10)), A.half(), A.nothing(Fail, checkSize), A.ends(Warn, notData), alive()}},
		{id: "6.half", tasks: files, title: "4000 of 9000 bytes", want: "no file", needs: []string{"6.small"},
			steps: []step{spins(), A.send(name(1)), A.ok(Fail, "OK"), A.send(size(9000), contents(0, 4000)), A.half(), halfFile(), A.ends(Warn, notData)}},
		{id: "6.halfreset", tasks: files, title: "a reset in the middle of a file", want: "the next client is served", needs: []string{"6.small"},
			steps: []step{spins(), A.send(name(1)), A.ok(Fail, "OK"), A.send(size(9000), contents(0, 4000)), A.reset(), alive()}},
		{id: "6.folder", tasks: files, folder: true, title: "a name that is a folder's", want: "the next client is served", needs: []string{"6.small"},
			steps: []step{makeFolder(), A.send(nameText(folderName)), A.ok(Pass, ""), A.send(size(10), contents(0, 10)), A.half(), A.ends(Pass, ""), alive()}},
		{id: "6.up", tasks: files, title: "a name with ../", want: "nothing outside the folder", needs: []string{"6.small"},
			steps: []step{A.send(nameText("../" + prefix + "up")), A.ok(Pass, ""), A.send(size(10), contents(0, 10)), A.half(), A.ends(Pass, ""), inside(baseName), alive()}},
		{id: "6.leave", tasks: files, title: "a client that leaves after OK", want: "the server ends the connection", needs: []string{"6.small"},
			steps: []step{spins(), A.send(name(1)), A.ok(Fail, "OK"), A.half(), A.ends(Warn, "a thread runs for ever: "+notData)}},
		{id: "n.end", tasks: talking, title: "a client that says nothing and ends", want: "the server ends the connection", needs: []string{"1.again", "3.answer", "4.bytes", "n.scheme"},
			steps: []step{spins(), A.connect(), A.half(), A.ends(Warn, notData)}},
	}
}

// sized is a case of Task 5 with so many bytes.
func sized(id string, n int, otherwise Verdict) serverCase {
	return serverCase{id: id, tasks: task5, title: counted(n), want: "a new file with these bytes", needs: []string{"n.scheme"},
		steps: []step{fits(n), A.send(size(n), contents(0, n)), A.half(), A.saved(1, n, otherwise, sizeUsed)}}
}

// upload is a case of Task 6 with so many bytes.
func upload(id string, n int, name_, title string) serverCase {
	if title == "" {
		title = "a file of " + counted(n)
	}
	return serverCase{id: id, tasks: files, title: title, want: "the file, under its name", name: name_, needs: []string{"n.scheme", "6.small"},
		steps: []step{fits(n), A.send(name(1)), A.ok(Fail, "OK"), A.send(size(n), contents(0, n)), A.half(), A.saved(1, n, Fail, readAll)}}
}

// fits ends a case whose size the scheme cannot say.
func fits(n int) step {
	return func(t *trial) {
		if uint64(n) > t.Scheme.Most() {
			t.find(CannotTell, "", "the size does not fit into the bytes that it has: "+t.Scheme.String())
			t.over = true
		}
	}
}

// headerInPieces sends the type and each byte of the size apart.
func headerInPieces(n int) step {
	return func(t *trial) {
		fits(n)(t)
		b, _ := size(n)(t)
		for _, one := range b {
			if t.over {
				return
			}
			A.send(raw(string([]byte{one})))(t)
			time.Sleep(pieces)
		}
	}
}

// nameInPieces sends the type of a name, and the rest apart.
func nameInPieces() step {
	return func(t *trial) {
		b, _ := name(1)(t)
		A.send(raw(string(b[:1])))(t)
		time.Sleep(pieces)
		if p := t.peers[A]; p != nil {
			if heard, _ := p.state(); heard != "" {
				t.find(Fail, fmt.Sprintf("it answered %.60q before the name had come", heard), apart)
				return
			}
		}
		A.send(raw(string(b[1:])))(t)
		t.sent = append(t.sent, "100 ms apart")
	}
}

// silentFirst connects and sends a type only, if the task has one.
func silentFirst() step {
	return func(t *trial) {
		if t.Task == wire.Lab3 {
			A.connect()(t)
		} else {
			A.send(raw("\x01"))(t)
		}
		time.Sleep(pieces / 2)
	}
}

// halfFile expects no file of half the contents. In the extra tasks, which write as
// bytes come, it is only better.
func halfFile() step {
	return func(t *trial) {
		if t.Task == wire.LabExtra {
			A.nothing(Warn, "os.remove() what did not come whole: nobody can tell it from a file that did")(t)
			return
		}
		A.nothing(Fail, checkSize)(t)
	}
}
