package apply

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
)

// autoscalingStore tags Auto Scaling groups. Their calls name a group by its
// name and say of each tag whether instances get it too: ours stay on the group,
// since an instance's creator is recorded with its own launch
// (https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateOrUpdateTags.html).
type autoscalingStore struct {
	c       *awsapi.Caller
	service *catalogue.Service
}

func autoscalingService() *catalogue.Service {
	return &catalogue.Service{ID: "Auto Scaling", Signing: "autoscaling", Protocol: catalogue.Query, Version: "2011-01-01"}
}

// groupName is the end of a group's ARN,
// …:autoScalingGroup:<uuid>:autoScalingGroupName/<name>. A name may have slashes.
func groupName(t target) (string, error) {
	_, name, _ := strings.Cut(t.arn, ":autoScalingGroupName/")
	if name == "" {
		return "", bad(WhyBadARN)
	}
	return name, nil
}

func (s autoscalingStore) read(ctx context.Context, ts []target) []found {
	out := make([]found, len(ts))
	for i, t := range ts {
		out[i].tags, out[i].err = s.readOne(ctx, t)
	}
	return out
}

func (s autoscalingStore) readOne(ctx context.Context, t target) (map[string]string, error) {
	name, err := groupName(t)
	if err != nil {
		return nil, err
	}
	form := url.Values{"Filters.member.1.Name": {"auto-scaling-group"}, "Filters.member.1.Values.member.1": {name}}
	tags := map[string]string{}
	for range 20 {
		body, err := s.c.Do(ctx, s.call("DescribeTags", t, form))
		if err != nil {
			return nil, err
		}
		var page struct {
			NextToken string                        `xml:"DescribeTagsResult>NextToken"`
			Tags      []struct{ Key, Value string } `xml:"DescribeTagsResult>Tags>member"`
		}
		if err := xml.Unmarshal(body, &page); err != nil {
			return nil, fmt.Errorf("reading the tags of %s: %w", t.arn, err)
		}
		for _, tag := range page.Tags {
			tags[tag.Key] = tag.Value
		}
		if page.NextToken == "" {
			return tags, nil
		}
		form.Set("NextToken", page.NextToken)
	}
	return nil, fmt.Errorf("reading the tags of %s: pages without end", t.arn)
}

func (s autoscalingStore) write(ctx context.Context, ts []target, tags map[string]string) []error {
	errs := make([]error, len(ts))
	for i, t := range ts {
		name, err := groupName(t)
		if err != nil {
			errs[i] = err
			continue
		}
		form := url.Values{}
		for n, k := range sortedKeys(tags) {
			tag := "Tags.member." + strconv.Itoa(n+1) + "."
			form.Set(tag+"ResourceId", name)
			form.Set(tag+"ResourceType", "auto-scaling-group")
			form.Set(tag+"Key", k)
			form.Set(tag+"Value", tags[k])
			form.Set(tag+"PropagateAtLaunch", "false")
		}
		_, errs[i] = s.c.Do(ctx, s.call("CreateOrUpdateTags", t, form))
	}
	return errs
}

func (s autoscalingStore) call(op string, t target, form url.Values) awsapi.Call {
	return awsapi.Call{Service: s.service, Op: op, Account: t.account, Region: t.region, ARN: t.arn, Form: form}
}
