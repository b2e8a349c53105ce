package shop

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"autotagger/internal/emulator"
	"autotagger/internal/sample"
)

type tags = map[string]string

// Resource is one thing that the shop has.
type Resource struct {
	Name string
	Want State
	// Look reads tags and CORS through the service's own API.
	Look func(context.Context) (State, error)

	sample string // the event of the call, below events
	by     map[string]any
	// create makes it and returns what its event says of it, by path into the
	// record.
	create func(context.Context) (map[string]any, error)
}

// Resources are all that the shop has, in an emulator's account. With [Config],
// alice is in the shop's team, and deploy is a user without a cost center of its
// own.
func Resources(cfg aws.Config) []Resource {
	alice, deploy := alice(), sample.User(emulator.Account, "deploy")
	byAlice := tags{"creator": Alice, "cost-center": "1001"}
	byDeploy := tags{"creator": "deploy", "cost-center": "9000"}
	const corsOwn = "PUT from https://shop.example.com"

	logs, secrets, functions := cloudwatchlogs.NewFromConfig(cfg), secretsmanager.NewFromConfig(cfg), lambda.NewFromConfig(cfg)
	b := newBuckets(cfg)
	id := identities{iam.NewFromConfig(cfg)}
	keys, tables := kms.NewFromConfig(cfg), dynamodb.NewFromConfig(cfg)
	queues, topics := sqs.NewFromConfig(cfg), sns.NewFromConfig(cfg)
	machines := ec2{cfg}
	var key, table, queue, topic, function, secret, instance string

	return []Resource{
		b.resource("shop-assets", alice, State{byAlice, CORSByDefault}),
		{
			Name: "S3 bucket shop-orders", sample: "s3/CreateBucket_location.json", by: deploy,
			Want: State{tags{"team": "orders", "cost-center": "7777", "creator": "deploy"}, corsOwn},
			create: func(ctx context.Context) (map[string]any, error) {
				return b.create(ctx, "shop-orders", tags{"team": "orders", "cost-center": "7777"}, &s3types.CORSRule{
					AllowedMethods: []string{"PUT"}, AllowedOrigins: []string{"https://shop.example.com"},
				})
			},
			Look: func(ctx context.Context) (State, error) { return b.look(ctx, "shop-orders") },
		},
		{
			Name: "IAM user shop-backup", sample: "iam/CreateUser_path.json", by: alice,
			Want: State{Tags: byAlice},
			create: func(ctx context.Context) (map[string]any, error) {
				out, err := id.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("shop-backup"), Path: aws.String("/service/")})
				if err != nil {
					return nil, err
				}
				return map[string]any{"requestParameters.userName": "shop-backup", "responseElements.user.arn": *out.User.Arn}, nil
			},
			Look: func(ctx context.Context) (State, error) {
				out, err := id.ListUserTags(ctx, &iam.ListUserTagsInput{UserName: aws.String("shop-backup")})
				if err != nil {
					return State{}, err
				}
				return State{Tags: pairs(out.Tags, func(t iamtypes.Tag) (*string, *string) { return t.Key, t.Value })}, nil
			},
		},
		{
			Name: "IAM role shop-worker", sample: "iam/CreateRole.json", by: deploy,
			Want: State{Tags: byDeploy},
			create: func(ctx context.Context) (map[string]any, error) {
				arn, err := id.role(ctx, "shop-worker")
				return map[string]any{"requestParameters.roleName": "shop-worker", "responseElements.role.arn": arn}, err
			},
			Look: func(ctx context.Context) (State, error) {
				out, err := id.ListRoleTags(ctx, &iam.ListRoleTagsInput{RoleName: aws.String("shop-worker")})
				if err != nil {
					return State{}, err
				}
				return State{Tags: pairs(out.Tags, func(t iamtypes.Tag) (*string, *string) { return t.Key, t.Value })}, nil
			},
		},
		{
			Name: "KMS key", sample: "kms/CreateKey.json", by: alice,
			Want: State{Tags: byAlice},
			create: func(ctx context.Context) (map[string]any, error) {
				out, err := keys.CreateKey(ctx, &kms.CreateKeyInput{Description: aws.String("orders")})
				if err != nil {
					return nil, err
				}
				key = *out.KeyMetadata.KeyId
				return map[string]any{"responseElements.keyMetadata.keyId": key, "responseElements.keyMetadata.arn": *out.KeyMetadata.Arn}, nil
			},
			Look: func(ctx context.Context) (State, error) {
				out, err := keys.ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: &key})
				if err != nil {
					return State{}, err
				}
				have := tags{}
				for _, t := range out.Tags {
					have[*t.TagKey] = *t.TagValue
				}
				return State{Tags: have}, nil
			},
		},
		{
			// The request's own tag names the cost center.
			Name: "DynamoDB table shop-orders", sample: "dynamodb/CreateTable.json", by: alice,
			Want: State{Tags: tags{"CostCenter": "4711", "cost-center": "4711", "creator": Alice}},
			create: func(ctx context.Context) (map[string]any, error) {
				out, err := tables.CreateTable(ctx, &dynamodb.CreateTableInput{
					TableName: aws.String("shop-orders"), BillingMode: dynamodbtypes.BillingModePayPerRequest,
					KeySchema:            []dynamodbtypes.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: dynamodbtypes.KeyTypeHash}},
					AttributeDefinitions: []dynamodbtypes.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: dynamodbtypes.ScalarAttributeTypeS}},
					Tags:                 []dynamodbtypes.Tag{{Key: aws.String("CostCenter"), Value: aws.String("4711")}},
				})
				if err != nil {
					return nil, err
				}
				table = *out.TableDescription.TableArn
				return map[string]any{
					"requestParameters.tableName": "shop-orders", "requestParameters.tags": []any{map[string]any{"key": "CostCenter", "value": "4711"}},
					"responseElements.tableDescription.tableName": "shop-orders", "responseElements.tableDescription.tableArn": table,
				}, nil
			},
			Look: func(ctx context.Context) (State, error) {
				out, err := tables.ListTagsOfResource(ctx, &dynamodb.ListTagsOfResourceInput{ResourceArn: &table})
				if err != nil {
					return State{}, err
				}
				return State{Tags: pairs(out.Tags, func(t dynamodbtypes.Tag) (*string, *string) { return t.Key, t.Value })}, nil
			},
		},
		{
			// A creator that stands is left standing.
			Name: "SQS queue shop-orders", sample: "sqs/CreateQueue.json", by: alice,
			Want: State{Tags: tags{"creator": "platform-team", "cost-center": "1001"}},
			create: func(ctx context.Context) (map[string]any, error) {
				out, err := queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("shop-orders"), Tags: tags{"creator": "platform-team"}})
				if err != nil {
					return nil, err
				}
				queue = *out.QueueUrl
				return map[string]any{
					"requestParameters.queueName": "shop-orders", "requestParameters.tags": map[string]any{"creator": "platform-team"},
					"responseElements.queueUrl": "https://sqs." + cfg.Region + ".amazonaws.com/" + emulator.Account + "/shop-orders",
				}, nil
			},
			Look: func(ctx context.Context) (State, error) {
				out, err := queues.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: &queue})
				if err != nil {
					return State{}, err
				}
				return State{Tags: out.Tags}, nil
			},
		},
		{
			Name: "SNS topic shop-events", sample: "sns/CreateTopic.json", by: deploy,
			Want: State{Tags: byDeploy},
			create: func(ctx context.Context) (map[string]any, error) {
				out, err := topics.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("shop-events")})
				if err != nil {
					return nil, err
				}
				topic = *out.TopicArn
				return map[string]any{"requestParameters.name": "shop-events", "responseElements.topicArn": topic}, nil
			},
			Look: func(ctx context.Context) (State, error) {
				out, err := topics.ListTagsForResource(ctx, &sns.ListTagsForResourceInput{ResourceArn: &topic})
				if err != nil {
					return State{}, err
				}
				have := tags{}
				for _, t := range out.Tags {
					have[*t.Key] = *t.Value
				}
				return State{Tags: have}, nil
			},
		},
		{
			Name: "Lambda function shop-worker", sample: "lambda/CreateFunction20150331.json", by: deploy,
			Want: State{Tags: byDeploy},
			create: func(ctx context.Context) (map[string]any, error) {
				role, err := id.role(ctx, "shop-lambda")
				if err != nil {
					return nil, err
				}
				code, err := program()
				if err != nil {
					return nil, err
				}
				out, err := functions.CreateFunction(ctx, &lambda.CreateFunctionInput{
					FunctionName: aws.String("shop-worker"), Role: &role, Runtime: lambdatypes.RuntimePython312, Handler: aws.String("index.handler"),
					Code: &lambdatypes.FunctionCode{ZipFile: code},
				})
				if err != nil {
					return nil, err
				}
				function = *out.FunctionArn
				return map[string]any{
					"requestParameters.functionName": "shop-worker", "responseElements.functionName": "shop-worker", "responseElements.functionArn": function,
				}, nil
			},
			Look: func(ctx context.Context) (State, error) {
				out, err := functions.ListTags(ctx, &lambda.ListTagsInput{Resource: &function})
				if err != nil {
					return State{}, err
				}
				return State{Tags: out.Tags}, nil
			},
		},
		{
			Name: "Log group /shop/orders", sample: "logs/CreateLogGroup.json", by: alice,
			Want: State{Tags: byAlice},
			create: func(ctx context.Context) (map[string]any, error) {
				_, err := logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("/shop/orders")})
				return map[string]any{"requestParameters.logGroupName": "/shop/orders"}, err
			},
			Look: func(ctx context.Context) (State, error) {
				out, err := logs.ListTagsForResource(ctx, &cloudwatchlogs.ListTagsForResourceInput{
					ResourceArn: aws.String("arn:aws:logs:" + cfg.Region + ":" + emulator.Account + ":log-group:/shop/orders"),
				})
				if err != nil {
					return State{}, err
				}
				return State{Tags: out.Tags}, nil
			},
		},
		{
			Name: "Secret shop/stripe", sample: "secretsmanager/CreateSecret.json", by: alice,
			Want: State{Tags: byAlice},
			create: func(ctx context.Context) (map[string]any, error) {
				out, err := secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String("shop/stripe"), SecretString: aws.String("not one")})
				if err != nil {
					return nil, err
				}
				secret = *out.ARN
				return map[string]any{"requestParameters.name": "shop/stripe", "responseElements.arn": secret}, nil
			},
			Look: func(ctx context.Context) (State, error) {
				out, err := secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &secret})
				if err != nil {
					return State{}, err
				}
				have := tags{}
				for _, t := range out.Tags {
					have[*t.Key] = *t.Value
				}
				return State{Tags: have}, nil
			},
		},
		{
			Name: "EC2 instance, with what comes with it", sample: "ec2/RunInstances.json", by: alice,
			Want:   State{Tags: byAlice},
			create: func(ctx context.Context) (map[string]any, error) { return machines.run(ctx, &instance) },
			Look:   func(ctx context.Context) (State, error) { return machines.look(ctx, instance) },
		},
	}
}

