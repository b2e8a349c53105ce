package main

import (
	"encoding/json"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

// TestNag runs cdk-nag's AwsSolutions pack over every stack that there can be.
// What it finds and stays says why, at the resource, in the app. A stack that it must
// find something in shows that it ran over the app.
// https://github.com/cdklabs/cdk-nag/blob/main/RULES.md
func TestNag(t *testing.T) {
	for name, change := range map[string]func(*Settings){
		"one account":  func(s *Settings) { s.Regions = []string{"eu-central-1"}; s.Companions = true },
		"customer key": func(s *Settings) { s.CustomerKey, s.Tracing, s.AlarmEmail = true, true, "ops@example.com" },
		"organisation": func(s *Settings) {
			s.Organization, s.Units, s.Companions = testOrganization, []string{"r-ab12"}, true
			s.AlarmEmail, s.ConfigBucket = "ops@example.com", "my-bucket"
		},
		"look-ups":                 func(s *Settings) { s.look(); s.CustomerKey = true },
		"look-ups in organisation": func(s *Settings) { s.look(); s.Organization, s.Units = testOrganization, []string{"r-ab12"} },
		"spokes":                   func(s *Settings) { s.Organization, s.Hub, s.Companions = testOrganization, testHub, true },
	} {
		t.Run(name, func(t *testing.T) {
			s, err := testSettings(testConfig, bootstraps(t))
			if err != nil {
				t.Fatal(err)
			}
			change(&s)
			app := awscdk.NewApp(nil)
			if err := newApp(app, s, t.TempDir()); err != nil {
				t.Fatal(err)
			}
			const control = "Control"
			awssqs.NewQueue(awscdk.NewStack(app, jsii.String(control), nil), jsii.String("Open"), nil)
			awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{Verbose: jsii.Bool(true)}), nil)
			findings := assertions.Match_StringLikeRegexp(jsii.String("AwsSolutions-.*"))
			stacks, found := 0, 0
			for _, child := range *app.Node().Children() {
				stack, ok := child.(awscdk.Stack)
				if !ok {
					continue
				}
				stacks++
				a := assertions.Annotations_FromStack(stack)
				for _, m := range append(*a.FindError(jsii.String("*"), findings), *a.FindWarning(jsii.String("*"), findings)...) {
					if *stack.StackName() == control {
						found++
						continue
					}
					text, _ := json.Marshal(m)
					t.Errorf("%s: %s", *stack.StackName(), text)
				}
			}
			if stacks < 2 {
				t.Error("there are no stacks")
			}
			if found == 0 {
				t.Error("a queue without TLS and dead letters isn't found: the pack didn't run")
			}
		})
	}
}
