package ledger_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/ledger"
)

var update = flag.Bool("update", false, "write the golden files; a person reads them")

const eventsDir = "../../events/ledger"

// samples are the sample events' files.
func samples(tb testing.TB) []string {
	tb.Helper()
	names, err := filepath.Glob(eventsDir + "/*.json")
	if err != nil || len(names) == 0 {
		tb.Fatalf("%d sample events: %v", len(names), err)
	}
	return names
}

// sample is a sample event, by its name.
func sample(tb testing.TB, name string) *cloudtrail.Event {
	tb.Helper()
	e, err := cloudtrail.Decode(doc(tb, filepath.Join(eventsDir, name+".json")))
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func doc(tb testing.TB, file string) string {
	tb.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

// TestEvents compares what each sample event leaves in the table with the golden file
// beside it.
func TestEvents(t *testing.T) {
	t.Parallel()
	for _, file := range samples(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			type item struct {
				ID      string          `json:"id"`
				At      string          `json:"at"`
				Expires time.Time       `json:"expires"`
				Data    json.RawMessage `json:"data,omitempty"`
			}
			var result struct {
				Why   ledger.Reason `json:"why,omitempty"`
				Items []item        `json:"items,omitempty"`
			}
			items, why := ledger.Read(sample(t, name))
			result.Why = why
			for _, i := range items {
				result.Items = append(result.Items, item{i.ID, i.At, i.Expires, json.RawMessage(i.Data)})
			}
			var got bytes.Buffer
			enc := json.NewEncoder(&got)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", "  ")
			if err := enc.Encode(result); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(got.String(), "TOKEN") {
				t.Errorf("a session's token is kept:\n%s", &got)
			}
			golden := strings.TrimSuffix(file, ".json") + ".golden"
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want := doc(t, golden); got.String() != want {
				t.Errorf("it isn't as %s says:\n%s", golden, &got)
			}
		})
	}
}

// TestEveryCallHasASample: what the rules ask for is understood.
func TestEveryCallHasASample(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, file := range append(samples(t), "../../events/cloudformation/CreateStack.json", "../../events/cloudformation/CreateStackSet.json", "../../events/skipped/not-taggable_cloudformation_create_stack_instances.json") {
		e, err := cloudtrail.Decode(doc(t, file))
		if err != nil {
			t.Fatal(err)
		}
		if items, _ := ledger.Read(e); len(items) > 0 {
			seen[e.Source+" "+e.Name] = true
		}
	}
	for source, names := range catalogue.LedgerCalls() {
		for _, name := range names {
			if !seen[source+" "+name] && name != "UpdateStackInstances" { // as CreateStackInstances
				t.Errorf("no sample of %s %s leaves anything", source, name)
			}
		}
	}
}

// TestReadLeavesOut: what isn't certain, or isn't the event's own, leaves nothing.
func TestReadLeavesOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, sample, old, new string
		want                   ledger.Reason
	}{
		{"another call", "AssumeRole", `"AssumeRole"`, `"GetCallerIdentity"`, ledger.NotWanted},
		{"another source", "AssumeRole", `sts.amazonaws.com"`, `iam.amazonaws.com"`, ledger.NotWanted},
		{"no key", "AssumeRole", `"accessKeyId": "ASIA`, `"x": "ASIA`, ledger.NoIdentifier},
		{"a redacted key", "AssumeRole", `"accessKeyId": "ASIA`, `"accessKeyId": "***`, ledger.NoIdentifier},
		{"a user's key", "AssumeRole", `"accessKeyId": "ASIA`, `"accessKeyId": "AKIA`, ledger.NoIdentifier},
		{"no time", "AssumeRole", `"eventTime": "2026`, `"eventTime": "x`, ledger.NoTime},
		{"no answer", "UpdateStack", `"stackId": "arn`, `"stackId": "urn`, ledger.NoIdentifier},
		{"another account's stack", "UpdateStack", `eu-west-1:111122223333:stack`, `eu-west-1:444455556666:stack`, ledger.NoIdentifier},
		{"another region's stack", "RollbackStack", `cloudformation:eu-west-1:`, `cloudformation:eu-west-2:`, ledger.NoIdentifier},
		{"another account's change set", "ExecuteChangeSet_by_arn", `eu-west-1:111122223333:changeSet`, `eu-west-1:444455556666:changeSet`, ledger.NoIdentifier},
		{"a change set's name alone", "ExecuteChangeSet", `"stackName": "web"`, `"x": ""`, ledger.NoIdentifier},
		{"a stack set without a name", "UpdateStackSet", `"stackSetName": "baseline"`, `"stackSetName": ":1"`, ledger.NoIdentifier},
		{"a stack set named like another's home", "UpdateStackSet", `"stackSetName": "baseline"`, `"stackSetName": "baseline/111122223333/eu-west-1"`, ledger.NoIdentifier},
		{"an endless name", "UpdateStackSet", `"baseline"`, `"` + strings.Repeat("x", 3000) + `"`, ledger.NoIdentifier},
		{"endless tags", "UpdateStackSet", `"value": "42"`, `"value": "` + strings.Repeat("x", 300<<10) + `"`, ledger.TooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text := doc(t, filepath.Join(eventsDir, c.sample+".json"))
			changed := strings.ReplaceAll(text, c.old, c.new)
			if changed == text {
				t.Fatalf("%s has no %s", c.sample, c.old)
			}
			e, err := cloudtrail.Decode(changed)
			if err != nil {
				t.Fatal(err)
			}
			if items, why := ledger.Read(e); why != c.want || len(items) > 0 {
				t.Errorf("%q and %v, want %q", why, items, c.want)
			}
		})
	}
}

// FuzzRead: whatever a record says, an item fits the table and holds no token.
func FuzzRead(f *testing.F) {
	for _, file := range samples(f) {
		f.Add(doc(f, file))
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := cloudtrail.Decode(text)
		if err != nil {
			return
		}
		items, why := ledger.Read(e)
		if (why == "") != (len(items) > 0) {
			t.Fatalf("%d items, and %q", len(items), why)
		}
		for _, i := range items {
			switch {
			case i.ID == "" || len(i.ID) > 2048 || i.At == "" || len(i.At) > 1024:
				t.Errorf("the key %q %q", i.ID, i.At)
			case i.Data != "" && !json.Valid([]byte(i.Data)):
				t.Errorf("the data %q", i.Data)
			case i.Expires.Before(e.Time):
				t.Errorf("it expires at %v", i.Expires)
			}
		}
	})
}

// BenchmarkRead measures the reading of an event, decoding apart, and what an item
// weighs, which is what its writing costs.
func BenchmarkRead(b *testing.B) {
	var all []*cloudtrail.Event
	for _, file := range samples(b) {
		all = append(all, sample(b, strings.TrimSuffix(filepath.Base(file), ".json")))
	}
	b.ReportAllocs()
	weight, items, heaviest := 0, 0, 0
	for b.Loop() {
		weight, items, heaviest = 0, 0, 0
		for _, e := range all {
			read, _ := ledger.Read(e)
			for _, i := range read {
				// Names and values count; a number at most 21 bytes.
				// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
				w := len("id"+"at"+"data"+"expires"+i.ID+i.At+i.Data) + 7
				weight, items, heaviest = weight+w, items+1, max(heaviest, w)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(all)), "ns/event")
	b.ReportMetric(float64(weight)/float64(items), "B/item")
	b.ReportMetric(float64(heaviest), "B/heaviest")
}
