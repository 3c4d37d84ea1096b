package main

import "os/exec"

// A contestant is a program, or several that work together. All its lines are
// for the shell, which knows these variables:
//
//	SRC NAME    what is to be sent: a file or a folder; the last part of its path
//	LIST        a file with the names of the files in the folder, one per line
//	COUNT       how many files or messages
//	DEST        the empty folder that receives
//	HOST        where the server listens: 127.0.0.1, or the far end of a link
//	PORT        the server's there, or that of the proxy before it
//	CONF        a folder of the contestant's own, empty at first
//	LOG         what the server says
//	LABNET LAB PYTHON    the program, the folder of the lab's programs, python3
type contestant struct {
	id    string // unique, unlike the name
	name  string
	note  string   // for the reader of the table
	needs []string // programs

	setup  string            // run once
	config map[string]string // files for CONF, with ${VARIABLES}, written before each run
	server string            // unless a task has its own; none if empty
	does   map[kind]task

	program     string // LABNET, if it is another one than what is measured
	toLabnet    bool   // it sends to labnet
	encrypted   bool   // takes part where that is asked for
	plain       bool   // takes part elsewhere
	local       bool   // no network, so never far away
	linked      bool   // takes part over a link, where only HOST leads
	unconfirmed bool   // the client ends before the server has everything
}

// A task is how a contestant does a kind of work.
type task struct {
	before string // outside the timed part
	server string
	client string
	ends   bool // the server ends by itself, and the work with it
}

func (t task) serverOf(c contestant) string {
	if t.server != "" {
		return t.server
	}
	return c.server
}

// missing returns the first program that a contestant needs and that is not
// installed.
func (c contestant) missing() string {
	for _, program := range c.needs {
		if _, err := exec.LookPath(program); err != nil {
			return program
		}
	}
	return ""
}

// takesPart reports whether a contestant does a workload.
func (c contestant) takesPart(w workload) bool {
	_, can := c.does[w.kind]
	return can && (w.rtt == 0 || !c.local) && (w.rate == 0 || c.linked) && (w.encrypted && c.encrypted || !w.encrypted && c.plain)
}

// forEach is a loop over the files of a folder.
func forEach(command string) string {
	return `for f in "$SRC"/*; do ` + command + ` || exit; done`
}

// times is a loop that does the same again and again.
func times(command string) string {
	return `i=0; while [ $i -lt "$COUNT" ]; do i=$((i+1)); ` + command + ` || exit; done`
}
