package generate

import (
	"fmt"
	"slices"
	"strings"
)

// stanza is a row, or a file's head, as text: fields in order.
type stanza struct {
	comments []string
	fields   []field
	line     int // where it begins in its file
	// class is why the row is off once its doubts are settled, "" if it isn't.
	class string
}

type field struct{ key, value string }

func (s *stanza) add(key, value string) {
	if value != "" {
		s.fields = append(s.fields, field{key, value})
	}
}

// get returns the first value of a key.
func (s *stanza) get(key string) string {
	for _, f := range s.fields {
		if f.key == key {
			return f.value
		}
	}
	return ""
}

// all returns every value of a key.
func (s *stanza) all(key string) []string {
	var values []string
	for _, f := range s.fields {
		if f.key == key {
			values = append(values, f.value)
		}
	}
	return values
}

// replace puts values in the place of a key's, else behind the fields before,
// else last, but for the evidence.
func (s *stanza) replace(key string, values []string, before string) {
	find := func(key string) int {
		return slices.IndexFunc(s.fields, func(f field) bool { return f.key == key })
	}
	at := find(key)
	if at < 0 {
		if at = find(before); at >= 0 {
			for at < len(s.fields) && s.fields[at].key == before {
				at++
			}
		} else if at = find("evidence"); at < 0 {
			at = len(s.fields)
		}
	}
	s.fields = slices.DeleteFunc(s.fields, func(f field) bool { return f.key == key })
	at = min(at, len(s.fields))
	var in []field
	for _, v := range values {
		in = append(in, field{key, v})
	}
	s.fields = slices.Insert(s.fields, at, in...)
}

func (s *stanza) String() string {
	var b strings.Builder
	for _, c := range s.comments {
		b.WriteString(c + "\n")
	}
	for _, f := range s.fields {
		fmt.Fprintf(&b, "%s: %s\n", f.key, f.value)
	}
	return b.String()
}

// same reports whether two rows say the same, comments and evidence aside.
func (s *stanza) same(o *stanza) bool {
	strip := func(s *stanza) []field {
		return slices.DeleteFunc(slices.Clone(s.fields), func(f field) bool { return f.key == "evidence" || f.key == "because" || f.key == "service" })
	}
	return slices.Equal(strip(s), strip(o))
}

// readStanzas reads a file of stanzas, which blank lines separate.
func readStanzas(name, text string) ([]*stanza, error) {
	var all []*stanza
	s := &stanza{}
	for n, line := range strings.Split(text+"\n", "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			if len(s.fields) > 0 {
				all = append(all, s)
				s = &stanza{}
			}
		case strings.HasPrefix(line, "#"):
			s.comments = append(s.comments, line)
		default:
			key, value, ok := strings.Cut(line, ":")
			if !ok {
				return nil, fmt.Errorf("reading %s:%d: %q is no field: value", name, n+1, line)
			}
			if len(s.fields) == 0 {
				s.line = n + 1
			}
			s.fields = append(s.fields, field{key, strings.TrimSpace(value)})
		}
	}
	return all, nil
}
