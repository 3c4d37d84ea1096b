package wire

import "fmt"

// The lab dialect is what programs written in the course speak: a String without
// its length, ended by whatever one read returns, and replies that are bare bytes.
// The package comment says how each task speaks.

// A Lab is a task of the course, or none.
type Lab int

// The tasks of the course. Lab1 and Lab2 are alike on the wire.
const (
	Lab1 Lab = iota + 1
	Lab2
	Lab3
	Lab4
	Lab5
	Lab6
	LabExtra
)

// ParseLab reads a task: "1" … "6" or "extra".
func ParseLab(s string) (Lab, error) {
	for l := Lab1; l <= LabExtra; l++ {
		if s == l.String() {
			return l, nil
		}
	}
	return 0, fmt.Errorf("%q is not a task of the course (1 to 6 or extra)", s)
}

func (l Lab) String() string {
	if l == LabExtra {
		return "extra"
	}
	return fmt.Sprint(int(l))
}

// replies reports whether a server of the task answers: those of tasks 1, 2, 4 and 5
// do not.
func (l Lab) replies() bool { return l == 0 || l == Lab3 || l >= Lab6 }
