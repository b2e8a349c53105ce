package local

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventbridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"autotagger/internal/deployment"
	"autotagger/internal/emulator"
)

// account looks at the cloud as a person would who may do everything.
type account struct {
	cfg  aws.Config
	sqs  *sqs.Client
	logs *cloudwatchlogs.Client
	bus  *eventbridge.Client
}

func newAccount(cfg aws.Config) account {
	return account{cfg, sqs.NewFromConfig(cfg), cloudwatchlogs.NewFromConfig(cfg), eventbridge.NewFromConfig(cfg)}
}

// companion is the same account in the companion region.
func (a account) companion() account {
	cfg := a.cfg.Copy()
	cfg.Region = companion
	return newAccount(cfg)
}

// stack is a deployed stack.
type stack struct {
	name      string
	resources int
	// placeholders are the types of which nothing was made, with how many.
	placeholders map[string]int
}

// stacks are the deployment's.
func (a account) stacks(ctx context.Context) ([]stack, error) {
	here, err := a.regionStacks(ctx)
	if err != nil {
		return nil, err
	}
	there, err := a.companion().regionStacks(ctx)
	return append(here, there...), err
}

func (a account) regionStacks(ctx context.Context) ([]stack, error) {
	client := cloudformation.NewFromConfig(a.cfg)
	out, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{})
	if err != nil {
		return nil, fmt.Errorf("listing the stacks: %w", err)
	}
	var stacks []stack
	for _, found := range out.Stacks {
		if !strings.HasPrefix(*found.StackName, deployment.Stack) {
			continue
		}
		resources, err := client.DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{StackName: found.StackName})
		if err != nil {
			return nil, fmt.Errorf("listing the resources of %s: %w", *found.StackName, err)
		}
		s := stack{*found.StackName, len(resources.StackResources), map[string]int{}}
		for _, r := range resources.StackResources {
			if strings.HasPrefix(aws.ToString(r.PhysicalResourceId), emulator.Placeholder) {
				s.placeholders[*r.ResourceType]++
			}
		}
		stacks = append(stacks, s)
	}
	return stacks, nil
}

func functions() []string { return []string{"tagger", "cors", "ledger"} }

// log is what the functions have logged but for metrics, one after the other.
func (a account) log(ctx context.Context) (string, error) {
	var text strings.Builder
	for _, function := range functions() {
		pages := cloudwatchlogs.NewFilterLogEventsPaginator(a.logs, &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: aws.String("/aws/lambda/" + deployment.FunctionName(function)),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if missing := (*logstypes.ResourceNotFoundException)(nil); errors.As(err, &missing) {
				break // a function that isn't deployed
			}
			if err != nil {
				return "", fmt.Errorf("reading the log of %s: %w", function, err)
			}
			for _, e := range page.Events {
				if !strings.Contains(*e.Message, `"_aws":`) {
					text.WriteString(*e.Message + "\n")
				}
			}
		}
	}
	return text.String(), nil
}

// queues are the deployment's by name, with the messages that each holds, in
// flight or not.
func (a account) queues(ctx context.Context) (map[string]int, error) {
	urls, err := a.queueNames(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing the queues: %w", err)
	}
	held := map[string]int{}
	for _, url := range urls {
		name := path.Base(url)
		if !strings.HasPrefix(name, deployment.Stack) {
			continue
		}
		counts := []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameApproximateNumberOfMessages, sqstypes.QueueAttributeNameApproximateNumberOfMessagesNotVisible}
		got, err := a.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: counts})
		if err != nil {
			return nil, fmt.Errorf("counting the messages of %s: %w", name, err)
		}
		for _, count := range counts {
			n, err := strconv.Atoi(got.Attributes[string(count)])
			if err != nil {
				return nil, fmt.Errorf("counting the messages of %s: %w", name, err)
			}
			held[name] += n
		}
	}
	return held, nil
}

// deadLetter waits for the first dead letter of a function and returns its reason,
// "" where none comes.
func (a account) deadLetter(ctx context.Context, job string) (reason string, err error) {
	function, err := lambda.NewFromConfig(a.cfg).GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{
		FunctionName: aws.String(deployment.FunctionName(job)),
	})
	if err != nil {
		return "", fmt.Errorf("reading the configuration of %s: %w", job, err)
	}
	out, err := a.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: aws.String(function.Environment.Variables[deployment.EnvDeadLetters]), WaitTimeSeconds: 10, MessageAttributeNames: []string{"All"},
	})
	if err != nil {
		return "", fmt.Errorf("reading the dead letters of %s: %w", job, err)
	}
	for _, m := range out.Messages {
		reason = aws.ToString(m.MessageAttributes["Reason"].StringValue)
	}
	return reason, nil
}

func (a account) deleteBucket(ctx context.Context, name string) error {
	client := s3.NewFromConfig(a.cfg, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name}); err != nil {
		return fmt.Errorf("deleting %s: %w", name, err)
	}
	return nil
}

