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

// EC2's limits: 200 values a filter and 1,000 resources a CreateTags call
// (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeTags.html,
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html).
const (
	ec2Reads  = 200
	ec2Writes = 1000
)

// ec2Service is EC2 as a row of data.
func ec2Service() *catalogue.Service {
	return &catalogue.Service{ID: "EC2", Signing: "ec2", Protocol: catalogue.Query, Version: "2016-11-15"}
}

// ec2Store tags what has an EC2 id: one pair of operations serves every type.
type ec2Store struct {
	c       *awsapi.Caller
	service *catalogue.Service
}

// ec2ID is the id at the end of an ARN. One that is no id would make CreateTags
// refuse all ids of a call. Key pairs and placement groups have names in their
// ARNs where the record gave no id, and CreateTags doesn't take names
// (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html).
func ec2ID(t target) (string, error) {
	i := strings.LastIndexByte(t.arn, '/')
	if i < 0 {
		return "", bad(WhyBadARN)
	}
	id := t.arn[i+1:]
	prefix, digits, _ := strings.Cut(id, "-")
	named := strings.HasSuffix(t.arn[:i], ":key-pair") || strings.HasSuffix(t.arn[:i], ":placement-group")
	if prefix == "" || digits == "" || named && (prefix != "key" && prefix != "pg" || strings.Trim(digits, "0123456789abcdef") != "") {
		return "", bad(WhyBadARN)
	}
	return id, nil
}

func (s ec2Store) read(ctx context.Context, ts []target) []found {
	out := make([]found, len(ts))
	byID := map[string]int{}
	form := url.Values{"Filter.1.Name": {"resource-id"}}
	for i, t := range ts {
		id, err := ec2ID(t)
		if err != nil {
			out[i].err = err
			continue
		}
		out[i].tags = map[string]string{}
		byID[id] = i
		form.Set("Filter.1.Value."+strconv.Itoa(len(byID)), id)
	}
	if len(byID) == 0 {
		return out
	}
	fail := func(err error) []found {
		for _, i := range byID {
			out[i] = found{err: err}
		}
		return out
	}
	// 200 resources of 50 tags are ten pages of 1,000.
	for range 100 {
		body, err := s.c.Do(ctx, s.call("DescribeTags", ts[0], form))
		if err != nil {
			return fail(err)
		}
		var page struct {
			NextToken string `xml:"nextToken"`
			Tags      []struct {
				ID    string `xml:"resourceId"`
				Key   string `xml:"key"`
				Value string `xml:"value"`
			} `xml:"tagSet>item"`
		}
		if err := xml.Unmarshal(body, &page); err != nil {
			return fail(fmt.Errorf("reading the tags of %d EC2 resources: %w", len(byID), err))
		}
		for _, t := range page.Tags {
			if i, ok := byID[t.ID]; ok {
				out[i].tags[t.Key] = t.Value
			}
		}
		if page.NextToken == "" {
			return out
		}
		form.Set("NextToken", page.NextToken)
	}
	return fail(fmt.Errorf("reading the tags of %d EC2 resources: pages without end", len(byID)))
}

func (s ec2Store) write(ctx context.Context, ts []target, tags map[string]string) []error {
	errs := make([]error, len(ts))
	ids, good := make([]string, len(ts)), []int(nil)
	for i, t := range ts {
		if ids[i], errs[i] = ec2ID(t); errs[i] == nil {
			good = append(good, i)
		}
	}
	s.create(ctx, ts, ids, good, tags, errs)
	return errs
}

// create tags the good ones. CreateTags fails whole for one id that it doesn't
// know or may not tag; that one is looked for by halves.
func (s ec2Store) create(ctx context.Context, ts []target, ids []string, good []int, tags map[string]string, errs []error) {
	if len(good) == 0 {
		return
	}
	form := url.Values{}
	for n, i := range good {
		form.Set("ResourceId."+strconv.Itoa(n+1), ids[i])
	}
	for n, k := range sortedKeys(tags) {
		form.Set("Tag."+strconv.Itoa(n+1)+".Key", k)
		form.Set("Tag."+strconv.Itoa(n+1)+".Value", tags[k])
	}
	_, err := s.c.Do(ctx, s.call("CreateTags", ts[good[0]], form))
	if err != nil && len(good) > 1 && blames(err) {
		s.create(ctx, ts, ids, good[:len(good)/2], tags, errs)
		s.create(ctx, ts, ids, good[len(good)/2:], tags, errs)
		return
	}
	for _, i := range good {
		errs[i] = err
	}
}

func (s ec2Store) call(op string, t target, form url.Values) awsapi.Call {
	return awsapi.Call{Service: s.service, Op: op, Account: t.account, Region: t.region, ARN: t.arn, Form: form}
}
