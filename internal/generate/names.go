package generate

import (
	"strings"
	"unicode"
)

// plain makes names of different conventions comparable: DBInstance,
// db-instance and dbInstance are one.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// singular cuts the plural from a plain name.
func singular(s string) string {
	switch {
	case strings.HasSuffix(s, "ies") && len(s) > 4:
		return s[:len(s)-3] + "y"
	case strings.HasSuffix(s, "sses") || strings.HasSuffix(s, "xes") || strings.HasSuffix(s, "ches"):
		return s[:len(s)-2]
	case strings.HasSuffix(s, "ss") || strings.HasSuffix(s, "us") || strings.HasSuffix(s, "is"):
		return s
	}
	return strings.TrimSuffix(s, "s")
}

// logged is what CloudTrail calls a parameter: its name on the wire with the
// first letter in lower case. Case doesn't count in a path, but what people
// read should look like what they find in a record.
func logged(wire string) string {
	if wire == "" {
		return ""
	}
	return strings.ToLower(wire[:1]) + wire[1:]
}

// words cuts a name in camel case into its words.
func words(s string) []string {
	var all []string
	start := 0
	for i := 1; i < len(s); i++ {
		upper := s[i] >= 'A' && s[i] <= 'Z'
		before := s[i-1] >= 'A' && s[i-1] <= 'Z'
		after := i+1 < len(s) && s[i+1] >= 'a' && s[i+1] <= 'z'
		if upper && (!before || after) {
			all = append(all, s[start:i])
			start = i
		}
	}
	return append(all, s[start:])
}