// Bucket is one more bucket of the shop, made by alice.
func Bucket(cfg aws.Config, name string, want State) Resource {
	return newBuckets(cfg).resource(name, alice(), want)
}

// buckets creates and looks at buckets.
type buckets struct {
	*s3.Client
	region string
}

func newBuckets(cfg aws.Config) buckets {
	return buckets{s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }), cfg.Region}
}

func (b buckets) resource(name string, by map[string]any, want State) Resource {
	return Resource{
		Name: "S3 bucket " + name, sample: "s3/CreateBucket_location.json", by: by, Want: want,
		create: func(ctx context.Context) (map[string]any, error) { return b.create(ctx, name, nil, nil) },
		Look:   func(ctx context.Context) (State, error) { return b.look(ctx, name) },
	}
}

func (b buckets) create(ctx context.Context, name string, have tags, rule *s3types.CORSRule) (map[string]any, error) {
	in := &s3.CreateBucketInput{Bucket: &name}
	if b.region != "us-east-1" { // which is what no constraint means
		in.CreateBucketConfiguration = &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(b.region)}
	}
	if _, err := b.CreateBucket(ctx, in); err != nil {
		return nil, err
	}
	if len(have) > 0 {
		set := &s3types.Tagging{}
		for k, v := range have {
			set.TagSet = append(set.TagSet, s3types.Tag{Key: aws.String(k), Value: aws.String(v)})
		}
		if _, err := b.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: &name, Tagging: set}); err != nil {
			return nil, err
		}
	}
	if rule != nil {
		if _, err := b.PutBucketCors(ctx, &s3.PutBucketCorsInput{
			Bucket: &name, CORSConfiguration: &s3types.CORSConfiguration{CORSRules: []s3types.CORSRule{*rule}},
		}); err != nil {
			return nil, err
		}
	}
	return map[string]any{"requestParameters.bucketName": name}, nil
}

