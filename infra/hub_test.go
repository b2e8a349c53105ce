package main

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"autotagger/internal/schedule"
)

type queue struct {
	MessageRetentionPeriod int
	VisibilityTimeout      int
	SqsManagedSseEnabled   bool
	KmsMasterKeyId         string
	RedrivePolicy          *struct {
		DeadLetterTargetArn ref `json:"deadLetterTargetArn"`
		MaxReceiveCount     int `json:"maxReceiveCount"`
	}
}

const day = 24 * 60 * 60

func TestQueues(t *testing.T) {
	tpl := theTemplate(t)
	queues := all[queue](t, tpl, "AWS::SQS::Queue")
	if len(queues) != 5 {
		t.Errorf("%d queues, want one and its dead letters for each function, and the undelivered", len(queues))
	}
	working := 0
	for id, q := range queues {
		if !q.SqsManagedSseEnabled || q.KmsMasterKeyId != "" {
			t.Errorf("%s: encryption %v under key %q; EventBridge needs SSE-SQS", id, q.SqsManagedSseEnabled, q.KmsMasterKeyId)
		}
		if q.RedrivePolicy == nil {
			if q.MessageRetentionPeriod != 14*day {
				t.Errorf("%s keeps dead letters %d s, want 14 days", id, q.MessageRetentionPeriod)
			}
			continue
		}
		working++
		dead, ok := queues[q.RedrivePolicy.DeadLetterTargetArn.id()]
		if !ok || dead.RedrivePolicy != nil || dead.MessageRetentionPeriod <= q.MessageRetentionPeriod {
			t.Errorf("%s: dead letters go to %+v", id, q.RedrivePolicy.DeadLetterTargetArn)
		}
		if n := q.RedrivePolicy.MaxReceiveCount; n != schedule.Receives() {
			t.Errorf("%s gives up after %d attempts, the schedule takes up to %d", id, n, schedule.Receives())
		}
	}
	if working != 2 {
		t.Errorf("%d queues with dead letters, want one for each function", working)
	}
}

type function struct {
	FunctionName  string
	Architectures []string
	Runtime       string
	Handler       string
	Timeout       int
	MemorySize    int
	Role          ref
	Environment   struct{ Variables map[string]any }
	LoggingConfig struct {
		LogFormat string
		LogGroup  ref
	}
	Layers, VpcConfig, TracingConfig any
}

// variables are what every function's environment has, its own queues' URLs among
// them, and more.
func (f function) variables(t *testing.T, tpl template, more map[string]any) map[string]any {
	t.Helper()
	all := map[string]any{"AUTOTAGGER_CONFIG": "autotagger.yaml", "AUTOTAGGER_PARAMETERS": "on"}
	job := "Tagger"
	if f.FunctionName == "autotagger-cors" {
		job = "Cors"
	}
	for id, r := range tpl.Resources {
		switch {
		case r.Type != "AWS::SQS::Queue":
		case strings.HasPrefix(id, job+"Queue"):
			all["AUTOTAGGER_QUEUE_URL"] = map[string]any{"Ref": id}
		case strings.HasPrefix(id, job+"DeadLetters"):
			all["AUTOTAGGER_DEAD_LETTERS_URL"] = map[string]any{"Ref": id}
		}
	}
	maps.Copy(all, more)
	return all
}

type mapping struct {
	EventSourceArn                 ref
	FunctionName                   ref
	BatchSize                      int
	MaximumBatchingWindowInSeconds int
	FunctionResponseTypes          []string
	ScalingConfig                  struct{ MaximumConcurrency int }
}

func TestFunctions(t *testing.T) {
	tpl := theTemplate(t)
	functions := all[function](t, tpl, "AWS::Lambda::Function")
	groups := all[struct {
		LogGroupName    string
		RetentionInDays int
	}](t, tpl, "AWS::Logs::LogGroup")
	if len(functions) != 2 || len(groups) != 2 {
		t.Fatalf("%d functions and %d log groups, want 2 of each", len(functions), len(groups))
	}
	for id, f := range functions {
		want := function{
			FunctionName: f.FunctionName, Architectures: []string{"arm64"}, Runtime: "provided.al2023", Handler: "bootstrap",
			Timeout: 60, MemorySize: 256, Role: f.Role, LoggingConfig: f.LoggingConfig,
		}
		want.Environment.Variables = f.variables(t, tpl, map[string]any{"AUTOTAGGER_ACCOUNT": testAccount})
		if !reflect.DeepEqual(f, want) {
			t.Errorf("%s is\n%+v, want\n%+v", id, f, want)
		}
		group := groups[f.LoggingConfig.LogGroup.id()]
		if f.LoggingConfig.LogFormat != "JSON" || group.LogGroupName != "/aws/lambda/"+f.FunctionName || group.RetentionInDays != 545 {
			t.Errorf("%s logs to %+v", id, group)
		}
		if d := tpl.Resources[f.LoggingConfig.LogGroup.id()].DeletionPolicy; d != "Delete" {
			t.Errorf("the log group of %s is to %s with the stack", id, d)
		}
	}

	queues := all[queue](t, tpl, "AWS::SQS::Queue")
	mappings := all[mapping](t, tpl, "AWS::Lambda::EventSourceMapping")
	fed := map[string]bool{}
	for id, m := range mappings {
		f := functions[m.FunctionName.id()]
		fed[f.FunctionName] = true
		if !sameJob(m.FunctionName.id(), m.EventSourceArn.id()) {
			t.Errorf("%s feeds %s from %s", id, m.FunctionName.id(), m.EventSourceArn.id())
		}
		if q := queues[m.EventSourceArn.id()]; q.VisibilityTimeout != 6*f.Timeout || q.RedrivePolicy == nil {
			t.Errorf("%s: the queue hides messages for %d s, the function has %d s", id, q.VisibilityTimeout, f.Timeout)
		}
		if m.BatchSize != 100 || m.MaximumBatchingWindowInSeconds != 1 || !slices.Equal(m.FunctionResponseTypes, []string{"ReportBatchItemFailures"}) {
			t.Errorf("%s: %+v", id, m)
		}
		if n := m.ScalingConfig.MaximumConcurrency; n < 2 || n > 10 {
			t.Errorf("%s runs %d at once", id, n)
		}
	}
	if want := map[string]bool{"autotagger-tagger": true, "autotagger-cors": true}; !maps.Equal(fed, want) {
		t.Errorf("queues feed %v, want %v", fed, want)
	}
}

