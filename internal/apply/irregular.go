package apply

import (
	"encoding/xml"
	"sort"
	"strings"
	"sync"

	"autotagger/internal/catalogue"
)

// irregular are the services whose calls no data file says whole: the text is
// that of one (see catalogue.Calls), and the file named has the rest. The key is
// the ARN's service, and the kind of resource behind it where that matters.
//
// S3 (s3.go), EC2 (ec2.go), Auto Scaling (autoscaling.go) and Elastic Load
// Balancing (elb.go) have stores of their own.
type irregular struct {
	once sync.Once
	rows map[string]*own
	err  error
}

// of is the row that serves an ARN, nil without one. The error is a fault of the
// texts, which the tests find.
func (ir *irregular) of(arn string) (*own, error) {
	ir.once.Do(ir.read)
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" || ir.err != nil {
		return nil, ir.err
	}
	kind, _, _ := strings.Cut(parts[5], "/")
	if row := ir.rows[parts[2]+" "+kind]; row != nil {
		return row, nil
	}
	return ir.rows[parts[2]], nil
}

// serves reports whether a service is irregular, so that a kind of it without a
// row isn't taken for a regular one.
func (ir *irregular) serves(arn string) bool {
	ir.once.Do(ir.read)
	parts := strings.SplitN(arn, ":", 4)
	for key := range ir.rows {
		if service, _, _ := strings.Cut(key, " "); len(parts) > 2 && service == parts[2] {
			return true
		}
	}
	return false
}

func (ir *irregular) read() {
	ir.rows = map[string]*own{}
	add := func(key, text string, row own) {
		c, err := catalogue.ParseCalls(text)
		if err != nil && ir.err == nil {
			ir.err = err
		}
		row.Calls = c
		ir.rows[key] = &row
	}
	for kind, row := range iamRows() {
		add("iam "+kind, iamService+row.calls, own{fold: row.fold, place: row.place})
	}
	add("cloudfront", cloudfrontCalls, own{root: xml.Name{Space: cloudfrontNamespace, Local: "Tags"}})
	add("kinesisvideo stream", videoStreamCalls, own{})
	add("kinesisvideo channel", videoChannelCalls, own{})
	add("kms", kmsCalls, own{place: customerKey})
	add("route53", route53Calls, own{root: xml.Name{Space: route53Namespace, Local: "ChangeTagsForResourceRequest"}})
	add("sqs", sqsCalls, own{place: queueURL})
	add("ssm", ssmCalls, own{place: ssmPlace})
}

// Actions are the IAM actions that tagging a resource may need, reads included,
// sorted: what a policy for this package has to allow. api and calls are as in
// Request. The operations called are named like their actions
// (https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html).
func Actions(api, arn string, calls *catalogue.Calls) []string {
	var out []string
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || api == "none" || api == "" {
		return nil
	}
	var ir irregular
	if row, _ := ir.of(arn); row != nil {
		calls = row.Calls
	} else if ir.serves(arn) {
		calls = nil
	}
	switch {
	case parts[2] == "s3":
		out = []string{"s3:GetBucketTagging", "s3:PutBucketTagging", "s3:TagResource"}
	case parts[2] == "ec2":
		out = []string{"ec2:CreateTags", "ec2:DescribeTags"}
	case parts[2] == "autoscaling":
		out = []string{"autoscaling:CreateOrUpdateTags", "autoscaling:DescribeTags"}
	case parts[2] == "elasticloadbalancing":
		out = []string{"elasticloadbalancing:AddTags", "elasticloadbalancing:DescribeTags"}
	case parts[2] == "apigateway" && calls != nil:
		// Its actions are methods:
		// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-iam-policy.html
		out = []string{"apigateway:" + calls.Read.Method, "apigateway:" + calls.Write.Method}
	case calls != nil:
		out = []string{calls.IAM + ":" + calls.Read.Op, calls.IAM + ":" + calls.Write.Op}
	}
	if parts[2] == "kms" {
		out = append(out, "kms:DescribeKey")
	}
	if api == "tagging" {
		out = append(out, "tag:GetResources", "tag:TagResources")
	}
	sort.Strings(out)
	return out
}
