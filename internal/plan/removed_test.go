package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
)

// TestRemoved: calls that take our tags away, by the keys that they name.
func TestRemoved(t *testing.T) {
	t.Parallel()
	const all = "cost-center creator"
	for _, c := range []struct{ source, name, request, role, want string }{
		{"dynamodb", "UntagResource", `{"resourceArn":"arn:aws:dynamodb:eu-west-1:1:table/t","tagKeys":["creator","team"]}`, "", "creator"},
		{"dynamodb", "UntagResource", `{"resourceArn":"arn:aws:dynamodb:eu-west-1:1:table/creator","tagKeys":["team"]}`, "", ""},
		{"tagging", "UntagResources", `{"resourceARNList":["a"],"tagKeys":["cost-center","creator"]}`, "", all},
		{"rds", "RemoveTagsFromResource", `{"resourceName":"a","tagKeys":["cost-center"]}`, "", "cost-center"},
		{"ec2", "DeleteTags", `{"resourcesSet":{"items":[{"resourceId":"i-1"}]},"tagSet":{"items":[{"key":"creator"}]}}`, "", "creator"},
		{"ec2", "DeleteTags", `{"resourcesSet":{"items":[{"resourceId":"i-1"}]},"tagSet":{"items":[{"key":"team"}]}}`, "", ""},
		{"ec2", "DeleteTags", `{"resourcesSet":{"items":[{"resourceId":"i-1"}]},"tagSet":{}}`, "", all},
		{"autoscaling", "DeleteTags", `{"tags":[{"key":"creator","resourceId":"g"}]}`, "", "creator"},
		{"s3", "DeleteBucketTagging", `{"bucketName":"b"}`, "", all},
		{"iam", "UntagRole", `null`, "", ""},
		{"dynamodb", "TagResource", `{"tags":[{"key":"creator","value":"x"}]}`, "", ""},
		{"dynamodb", "UntagResource", `{"tagKeys":["creator"]}`, "autotagger-tagger-eu-west-1", ""},
	} {
		for _, watching := range []bool{true, false} {
			p, err := policy.Parse("test.yaml", []byte(fmt.Sprintf("report-removed-tags: %v", watching)))
			if err != nil {
				t.Fatal(err)
			}
			arn := "arn:aws:iam::111122223333:user/alice"
			kind := "IAMUser"
			if c.role != "" {
				arn, kind = "arn:aws:sts::111122223333:assumed-role/"+c.role+"/f", "AssumedRole"
			}
			e, err := cloudtrail.Decode(fmt.Sprintf(`{"eventSource":"%s.amazonaws.com","eventName":%q,"eventType":"AwsApiCall","awsRegion":"eu-west-1","readOnly":false,"userIdentity":{"type":%q,"arn":%q},"requestParameters":%s}`,
				c.source, c.name, kind, arn, c.request))
			if err != nil {
				t.Fatal(err)
			}
			made, err := (&plan.Planner{Catalogue: catalogue.Default(), Policy: p}).Plan(e)
			if err != nil {
				t.Fatal(err)
			}
			want := c.want
			if !watching {
				want = ""
			}
			if got := strings.Join(made.Removed, " "); got != want || len(made.Resources) > 0 {
				t.Errorf("%s %s %s: removed are %q, want %q", c.source, c.name, c.request, got, want)
			}
		}
	}
}

// TestRemovedFrom: what a removal is about, in ARNs.
func TestRemovedFrom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		source, request string
		want            []string
	}{
		{"dynamodb", `{"resourceArn":"arn:aws:dynamodb:eu-west-1:111122223333:table/t","tagKeys":["creator"]}`, []string{"arn:aws:dynamodb:eu-west-1:111122223333:table/t"}},
		{"tagging", `{"resourceARNList":["arn:aws:sns:eu-west-1:111122223333:a","arn:aws:sns:eu-west-1:111122223333:b"],"tagKeys":["creator"]}`, []string{"arn:aws:sns:eu-west-1:111122223333:a", "arn:aws:sns:eu-west-1:111122223333:b"}},
		{"s3", `{"bucketName":"pictures","tagging":""}`, []string{"arn:aws:s3:::pictures"}},
		{"iam", `{"roleName":"Deploy","tagKeys":["creator"]}`, []string{"arn:aws:iam::111122223333:role/Deploy"}},
		{"ec2", `{"resourcesSet":{"items":[{"resourceId":"i-0123456789abcdef0"},{"resourceId":"odd-0123"},{"resourceId":"vpc-1"}]},"tagSet":{"items":[{"key":"creator"}]}}`, []string{"arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0", "arn:aws:ec2:eu-west-1:111122223333:vpc/vpc-1"}},
		{"sqs", `{"queueUrl":"https://sqs.eu-west-1.amazonaws.com/111122223333/q"}`, nil},
	} {
		e, err := cloudtrail.Decode(`{"eventSource":"` + c.source + `.amazonaws.com","eventName":"UntagResource","awsRegion":"eu-west-1","recipientAccountId":"111122223333","requestParameters":` + c.request + `}`)
		if err != nil {
			t.Fatal(err)
		}
		if got := plan.RemovedFrom(e); !slices.Equal(got, c.want) {
			t.Errorf("%s %s: %q, want %q", c.source, c.request, got, c.want)
		}
	}
}
