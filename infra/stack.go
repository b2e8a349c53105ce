package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambdaeventsources"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"autotagger/internal/catalogue"
	"autotagger/internal/plan"
)

const stackName = "Autotagger"

const (
	// timeout is how long a function has for one batch, in seconds.
	timeout = 60
	// visibility is how long a message that is being handled stays hidden.
	// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
	visibility = 6 * timeout
	// attempts is how often a message is tried before it is a dead letter. One
	// that failed comes back after the visibility timeout: ten are an hour, for
	// resources that can't be tagged until they are ready.
	attempts = 10
	// queueDays and deadDays are how long messages are kept. A message takes
	// its age along into the dead-letter queue, so that this one keeps longer.
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
	queueDays = 4
	deadDays  = 14
)

// job is a function and what it is for.
type job struct {
	name        string // tagger: the function, its folder and part of every name
	id          string // Tagger: the same as CDK writes it
	description string
	rows        []*catalogue.Row // whose calls it handles
	// concurrency is how many batches are handled at once. Tag APIs are
	// throttled by account: more would only be refused more often.
	// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
	concurrency float64
	allow       func(awsiam.Role) error
}

// newStack adds the stack to an app. Assets are laid out under stage, which
// may be removed once the app is synthesised.
func newStack(app awscdk.App, s Settings, stage string) (awscdk.Stack, error) {
	all, err := catalogue.Default().All()
	if err != nil {
		return nil, err
	}
	rows := s.Policy.RowsOn(all)
	stack := awscdk.NewStack(app, jsii.String(stackName), &awscdk.StackProps{
		Description: jsii.String("Tags new resources with their creator and cost center, and gives new buckets cross-origin rules"),
		Env:         environment(s),
	})
	awscdk.Tags_Of(stack).Add(jsii.String("Application"), jsii.String("autotagger"), nil)
	warnOfRegion(stack, s.Region)

	undelivered := newQueue(stack, "Undelivered", deadDays, nil)
	letRulesSend(stack, undelivered, rulePrefix)
	output(stack, "UndeliveredQueueUrl", undelivered.QueueUrl(), "Events that EventBridge could not deliver")

	jobs := []job{{
		name: "tagger", id: "Tagger",
		description: "Tags new resources with their creator and cost center",
		rows:        rows, concurrency: 5,
		allow: func(role awsiam.Role) error {
			return allowTagging(role, catalogue.Actions(rows), s.Policy.Keys())
		},
	}}
	if !s.Policy.CORS.Off {
		jobs = append(jobs, job{
			name: "cors", id: "Cors",
			description: "Gives new buckets cross-origin rules",
			rows:        bucketRows(rows), concurrency: 2,
			allow: func(role awsiam.Role) error {
				allowCORS(stack, role)
				return nil
			},
		})
	}
	for _, j := range jobs {
		if err := j.add(stack, s, stage, undelivered); err != nil {
			return nil, fmt.Errorf("deploying %s: %w", j.name, err)
		}
	}
	return stack, nil
}

// bucketRows returns the rows of the calls that make general purpose buckets.
func bucketRows(rows []*catalogue.Row) []*catalogue.Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r *catalogue.Row) bool {
		return !slices.ContainsFunc(r.Resources, func(res catalogue.Resource) bool { return res.Type == plan.BucketType })
	})
}

