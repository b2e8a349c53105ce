package catalogue

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"autotagger/internal/cloudtrail"
)

// MaxPattern is how many characters an EventBridge rule's pattern may have.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
const MaxPattern = 2048

// Pattern is the event pattern of one EventBridge rule.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern.html
type Pattern struct {
	Source     []string      `json:"source"`      // such as aws.s3
	DetailType []string      `json:"detail-type"` // DetailType of package cloudtrail
	Detail     PatternDetail `json:"detail"`
}

// PatternDetail is what a [Pattern] asks of the record.
type PatternDetail struct {
	EventSource []string `json:"eventSource"`
	EventName   []any    `json:"eventName"` // names, or {"prefix": …} for dated ones
	ErrorCode   []exists `json:"errorCode"` // calls that succeeded have none
}

type exists struct {
	Exists bool `json:"exists"`
}

// JSON returns the pattern as EventBridge takes it.
func (p Pattern) JSON() string {
	b, _ := json.Marshal(p) // strings, maps of strings and a bool
	return string(b)
}

// Patterns returns the patterns of the rules that together let through the
// calls that the rows tag and nothing else: rows that are untaggable or never
// written to are left out. The patterns are disjoint by source, so that each
// event matches one rule at most, and each keeps within [MaxPattern].
// A source that alone is longer is divided by names.
func Patterns(rows []*Row) ([]Pattern, error) {
	names := map[string][]any{}
	var sources []string
	for _, r := range rows {
		if !slices.ContainsFunc(r.Resources, func(res Resource) bool { return res.API != APINone }) {
			continue
		}
		if names[r.Source] == nil {
			sources = append(sources, r.Source)
		}
		names[r.Source] = append(names[r.Source], r.Event)
		if r.Dated {
			names[r.Source] = append(names[r.Source], map[string]string{"prefix": r.Event + "20"})
		}
	}
	slices.Sort(sources)

	// Each source has rules of its own: a rule of several would take every name
	// from any of them, wanted or not.
	var all []Pattern
	for _, s := range sources {
		p := newPattern(s)
		for _, n := range names[s] {
			longer := p
			longer.Detail.EventName = append(slices.Clip(p.Detail.EventName), n)
			if len(longer.JSON()) <= MaxPattern {
				p = longer
				continue
			}
			if len(p.Detail.EventName) == 0 {
				return nil, fmt.Errorf("deriving the event pattern of %s: %v alone is too long", s, n)
			}
			all = append(all, p)
			p = newPattern(s)
			p.Detail.EventName = []any{n}
		}
		all = append(all, p)
	}
	return all, nil
}

func newPattern(eventSource string) Pattern {
	service, _, _ := strings.Cut(eventSource, ".")
	return Pattern{
		Source:     []string{"aws." + service},
		DetailType: []string{cloudtrail.DetailType},
		Detail:     PatternDetail{EventSource: []string{eventSource}, EventName: []any{}, ErrorCode: []exists{{false}}},
	}
}

// Actions returns the IAM actions that tagging what the rows create needs,
// sorted.
func Actions(rows []*Row) []string {
	var all []string
	for _, r := range rows {
		for _, res := range r.Resources {
			all = append(all, res.Permissions...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
