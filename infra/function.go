package main

import (
	"errors"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambdaeventsources"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
	"autotagger/internal/schedule"
)

const (
	// timeout is how long a function has for one batch, in seconds.
	timeout = 60
	// visibility is how long a message that is being handled stays hidden.
	// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
	visibility = 6 * timeout
	// queueDays and deadDays are how long messages are kept. One that the queue gives
	// up on takes its age along into the dead-letter queue, so that this one keeps
	// longer.
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
	queueDays = 4
	deadDays  = 14
)

// job is a function and what it is for.
type job struct {
	name        string // tagger: the function, its folder and part of every name
	id          string // Tagger: the same as CDK writes it
	description string
	rows        []*catalogue.Row    // whose calls it handles
	more        []catalogue.Pattern // of further calls
	// concurrency is how many batches are handled at once. Tag APIs are
	// throttled by account: more would only be refused more often.
	// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
	concurrency float64
	// allow lets a role do the job in an account: the function's own, or a spoke's; nil:
	// there is nothing to do in accounts, and the function has no configuration.
	allow func(awsiam.Role) error
	// own lets the function's own role do what is done in the hub; nil: nothing is.
	own func(*hub, awsiam.Role) error

	// What the hub makes for it.
	queue, dead awssqs.Queue
	function    awslambda.Function
	logs        awslogs.LogGroup
}

// writes reports whether the job is done on resources.
func (j *job) writes() bool { return j.allow != nil }

// patterns are those of the job's events.
func (j *job) patterns() ([]catalogue.Pattern, error) {
	all, err := catalogue.Patterns(j.rows)
	return append(all, j.more...), err
}

