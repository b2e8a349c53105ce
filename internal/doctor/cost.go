package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/costexplorer"
	"github.com/aws/aws-sdk-go-v2/service/costexplorer/types"
)

// costTags says whether the tags show in the bill: keys have to be activated, once,
// in the account that pays.
// https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/activating-tags.html
func (v *visit) costTags(ctx context.Context) []Finding {
	// What identifies a creation in detail is no dimension of costs.
	keys := slices.DeleteFunc([]string{v.policy.Tags.Creator, v.policy.Tags.CostCenter}, func(k string) bool { return k == "" })
	if len(keys) == 0 {
		return nil
	}
	if v.partition != "aws" && v.partition != "aws-cn" {
		return []Finding{{"", Info, strings.Join(keys, ", "), "Cost Explorer isn't in this partition", "activate the keys in the account that pays for this one, in the partition aws"}}
	}
	org, err := v.management(ctx)
	if err == nil && org != nil && aws.ToString(org.MasterAccountId) != v.account {
		return []Finding{{"", Info, strings.Join(keys, ", "), "whether they are active cost allocation tags can only be seen in the account that pays, " + aws.ToString(org.MasterAccountId),
			"there: " + v.activate(keys...)}}
	}
	status, err := v.tagStatus(ctx, keys)
	if err != nil {
		return []Finding{unseen(strings.Join(keys, ", "), err)}
	}
	var findings []Finding
	for _, k := range keys {
		switch s, seen := status[k]; {
		case !seen:
			findings = append(findings, Finding{"", Info, k, "billing hasn't seen the key yet: that takes up to a day from the first resource that has it", "then: " + v.activate(k)})
		case s != types.CostAllocationTagStatusActive:
			findings = append(findings, Finding{"", Warn, k, "is no active cost allocation tag: it isn't in the bill", v.activate(k) + " (takes up to a day)"})
		default:
			findings = append(findings, Finding{"", OK, k, "an active cost allocation tag", ""})
		}
	}
	return findings
}

// tagStatus asks about cost allocation tags; those that billing doesn't know are left out.
// https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_ListCostAllocationTags.html
func (v *visit) tagStatus(ctx context.Context, keys []string) (map[string]types.CostAllocationTagStatus, error) {
	client := costexplorer.NewFromConfig(v.cfg, func(o *costexplorer.Options) { o.Region = v.global() })
	pages := costexplorer.NewListCostAllocationTagsPaginator(client, &costexplorer.ListCostAllocationTagsInput{
		TagKeys: keys, Type: types.CostAllocationTagTypeUserDefined,
	})
	status := map[string]types.CostAllocationTagStatus{}
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, t := range out.CostAllocationTags {
			status[aws.ToString(t.TagKey)] = t.Status
		}
	}
	return status, nil
}

func (v *visit) activate(keys ...string) string {
	command := "aws ce update-cost-allocation-tags-status --region " + v.global() + " --cost-allocation-tags-status"
	for _, k := range keys {
		command += fmt.Sprintf(" 'TagKey=%s,Status=Active'", k)
	}
	return command
}
