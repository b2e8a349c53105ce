package redrive

import (
	"slices"
	"strings"
	"time"

	"github.com/tidwall/match"
)

// Filter chooses letters. An empty field is no demand; of several values one has to
// fit.
type Filter struct {
	Functions []string
	Reasons   []string // globs over the reason, or over what stands before its colon
	Services  []string // s3, or s3.amazonaws.com
	Accounts  []string
	// After and Before bound the event's time, or Since of a letter without one.
	After, Before time.Time
	// All takes malformed letters as well where they are to be replayed. Asking for
	// reasons does so, too.
	All bool
}

// Of returns the letters that fit.
func (f Filter) Of(letters []*Letter) []*Letter {
	return slices.DeleteFunc(slices.Clone(letters), func(l *Letter) bool { return !f.fits(l) })
}

func (f Filter) fits(l *Letter) bool {
	source, account := "", ""
	if l.Event != nil {
		source, account = l.Event.Source, l.Event.Account
	}
	kind, _, _ := strings.Cut(l.Reason, ":")
	return anyOf(f.Functions, func(name string) bool { return slices.Contains(l.Functions, name) }) &&
		anyOf(f.Reasons, func(glob string) bool { return match.Match(l.Reason, glob) || match.Match(kind, glob) }) &&
		anyOf(f.Services, func(s string) bool {
			return source == strings.TrimSuffix(strings.ToLower(s), ".amazonaws.com")+".amazonaws.com"
		}) &&
		anyOf(f.Accounts, func(a string) bool { return a == account }) &&
		(f.After.IsZero() || !l.at().Before(f.After)) &&
		(f.Before.IsZero() || l.at().Before(f.Before))
}

func anyOf(wanted []string, fits func(string) bool) bool {
	return len(wanted) == 0 || slices.ContainsFunc(wanted, fits)
}

// Spares is why a letter that fits isn't replayed all the same, "" if it is.
func (f Filter) Spares(l *Letter) string {
	switch {
	case l.Malformed() && !f.All && len(f.Reasons) == 0:
		return "no function can read it: --reason malformed, or --all, replays it"
	case len(l.Functions) == 0 && l.rule == "":
		return "nothing says whose it is"
	case len(l.Functions) == 0:
		return "no function is behind the rule " + l.rule
	}
	return ""
}
