package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/account"
	accounttypes "github.com/aws/aws-sdk-go-v2/service/account/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
)

// identify finds out whose credentials these are.
func (v *visit) identify(ctx context.Context) ([]Finding, bool) {
	ctx, cancel := context.WithTimeout(ctx, v.limit)
	defer cancel()
	const name = "credentials"
	const give = "give credentials and a region: AWS_PROFILE, or aws configure; AWS_REGION"
	if v.unloaded != nil {
		return []Finding{{name, Fail, "environment", reason(v.unloaded) + "; nothing in AWS was looked at", give}}, false
	}
	if v.cfg.Region == "" {
		return []Finding{{name, Fail, "region", "none is set; nothing in AWS was looked at", give}}, false
	}
	if v.cfg.Credentials != nil {
		if _, err := v.cfg.Credentials.Retrieve(ctx); err != nil {
			return []Finding{{name, Fail, v.cfg.Region, "there are none; nothing in AWS was looked at", give}}, false
		}
	}
	who, err := sts.NewFromConfig(v.cfg).GetCallerIdentity(ctx, nil)
	switch {
	case code(err) != "":
		return []Finding{{name, Fail, v.cfg.Region, "AWS doesn't take them: " + reason(err) + "; nothing in AWS was looked at", give}}, false
	case err != nil:
		return []Finding{{name, Unknown, v.cfg.Region, "AWS can't be reached: " + reason(err) + "; nothing in AWS was looked at", "look at the region, the network and AWS_ENDPOINT_URL"}}, false
	}
	parsed, err := arn.Parse(aws.ToString(who.Arn))
	if err != nil {
		return []Finding{{name, Fail, v.cfg.Region, fmt.Sprintf("STS answers with %q, which is no ARN", aws.ToString(who.Arn)), give}}, false
	}
	v.account, v.region, v.partition, v.principal = aws.ToString(who.Account), v.cfg.Region, parsed.Partition, aws.ToString(who.Arn)
	return []Finding{{name, OK, v.account, fmt.Sprintf("%s in %s, partition %s", v.principal, v.region, v.partition), ""}}, true
}

// stack is what CloudFormation knows of a stack.
type stack struct {
	cfntypes.Stack
	resources []cfntypes.StackResourceSummary
	unread    bool // its resources can't be seen
}

func (s *stack) output(name string) string {
	for _, o := range s.Outputs {
		if aws.ToString(o.OutputKey) == name {
			return aws.ToString(o.OutputValue)
		}
	}
	return ""
}

// of returns the names that CloudFormation has for the resources of a type.
func (s *stack) of(kind string) []string {
	var all []string
	for _, r := range s.resources {
		if aws.ToString(r.ResourceType) == kind && aws.ToString(r.PhysicalResourceId) != "" {
			all = append(all, aws.ToString(r.PhysicalResourceId))
		}
	}
	return all
}

// queueURLs are the stack's queues by what their outputs call them.
func (s *stack) queueURLs() map[string]string {
	urls := map[string]string{}
	for _, o := range s.Outputs {
		if name, ok := strings.CutSuffix(aws.ToString(o.OutputKey), "QueueUrl"); ok {
			urls[name] = aws.ToString(o.OutputValue)
		}
	}
	return urls
}

func (v *visit) formation(region string) *cloudformation.Client {
	return cloudformation.NewFromConfig(v.cfg, func(o *cloudformation.Options) { o.Region = region })
}

// describe returns a stack of this region, nil if there is none.
// CloudFormation answers ValidationError for one that isn't there.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
func (v *visit) describe(ctx context.Context, name string) (*stack, error) {
	out, err := v.formation(v.region).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if hasCode(err, "ValidationError") || err == nil && len(out.Stacks) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &stack{Stack: out.Stacks[0]}, nil
}

// findHub looks for the hub's stack.
func (v *visit) findHub(ctx context.Context) []Finding {
	s, err := v.describe(ctx, deployment.Stack)
	if err != nil {
		return []Finding{unseen(deployment.Stack, err)}
	}
	if s == nil {
		return []Finding{{"", Info, deployment.Stack, "isn't deployed in " + v.region, "make deploy, once nothing here fails; or set AWS_REGION to the hub's region"}}
	}
	if s.output("TaggerFunctionName") == "" && !slices.ContainsFunc(s.Tags, func(t cfntypes.Tag) bool {
		return aws.ToString(t.Key) == deployment.TagKey && aws.ToString(t.Value) == deployment.TagValue
	}) {
		return []Finding{{"", Fail, deployment.Stack, "a stack of this name is there that isn't autotagger's: a deployment would replace what it holds", "deploy to another region, or rename that stack"}}
	}
	v.hub = s
	pages := cloudformation.NewListStackResourcesPaginator(v.formation(v.region), &cloudformation.ListStackResourcesInput{StackName: s.StackName})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			s.unread = true
			return []Finding{judge(s), unseen(deployment.Stack+" resources", err)}
		}
		s.resources = append(s.resources, out.StackResourceSummaries...)
	}
	v.organization = v.organization || len(s.of("AWS::CloudFormation::StackSet")) > 0
	return []Finding{judge(s)}
}

