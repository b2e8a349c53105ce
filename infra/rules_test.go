package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"quamina.net/go/quamina"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/policy"
)

type rule struct {
	Name         string
	EventBusName ref
	State        string
	EventPattern json.RawMessage
	Targets      []struct {
		Arn              ref
		RoleArn          ref
		DeadLetterConfig struct{ Arn ref }
		RetryPolicy      struct{ MaximumEventAgeInSeconds, MaximumRetryAttempts int }
		Input, InputPath string
	}
}

// rules returns the rules of a function on the default bus by name.
func rules(t *testing.T, function string) map[string]rule {
	t.Helper()
	out := map[string]rule{}
	for _, r := range all[rule](t, theTemplate(t), "AWS::Events::Rule") {
		if strings.HasPrefix(r.Name, "autotagger-"+function+"-") && r.EventBusName.Ref == "" {
			out[r.Name] = r
		}
	}
	return out
}

// rowsOn returns the rows that the stack's configuration has on.
func rowsOn(t *testing.T) []*catalogue.Row {
	t.Helper()
	all, err := catalogue.Default().All()
	if err != nil {
		t.Fatal(err)
	}
	rows := testPolicy(t).RowsOn(all)
	if len(rows) == 0 || len(rows) == len(all) {
		t.Fatalf("%d of %d rows are on", len(rows), len(all))
	}
	return rows
}

// mainPolicy is testConfig's.
var mainPolicy = sync.OnceValues(func() (*policy.Policy, error) { return policy.Parse("test.yaml", []byte(testConfig)) })

