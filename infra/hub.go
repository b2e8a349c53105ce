package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
	"autotagger/internal/plan"
)

// hub is the stack of queues and functions, while it is made.
type hub struct {
	settings Settings
	rows     []*catalogue.Row // that are on
	stack    awscdk.Stack
	bus      awsevents.CfnEventBus
	// writing and configuration are the parameters that the functions look at.
	writing, configuration awsssm.StringParameter
	// undelivered gets what a rule can't deliver.
	undelivered awssqs.Queue
	// table is the ledger's; nil: there is none.
	table awsdynamodb.Table
	jobs  []*job
	// key encrypts queues and topic; nil: SQS's own does.
	key awskms.IKey
	// topic is the ARN of the topic that alarms go to; nil: there is none.
	topic *string
	// way is what the spokes' events go through: the bus's policy and rules.
	way []constructs.IDependable
}

// newHub adds the hub's stack to an app. Assets are laid out under stage, which
// may be removed once the app is synthesised.
func newHub(app awscdk.App, s Settings, rows []*catalogue.Row, stage string) (*hub, error) {
	stack := awscdk.NewStack(app, jsii.String(deployment.Stack), &awscdk.StackProps{
		Description: jsii.String("Tags new resources with their creator and cost center, and gives new buckets cross-origin rules"),
		Env:         environment(s.Account, s.Region),
	})
	awscdk.Tags_Of(stack).Add(jsii.String(deployment.TagKey), jsii.String(deployment.TagValue), nil)
	output(stack, deployment.OutputVersion, jsii.String(deployment.Version), "The version of autotagger")
	h := &hub{settings: s, rows: rows, stack: stack}
	h.addBus()
	h.addParameters()
	h.addKey()
	h.undelivered = newQueue(stack, "Undelivered", deadDays, nil, h.key)
	excuse(h.undelivered, "AwsSolutions-SQS3", lastQueue)
	letRulesSend(h.undelivered, h.rules("")...)
	output(stack, deployment.OutputUndelivered, h.undelivered.QueueUrl(), "Events that EventBridge could not deliver")

	h.addTable()
	h.jobs = newJobs(s, rows)
	for _, j := range h.jobs {
		if err := h.addJob(j, stage); err != nil {
			return nil, fmt.Errorf("deploying %s: %w", j.name, err)
		}
	}
	h.addTopic()
	h.addSpokeAlarms()
	h.addOperations()
	all, global, warnings := places(s, rows)
	warn(stack, slices.Concat(s.Warnings, warnings))
	if err := h.addStackSets(all, global, h.way...); err != nil {
		return nil, err
	}
	return h, nil
}

// lastQueue is why a queue has no dead-letter queue.
const lastQueue = "It is the dead-letter queue of rules, which nothing reads but a person."

// newJobs are the functions of a configuration.
func newJobs(s Settings, rows []*catalogue.Row) []*job {
	tagger := &job{
		name: deployment.Tagger, id: "Tagger",
		description: "Tags new resources with their creator and cost center",
		rows:        rows, concurrency: 5,
		allow: func(role awsiam.Role) error {
			allowHistory(role)
			return errors.Join(allowLookUps(role, s.Policy), allowTagging(role, catalogue.Actions(rows), s.Policy.Keys()))
		},
		own: (*hub).allowOwnLookUps,
	}
	if s.Policy.RemovedTags {
		tagger.more = append(tagger.more, catalogue.Removals())
	}
	jobs := []*job{tagger}
	if !s.Policy.CORS.Off {
		jobs = append(jobs, &job{
			name: deployment.CORS, id: "Cors",
			description: "Gives new buckets cross-origin rules",
			rows:        bucketRows(rows), concurrency: 2,
			allow: func(role awsiam.Role) error {
				allowHistory(role)
				allowCORS(role)
				return nil
			},
		})
	}
	if s.Policy.LookUps.Ledger {
		jobs = append(jobs, &job{
			name: deployment.Ledger, id: "Ledger",
			description: "Records who began sessions and who made stacks",
			more:        catalogue.Ledger(), concurrency: 2,
			own: (*hub).allowRecording,
		})
	}
	return jobs
}

// forwardedPatterns are those of all that the hub's functions handle. Those of CORS are
// the tagger's, too.
func forwardedPatterns(s Settings, rows []*catalogue.Row) ([]catalogue.Pattern, error) {
	var all []catalogue.Pattern
	for _, j := range newJobs(s, rows) {
		if j.name == deployment.CORS {
			continue
		}
		patterns, err := j.patterns()
		if err != nil {
			return nil, err
		}
		all = append(all, patterns...)
	}
	return all, nil
}

// bucketRows returns the rows of the calls that make general purpose buckets.
func bucketRows(rows []*catalogue.Row) []*catalogue.Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r *catalogue.Row) bool {
		return !slices.ContainsFunc(r.Resources, func(res catalogue.Resource) bool { return res.Type == plan.BucketType })
	})
}

