package resolve_test

import (
	"testing"

	"autotagger/internal/cloudtrail"
	"autotagger/internal/resolve"
)

// TestUnique: only what AWS chose at random can't be given again.
func TestUnique(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		source, request, arn string
		want                 bool
	}{
		{"ec2", `{"cidrBlock":"10.0.0.0/16"}`, "arn:aws:ec2:eu-west-1:111122223333:vpc/vpc-0a1b2c3d4e5f60718", true},
		{"ec2", `{}`, "arn:aws:ec2:eu-west-1:111122223333:internet-gateway/igw-0f76a7619d86f6574", true},
		{"ec2", `null`, "arn:aws:ec2:eu-west-1:111122223333:vpc/vpc-0a1b2c3d4e5f60718", false}, // what the request had isn't known
		{"kms", `{"description":"x"}`, "arn:aws:kms:eu-west-1:111122223333:key/mrk-70f1a7a812ed31e96a5709aeb227b142", true},
		{"kms", `{"keyId":"arn:aws:kms:us-east-1:111122223333:key/mrk-70f1a7a812ed31e96a5709aeb227b142"}`, "arn:aws:kms:eu-west-1:111122223333:key/mrk-70f1a7a812ed31e96a5709aeb227b142", false},
		{"acm", `{"domainName":"example.com"}`, "arn:aws:acm:eu-west-1:111122223333:certificate/0d6e8a32-5c1f-4b7a-9e2d-1f3c5b7a9d10", true},
		{"elasticloadbalancing", `{"name":"web"}`, "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/web/71a2bb64e5c24381", true},
		{"elasticloadbalancing", `{"loadBalancerName":"web"}`, "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/web", false},
		{"secretsmanager", `{"name":"shop/stripe"}`, "arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop/stripe-Zx9QwE", true},
		{"secretsmanager", `{"name":"shop/stripe"}`, "arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop/stripe-ZxyQwE", false}, // it may be a word
		{"dynamodb", `{"tableName":"orders"}`, "arn:aws:dynamodb:eu-west-1:111122223333:table/orders", false},
		{"s3", `{"bucketName":"cf-templates-1a2b3c4d5e6f7-eu-west-1"}`, "arn:aws:s3:::cf-templates-1a2b3c4d5e6f7-eu-west-1", false},
		{"elasticbeanstalk", `{}`, "arn:aws:s3:::elasticbeanstalk-eu-west-1-111122223333", false},
		{"rds", `{"dBInstanceIdentifier":"Shop1A2b3"}`, "arn:aws:rds:eu-west-1:111122223333:db:shop1a2b3", false},
		{"rds", `{"dBInstanceIdentifier":"shop"}`, "arn:aws:rds:eu-west-1:111122223333:db:shop", false},
		{"iam", `{"aWSServiceName":"ec2.amazonaws.com"}`, "arn:aws:iam::111122223333:role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot", false},
		{"ecs", `{"family":"web"}`, "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:7", false},
		{"apigateway", `{"restApiId":"x4vt00vdnc","stageName":"live"}`, "arn:aws:apigateway:eu-west-1::/restapis/x4vt00vdnc/stages/live", false},
		{"eks", `{"clusterName":"shop","nodegroupName":"workers"}`, "arn:aws:eks:eu-west-1:111122223333:nodegroup/shop/workers/748f0222-cf51-49fa-add5-9cc9eeb40665", true},
		{"sagemaker", `{"modelName":"Ranking2026a1"}`, "arn:aws:sagemaker:eu-west-1:111122223333:model/ranking2026a1", false},
		{"securityhub", `{}`, "arn:aws:securityhub:eu-west-1:111122223333:hub/default", false},
	} {
		e := &cloudtrail.Event{Source: c.source + ".amazonaws.com", Request: cloudtrail.ParseValue(c.request)}
		if got := resolve.Unique(e, resolve.Resource{ARN: c.arn}); got != c.want {
			t.Errorf("%s of %s: %v", c.arn, c.request, got)
		}
	}
}