func (b buckets) look(ctx context.Context, name string) (State, error) {
	s := State{Tags: tags{}}
	set, err := b.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: &name})
	switch {
	case err == nil:
		s.Tags = pairs(set.TagSet, func(t s3types.Tag) (*string, *string) { return t.Key, t.Value })
	case code(err) != "NoSuchTagSet":
		return State{}, err
	}
	cors, err := b.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &name})
	switch {
	case err == nil:
		var rules []string
		for _, r := range cors.CORSRules {
			rules = append(rules, strings.Join(r.AllowedMethods, ",")+" from "+strings.Join(r.AllowedOrigins, ","))
		}
		s.CORS = strings.Join(rules, "; ")
	case code(err) != "NoSuchCORSConfiguration":
		return State{}, err
	}
	return s, nil
}

func code(err error) string {
	var refused smithy.APIError
	if errors.As(err, &refused) {
		return refused.ErrorCode()
	}
	return ""
}

// identities creates roles.
type identities struct{ *iam.Client }

func (i identities) role(ctx context.Context, name string) (string, error) {
	out, err := i.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName:                 &name,
		AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`),
	})
	if err != nil {
		return "", err
	}
	return *out.Role.Arn, nil
}

// pairs are a service's tags as a map.
func pairs[T any](list []T, pair func(T) (key, value *string)) tags {
	have := tags{}
	for _, t := range list {
		k, v := pair(t)
		have[aws.ToString(k)] = aws.ToString(v)
	}
	return have
}

// program is a Lambda function's code.
func program() ([]byte, error) {
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	f, err := z.Create("index.py")
	if err == nil {
		_, err = f.Write([]byte("def handler(event, context): pass\n"))
	}
	if err = errors.Join(err, z.Close()); err != nil {
		return nil, fmt.Errorf("zipping the function: %w", err)
	}
	return buf.Bytes(), nil
}