// putEvent puts an event on the default bus as a caller may, and returns what the
// answer says of it.
func (a account) putEvent(ctx context.Context, event []byte) (string, error) {
	var e struct {
		Source     string
		DetailType string `json:"detail-type"`
		Detail     json.RawMessage
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return "", fmt.Errorf("reading the event: %w", err)
	}
	out, err := a.bus.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []eventbridgetypes.PutEventsRequestEntry{{
		Source: &e.Source, DetailType: &e.DetailType, Detail: aws.String(string(e.Detail)),
	}}})
	if err != nil {
		return "", fmt.Errorf("putting an event: %w", err)
	}
	return cmp.Or(aws.ToString(out.Entries[0].ErrorCode), "taken"), nil
}

// write turns writing on or off.
func (a account) write(ctx context.Context, on bool) error {
	value := deployment.WritingOff
	if on {
		value = deployment.WritingOn
	}
	_, err := a.ssm(ctx, "PutParameter", map[string]any{"Name": deployment.ParameterWriting, "Value": value, "Overwrite": true})
	return err
}

// remains are the names of what there is of a deployment, in both regions.
func (a account) remains(ctx context.Context) ([]string, error) {
	var names []string
	for _, a := range []account{a, a.companion()} {
		for _, list := range []func(context.Context) ([]string, error){
			a.stackNames, a.functionNames, a.queueNames, a.ruleNames, a.busNames, a.roleNames, a.logGroupNames, a.parameterNames, a.tableNames,
		} {
			more, err := list(ctx)
			if err != nil {
				return nil, fmt.Errorf("looking for what there is: %w", err)
			}
			names = append(names, more...)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return !strings.Contains(strings.ToLower(name), "autotagger") }), nil
}

func (a account) stackNames(ctx context.Context) ([]string, error) {
	stacks, err := a.regionStacks(ctx)
	var names []string
	for _, s := range stacks {
		names = append(names, s.name)
	}
	return names, err
}

func (a account) functionNames(ctx context.Context) (names []string, err error) {
	out, err := lambda.NewFromConfig(a.cfg).ListFunctions(ctx, &lambda.ListFunctionsInput{})
	if err != nil {
		return nil, err
	}
	for _, f := range out.Functions {
		names = append(names, *f.FunctionName)
	}
	return names, nil
}

func (a account) queueNames(ctx context.Context) ([]string, error) {
	out, err := a.sqs.ListQueues(ctx, &sqs.ListQueuesInput{})
	if err != nil {
		return nil, err
	}
	return out.QueueUrls, nil
}

func (a account) ruleNames(ctx context.Context) (names []string, err error) {
	out, err := a.bus.ListRules(ctx, &eventbridge.ListRulesInput{})
	if err != nil {
		return nil, err
	}
	for _, r := range out.Rules {
		names = append(names, *r.Name)
	}
	return names, nil
}

func (a account) busNames(ctx context.Context) (names []string, err error) {
	out, err := a.bus.ListEventBuses(ctx, &eventbridge.ListEventBusesInput{})
	if err != nil {
		return nil, err
	}
	for _, b := range out.EventBuses {
		names = append(names, *b.Name)
	}
	return names, nil
}

func (a account) roleNames(ctx context.Context) (names []string, err error) {
	out, err := iam.NewFromConfig(a.cfg).ListRoles(ctx, &iam.ListRolesInput{})
	if err != nil {
		return nil, err
	}
	for _, r := range out.Roles {
		names = append(names, *r.RoleName)
	}
	return names, nil
}

func (a account) logGroupNames(ctx context.Context) (names []string, err error) {
	out, err := a.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{})
	if err != nil {
		return nil, err
	}
	for _, g := range out.LogGroups {
		names = append(names, *g.LogGroupName)
	}
	return names, nil
}

func (a account) parameterNames(ctx context.Context) (names []string, err error) {
	body, err := a.ssm(ctx, "DescribeParameters", map[string]any{})
	if err != nil {
		return nil, err
	}
	var out struct{ Parameters []struct{ Name string } }
	if err := json.Unmarshal(body, &out); err != nil {
		return nil, fmt.Errorf("reading the parameters: %w", err)
	}
	for _, p := range out.Parameters {
		names = append(names, p.Name)
	}
	return names, nil
}

func (a account) tableNames(ctx context.Context) ([]string, error) {
	out, err := dynamodb.NewFromConfig(a.cfg).ListTables(ctx, &dynamodb.ListTablesInput{})
	if err != nil {
		return nil, err
	}
	return out.TableNames, nil
}

// ssm calls Systems Manager with the SDK's signature: two calls aren't worth its
// client.
func (a account) ssm(ctx context.Context, operation string, in any) ([]byte, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("calling %s: %w", operation, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, *a.cfg.BaseEndpoint+"/", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("calling %s: %w", operation, err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AmazonSSM."+operation)
	credentials, err := a.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("calling %s: %w", operation, err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, req, hex.EncodeToString(sum[:]), "ssm", a.cfg.Region, time.Now()); err != nil {
		return nil, fmt.Errorf("signing %s: %w", operation, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("calling %s: %w", operation, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("calling %s: %w", operation, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("calling %s: %s: %s", operation, resp.Status, text)
	}
	return text, nil
}