func testPolicy(t *testing.T) *policy.Policy {
	t.Helper()
	p, err := mainPolicy()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The patterns in the template are those of the catalogue, no more, no less.
func TestPatterns(t *testing.T) {
	rows := rowsOn(t)
	count := 0
	for function, rows := range map[string][]*catalogue.Row{"tagger": rows, "cors": bucketRows(rows)} {
		patterns, err := catalogue.Patterns(rows)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for _, p := range patterns {
			want = append(want, canonical(t, []byte(p.JSON())))
		}
		for name, r := range rules(t, function) {
			count++
			text := canonical(t, r.EventPattern)
			if len(text) > catalogue.MaxPattern {
				t.Errorf("%s: the pattern has %d characters; EventBridge takes %d", name, len(text), catalogue.MaxPattern)
			}
			got = append(got, text)
		}
		slices.Sort(want)
		slices.Sort(got)
		if len(got) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s: the patterns are\n%s\nwant\n%s", function, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	for id, r := range all[rule](t, theTemplate(t), "AWS::Events::Rule") {
		if r.EventBusName.Ref != "" {
			count++
			if !strings.HasPrefix(r.EventBusName.Ref, "Bus") {
				t.Errorf("%s is on %+v", id, r.EventBusName)
			}
		}
	}
	if n := len(all[rule](t, theTemplate(t), "AWS::Events::Rule")); n != count {
		t.Errorf("%d rules, %d of them the functions'", n, count)
	}
	// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
	// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
	if resources := len(theTemplate(t).Resources); count > 300 || resources > 500 {
		t.Errorf("%d rules and %d resources; a bus takes 300 rules, a stack 500 resources", count, resources)
	}
}

// canonical returns JSON with sorted keys and no spaces.
func canonical(t *testing.T, text []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What a rule can't deliver must not be lost.
func TestTargets(t *testing.T) {
	tpl := theTemplate(t)
	queues := all[queue](t, tpl, "AWS::SQS::Queue")
	policyOf := map[string]string{}
	for id, p := range all[policies](t, tpl, "AWS::SQS::QueuePolicy") {
		policyOf[p.Queues[0].id()] = id
	}
	for id, r := range all[rule](t, tpl, "AWS::Events::Rule") {
		if len(r.Name) > maxRuleName || r.State == "DISABLED" || len(r.Targets) != 1 {
			t.Errorf("%s: %+v", id, r)
			continue
		}
		target := r.Targets[0]
		undelivered := target.DeadLetterConfig.Arn.id()
		if !sameJob(id, target.Arn.id()) || queues[target.Arn.id()].RedrivePolicy == nil {
			t.Errorf("%s sends to %s", id, target.Arn.id())
		}
		if target.RoleArn.id() != "" || target.Input != "" || target.InputPath != "" {
			t.Errorf("%s: a queue takes no role and the function the whole event: %+v", id, target)
		}
		if !strings.HasPrefix(undelivered, "Undelivered") || queues[undelivered].MessageRetentionPeriod != 14*day {
			t.Errorf("%s leaves what it can't deliver in %q", id, undelivered)
		}
		if target.RetryPolicy.MaximumEventAgeInSeconds != day || target.RetryPolicy.MaximumRetryAttempts != 185 {
			t.Errorf("%s: retries %+v", id, target.RetryPolicy)
		}
		for _, q := range []string{target.Arn.id(), undelivered} {
			if !slices.Contains(tpl.Resources[id].DependsOn, policyOf[q]) {
				t.Errorf("%s doesn't wait for the policy of %s", id, q)
			}
		}
	}
}

// matcher is a function's rules in a pattern matcher of EventBridge's language.
// https://github.com/timbray/quamina
func matcher(t *testing.T, function string) *quamina.Quamina {
	t.Helper()
	q, err := quamina.New()
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range rules(t, function) {
		if err := q.AddPattern(name, string(r.EventPattern)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return q
}

// The sample events must reach the functions that have work with them, each
// through one rule. Others mustn't, but for those that begin with a verb of
// creation: of these the function decides some.
func TestSampleEvents(t *testing.T) {
	// The reasons that a pattern can tell.
	told := []string{"error", "sign-in", "service-event", "not-a-create", "not-cloudtrail"}
	tagger, cors := matcher(t, "tagger"), matcher(t, "cors")
	p := testPolicy(t)
	tagged := 0
	for _, file := range samples(t) {
		path := file.path
		skipped, isSkipped := strings.CutPrefix(path, "skipped/")
		reason, _, _ := strings.Cut(strings.TrimSuffix(skipped, ".json"), "_")
		for i, event := range file.events {
			row := rowOf(t, event)
			on := row != nil && p.RowOff(row) == ""
			least, most := 0, 1
			switch {
			case isSkipped && reason == "not-a-create" && row != nil: // an upsert that changed something
			case isSkipped && slices.Contains(told, reason):
				most = 0
			case isSkipped || !on:
			case slices.ContainsFunc(row.Resources, func(r catalogue.Resource) bool { return r.API != catalogue.APINone }):
				least = 1
				tagged++
			}
			wantCORS := 0
			if !isSkipped && on && len(bucketRows([]*catalogue.Row{row})) == 1 {
				wantCORS = 1
			}
			mostCORS := wantCORS
			if isSkipped {
				mostCORS = most
			}
			for _, c := range []struct {
				name        string
				q           *quamina.Quamina
				least, most int
			}{{"tagger", tagger, least, most}, {"cors", cors, wantCORS, mostCORS}} {
				got, err := c.q.MatchesForEvent(event)
				if err != nil {
					t.Errorf("%s, event %d: %v", path, i, err)
				}
				if len(got) < c.least || len(got) > c.most {
					t.Errorf("%s, event %d: matched by rules %v of %s, want %d to %d", path, i, got, c.name, c.least, c.most)
				}
			}
		}
	}
	t.Logf("%d events to tag", tagged)
	if tagged == 0 {
		t.Error("no sample event is to be tagged")
	}
}

func rowOf(t *testing.T, event []byte) *catalogue.Row {
	t.Helper()
	var e struct {
		Detail struct{ EventSource, EventName string }
	}
	if err := json.Unmarshal(event, &e); err != nil {
		t.Fatal(err)
	}
	row, err := catalogue.Default().Lookup(e.Detail.EventSource, e.Detail.EventName)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

type sample struct {
	path   string // below events
	events [][]byte
}

// samples returns the sample events as EventBridge delivers them.
func samples(t *testing.T) []sample {
	t.Helper()
	root := filepath.Join("..", "events")
	var out []sample
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		ext := filepath.Ext(path)
		if err != nil || d.IsDir() || ext != ".json" && ext != ".jsonl" || strings.HasPrefix(path, "malformed/") {
			return err
		}
		data, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return err
		}
		docs := [][]byte{data}
		if ext == ".jsonl" {
			docs = bytes.Split(bytes.TrimSpace(data), []byte("\n"))
		}
		s := sample{path: path}
		for _, doc := range docs {
			events, err := delivered(doc)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			s.events = append(s.events, events...)
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// delivered puts what a file holds into the form in which EventBridge delivers
// it: an EventBridge event is in it already, a CloudTrail record becomes the
// detail of one, a log file several.
func delivered(data []byte) ([][]byte, error) {
	var doc struct {
		Detail      json.RawMessage
		Records     []json.RawMessage
		EventType   string
		EventSource string
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	switch {
	case doc.Detail != nil:
		return [][]byte{data}, nil
	case doc.Records != nil:
		var all [][]byte
		for _, r := range doc.Records {
			events, err := delivered(r)
			if err != nil {
				return nil, err
			}
			all = append(all, events...)
		}
		return all, nil
	}
	detailType := cloudtrail.DetailType
	switch doc.EventType {
	// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
	case "AwsServiceEvent":
		detailType = "AWS Service Event via CloudTrail"
	case "AwsConsoleSignIn":
		detailType = "AWS Console Sign In via CloudTrail"
	case "AwsConsoleAction":
		detailType = "AWS Console Action via CloudTrail"
	}
	service, _, _ := strings.Cut(doc.EventSource, ".")
	event, err := json.Marshal(map[string]any{
		"version": "0", "source": "aws." + service, "detail-type": detailType,
		"account": testAccount, "region": testRegion, "detail": json.RawMessage(data),
	})
	return [][]byte{event}, err
}

// The matcher itself must tell apart what the patterns rest on.
func TestMatcher(t *testing.T) {
	patterns, err := catalogue.Patterns([]*catalogue.Row{{
		Source: "lambda.amazonaws.com", Event: "CreateFunction", Dated: true,
		Resources: []catalogue.Resource{{API: "lambda"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	q, err := quamina.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.AddPattern("lambda", patterns[0].JSON()); err != nil {
		t.Fatal(err)
	}
	for record, want := range map[string]int{
		`{"eventSource":"lambda.amazonaws.com","eventName":"CreateFunction"}`:                                       1,
		`{"eventSource":"lambda.amazonaws.com","eventName":"CreateFunction20150331"}`:                               1,
		`{"eventSource":"lambda.amazonaws.com","eventName":"CreateFunctionUrlConfig"}`:                              0,
		`{"eventSource":"lambda.amazonaws.com","eventName":"CreateFunction20150331","errorCode":"AccessDenied"}`:    0,
		`{"eventSource":"lambda.amazonaws.com","eventName":"CreateFunction20150331","eventType":"AwsServiceEvent"}`: 0,
		`{"eventSource":"s3.amazonaws.com","eventName":"CreateFunction20150331"}`:                                   0,
	} {
		events, err := delivered([]byte(record))
		if err != nil {
			t.Fatal(err)
		}
		matches, err := q.MatchesForEvent(events[0])
		if err != nil {
			t.Fatal(err)
		}
		if len(matches) != want {
			t.Errorf("%s is matched %d times, want %d", record, len(matches), want)
		}
	}
}