// add makes the function with its queues, rules and permissions.
func (j job) add(stack awscdk.Stack, s Settings, stage string, undelivered awssqs.Queue) error {
	code, err := makeAsset(stage, s.Build, j.name, s.File)
	if err != nil {
		return err
	}
	patterns, err := catalogue.Patterns(j.rows)
	if err != nil {
		return err
	}

	scope := constructs.NewConstruct(stack, jsii.String(j.id))
	dead := newQueue(scope, "DeadLetters", deadDays, nil)
	queue := newQueue(scope, "Queue", queueDays, dead)
	letRulesSend(stack, queue, rulePrefix+j.name+"-")
	if err := newRules(scope, j.name, patterns, queue, undelivered); err != nil {
		return err
	}

	role := awsiam.NewRole(scope, jsii.String("Role"), &awsiam.RoleProps{
		// The policy knows our own calls by the names of our roles. IAM is
		// global, so that the region keeps two deployments apart.
		RoleName:    jsii.String("autotagger-" + j.name + "-" + *stack.Region()),
		Description: jsii.String("Runs autotagger's function " + j.name),
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	if err := j.allow(role); err != nil {
		return err
	}
	function := j.newFunction(scope, role, code, s.LogDays)
	// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
	function.AddEventSource(awslambdaeventsources.NewSqsEventSource(queue, &awslambdaeventsources.SqsEventSourceProps{
		BatchSize:               jsii.Number(100),
		MaxBatchingWindow:       awscdk.Duration_Seconds(jsii.Number(1)), // batches above 10 need one
		ReportBatchItemFailures: jsii.Bool(true),
		MaxConcurrency:          jsii.Number(j.concurrency),
	}))

	output(stack, j.id+"FunctionName", function.FunctionName(), "The function "+j.name)
	output(stack, j.id+"QueueUrl", queue.QueueUrl(), "Events for "+j.name)
	output(stack, j.id+"DeadLetterQueueUrl", dead.QueueUrl(), "Events that "+j.name+" gave up on")
	return nil
}

// newFunction makes the function and its log group, the only one that its role
// may write to.
func (j job) newFunction(scope constructs.Construct, role awsiam.Role, code string, days int) awslambda.Function {
	name := "autotagger-" + j.name
	logs := awslogs.NewLogGroup(scope, jsii.String("Logs"), &awslogs.LogGroupProps{
		LogGroupName:  jsii.String("/aws/lambda/" + name),
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
	// CDK knows the periods by names only.
	logs.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(float64(days)))
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:       jsii.String("Logs"),
		Actions:   jsii.Strings("logs:CreateLogStream", "logs:PutLogEvents"),
		Resources: &[]*string{logs.LogGroupArn()}, // ends in :*, the streams of the group
	}))
	return awslambda.NewFunction(scope, jsii.String("Function"), &awslambda.FunctionProps{
		FunctionName:  jsii.String(name),
		Description:   jsii.String(j.description),
		Runtime:       awslambda.Runtime_PROVIDED_AL2023(),
		Architecture:  awslambda.Architecture_ARM_64(),
		Handler:       jsii.String(bootstrap),
		Code:          awslambda.Code_FromAsset(jsii.String(code), nil),
		Role:          role,
		MemorySize:    jsii.Number(256),
		Timeout:       awscdk.Duration_Seconds(jsii.Number(timeout)),
		LogGroup:      logs,
		LoggingFormat: awslambda.LoggingFormat_JSON,
		Environment:   &map[string]*string{"AUTOTAGGER_CONFIG": jsii.String(configFile)},
	})
}

// newQueue makes a queue under SQS's own key: EventBridge can't send to one
// under the AWS managed key of KMS.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-sqs-sse-queue.html
func newQueue(scope constructs.Construct, id string, days float64, dead awssqs.Queue) awssqs.Queue {
	props := &awssqs.QueueProps{
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(days)),
	}
	if dead != nil {
		props.VisibilityTimeout = awscdk.Duration_Seconds(jsii.Number(visibility))
		props.DeadLetterQueue = &awssqs.DeadLetterQueue{Queue: dead, MaxReceiveCount: jsii.Number(attempts)}
	}
	return awssqs.NewQueue(scope, jsii.String(id), props)
}

func output(stack awscdk.Stack, id string, value *string, description string) {
	awscdk.NewCfnOutput(stack, jsii.String(id), &awscdk.CfnOutputProps{Value: value, Description: jsii.String(description)})
}

func environment(s Settings) *awscdk.Environment {
	env := &awscdk.Environment{}
	if s.Account != "" {
		env.Account = jsii.String(s.Account)
	}
	if s.Region != "" {
		env.Region = jsii.String(s.Region)
	}
	return env
}

// warnOfRegion says what a deployment doesn't see. Events of global services
// arrive in one region of the partition only.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html#cloudtrail-concepts-global-service-events
func warnOfRegion(stack awscdk.Stack, region string) {
	if strings.HasPrefix(region, "us-") && region != "us-west-2" && !strings.HasPrefix(region, "us-gov-") {
		awscdk.Annotations_Of(stack).AddInfoV2(jsii.String("autotagger:us-west-2"),
			jsii.String("Global Accelerator, Network Manager and some others deliver their events to us-west-2 only: deploy there as well if you use them."))
	}
	var text string
	switch region {
	case "us-east-1", "us-gov-west-1":
		return
	case "":
		text = "the region isn't known (no credentials, no AWS_REGION): unless it is us-east-1, "
	default:
		text = region + " doesn't get the events of global services: "
	}
	awscdk.Annotations_Of(stack).AddWarningV2(jsii.String("autotagger:global-services"),
		jsii.String(text+"what is created in IAM, Route 53, CloudFront and other global services isn't tagged. Deploy to us-east-1 (us-gov-west-1 in GovCloud) as well."))
}
