package main

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
)

// Nothing is deployed with a configuration that has a fault or leaves open
// what new buckets get.
func TestConfigurationRefused(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"faults":     {"mode: maybe\ncors: no\ntags: {creator: 1}\n", []string{":1: mode", ":2: cors", ":3: tags.creator"}},
		"no YAML":    {"mode: [", []string{"autotagger.yaml:"}},
		"undeclared": {"mode: enforce\n", []string{"autotagger.yaml", "add cors: with rules, or cors: off"}},
		"unmatched":  {"cors: off\ncatalogue: {enable: ['ecs:RunTsk'], disable: ['s3:Create']}\n", []string{`autotagger.yaml: catalogue.enable[0]: "ecs:RunTsk" matches no call`, `autotagger.yaml: catalogue.disable[0]: "s3:Create"`}},
		"empty":      {"", []string{"add cors: with rules, or cors: off"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "autotagger.yaml")
			if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			_, _, err := readConfig(path)
			if err == nil {
				t.Fatal("it is taken")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q doesn't say %q", err, want)
				}
			}
		})
	}
}

func TestConfigurationMissing(t *testing.T) {
	_, _, err := readConfig(filepath.Join(t.TempDir(), "mine.yaml"))
	if err == nil || !strings.Contains(err.Error(), "mine.yaml: copy autotagger.example.yaml to it") {
		t.Errorf("the error is %v", err)
	}
}

