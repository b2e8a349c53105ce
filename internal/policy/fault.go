package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing wrong with a configuration.
type Fault struct {
	// Line is where it stands, counted from 1.
	Line int
	// Path is the way to it from the top, like cors.rules[0].allowed-methods[1];
	// empty for the document as a whole.
	Path string
	// Message says what is wrong and what is allowed instead.
	Message string
}

// Error is what [Parse] returns for a configuration it refuses. It holds every
// fault found, in line order, so that a person mends the file once.
type Error struct {
	// Name is the file's name as given to Parse.
	Name   string
	Faults []Fault
}

// Error gives one line a fault: "name:line: path: message".
func (e *Error) Error() string {
	var b strings.Builder
	for i, f := range e.Faults {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s:%d: ", e.Name, f.Line)
		if f.Path != "" {
			b.WriteString(f.Path)
			b.WriteString(": ")
		}
		b.WriteString(f.Message)
	}
	return b.String()
}

// inLineOrder sorts faults by line, keeping the order of those on one line.
func inLineOrder(faults []Fault) []Fault {
	slices.SortStableFunc(faults, func(a, b Fault) int { return a.Line - b.Line })
	return faults
}

// quoted writes a value from the file into a message: quoted, since it may
// hold anything, and cut, since it may be as long as the file.
func quoted(s string) string {
	const longest = 60
	if r := []rune(s); len(r) > longest {
		return fmt.Sprintf("%q…", string(r[:longest]))
	}
	return fmt.Sprintf("%q", s)
}
