package main

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	lambdas "autotagger/internal/function"
)

// watched is the hub with everything that a person may ask for.
func watched(t *testing.T) template {
	t.Helper()
	s, err := testSettings(testConfig, bootstraps(t))
	if err != nil {
		t.Fatal(err)
	}
	s.CustomerKey, s.Tracing, s.AlarmEmail = true, true, "ops@example.com"
	tpl, _, err := makeHub(s)
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

// anchors are the anchors of a document's headings, as GitHub makes them.
func anchors(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
		kept := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		out = append(out, strings.ReplaceAll(kept, " ", "-"))
	}
	return out
}

// Every alarm says what to do, and where more stands, and there is one for all that
// can go wrong.
func TestAlarms(t *testing.T) {
	tpl := watched(t)
	sections := anchors(t, "../docs/troubleshooting.md")
	text, err := os.ReadFile("../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	topics := 0
	for _, r := range tpl.Resources {
		if r.Type == "AWS::SNS::Topic" {
			topics++
		}
	}
	if topics != 1 {
		t.Errorf("%d topics", topics)
	}
	var names []string
	watchedQueues := map[string]bool{}
	for id, a := range all[alarmProps](t, tpl, "AWS::CloudWatch::Alarm") {
		names = append(names, a.AlarmName)
		_, anchor, found := strings.Cut(a.AlarmDescription, "What to do: docs/troubleshooting.md#")
		if !found || !slices.Contains(sections, anchor) {
			t.Errorf("%s: %q names no section of troubleshooting.md", id, a.AlarmDescription)
		}
		if !strings.Contains(string(text), "`"+a.AlarmName+"`") {
			t.Errorf("troubleshooting.md doesn't name %s", a.AlarmName)
		}
		if len(a.AlarmActions) != 1 || len(a.OKActions) != 1 {
			t.Errorf("%s tells nobody", id)
		}
		// A period below an hour may be evaluated over a day, one of a day once.
		if a.Metrics == nil && a.Period*a.EvaluationPeriods > 86400 {
			t.Errorf("%s looks at %d times %d s", id, a.EvaluationPeriods, a.Period)
		}
		silent := a.AlarmName == "autotagger-no-events"
		if silent != (a.TreatMissingData == "breaching") || silent != (a.ComparisonOperator == "LessThanThreshold") {
			t.Errorf("%s: %s, %s without data", id, a.ComparisonOperator, a.TreatMissingData)
		}
		if a.Namespace == "AWS/SQS" {
			var att struct {
				GetAtt []string `json:"Fn::GetAtt"`
			}
			if err := json.Unmarshal(a.Dimensions[0].Value, &att); err != nil || tpl.Resources[att.GetAtt[0]].Type != "AWS::SQS::Queue" {
				t.Errorf("%s looks at %s", id, a.Dimensions[0].Value)
				continue
			}
			watchedQueues[att.GetAtt[0]] = true
		}
	}
	slices.Sort(names)
	var want []string
	for _, job := range []string{"cors", "tagger"} {
		for _, kind := range []string{"age", "concurrency", "configuration", "dead-letters", "errors", "refused", "throttled-reads", "throttled-writes"} {
			want = append(want, "autotagger-"+job+"-"+kind)
		}
	}
	want = append(want, "autotagger-denied", "autotagger-no-events", "autotagger-undelivered")
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("alarms %v, want %v", names, want)
	}
	for id := range all[any](t, tpl, "AWS::SQS::Queue") {
		if !watchedQueues[id] {
			t.Errorf("no alarm looks at %s", id)
		}
	}
	// A hub's alarm that began as spokes' do would come twice.
	for _, name := range names {
		if strings.HasPrefix(name, spokeAlarm) {
			t.Errorf("%s is named as a spoke's", name)
		}
	}
}

