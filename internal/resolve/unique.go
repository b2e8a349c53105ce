package resolve

import (
	"strings"

	"autotagger/internal/cloudtrail"
)

// Unique reports whether AWS has chosen a resource's identifier so that nothing else
// ever has it, as those of VPCs, keys and certificates: its last part has a random
// piece, which isn't in the request. A name that the caller chose may be given again when
// the resource is gone. Where it is in doubt, as for random pieces that happen to look
// like words, it says no.
func Unique(e *cloudtrail.Event, r Resource) bool {
	if e.Source == "iam.amazonaws.com" || !e.Request.Exists() {
		// IAM has names alone, and those of service-linked roles aren't in the request; a
		// large request is left out of the record.
		return false
	}
	for _, piece := range strings.FieldsFunc(r.Name(), func(c rune) bool { return !digit(c) && !letter(c) }) {
		piece = strings.ToLower(piece)
		if random(piece) && !e.Request.Any(func(text string) bool { return strings.Contains(strings.ToLower(text), piece) }) {
			return true
		}
	}
	return false
}

// random reports whether letters and digits alternate as they don't in words, with their
// numbers before or behind them.
func random(piece string) bool {
	turns := 0
	for i := 1; i < len(piece); i++ {
		if digit(rune(piece[i])) != digit(rune(piece[i-1])) {
			turns++
		}
	}
	return len(piece) >= 6 && turns >= 2
}

func digit(c rune) bool  { return c >= '0' && c <= '9' }
func letter(c rune) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
