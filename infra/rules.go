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
	"autotagger/internal/cloudtrail"
	"autotagger/internal/deployment"
)

// maxRuleName is how long a rule's name may be.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
const maxRuleName = 64

// target is where a rule sends to.
type target struct {
	arn, role   *string // the role to do so under; nil where the target's policy lets rules in
	undelivered *string // ARN of the queue for what can't be delivered
	// first has to be there before the first event: a delivery that isn't permitted
	// isn't retried.
	first []constructs.IDependable
}

// queueTarget is a queue. It takes no role: its policy lets our rules in.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
func queueTarget(queue, undelivered awssqs.Queue) target {
	t := target{arn: queue.QueueArn(), undelivered: undelivered.QueueArn()}
	for _, q := range []awssqs.Queue{queue, undelivered} {
		t.first = append(t.first, q.Node().FindChild(jsii.String("Policy")))
	}
	return t
}

// newRule makes a rule on a bus; nil is the default bus, where AWS's own events
// arrive. The rule is made from the pattern's JSON by the resource itself: the
// higher construct's EventPattern would have to be told each field.
func (t target) newRule(scope constructs.Construct, id, name, about string, pattern map[string]any, bus *string) awsevents.CfnRule {
	var description *string // a spoke's template has no room for one
	if about != "" {
		description = jsii.String("For autotagger: " + about)
	}
	rule := awsevents.NewCfnRule(scope, jsii.String(id), &awsevents.CfnRuleProps{
		Name:         jsii.String(name),
		Description:  description,
		EventBusName: bus,
		EventPattern: pattern,
		Targets: []any{awsevents.CfnRule_TargetProperty{
			Id:      jsii.String("autotagger"),
			Arn:     t.arn,
			RoleArn: t.role,
			// Both are the service's defaults and its limits; without the
			// dead-letter queue what fails for a day is gone.
			// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
			RetryPolicy: awsevents.CfnRule_RetryPolicyProperty{
				MaximumEventAgeInSeconds: jsii.Number(86400),
				MaximumRetryAttempts:     jsii.Number(185),
			},
			DeadLetterConfig: awsevents.CfnRule_DeadLetterConfigProperty{Arn: t.undelivered},
		}},
	})
	rule.Node().AddDependency(t.first...)
	return rule
}

// newRules makes one rule a pattern on the default bus. Rules are named for their
// pattern's label, which stays when the catalogue gains a service: a deployment
// changes that service's rule alone.
func newRules(scope constructs.Construct, kind string, patterns []catalogue.Pattern, to target) error {
	for _, p := range patterns {
		name, err := ruleName(kind, p)
		if err != nil {
			return err
		}
		pattern, err := asMap(p)
		if err != nil {
			return err
		}
		takeReadOnly(p, to.newRule(scope, "Rule-"+p.Label, name, p.About, pattern, nil))
	}
	return nil
}

// takeReadOnly lets a rule get events of read-only calls, on whichever bus, where its
// pattern asks for some.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail-management.html
func takeReadOnly(p catalogue.Pattern, rule awsevents.CfnRule) awsevents.CfnRule {
	if p.ReadOnly {
		rule.SetState(jsii.String(deployment.StateReadOnly))
	}
	return rule
}

func ruleName(kind string, p catalogue.Pattern) (string, error) {
	name := deployment.RulePrefix(kind) + p.Label
	if len(name) > maxRuleName {
		return "", fmt.Errorf("the rule's name %s is longer than %d characters", name, maxRuleName)
	}
	return name, nil
}

func asMap(p catalogue.Pattern) (map[string]any, error) {
	var pattern map[string]any
	if err := json.Unmarshal([]byte(p.JSON()), &pattern); err != nil {
		return nil, fmt.Errorf("reading the event pattern of %s: %w", p.Label, err)
	}
	return pattern, nil
}

// forwarded lets through the API calls of AWS's own sources, which nobody but AWS
// can put on a bus: which calls matter, the spokes' rules have decided. What they forward
// for the ledger is left out, by the source that every record has; also where there is no
// ledger, since a spoke that is deployed apart may still forward it.
//
//   - https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
//   - https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
func forwarded() map[string]any {
	return map[string]any{
		"source":      []any{map[string]any{"prefix": "aws."}},
		"detail-type": []any{cloudtrail.DetailType},
		"detail":      map[string]any{"eventSource": []any{map[string]any{"anything-but": catalogue.LedgerSources()}}},
	}
}

// addBusRules joins the hub's bus with a function's queue. The tagger gets all
// that is forwarded but what is the ledger's, since spokes forward no more; the others
// what is theirs of it.
func (h *hub) addBusRules(scope constructs.Construct, j *job, patterns []catalogue.Pattern, to target) error {
	const bus = "bus"
	if j.name == deployment.Tagger {
		h.way = append(h.way, to.newRule(scope, "BusRule", deployment.RulePrefix(j.name)+bus, "what spokes forward", forwarded(), h.bus.Ref()))
		return nil
	}
	for _, p := range patterns {
		pattern, err := asMap(p)
		if err != nil {
			return err
		}
		h.way = append(h.way, takeReadOnly(p, to.newRule(scope, "BusRule-"+p.Label, deployment.RulePrefix(j.name)+bus+"-"+p.Label, p.About, pattern, h.bus.Ref())))
	}
	return nil
}

// letRulesSend lets rules send to a queue, by patterns of their ARNs. One
// statement serves them all: one for each would outgrow the queue's policy.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions
func letRulesSend(queue awssqs.Queue, arns ...*string) {
	queue.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("Rules"),
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil)},
		Actions:    jsii.Strings("sqs:SendMessage"),
		Resources:  &[]*string{queue.QueueArn()},
		Conditions: &map[string]any{
			"ArnLike":      map[string]any{"aws:SourceArn": arns},
			"StringEquals": map[string]any{"aws:SourceAccount": awscdk.Stack_Of(queue).Account()},
		},
	}))
}

// rules are the ARNs of rules whose names begin with our prefix and more: those of
// the hub's bus, and in a deployment for one account of the default bus.
func (h *hub) rules(names string) []*string {
	arns := []*string{ruleArn(h.stack, deployment.Bus+"/"+deployment.Prefix+names+"*")}
	if h.settings.Organization == "" {
		arns = append(arns, ruleArn(h.stack, deployment.Prefix+names+"*"))
	}
	return arns
}

// ruleArn is a rule's ARN: of the default bus by its name, of another by the
// bus's and its own.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html
func ruleArn(stack awscdk.Stack, name string) *string {
	return stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("events"), Resource: jsii.String("rule"), ResourceName: jsii.String(name),
	})
}