// addJob makes the function with its queues, rules and permissions.
func (h *hub) addJob(j *job, stage string) error {
	files := h.settings
	if !j.writes() {
		files.File = nil
	}
	code, err := makeAsset(stage, files, j.name)
	if err != nil {
		return err
	}
	patterns, err := j.patterns()
	if err != nil {
		return err
	}
	scope := constructs.NewConstruct(h.stack, jsii.String(j.id))
	j.dead = newQueue(scope, "DeadLetters", deadDays, nil, h.key)
	j.queue = newQueue(scope, "Queue", queueDays, j.dead, h.key)
	letRulesSend(j.queue, h.rules(j.name+"-")...)
	role := awsiam.NewRole(scope, jsii.String("Role"), &awsiam.RoleProps{
		// The policy knows our own calls by the names of our roles.
		RoleName:    jsii.String(deployment.FunctionRole(j.name, *h.stack.Region())),
		Description: jsii.String("Runs autotagger's function " + j.name),
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	switch {
	case !j.writes():
	case h.settings.Organization == "":
		err = j.allow(role)
	default:
		h.allowAssuming(role, j.name)
	}
	if j.own != nil {
		err = errors.Join(err, j.own(h, role))
	}
	if err != nil {
		return err
	}
	if j.writes() {
		h.allowConfiguration(role)
	}
	h.allowSending(role, j)
	h.addFunction(scope, j, role, code)
	// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
	j.function.AddEventSource(awslambdaeventsources.NewSqsEventSource(j.queue, &awslambdaeventsources.SqsEventSourceProps{
		BatchSize:               jsii.Number(100),
		MaxBatchingWindow:       awscdk.Duration_Seconds(jsii.Number(1)), // batches above 10 need one
		ReportBatchItemFailures: jsii.Bool(true),
		MaxConcurrency:          jsii.Number(j.concurrency),
	}))

	target := queueTarget(j.queue, h.undelivered)
	target.first = append(target.first, sourceOf(j.function))
	if h.settings.Organization == "" {
		if err := newRules(scope, j.name, patterns, target); err != nil {
			return err
		}
	}
	if err := h.addBusRules(scope, j, patterns, target); err != nil {
		return err
	}

	output(h.stack, j.id+"FunctionName", j.function.FunctionName(), "The function "+j.name)
	output(h.stack, deployment.OutputQueue(j.name), j.queue.QueueUrl(), "Events for "+j.name)
	output(h.stack, deployment.OutputDeadLetters(j.name), j.dead.QueueUrl(), "Events that "+j.name+" gave up on")
	return nil
}

// addFunction makes the function and its log group, the only one that its role
// may write to.
func (h *hub) addFunction(scope constructs.Construct, j *job, role awsiam.Role, code string) {
	name := deployment.FunctionName(j.name)
	j.logs = awslogs.NewLogGroup(scope, jsii.String("Logs"), &awslogs.LogGroupProps{
		LogGroupName:  jsii.String("/aws/lambda/" + name),
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
	// CDK knows the periods by names only.
	j.logs.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(float64(h.settings.LogDays)))
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:       jsii.String("Logs"),
		Actions:   jsii.Strings("logs:CreateLogStream", "logs:PutLogEvents"),
		Resources: &[]*string{j.logs.LogGroupArn()}, // ends in :*, the streams of the group
	}))
	architecture := awslambda.Architecture_ARM_64()
	if h.settings.Architecture == x86_64 {
		architecture = awslambda.Architecture_X86_64()
	}
	env := map[string]*string{
		deployment.EnvQueue:       j.queue.QueueUrl(),
		deployment.EnvDeadLetters: j.dead.QueueUrl(),
	}
	if j.writes() {
		env[deployment.EnvConfig], env[deployment.EnvParameters] = jsii.String(configFile), jsii.String("on")
	}
	switch {
	case h.settings.Organization == "":
		env[deployment.EnvAccount] = h.stack.Account()
	case j.writes():
		env[deployment.EnvSpokeRole] = jsii.String(deployment.SpokeRole(j.name))
	}
	if h.table != nil && j.own != nil {
		env[deployment.EnvTable] = h.table.TableName()
	}
	tracing := awslambda.Tracing_DISABLED
	if h.settings.Tracing {
		tracing = awslambda.Tracing_ACTIVE
	}
	j.function = awslambda.NewFunction(scope, jsii.String("Function"), &awslambda.FunctionProps{
		FunctionName:  jsii.String(name),
		Description:   jsii.String(j.description),
		Runtime:       awslambda.Runtime_PROVIDED_AL2023(),
		Architecture:  architecture,
		Handler:       jsii.String(bootstrap),
		Code:          awslambda.Code_FromAsset(jsii.String(code), nil),
		Role:          role,
		MemorySize:    jsii.Number(256),
		Timeout:       awscdk.Duration_Seconds(jsii.Number(timeout)),
		LogGroup:      j.logs,
		LoggingFormat: awslambda.LoggingFormat_JSON,
		Environment:   &env,
		Tracing:       tracing,
	})
	j.function.Node().AddDependency(h.writing, h.configuration)
	if h.settings.Tracing {
		// https://docs.aws.amazon.com/xray/latest/devguide/security_iam_service-with-iam.html
		excuse(policyOf(role), wildcard, "X-Ray's actions for traces know no resources.", "*")
	}
}

// sourceOf is what feeds the function from its queue. The rules wait for it, and
// go before it: what is in the queue when the stack is removed is still handled
// while the rules are.
func sourceOf(function awslambda.Function) constructs.IDependable {
	for _, child := range *function.Node().Children() {
		if strings.HasPrefix(*child.Node().Id(), "SqsEventSource") {
			return child
		}
	}
	return function
}

// newQueue makes a queue under a key, or under SQS's own: EventBridge can't send to
// one under the AWS managed key of KMS.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-sqs-sse-queue.html
func newQueue(scope constructs.Construct, id string, days float64, dead awssqs.Queue, key awskms.IKey) awssqs.Queue {
	props := &awssqs.QueueProps{
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(days)),
	}
	if key != nil {
		props.Encryption, props.EncryptionMasterKey = awssqs.QueueEncryption_KMS, key
	}
	if dead != nil {
		props.VisibilityTimeout = awscdk.Duration_Seconds(jsii.Number(visibility))
		props.DeadLetterQueue = &awssqs.DeadLetterQueue{Queue: dead, MaxReceiveCount: jsii.Number(float64(schedule.Receives()))}
	}
	return awssqs.NewQueue(scope, jsii.String(id), props)
}
