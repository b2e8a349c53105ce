package plan

import (
	"strings"
	"unicode"

	"autotagger/internal/catalogue"
)

// Value makes a text fit for a tag's value in a service. Spaces at the ends go,
// characters that it doesn't take become "_", and what is too long is cut. Bytes
// that are no UTF-8 count as one such character each.
func Value(s string, l catalogue.Limit) string {
	s = strings.Map(func(c rune) rune {
		switch {
		case l.Takes(c):
			return c
		case unicode.Is(unicode.Zs, c) && l.Takes(' '):
			return ' '
		}
		return '_'
	}, strings.TrimFunc(s, unicode.IsSpace))
	return strings.TrimRightFunc(l.Cut(s, catalogue.MaxValue), unicode.IsSpace)
}
