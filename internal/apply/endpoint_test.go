package apply_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"autotagger/internal/apply"
	"autotagger/internal/emulator"
)

// transport answers nothing and keeps where it was asked.
type transport struct {
	mu   sync.Mutex
	urls []string
}

func (tr *transport) Do(r *http.Request) (*http.Response, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	scope, _, _ := strings.Cut(strings.SplitN(r.Header.Get("Authorization"), "/", 3)[2], "/aws4_request")
	tr.urls = append(tr.urls, r.Method+" "+r.URL.String()+" "+scope)
	body := "{}"
	switch {
	case strings.Contains(r.Header.Get("Content-Type"), "form"):
		body = "<R/>"
	case r.Method == http.MethodGet && strings.Contains(r.URL.RawQuery, "tagging"):
		body = "<Tagging><TagSet></TagSet></Tagging>"
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// TestEndpoints: where calls go without a configured endpoint.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ arn, api, region, want string }{
		{"arn:aws:dynamodb:eu-west-1:111122223333:table/t", "dynamodb", "eu-west-1", "POST https://dynamodb.eu-west-1.amazonaws.com/ eu-west-1/dynamodb"},
		{"arn:aws-cn:dynamodb:cn-north-1:111122223333:table/t", "tagging", "cn-north-1", "POST https://tagging.cn-north-1.amazonaws.com.cn/ cn-north-1/tagging"},
		{"arn:aws-us-gov:ecr:us-gov-west-1:111122223333:repository/r", "ecr", "us-gov-west-1", "POST https://api.ecr.us-gov-west-1.amazonaws.com/ us-gov-west-1/ecr"},
		{"arn:aws-iso:ec2:us-iso-east-1:111122223333:volume/vol-1", "ec2", "us-iso-east-1", "POST https://ec2.us-iso-east-1.c2s.ic.gov/ us-iso-east-1/ec2"},
		{"arn:aws:iam::111122223333:role/r", "iam", "eu-west-1", "POST https://iam.amazonaws.com/ us-east-1/iam"},
		{"arn:aws-cn:iam::111122223333:role/r", "iam", "cn-northwest-1", "POST https://iam.cn-north-1.amazonaws.com.cn/ cn-north-1/iam"},
		{"arn:aws-us-gov:iam::111122223333:role/r", "iam", "us-gov-east-1", "POST https://iam.us-gov.amazonaws.com/ us-gov-west-1/iam"},
		{"arn:aws-eusc:sns:eusc-de-east-1:111122223333:t", "sns", "eusc-de-east-1", "POST https://sns.eusc-de-east-1.amazonaws.eu/ eusc-de-east-1/sns"},
		{"arn:aws:eks:eu-west-1:111122223333:cluster/c", "eks", "eu-west-1", "POST https://eks.eu-west-1.amazonaws.com/tags/arn%3Aaws%3Aeks%3Aeu-west-1%3A111122223333%3Acluster%2Fc eu-west-1/eks"},
		{"arn:aws:lambda:eu-west-1:111122223333:function:f", "lambda", "eu-west-1", "POST https://lambda.eu-west-1.amazonaws.com/2017-03-31/tags/arn%3Aaws%3Alambda%3Aeu-west-1%3A111122223333%3Afunction%3Af eu-west-1/lambda"},
		{"arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/t/1", "elasticloadbalancing", "eu-west-1", "POST https://elasticloadbalancing.eu-west-1.amazonaws.com/ eu-west-1/elasticloadbalancing"},
		{"arn:aws:s3:::my-bucket", "s3", "eu-west-1", "POST https://111122223333.s3-control.eu-west-1.amazonaws.com/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Amy-bucket eu-west-1/s3"},
	} {
		tr := &transport{}
		cfg := aws.Config{
			Region: "us-west-2", HTTPClient: tr,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "A", SecretAccessKey: "B"}, nil
			}),
		}
		got := apply.New(cfg, options()).Tag(t.Context(), []apply.Request{{
			ARN: c.arn, API: c.api, Calls: callsOf(c.arn), Account: "111122223333", Region: c.region, EventTime: today, Tags: map[string]string{"creator": "alice"},
		}})[0]
		if got.Outcome != apply.Tagged || tr.urls[len(tr.urls)-1] != c.want {
			t.Errorf("%s: %+v by %v, want %s", c.arn, got, tr.urls, c.want)
		}
	}
}

// sources is a configuration source as the SDK's config package hands them on.
type sources struct{ byService map[string]string }

func (s sources) GetServiceBaseEndpoint(_ context.Context, id string) (string, bool, error) {
	u, found := s.byService[id]
	return u, found, nil
}