// judge says what a stack's status means.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
func judge(s *stack) Finding {
	name, status := aws.ToString(s.StackName), string(s.StackStatus)
	f := Finding{Status: OK, Subject: name, Found: status}
	if why := aws.ToString(s.StackStatusReason); why != "" {
		f.Found += ": " + why
	}
	switch {
	case s.StackStatus == cfntypes.StackStatusRollbackComplete:
		f.Status, f.Do = Fail, "its first deployment failed: aws cloudformation delete-stack --stack-name "+name+", then deploy again"
	case strings.HasSuffix(status, "_FAILED"):
		f.Status, f.Do = Fail, "aws cloudformation describe-stack-events --stack-name "+name+", mend what failed, then deploy again"
	case strings.HasSuffix(status, "_IN_PROGRESS"):
		f.Status, f.Do = Warn, "look again when it is done"
	case s.StackStatus == cfntypes.StackStatusUpdateRollbackComplete:
		f.Status, f.Do = Warn, "the last deployment failed and the one before is in force: see the stack's events, then deploy again"
	}
	return f
}

// job is one of the hub's functions.
type job struct {
	kind   string // tagger, cors or ledger
	name   string
	found  *lambda.GetFunctionOutput
	err    error
	absent bool
}

func (j job) config() *lambdatypes.FunctionConfiguration {
	if j.found == nil || j.found.Configuration == nil {
		return &lambdatypes.FunctionConfiguration{}
	}
	return j.found.Configuration
}

// env is the value of a variable of the function's environment.
func (j job) env(name string) string {
	if e := j.config().Environment; e != nil {
		return e.Variables[name]
	}
	return ""
}

// findFunctions reads the functions of the hub. What is wrong with them is said
// later.
func (v *visit) findFunctions(ctx context.Context) {
	if v.hub == nil {
		return
	}
	for _, j := range []job{
		{kind: "tagger", name: v.hub.output("TaggerFunctionName")},
		{kind: "cors", name: v.hub.output("CorsFunctionName")},
		{kind: "ledger", name: v.hub.output("LedgerFunctionName")},
	} {
		if j.name == "" {
			if j.kind != "tagger" {
				continue // a configuration may have it off
			}
			j.name = deployment.FunctionName(j.kind)
		}
		j.found, j.err = lambda.NewFromConfig(v.cfg).GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &j.name})
		if _, gone := errors.AsType[*lambdatypes.ResourceNotFoundException](j.err); gone {
			j.err, j.absent = nil, true
		}
		v.functions = append(v.functions, j)
		v.organization = v.organization || j.env(deployment.EnvSpokeRole) != ""
	}
}

// findRegions lists the regions that the account has enabled, the hub's first.
// https://docs.aws.amazon.com/accounts/latest/reference/API_ListRegions.html
func (v *visit) findRegions(ctx context.Context) []Finding {
	if v.hub == nil {
		return nil // nothing is looked at there
	}
	v.regions = append([]string{v.region}, v.companions()...)
	pages := account.NewListRegionsPaginator(account.NewFromConfig(v.cfg, inRegion(v.global())), &account.ListRegionsInput{
		RegionOptStatusContains: []accounttypes.RegionOptStatus{accounttypes.RegionOptStatusEnabled, accounttypes.RegionOptStatusEnabledByDefault},
	})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			f := unseen("enabled regions", err)
			f.Found += "; only " + strings.Join(v.regions, ", ") + " were looked at"
			return []Finding{f}
		}
		for _, r := range out.Regions {
			if name := aws.ToString(r.RegionName); !slices.Contains(v.regions, name) {
				v.regions = append(v.regions, name)
			}
		}
	}
	slices.Sort(v.regions[1:])
	return nil
}

func inRegion(region string) func(*account.Options) {
	return func(o *account.Options) { o.Region = region }
}

// global is the region in which the partition's global services are called.
// https://docs.aws.amazon.com/general/latest/gr/rande-manage.html
func (v *visit) global() string {
	switch v.partition {
	case "aws":
		return "us-east-1"
	case "aws-us-gov":
		return "us-gov-west-1"
	case "aws-cn":
		return "cn-northwest-1"
	}
	return v.region
}

// companions are the regions beside the hub's in which events of global services
// arrive.
func (v *visit) companions() []string {
	regions, _ := catalogue.Companions(v.rows, v.partition)
	if global := catalogue.GlobalSessions(v.partition); v.policy.LookUps.Ledger && global != "" && !slices.Contains(regions, global) {
		regions = append(regions, global)
	}
	return slices.DeleteFunc(regions, func(r string) bool { return r == v.region })
}

// onlyIn are the services whose events arrive in a region and may arrive in no
// other.
func (v *visit) onlyIn(region string) []string {
	if regions, _ := catalogue.Companions(v.rows, v.partition); !slices.Contains(regions, region) {
		return nil
	}
	services := map[string]bool{}
	for _, r := range catalogue.Global(v.rows) {
		if v.partition != "aws" || r.Arrives == region {
			services[strings.TrimSuffix(r.Source, ".amazonaws.com")] = true
		}
	}
	return slices.Sorted(maps.Keys(services))
}