// The configurations of the repository are fit to be deployed.
func TestConfigurationsShipped(t *testing.T) {
	for _, name := range []string{"autotagger.yaml", "autotagger.example.yaml"} {
		if _, _, err := readConfig(filepath.Join("..", name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLogDays(t *testing.T) {
	if days, err := logDays("90"); err != nil || days != 90 {
		t.Errorf("90 is %d, %v", days, err)
	}
	for _, text := range []string{"91", "0", "", "ninety", "90.0"} {
		if _, err := logDays(text); err == nil || !strings.Contains(err.Error(), "60, 90, 120") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// given reads the settings of a context, in an account and region.
func given(t *testing.T, account, region string, context map[string]any) (Settings, error) {
	t.Helper()
	t.Setenv("CDK_DEFAULT_ACCOUNT", account)
	t.Setenv("CDK_DEFAULT_REGION", region)
	all := map[string]any{contextConfig: "../" + defaultConfig}
	maps.Copy(all, context)
	return settings(awscdk.NewApp(&awscdk.AppProps{Context: &all}).Node())
}

func TestSettings(t *testing.T) {
	s, err := given(t, testAccount, testRegion, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Architecture != "arm64" || s.LogDays != 90 || s.CallAs != "DELEGATED_ADMIN" || !s.Companions || s.CustomerKey || s.Tracing || s.Organization != "" || len(s.Warnings) > 0 {
		t.Errorf("by default %+v", s)
	}
	s, err = given(t, testAccount, testRegion, map[string]any{
		"architecture": "x86_64", "log-retention-days": 30, "organization": testOrganization, "organizational-units": "r-ab12, ou-ab12-c3d4e5f6",
		"call-as": "SELF", "regions": []string{"eu-central-1", "us-east-1"}, "companions": false, "config-bucket": "my-bucket",
		"encryption": "customer-key", "alarm-topic": "arn:aws:sns:eu-west-1:111122223333:pager", "tracing": true,
		"@aws-cdk/core:newStyleStackSynthesis": true, "cli-telemetry": false,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := s
	want.Architecture, want.LogDays, want.Organization, want.Units, want.CallAs = "x86_64", 30, testOrganization, []string{"r-ab12", "ou-ab12-c3d4e5f6"}, "SELF"
	want.Regions, want.Companions, want.ConfigBucket, want.CustomerKey = []string{"eu-central-1", "us-east-1"}, false, "my-bucket", true
	want.AlarmTopic, want.Tracing, want.Warnings = "arn:aws:sns:eu-west-1:111122223333:pager", true, nil
	if !reflect.DeepEqual(s, want) {
		t.Errorf("settings are\n%+v, want\n%+v", s, want)
	}
}

// What can't be meant is refused, by the name of the setting and with what it may be.
func TestSettingsRefused(t *testing.T) {
	const home = testRegion
	for name, c := range map[string]struct {
		account, region string
		context         map[string]any
		want            []string
	}{
		"architecture":         {testAccount, home, map[string]any{"architecture": "amd64"}, []string{`architecture is "amd64"; it is one of arm64, x86_64`}},
		"days":                 {testAccount, home, map[string]any{"log-retention-days": 91}, []string{`log-retention-days is "91"; CloudWatch Logs knows 1, 3`}},
		"organisation":         {testAccount, home, map[string]any{"organization": "111122223333"}, []string{`organization is "111122223333"; an organisation's id looks like o-`}},
		"units":                {testAccount, home, map[string]any{"organization": testOrganization, "organizational-units": "Workloads"}, []string{`organizational-units is "Workloads"; units look like ou-`}},
		"call-as":              {testAccount, home, map[string]any{"organization": testOrganization, "call-as": "me"}, []string{`call-as is "me"; it is one of DELEGATED_ADMIN, SELF`}},
		"hub":                  {testAccount, home, map[string]any{"organization": testOrganization, "hub": "autotagger"}, []string{`hub is "autotagger"; it is the ARN of the hub's bus, arn:aws:events:`}},
		"another bus":          {testAccount, home, map[string]any{"organization": testOrganization, "hub": "arn:aws:events:eu-west-1:222233334444:event-bus/default"}, []string{`event-bus/autotagger`}},
		"region":               {testAccount, home, map[string]any{"regions": "Ireland"}, []string{`regions is "Ireland"; regions look like eu-west-1`}},
		"region twice":         {testAccount, home, map[string]any{"regions": "us-east-1,us-east-1"}, []string{`us-east-1 is there twice`}},
		"another partition":    {testAccount, home, map[string]any{"regions": "us-east-1,cn-north-1"}, []string{`regions has cn-north-1 of the partition aws-cn; eu-west-1 is of aws`}},
		"hub elsewhere":        {testAccount, home, map[string]any{"organization": testOrganization, "hub": "arn:aws-cn:events:cn-north-1:222233334444:event-bus/autotagger"}, []string{`hub is in the partition aws-cn; eu-west-1 is of aws`}},
		"companions":           {testAccount, home, map[string]any{"companions": "some"}, []string{`companions is "some"; it is one of true, false`}},
		"bucket":               {testAccount, home, map[string]any{"config-bucket": "s3://mine"}, []string{`config-bucket is "s3://mine"; it is the name of a bucket`}},
		"encryption":           {testAccount, home, map[string]any{"encryption": "kms"}, []string{`encryption is "kms"; it is one of sqs, customer-key`}},
		"topic":                {testAccount, home, map[string]any{"alarm-topic": "pager"}, []string{`alarm-topic is "pager"; it is the ARN of an SNS topic`}},
		"topic elsewhere":      {testAccount, home, map[string]any{"alarm-topic": "arn:aws:sns:us-east-1:111122223333:pager"}, []string{`alarm-topic is in us-east-1: alarms reach topics of their own region only, eu-west-1`}},
		"topic and e-mail":     {testAccount, home, map[string]any{"alarm-topic": "arn:aws:sns:eu-west-1:111122223333:pager", "alarm-email": "a@example.com"}, []string{`alarm-topic and alarm-email are both given`}},
		"e-mail":               {testAccount, home, map[string]any{"alarm-email": "me"}, []string{`alarm-email is "me"; it is an e-mail address`}},
		"tracing":              {testAccount, home, map[string]any{"tracing": "yes"}, []string{`tracing is "yes"; it is one of false, true`}},
		"no organisation":      {testAccount, home, map[string]any{"organizational-units": "r-ab12", "call-as": "SELF"}, []string{`organizational-units is "r-ab12": it needs organization=o-…`, `call-as is given: it needs organization=o-…`}},
		"no credentials":       {"", "", map[string]any{"organization": testOrganization}, []string{`the account to deploy to isn't known: set AWS_PROFILE`, `the region to deploy to isn't known: set AWS_REGION`}},
		"no account":           {"", home, map[string]any{"organization": testOrganization}, []string{`organization is "` + testOrganization + `", and the account to deploy to isn't known: set AWS_PROFILE, or without credentials CDK_DEFAULT_ACCOUNT`}},
		"no region":            {testAccount, "", map[string]any{"organization": testOrganization}, []string{`", and the region to deploy to isn't known: set AWS_REGION`}},
		"no such region":       {testAccount, "mars-1", nil, []string{`the region to deploy to is "mars-1"; regions look like eu-west-1: set AWS_REGION`}},
		"misspelt":             {testAccount, home, map[string]any{"organisation": testOrganization}, []string{`the context organisation isn't known; did you mean organization? known are config, `}},
		"unknown":              {testAccount, home, map[string]any{"foo": 1}, []string{`the context foo isn't known; known are config, `}},
		"empty":                {testAccount, home, map[string]any{"organization": "", "organizational-units": "", "hub": ""}, []string{`organization is empty: give its value, or leave it out`, `organizational-units is empty`, `hub is empty`}},
		"spoke, no account":    {"", home, map[string]any{"organization": testOrganization, "hub": testHub}, []string{`isn't known: set AWS_PROFILE`}},
		"spoke, no membership": {testAccount, home, map[string]any{"hub": testHub}, []string{`hub is in the account 222233334444 and this one is 111122223333: spokes of another account need organization=o-…`}},
		"spoke with units":     {testAccount, home, map[string]any{"organization": testOrganization, "hub": testHub, "organizational-units": "r-ab12"}, []string{`organizational-units belongs to the hub's own deployment`}},
		"several":              {testAccount, home, map[string]any{"architecture": "arm", "tracing": "on"}, []string{`architecture is "arm"`, `tracing is "on"`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := given(t, c.account, c.region, c.context)
			if err == nil {
				t.Fatal("it is taken")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q doesn't say %q", err, want)
				}
			}
		})
	}
}

// What has no effect where it is given is warned of.
func TestIdleSettings(t *testing.T) {
	for name, c := range map[string]struct {
		context map[string]any
		want    []string
	}{
		"spokes": {
			map[string]any{"organization": testOrganization, "hub": testHub, "regions": "us-east-1", "alarm-email": "a@example.com", "alarm-topic": "", "tracing": true, "log-retention-days": 30},
			[]string{"log-retention-days has no effect with hub: it belongs to the hub's own deployment", "alarm-email has", "tracing has"},
		},
		"spokes elsewhere than the topic": {
			map[string]any{"organization": testOrganization, "hub": testHub, "alarm-topic": "arn:aws:sns:us-east-1:111122223333:pager"},
			[]string{"alarm-topic has"},
		},
		"no units": {
			map[string]any{"organization": testOrganization, "regions": "us-east-1", "call-as": "SELF"},
			[]string{"call-as has no effect without organizational-units: it is the stack sets'", "regions has"},
		},
		"units":       {map[string]any{"organization": testOrganization, "organizational-units": "r-ab12", "regions": "us-east-1", "call-as": "SELF"}, nil},
		"one account": {map[string]any{"regions": "us-east-1", "tracing": true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := given(t, testAccount, testRegion, c.context)
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Warnings) != len(c.want) {
				t.Fatalf("warnings %q, want %q", s.Warnings, c.want)
			}
			for i, want := range c.want {
				if !strings.HasPrefix(s.Warnings[i], want) {
					t.Errorf("warns %q, want %q", s.Warnings[i], want)
				}
			}
		})
	}
}

// A spoke of the hub's own account and region has nothing to do.
func TestNothingToDeploy(t *testing.T) {
	s, err := testSettings(testConfig, bootstraps(t))
	if err != nil {
		t.Fatal(err)
	}
	s.Hub = "arn:aws:events:" + testRegion + ":" + testAccount + ":event-bus/autotagger"
	if err := newApp(awscdk.NewApp(nil), s, t.TempDir()); err == nil || !strings.Contains(err.Error(), "there is nothing to deploy") {
		t.Errorf("the error is %v", err)
	}
}
