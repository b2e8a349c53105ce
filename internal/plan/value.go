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
	s = strings.Map(func(c rune) rune {
		if unicode.In(c, unicode.L, unicode.N, unicode.Z) || strings.ContainsRune("_.:/=+-@", c) {
			return c
		}
		return '_'
	}, strings.ToValidUTF8(s, "_"))
	s = strings.TrimFunc(s, unicode.IsSpace)
	if n := []rune(s); len(n) > MaxValue {
		s = strings.TrimRightFunc(string(n[:MaxValue]), unicode.IsSpace)
	}
	return s
}
