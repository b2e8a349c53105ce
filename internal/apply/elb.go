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

// elbBatch is how many load balancers one call takes
// (https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html).
const elbBatch = 20

// elbStore tags load balancers, many a call: those of version 2, its target
// groups and listeners by their ARNs, classic ones by name, through another
// version of the API at the same endpoint
// (https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_AddTags.html).
type elbStore struct {
	c       *awsapi.Caller
	service *catalogue.Service
	field   string
	classic bool
}

func newELBStore(c *awsapi.Caller, classic bool) elbStore {
	s := elbStore{
		c: c, field: "ResourceArns.member.", classic: classic,
		service: &catalogue.Service{ID: "Elastic Load Balancing v2", Signing: "elasticloadbalancing", Protocol: catalogue.Query, Version: "2015-12-01"},
	}
	if classic {
		s.field, s.service.ID, s.service.Version = "LoadBalancerNames.member.", "Elastic Load Balancing", "2012-06-01"
	}
	return s
}

// classicELB tells by its ARN whether a load balancer is a classic one:
// loadbalancer/app/name/id, …/net/…, …/gwy/… are of version 2, a classic one is
// loadbalancer/name
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancing.html).
func classicELB(resource string) bool {
	return strings.HasPrefix(resource, "loadbalancer/") && strings.Count(resource, "/") == 1
}

func (s elbStore) name(t target) (string, error) {
	if !s.classic {
		return t.arn, nil
	}
	p, err := placeOf(s.c, t)
	return p.id, err
}

// names are what the targets are called in calls, and the indices of those
// that have one.
func (s elbStore) names(ts []target, fail func(int, error)) (names []string, good []int) {
	names = make([]string, len(ts))
	for i, t := range ts {
		var err error
		if names[i], err = s.name(t); err != nil {
			fail(i, err)
			continue
		}
		good = append(good, i)
	}
	return names, good
}

func (s elbStore) read(ctx context.Context, ts []target) []found {
	out := make([]found, len(ts))
	names, good := s.names(ts, func(i int, err error) { out[i].err = err })
	if len(good) > 0 {
		s.describe(ctx, ts, names, good, out)
	}
	return out
}

// describe reads resources together. One that isn't there fails the call for
// all, so it is looked for by halves.
func (s elbStore) describe(ctx context.Context, ts []target, names []string, good []int, out []found) {
	body, err := s.c.Do(ctx, s.call("DescribeTags", ts, names, good))
	if err != nil {
		if len(good) > 1 && blames(err) {
			s.describe(ctx, ts, names, good[:len(good)/2], out)
			s.describe(ctx, ts, names, good[len(good)/2:], out)
			return
		}
		for _, i := range good {
			out[i].err = err
		}
		return
	}
	var answer struct {
		Descriptions []struct {
			ResourceArn, LoadBalancerName string                        // one of them is there
			Tags                          []struct{ Key, Value string } `xml:"Tags>member"`
		} `xml:"DescribeTagsResult>TagDescriptions>member"`
	}
	if err := xml.Unmarshal(body, &answer); err != nil {
		for _, i := range good {
			out[i].err = fmt.Errorf("reading the tags of %s: %w", ts[i].arn, err)
		}
		return
	}
	described := map[string]map[string]string{}
	for _, d := range answer.Descriptions {
		tags := map[string]string{}
		for _, t := range d.Tags {
			tags[t.Key] = t.Value
		}
		described[d.ResourceArn+d.LoadBalancerName] = tags
	}
	for _, i := range good {
		if out[i].tags = described[names[i]]; out[i].tags == nil {
			out[i].tags = map[string]string{}
		}
	}
}

func (s elbStore) write(ctx context.Context, ts []target, tags map[string]string) []error {
	errs := make([]error, len(ts))
	names, good := s.names(ts, func(i int, err error) { errs[i] = err })
	if len(good) > 0 {
		s.add(ctx, ts, names, good, tags, errs)
	}
	return errs
}

func (s elbStore) add(ctx context.Context, ts []target, names []string, good []int, tags map[string]string, errs []error) {
	cl := s.call("AddTags", ts, names, good)
	addTags(cl.Form, catalogue.Tags{Field: "Tags.member", Key: "Key", Value: "Value"}, tags)
	_, err := s.c.Do(ctx, cl)
	if err != nil && len(good) > 1 && blames(err) {
		s.add(ctx, ts, names, good[:len(good)/2], tags, errs)
		s.add(ctx, ts, names, good[len(good)/2:], tags, errs)
		return
	}
	for _, i := range good {
		errs[i] = err
	}
}

func (s elbStore) call(op string, ts []target, names []string, good []int) awsapi.Call {
	t := ts[good[0]]
	form := url.Values{}
	for n, i := range good {
		form.Set(s.field+strconv.Itoa(n+1), names[i])
	}
	return awsapi.Call{Service: s.service, Op: op, Account: t.account, Region: t.region, ARN: t.arn, Form: form}
}