// The queries ask for fields that the functions' lines have.
func TestQueries(t *testing.T) {
	fields := []string{"@timestamp", "@message", "ispresent", "like", "and", "or", "count", "latest", "as", "by", "events", "last", "asc", "desc", "filter", "fields", "stats", "sort", "limit",
		lambdas.KeyOutcome, lambdas.KeyDetail, lambdas.KeySource, lambdas.KeyName, lambdas.KeyEventID, lambdas.KeyAccount, lambdas.KeyRegion,
		lambdas.KeyCreator, lambdas.KeyResources, lambdas.KeyResults, lambdas.KeyEnd, lambdas.KeyAfter, lambdas.KeyReason, lambdas.KeyMillis,
		lambdas.KeyResults + ".0.arn", lambdas.KeyResults + ".0.why", lambdas.KeyResults + ".0.error",
		lambdas.KeyResults + ".0.tags.owner", lambdas.KeyResults + ".0.sources.owner", "written", "because",
	}
	queries := all[struct {
		Name, QueryString string
		LogGroupNames     []ref
	}](t, theTemplate(t), "AWS::Logs::QueryDefinition")
	if len(queries) < 5 {
		t.Errorf("%d queries", len(queries))
	}
	word := regexp.MustCompile(`@?[A-Za-z][A-Za-z0-9]*(\.[0-9]+(\.[a-z]+)+)?`)
	for id, q := range queries {
		if !strings.HasPrefix(q.Name, "autotagger-") || len(q.LogGroupNames) != 2 {
			t.Errorf("%s: %+v", id, q)
		}
		text := regexp.MustCompile(`"[^"]*"|/[^\n]*/`).ReplaceAllString(q.QueryString, "")
		for _, w := range word.FindAllString(text, -1) {
			if !slices.Contains(fields, w) {
				t.Errorf("%s asks for %s, which no line has", q.Name, w)
			}
		}
	}
}

// The dashboard is what CloudWatch takes: JSON, its widgets side by side, each
// about something.
func TestDashboard(t *testing.T) {
	boards := all[struct {
		DashboardName string
		DashboardBody any
	}](t, watched(t), "AWS::CloudWatch::Dashboard")
	if len(boards) != 1 {
		t.Fatalf("%d dashboards", len(boards))
	}
	for _, b := range boards {
		text, ok := texted(b.DashboardBody).(string)
		if !ok {
			t.Fatalf("the body is %v", b.DashboardBody)
		}
		var body struct {
			Widgets []struct {
				Type                string
				X, Y, Width, Height int
				Properties          struct {
					Title, Query, Region string
					Metrics              []any
				}
			}
		}
		if err := json.Unmarshal([]byte(text), &body); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		places, titles := map[[2]int]bool{}, map[string]bool{}
		for _, w := range body.Widgets {
			titles[w.Properties.Title] = true
			if places[[2]int{w.X, w.Y}] || w.X+w.Width > 24 || w.Properties.Region != testRegion {
				t.Errorf("%q is at %d, %d in %q", w.Properties.Title, w.X, w.Y, w.Properties.Region)
			}
			places[[2]int{w.X, w.Y}] = true
			if len(w.Properties.Metrics) == 0 && w.Properties.Query == "" {
				t.Errorf("%q shows nothing", w.Properties.Title)
			}
		}
		for _, title := range []string{
			"From event to tag, seconds", "Events by decision", "Resources by outcome", "Messages in the queues", "Oldest message in the queues, seconds",
			"Dead letters and undelivered events", "Functions: errors and throttles", "Functions: duration, milliseconds",
			"Calls that AWS throttled", "Busiest services, events", "Denied, by account and service",
		} {
			if !titles[title] {
				t.Errorf("it doesn't show %q", title)
			}
		}
	}
}