// sameJob reports whether logical ids belong to the same function.
func sameJob(ids ...string) bool {
	for _, job := range []string{"Tagger", "Cors"} {
		if !slices.ContainsFunc(ids, func(id string) bool { return !strings.HasPrefix(id, job) }) {
			return true
		}
	}
	return false
}

func TestOutputs(t *testing.T) {
	got := slices.Sorted(maps.Keys(theTemplate(t).Outputs))
	want := []string{
		"BusArn", "CorsDeadLetterQueueUrl", "CorsFunctionName", "CorsQueueUrl",
		"TaggerDeadLetterQueueUrl", "TaggerFunctionName", "TaggerQueueUrl", "UndeliveredQueueUrl", "Version",
	}
	if !slices.Equal(got, want) {
		t.Errorf("outputs %v, want %v", got, want)
	}
}

// A configuration without CORS deploys no function for it.
func TestCORSOff(t *testing.T) {
	tpl, _, err := makeStack("mode: off\ncors: off\n", bootstraps(t))
	if err != nil {
		t.Fatal(err)
	}
	for id := range tpl.Resources {
		if strings.HasPrefix(id, "Cors") {
			t.Errorf("%s is deployed", id)
		}
	}
	if n := len(all[function](t, tpl, "AWS::Lambda::Function")); n != 1 {
		t.Errorf("%d functions, want the tagger alone, whatever the mode", n)
	}
}

// The other architecture's function is deployed as what it is.
func TestArchitecture(t *testing.T) {
	s, err := testSettings("cors: off", bootstraps(t))
	if err != nil {
		t.Fatal(err)
	}
	s.Architecture = x86_64
	tpl, _, err := makeHub(s)
	if err != nil {
		t.Fatal(err)
	}
	for id, f := range all[function](t, tpl, "AWS::Lambda::Function") {
		if !slices.Equal(f.Architectures, []string{"x86_64"}) {
			t.Errorf("%s runs on %v", id, f.Architectures)
		}
	}
}

type parameter struct{ Name, Type, Value, AllowedPattern string }

// The functions look at two parameters, and may read no others.
func TestParameters(t *testing.T) {
	got := map[string]string{}
	ids := map[string]bool{}
	for id, p := range all[parameter](t, theTemplate(t), "AWS::SSM::Parameter") {
		got[p.Name] = p.Value
		ids[id] = true
	}
	if want := map[string]string{"/autotagger/writing": "on", "/autotagger/configuration": "deployed"}; !maps.Equal(got, want) {
		t.Errorf("parameters %v, want %v", got, want)
	}
	for id, r := range theTemplate(t).Resources {
		if r.Type != "AWS::Lambda::Function" {
			continue
		}
		for p := range ids {
			if !slices.Contains(r.DependsOn, p) {
				t.Errorf("%s doesn't wait for %s", id, p)
			}
		}
	}
}

// TestParametersStay: CloudFormation puts a parameter's value back to the template's when
// anything about it changes, its description and tags included. An upgrade must not turn
// writing on that someone has turned off: whoever changes this says so to those who
// upgrade, in CHANGELOG.md.
func TestParametersStay(t *testing.T) {
	var got []string
	for _, r := range theTemplate(t).Resources {
		if r.Type == "AWS::SSM::Parameter" {
			got = append(got, canonical(t, r.Properties))
		}
	}
	slices.Sort(got)
	want := []string{
		`{"AllowedPattern":"^(on|off)$","Description":"Whether autotagger writes: on, or off to observe only","Name":"/autotagger/writing","Tags":{"Application":"autotagger"},"Type":"String","Value":"on"}`,
		`{"Description":"Where autotagger's configuration is: deployed, or s3://bucket/key","Name":"/autotagger/configuration","Tags":{"Application":"autotagger"},"Type":"String","Value":"deployed"}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("the parameters are\n%s\nand were\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func warnings(stack awscdk.Stack) []string {
	var out []string
	for _, m := range *assertions.Annotations_FromStack(stack).FindWarning(jsii.String("*"), assertions.Match_AnyValue()) {
		text, _ := json.Marshal(m)
		out = append(out, string(text))
	}
	return out
}

// alarmProps is an alarm, of one metric or of an expression over several.
type alarmProps struct {
	AlarmName, AlarmDescription, ComparisonOperator, TreatMissingData string
	Namespace, MetricName, Statistic                                  string
	Threshold                                                         float64
	Period, EvaluationPeriods                                         int
	Dimensions                                                        []struct {
		Name  string
		Value json.RawMessage
	}
	AlarmActions, OKActions []json.RawMessage
	Metrics                 []struct{ Expression string }
}