// TestConfiguredEndpoints: AWS_ENDPOINT_URL_SNS goes before AWS_ENDPOINT_URL,
// whose path stays in front of REST paths.
func TestConfiguredEndpoints(t *testing.T) {
	t.Parallel()
	tr := &transport{}
	cfg := aws.Config{
		HTTPClient: tr, BaseEndpoint: aws.String("http://127.0.0.1:1/base"),
		ConfigSources: []any{sources{map[string]string{"SNS": "http://127.0.0.1:2"}}},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "A", SecretAccessKey: "B"}, nil
		}),
	}
	a := apply.New(cfg, options())
	for _, c := range []struct{ arn, want string }{
		{arnOf("sns", "t"), "POST http://127.0.0.1:2/ us-east-1/sns"},
		{arnOf("dynamodb", "table/t"), "POST http://127.0.0.1:1/base us-east-1/dynamodb"},
		{arnOf("eks", "cluster/c"), "POST http://127.0.0.1:1/base/tags/arn%3Aaws%3Aeks%3Aus-east-1%3A123456789012%3Acluster%2Fc us-east-1/eks"},
	} {
		if got := a.Tag(t.Context(), []apply.Request{request(c.arn, "own")})[0]; got.Outcome != apply.Tagged || tr.urls[len(tr.urls)-1] != c.want {
			t.Errorf("%s: %+v by %v", c.arn, got, tr.urls[len(tr.urls)-1])
		}
	}
}

// TestSignatures has moto check them, with its own implementation: once IAM is
// enforced, a wrong signature is SignatureDoesNotMatch. It needs a server of
// its own, since others' calls would be refused.
func TestSignatures(t *testing.T) {
	t.Parallel()
	own, err := emulator.Start(t.Context(), emulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(own.Stop)
	iam := func(action string, kv ...string) []byte {
		return sendTo(t, own.URL, "iam", action, kv...)
	}
	iam("CreateUser", "UserName", "tagger")
	iam("PutUserPolicy", "UserName", "tagger", "PolicyName", "p", "PolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"sqs:*","Resource":"*"}]}`)
	key := iam("CreateAccessKey", "UserName", "tagger")
	cfg := own.Config()
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: element(t, key, "AccessKeyId"), SecretAccessKey: element(t, key, "SecretAccessKey")}, nil
	})
	if err := own.EnforceIAM(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	a := apply.New(cfg, apply.Options{})
	// What isn't there is Retry, which a bad signature wouldn't be. REST paths
	// with an escaped ARN are left out: moto refuses boto3's signatures of them
	// too.
	for _, c := range []struct {
		arn, api string
		want     apply.Outcome
	}{
		{"arn:aws:iam::" + account + ":user/tagger", "iam", apply.Tagged},
		{arnOf("dynamodb", "table/t"), "dynamodb", apply.Retry},
		{arnOf("dynamodb", "table/t"), "tagging", apply.Retry},
		{arnOf("sqs", "q"), "sqs", apply.Denied},
		{arnOf("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab"), "kms", apply.Retry},
		{arnOf("ecr", "repository/a/b"), "ecr", apply.Retry},
		{"arn:aws:s3:::not-there", "s3", apply.Retry},
	} {
		got := a.Tag(t.Context(), []apply.Request{{ARN: c.arn, API: c.api, Calls: callsOf(c.arn), Account: account, Region: region, Tags: map[string]string{"creator": "älice b+c@x"}}})[0]
		if got.Outcome != c.want {
			t.Errorf("%s by %s: %+v", c.arn, c.api, got)
		}
	}
}

// TestActions: what a policy must allow is told for every row.
func TestActions(t *testing.T) {
	t.Parallel()
	if rows, err := apply.Irregular(); err != nil || len(rows) != 15 {
		t.Errorf("the irregular rows %v: %v", rows, err)
	}
	for _, c := range []struct{ api, arn, want string }{
		{"none", arnOf("cloudformation", "stack/x"), "[]"},
		{"s3", "arn:aws:s3:::b", "[s3:GetBucketTagging s3:PutBucketTagging s3:TagResource]"},
		{"ec2", arnOf("ec2", "volume/vol-1"), "[ec2:CreateTags ec2:DescribeTags]"},
		{"tagging", arnOf("dynamodb", "table/t"), "[dynamodb:ListTagsOfResource dynamodb:TagResource tag:GetResources tag:TagResources]"},
		{"tagging", arnOf("unheard", "job/j"), "[tag:GetResources tag:TagResources]"},
		{"tagging", arnOf("autoscaling", "autoScalingGroup:u:autoScalingGroupName/g"), "[autoscaling:CreateOrUpdateTags autoscaling:DescribeTags tag:GetResources tag:TagResources]"},
		{"sqs", arnOf("sqs", "q"), "[sqs:ListQueueTags sqs:TagQueue]"},
		{"kms", arnOf("kms", "key/k"), "[kms:DescribeKey kms:ListResourceTags kms:TagResource]"},
		{"iam", "arn:aws:iam::1:role/r", "[iam:ListRoleTags iam:TagRole]"},
	} {
		if got := fmt.Sprint(apply.Actions(c.api, c.arn, callsOf(c.arn))); got != c.want {
			t.Errorf("%s by %s: %s", c.arn, c.api, got)
		}
	}
}