// Under a key of its own EventBridge must still be able to send, and CloudWatch to
// tell, and the functions to read.
func TestCustomerKey(t *testing.T) {
	tpl := watched(t)
	keys := all[struct {
		EnableKeyRotation bool
		KeyPolicy         document
	}](t, tpl, "AWS::KMS::Key")
	if len(keys) != 1 {
		t.Fatalf("%d keys", len(keys))
	}
	for id, k := range keys {
		use := texts{"kms:GenerateDataKey", "kms:Decrypt"}
		if !k.EnableKeyRotation || len(k.KeyPolicy.Statement) != 3 {
			t.Fatalf("%s: %+v", id, k)
		}
		rules, alarms := k.KeyPolicy.Statement[1], k.KeyPolicy.Statement[2]
		if !isService(rules, "events.amazonaws.com") || !slices.Equal(rules.Action, use) || rules.Condition != nil {
			t.Errorf("rules: %+v", rules)
		}
		condition, _ := json.Marshal(alarms.Condition)
		if !isService(alarms, "cloudwatch.amazonaws.com") || !slices.Equal(alarms.Action, use) ||
			!strings.Contains(string(condition), ":alarm:autotagger-*") || !strings.Contains(string(condition), `"aws:SourceAccount":"`+testAccount+`"`) {
			t.Errorf("alarms: %+v", alarms)
		}
		for queue, q := range all[struct{ KmsMasterKeyId ref }](t, tpl, "AWS::SQS::Queue") {
			if q.KmsMasterKeyId.id() != id {
				t.Errorf("%s is under %+v", queue, q.KmsMasterKeyId)
			}
		}
		for topic, q := range all[struct{ KmsMasterKeyId ref }](t, tpl, "AWS::SNS::Topic") {
			if q.KmsMasterKeyId.id() != id {
				t.Errorf("%s is under %+v", topic, q.KmsMasterKeyId)
			}
		}
		for _, job := range []string{"TaggerRole", "CorsRole"} {
			if !strings.Contains(strings.Join(documents(t, tpl, job), ""), "kms:Decrypt") {
				t.Errorf("%s can't read its queue", job)
			}
		}
	}
	for _, p := range all[policies](t, tpl, "AWS::SNS::TopicPolicy") {
		var d document
		if err := json.Unmarshal(p.PolicyDocument, &d); err != nil {
			t.Fatal(err)
		}
		for _, s := range d.Statement {
			if s.Effect == "Allow" && (!isService(s, "cloudwatch.amazonaws.com") || s.Condition["ArnLike"]["aws:SourceArn"] == nil) {
				t.Errorf("the topic lets in %+v", s)
			}
		}
	}
}

// A topic of somebody's own gets the alarms, and the spokes'.
func TestAlarmTopic(t *testing.T) {
	s, err := testSettings("cors: off", bootstraps(t))
	if err != nil {
		t.Fatal(err)
	}
	s.AlarmTopic = "arn:aws:sns:eu-west-1:111122223333:pager"
	tpl, _, err := makeHub(s)
	if err != nil {
		t.Fatal(err)
	}
	want := `"` + s.AlarmTopic + `"`
	for id, a := range all[alarmProps](t, tpl, "AWS::CloudWatch::Alarm") {
		if len(a.AlarmActions) != 1 || string(a.AlarmActions[0]) != want {
			t.Errorf("%s tells %s", id, a.AlarmActions)
		}
	}
	found := false
	for _, r := range tpl.Resources {
		if r.Type == "AWS::SNS::Topic" {
			t.Error("there is another topic")
		}
		found = found || r.Type == "AWS::Events::Rule" && strings.Contains(string(r.Properties), `"Name":"autotagger-spoke-alarms"`) && strings.Contains(string(r.Properties), `"Arn":`+want)
	}
	if !found {
		t.Error("no rule sends it the spokes' alarms")
	}
}

// Two synths of the same sources make the same templates and assets, wherever and
// whenever the functions were built.
func TestSynthesisedAlike(t *testing.T) {
	synth := func() (map[string]string, string) {
		s, err := testSettings(testConfig, bootstraps(t))
		if err != nil {
			t.Fatal(err)
		}
		s.Companions = true
		out := t.TempDir()
		app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(out)})
		if err := newApp(app, s, t.TempDir()); err != nil {
			t.Fatal(err)
		}
		app.Synth(nil)
		entries, err := os.ReadDir(out)
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]string{}
		for _, e := range entries {
			files[e.Name()] = ""
			if strings.HasSuffix(e.Name(), ".template.json") || strings.HasSuffix(e.Name(), ".assets.json") {
				text, err := os.ReadFile(out + "/" + e.Name())
				if err != nil {
					t.Fatal(err)
				}
				files[e.Name()] = string(text)
			}
		}
		return files, out
	}
	first, _ := synth()
	second, _ := synth()
	if len(first) < 8 || !reflect.DeepEqual(first, second) {
		t.Errorf("%d files and %d, which differ", len(first), len(second))
	}
}
