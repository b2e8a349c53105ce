package catalogue_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"quamina.net/go/quamina"

	"autotagger/internal/catalogue"
)

// maxRules is how many of a bus's 300 rules this may take: it isn't alone there.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
const maxRules = 40

// many makes a catalogue of the size that AWS has: services from a to z, among
// them those with rules of their own, one with more calls than a rule has room
// for, sources of several labels, dated names, and rows of which nothing is
// written.
func many() []*catalogue.Row {
	var rows []*catalogue.Row
	add := func(source, event, api string, dated bool) {
		r := &catalogue.Row{Source: source + ".amazonaws.com", Event: event, Dated: dated}
		if api == "" {
			r.Untaggable = "it takes no tags"
		} else {
			r.Resources = []catalogue.Resource{{API: api}}
		}
		rows = append(rows, r)
	}
	sources := []string{"ec2", "logs", "kms", "s3", "iam", "lex", "models.lex", "runtime.lex", "ingest.timestream"}
	for i := range 320 {
		sources = append(sources, fmt.Sprintf("%c%c-service-%d", 'a'+i%26, 'a'+i%7, i))
	}
	for i, s := range sources {
		for j := range 4 {
			add(s, fmt.Sprintf("CreateThing%d", j), catalogue.APITagging, i%9 == 0)
		}
		add(s, "CreateStack", catalogue.APINone, false)
		add(s, "CreateToken", "", false)
		add(s, "PurchaseOffering", catalogue.APITagging, false)
		if i%3 == 0 {
			add(s, "RegisterThing", catalogue.APITagging, i%9 == 0)
			add(s, fmt.Sprintf("ImportThing%d", i), catalogue.APITagging, false)
		}
	}
	for i := range 200 {
		add("ec2", fmt.Sprintf("CreateSomethingLong%d", i), "ec2", false)
	}
	return rows
}

func patterns(t *testing.T, rows []*catalogue.Row) []catalogue.Pattern {
	t.Helper()
	all, err := catalogue.Patterns(rows)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func written(r *catalogue.Row) bool {
	return slices.ContainsFunc(r.Resources, func(res catalogue.Resource) bool { return res.API != catalogue.APINone })
}

// TestPatterns: whatever the catalogue holds, each call that is tagged matches
// one rule, by every name that it may have and whatever source the bus gives it.
func TestPatterns(t *testing.T) {
	t.Parallel()
	today, err := catalogue.Default().All()
	if err != nil {
		t.Fatal(err)
	}
	for name, rows := range map[string][]*catalogue.Row{"today": today, "many": many()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, err := quamina.New()
			if err != nil {
				t.Fatal(err)
			}
			all := patterns(t, rows)
			if len(all) > maxRules {
				t.Errorf("%d rules, at most %d are wanted", len(all), maxRules)
			}
			labels := map[string]bool{}
			sources := map[string]string{}
			for _, p := range all {
				if n := len(p.JSON()); n > catalogue.MaxPattern {
					t.Errorf("the pattern of %s has %d characters", p.Label, n)
				}
				if labels[p.Label] || !regexp.MustCompile(`^[a-z0-9-]{1,40}$`).MatchString(p.Label) || p.About == "" {
					t.Errorf("the label %q is there already, or is no part of a rule's name: %q", p.Label, p.About)
				}
				labels[p.Label] = true
				for _, source := range p.Source {
					s := source.(string)
					// Parts of one source are divided by names; lex and models.lex
					// by the eventSource.
					if other, ok := sources[s]; ok && len(p.Detail.EventSource) == 0 {
						t.Errorf("%s is in %s and %s", s, other, p.Label)
					}
					sources[s] = p.Label
				}
				if err := q.AddPattern(p.Label, p.JSON()); err != nil {
					t.Fatal(err)
				}
			}
			matched := func(source, bus, name, more string) []quamina.X {
				got, err := q.MatchesForEvent(fmt.Appendf(nil, `{"source":%q,"detail-type":"AWS API Call via CloudTrail","detail":{"eventSource":%q,"eventName":%q%s}}`, bus, source, name, more))
				if err != nil {
					t.Fatal(err)
				}
				return got
			}
			for _, r := range rows {
				labels := strings.Split(strings.TrimSuffix(r.Source, ".amazonaws.com"), ".")
				names := []string{r.Event}
				if r.Dated {
					names = append(names, r.Event+"20150331", r.Event+"20150331v2", r.Event+"2020_05_31")
				}
				for _, name := range names {
					for _, bus := range slices.Compact([]string{"aws." + labels[0], "aws." + labels[len(labels)-1]}) {
						got := matched(r.Source, bus, name, "")
						if written(r) && len(got) != 1 || len(got) > 1 {
							t.Errorf("%s %s from %s matches %v", r.Source, name, bus, got)
						}
					}
				}
				for _, more := range []string{`,"errorCode":"AccessDenied"`, `,"errorCode":""`} {
					if got := matched(r.Source, "aws."+labels[0], r.Event, more); len(got) > 0 {
						t.Errorf("%s %s failed and matches %v", r.Source, r.Event, got)
					}
				}
			}
		})
	}
}