// addBus makes the bus that other regions and accounts forward to. Its policy
// lets the rules of the organisation's accounts in, by the role that puts their
// events; within the account the roles' own policies are enough.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-perms.html
func (h *hub) addBus() {
	h.bus = awsevents.NewCfnEventBus(h.stack, jsii.String("Bus"), &awsevents.CfnEventBusProps{
		Name:        jsii.String(deployment.Bus),
		Description: jsii.String("Events for autotagger from other regions and accounts"),
	})
	output(h.stack, "BusArn", h.bus.AttrArn(), "The bus that spokes forward to: -c hub=… of their deployment")
	if h.settings.Organization == "" {
		return
	}
	policy := awsevents.NewCfnEventBusPolicy(h.stack, jsii.String("BusPolicy"), &awsevents.CfnEventBusPolicyProps{
		EventBusName: h.bus.Ref(),
		StatementId:  jsii.String("Spokes"),
		Statement: map[string]any{
			"Sid": "Spokes", "Effect": "Allow", "Principal": "*", "Action": "events:PutEvents", "Resource": h.bus.AttrArn(),
			"Condition": map[string]any{
				"StringEquals": map[string]any{"aws:PrincipalOrgID": h.settings.Organization},
				"ArnLike": map[string]any{"aws:PrincipalArn": h.stack.FormatArn(&awscdk.ArnComponents{
					Service: jsii.String("iam"), Region: jsii.String(""), Account: jsii.String("*"),
					Resource: jsii.String("role"), ResourceName: jsii.String(deployment.ForwardRole("*")),
				})},
			},
		},
	})
	h.way = append(h.way, policy)
}

// addKey makes the key of a deployment that wants one of its own. EventBridge sends
// no source that a key's policy could ask for, unlike CloudWatch: which rules may
// send, the queues' policies say.
//
//   - https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html#compatibility-with-aws-services
//   - https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
func (h *hub) addKey() {
	if !h.settings.CustomerKey {
		return
	}
	key := awskms.NewKey(h.stack, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String("Encrypts autotagger's queues and alarm topic"),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     awscdk.RemovalPolicy_DESTROY, // after KMS's own waiting period
	})
	allow := func(sid, service string, conditions *map[string]any) {
		key.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:        jsii.String(sid),
			Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String(service), nil)},
			Actions:    jsii.Strings("kms:GenerateDataKey", "kms:Decrypt"),
			Resources:  jsii.Strings("*"), // in a key's policy, the key
			Conditions: conditions,
		}), nil)
	}
	allow("Rules", "events.amazonaws.com", nil)
	if h.settings.AlarmEmail != "" {
		allow("Alarms", "cloudwatch.amazonaws.com", h.ofAlarms())
	}
	h.key = key
}

// addParameters makes what can be changed without a deployment. A deployment
// leaves a value as it stands, unless its own has changed. An organisation begins
// by observing.
func (h *hub) addParameters() {
	writing := deployment.WritingOn
	if h.settings.Organization != "" {
		writing = deployment.WritingOff
	}
	h.writing = awsssm.NewStringParameter(h.stack, jsii.String("Writing"), &awsssm.StringParameterProps{
		ParameterName: jsii.String(deployment.ParameterWriting), SimpleName: jsii.Bool(false),
		Description:    jsii.String("Whether autotagger writes: on, or off to observe only"),
		AllowedPattern: jsii.String("^(" + deployment.WritingOn + "|" + deployment.WritingOff + ")$"),
		StringValue:    jsii.String(writing),
	})
	h.configuration = awsssm.NewStringParameter(h.stack, jsii.String("Configuration"), &awsssm.StringParameterProps{
		ParameterName: jsii.String(deployment.ParameterConfiguration), SimpleName: jsii.Bool(false),
		Description: jsii.String("Where autotagger's configuration is: " + deployment.Deployed + ", or s3://bucket/key"),
		StringValue: jsii.String(deployment.Deployed),
	})
}

// warn shows what a person should look at when a stack is synthesised.
func warn(stack awscdk.Stack, texts []string) {
	for i, text := range texts {
		awscdk.Annotations_Of(stack).AddWarningV2(jsii.String(fmt.Sprintf("autotagger:%d", i+1)), jsii.String(text))
	}
}

func output(stack awscdk.Stack, id string, value *string, description string) {
	awscdk.NewCfnOutput(stack, jsii.String(id), &awscdk.CfnOutputProps{Value: value, Description: jsii.String(description)})
}

// environment is where a stack goes, as far as it is known.
func environment(account, region string) *awscdk.Environment {
	env := &awscdk.Environment{}
	if account != "" {
		env.Account = jsii.String(account)
	}
	if region != "" {
		env.Region = jsii.String(region)
	}
	return env
}

// excuse says why a finding of cdk-nag stays, at the resource where it is found;
// of a policy only what it says of the given resources.
// https://github.com/cdklabs/cdk-nag#suppressing-a-rule
func excuse(on constructs.IConstruct, rule, reason string, resources ...string) {
	resource, ok := on.(awscdk.CfnResource)
	if !ok {
		resource = on.Node().DefaultChild().(awscdk.CfnResource)
	}
	finding := map[string]any{"id": rule, "reason": reason}
	if len(resources) > 0 {
		var applies []any
		for _, r := range resources {
			applies = append(applies, "Resource::"+r)
		}
		finding["appliesTo"] = applies
	}
	const key = "cdk_nag"
	var all []any
	if earlier, ok := resource.GetMetadata(jsii.String(key)).(map[string]any); ok {
		all, _ = earlier["rules_to_suppress"].([]any)
	}
	resource.AddMetadata(jsii.String(key), map[string]any{"rules_to_suppress": append(all, finding)})
}

// policyOf is a role's own policy.
func policyOf(role awsiam.Role) constructs.IConstruct {
	return role.Node().FindChild(jsii.String("DefaultPolicy"))
}
