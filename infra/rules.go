package main

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"autotagger/internal/catalogue"
)

// rulePrefix begins the names of all rules; the queues' policies know them by
// it.
const rulePrefix = "autotagger-"

// maxRuleName is how long a rule's name may be.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
const maxRuleName = 64

// newRules makes one rule a pattern on the default bus, where AWS's own events
// arrive. Rules are named for their pattern's label, which stays when the
// catalogue gains a service: a deployment changes that service's rule alone.
//
// The rules are made from the pattern's JSON by the resource itself: the
// higher construct's EventPattern would have to be told each field.
func newRules(scope constructs.Construct, function string, patterns []catalogue.Pattern, queue, undelivered awssqs.Queue) error {
	for _, p := range patterns {
		name := rulePrefix + function + "-" + p.Label
		if len(name) > maxRuleName {
			return fmt.Errorf("the rule's name %s is longer than %d characters", name, maxRuleName)
		}
		var pattern map[string]any
		if err := json.Unmarshal([]byte(p.JSON()), &pattern); err != nil {
			return fmt.Errorf("reading the event pattern of %s: %w", p.Label, err)
		}
		rule := awsevents.NewCfnRule(scope, jsii.String("Rule-"+p.Label), &awsevents.CfnRuleProps{
			Name:         jsii.String(name),
			Description:  jsii.String("For autotagger: " + p.About),
			EventPattern: pattern,
			Targets: []any{awsevents.CfnRule_TargetProperty{
				Id:  jsii.String("queue"),
				Arn: queue.QueueArn(),
				// Both are the service's defaults and its limits; without the
				// dead-letter queue what fails for a day is gone.
				// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
				RetryPolicy: awsevents.CfnRule_RetryPolicyProperty{
					MaximumEventAgeInSeconds: jsii.Number(86400),
					MaximumRetryAttempts:     jsii.Number(185),
				},
				DeadLetterConfig: awsevents.CfnRule_DeadLetterConfigProperty{Arn: undelivered.QueueArn()},
			}},
		})
		// A delivery that isn't permitted isn't retried: the queues' policies
		// have to be there before the first event.
		for _, q := range []awssqs.Queue{queue, undelivered} {
			rule.Node().AddDependency(q.Node().FindChild(jsii.String("Policy")))
		}
	}
	return nil
}

// letRulesSend lets the rules whose names start with a prefix send to a queue.
// One statement serves them all: one for each would outgrow the queue's policy.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions
func letRulesSend(stack awscdk.Stack, queue awssqs.Queue, prefix string) {
	queue.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("Rules"),
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil)},
		Actions:    jsii.Strings("sqs:SendMessage"),
		Resources:  &[]*string{queue.QueueArn()},
		Conditions: &map[string]any{
			"ArnLike": map[string]any{"aws:SourceArn": stack.FormatArn(&awscdk.ArnComponents{
				Service:      jsii.String("events"),
				Resource:     jsii.String("rule"),
				ResourceName: jsii.String(prefix + "*"),
			})},
			"StringEquals": map[string]any{"aws:SourceAccount": stack.Account()},
		},
	}))
}
