package plan

import (
	"strings"
	"unicode"
)

// MaxValue is how many characters a tag's value may have.
// https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
const MaxValue = 256

// Value makes a text fit for a tag's value in every service: the characters
// that all of them take are letters, digits and spaces of any script and
// _ . : / = + - @ (IAM's pattern, the strictest of those documented), and the
// rest become "_". Spaces at the ends go, and what is too long is cut.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_Tag.html
func Value(s string) string {
	s = strings.TrimFunc(strings.Map(allowed, s), unicode.IsSpace)
	if len(s) <= MaxValue {
		return s
	}
	if n := []rune(s); len(n) > MaxValue {
		s = strings.TrimRightFunc(string(n[:MaxValue]), unicode.IsSpace)
	}
	return s
}

// allowed returns a character as it is or, where not every service takes it,
// an underscore. Bytes that are no UTF-8 arrive as U+FFFD, which none takes.
func allowed(c rune) rune {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.ContainsRune(" _.:/=+-@", c):
		return c
	case c > unicode.MaxASCII && unicode.In(c, unicode.L, unicode.N, unicode.Z):
		return c
	}
	return '_'
}
