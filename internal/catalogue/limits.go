package catalogue

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxKey and MaxValue are how many characters a tag's key and value may have.
// https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
const (
	MaxKey   = 128
	MaxValue = 256
)

// marks are what keys and values are made of beside letters, digits and spaces.
const marks = "_.:/=+-@"

// Limits are what a service's tags take less than all others' do. The zero Limits
// take keys of 128 and values of 256 characters, of letters, digits and spaces of
// any script and _ . : / = + - @ (IAM's pattern, which most services share:
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_Tag.html). In a data
// file they stand in the client's block, or in the head for services that have
// none:
//
//	keys: max=127 no-space
//	values: max=255 bytes=256 ascii no=@
//
// where max counts characters, bytes those of UTF-8, ascii stands for nothing
// beyond ASCII, no for characters that it refuses, and no-space for spaces of
// any kind.
type Limits struct{ Keys, Values Limit }

// Limit is one line of [Limits].
type Limit struct {
	Max   int // in UTF-16's units, see [Limit.Cut]; 0: as all do
	Bytes int // in UTF-8; 0: they don't count
	ASCII bool
	No    string // marks, and a space for spaces of any kind
}

// Takes reports whether a character may stand in a key or value. Line separators may
// not, though they are spaces to Unicode: in many patterns they end a line.
func (l Limit) Takes(c rune) bool {
	switch {
	case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9': // nearly all there are
		return true
	case c == ' ' || strings.ContainsRune(marks, c):
		return !strings.ContainsRune(l.No, c)
	case unicode.Is(unicode.Zs, c):
		return !l.ASCII && !strings.Contains(l.No, " ")
	}
	return (c <= unicode.MaxASCII || !l.ASCII) && unicode.In(c, unicode.L, unicode.N)
}

// Cut returns what of a text isn't too long; most is what all services take. A
// character beyond Unicode's first plane counts as two, as it does for services
// written in Java: the documentation speaks of characters, and of two counts the
// lower is safe.
func (l Limit) Cut(s string, most int) string {
	if l.Max > 0 {
		most = l.Max
	}
	if len(s) <= most && (l.Bytes == 0 || len(s) <= l.Bytes) {
		return s
	}
	for i, c := range s {
		most -= utf16.RuneLen(c)
		if most < 0 || l.Bytes > 0 && i+utf8.RuneLen(c) > l.Bytes {
			return s[:i]
		}
	}
	return s
}

// KeyFault says what of a tag's key the service doesn't take, "" if it takes it.
func (l Limit) KeyFault(key string) string {
	for _, c := range key {
		if !l.Takes(c) {
			return fmt.Sprintf("takes no %q in a tag's key", c)
		}
	}
	if cut := l.Cut(key, MaxKey); cut != key {
		return fmt.Sprintf("takes no key longer than %q", cut)
	}
	return ""
}

// Both is the limit that keeps to two.
func (l Limit) Both(o Limit) Limit {
	least := func(a, b int) int {
		if a == 0 || b > 0 && b < a {
			return b
		}
		return a
	}
	both := Limit{Max: least(l.Max, o.Max), Bytes: least(l.Bytes, o.Bytes), ASCII: l.ASCII || o.ASCII}
	for _, c := range " " + marks {
		if strings.ContainsRune(l.No+o.No, c) {
			both.No += string(c)
		}
	}
	return both
}

// String returns the limit as a data file has it, "" for none.
func (l Limit) String() string {
	var words []string
	if l.Max > 0 {
		words = append(words, "max="+strconv.Itoa(l.Max))
	}
	if l.Bytes > 0 {
		words = append(words, "bytes="+strconv.Itoa(l.Bytes))
	}
	if l.ASCII {
		words = append(words, "ascii")
	}
	no, spaces := strings.CutPrefix(l.No, " ")
	if spaces {
		words = append(words, "no-space")
	}
	if no != "" {
		words = append(words, "no="+no)
	}
	return strings.Join(words, " ")
}

// ParseLimit reads what String writes.
func ParseLimit(text string) (Limit, error) {
	var l Limit
	for _, w := range strings.Fields(text) {
		name, value, _ := strings.Cut(w, "=")
		n, err := strconv.Atoi(value)
		switch {
		case w == "ascii":
			l.ASCII = true
		case w == "no-space":
			l.No = " " + l.No
		case name == "no" && value != "" && strings.Trim(value, marks) == "":
			l.No += value
		case name == "max" && err == nil && n > 0:
			l.Max = n
		case name == "bytes" && err == nil && n > 0:
			l.Bytes = n
		default:
			return l, fmt.Errorf("%q is none of max=, bytes=, ascii, no-space and no= with some of %s", w, marks)
		}
	}
	return l, nil
}

// field reads a line of the limits.
func (l *Limits) field(key, value string) (err error) {
	if key == "keys" {
		l.Keys, err = ParseLimit(value)
	} else {
		l.Values, err = ParseLimit(value)
	}
	return err
}