// TestPatternsOfNoisyServices: of services that make many calls, those alone
// that are tagged come through; of others all that create.
func TestPatternsOfNoisyServices(t *testing.T) {
	t.Parallel()
	rows := []*catalogue.Row{
		{Source: "logs.amazonaws.com", Event: "CreateLogGroup", Resources: []catalogue.Resource{{API: catalogue.APITagging}}},
		{Source: "mq.amazonaws.com", Event: "CreateBroker", Resources: []catalogue.Resource{{API: catalogue.APITagging}}},
		{Source: "mq.amazonaws.com", Event: "StartBroker", Resources: []catalogue.Resource{{API: catalogue.APITagging}}},
	}
	got := map[string]string{}
	for _, p := range patterns(t, rows) {
		got[p.Label] = p.JSON()
	}
	want := map[string]string{
		"logs":   `{"source":["aws.logs"],"detail-type":["AWS API Call via CloudTrail"],"detail":{"eventSource":["logs.amazonaws.com"],"eventName":["CreateLogGroup"],"errorCode":[{"exists":false}]}}`,
		"from-j": `{"source":["aws.mq"],"detail-type":["AWS API Call via CloudTrail"],"detail":{"eventName":[{"prefix":"Allocate"},{"prefix":"BatchCreate"},{"prefix":"Clone"},{"prefix":"Copy"},{"prefix":"Create"},{"prefix":"Purchase"},"StartBroker"],"errorCode":[{"exists":false}]}}`,
	}
	if !maps.Equal(got, want) {
		t.Errorf("the patterns are\n%v\nwant\n%v", got, want)
	}
}

// TestPatternsStay: one more service changes one rule and renames none.
func TestPatternsStay(t *testing.T) {
	t.Parallel()
	byLabel := func(rows []*catalogue.Row) map[string]string {
		all := map[string]string{}
		for _, p := range patterns(t, rows) {
			all[p.Label] = p.JSON()
		}
		return all
	}
	rows := many()
	before := byLabel(rows)
	for _, service := range []string{"aardvark", "bb", "mmm", "zz-top"} {
		after := byLabel(append(slices.Clone(rows), &catalogue.Row{
			Source: service + ".amazonaws.com", Event: "CreateThing", Resources: []catalogue.Resource{{API: catalogue.APITagging}},
		}))
		changed := 0
		for label, pattern := range after {
			if before[label] != pattern {
				changed++
			}
		}
		if changed != 1 || len(after) != len(before) {
			t.Errorf("%s changes %d rules, from %d to %d", service, changed, len(before), len(after))
		}
	}
}

// TestPatternTooLong: what can't be divided is a fault of the catalogue.
func TestPatternTooLong(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"ec2.amazonaws.com", "mq.amazonaws.com"} {
		_, err := catalogue.Patterns([]*catalogue.Row{{
			Source: source, Event: "Start" + strings.Repeat("x", 2000), Resources: []catalogue.Resource{{API: catalogue.APITagging}},
		}})
		if err == nil || !strings.Contains(err.Error(), "too long") {
			t.Errorf("%s: %v", source, err)
		}
	}
}
