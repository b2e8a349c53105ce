package lookup

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"autotagger/internal/apply"
	"autotagger/internal/awsapi"
	"autotagger/internal/resolve"
)

const (
	instanceType = "AWS::EC2::Instance"
	imageType    = "ec2:image"
)

// parental reports whether what a call makes of a type brings children that the record may
// not name: an instance its volumes and network interfaces, an image the snapshots that
// were made for it. What RegisterImage makes an image of was there before.
func parental(call, kind string) bool {
	return kind == instanceType || kind == imageType && (call == "CreateImage" || call == "CopyImage")
}

// mostDescribed is how many ids are asked about at once.
const mostDescribed = 100

// offspring are the children of one resource.
type offspring struct {
	ids  []child
	more bool // there may be some that don't show yet
	// since is when it began to run for the last time; zero of what doesn't run.
	since time.Time
}

type child struct{ kind, id string }

// brood is a resource whose children are wanted.
type brood struct {
	s   *search
	res resolve.Resource
}

// findChildren asks for the children of all events' resources, one call for all of a type
// in an account's region.
func (f *Finder) findChildren(ctx context.Context, all []*search) {
	groups := map[[3]string][]brood{}
	for _, s := range all {
		if !s.children {
			continue
		}
		for _, r := range s.plan.Resources {
			if parental(s.plan.Event.Name, r.Type) && r.Account == s.plan.Event.Account {
				key := [3]string{r.Type, r.Account, r.Region}
				groups[key] = append(groups[key], brood{s, r.Resource})
			}
		}
	}
	for _, broods := range groups {
		for some := range slices.Chunk(broods, mostDescribed) {
			f.bring(ctx, some)
		}
	}
}

// bring asks for the children of resources of one type, account and region.
func (f *Finder) bring(ctx context.Context, broods []brood) {
	var ask []string
	known := map[string]offspring{}
	for _, b := range broods {
		id := b.res.Name()
		if k, ok := f.cache.get(string(Children) + " " + b.res.ARN); ok && k.err == nil {
			f.told(Children, Hit)
			known[id], _ = k.value.(offspring)
		} else if !slices.Contains(ask, id) {
			ask = append(ask, id)
		}
	}
	found, err := f.describe(ctx, broods[0].res, ask)
	for _, b := range broods {
		id, until := b.res.Name(), b.s.at.Add(f.Policy.LookUps.Wait)
		o, hit := known[id]
		if !hit {
			one := err
			if o, hit = found[id]; !hit && one == nil {
				one = errAbsent
			}
			f.told(Children, outcome(one))
			if hit && !o.more {
				f.cache.put(string(Children)+" "+b.res.ARN, kept{value: o}, keepTags)
			}
			if !hit {
				b.s.step(Children, b.res.ARN, why(one))
				switch outcome(one) {
				case Denied:
					continue
				case Failed:
					until = b.s.again()
				}
				o.more = true
			}
		}
		b.s.adopt(b.res, o)
		// What is on its resources doesn't hang on it, so that nothing is missing once
		// the wait is over.
		if o.more && f.Now().Before(until) {
			b.s.miss(gap{"what came with " + b.res.ARN, until})
		}
	}
}

// adopt takes children that the record doesn't name, as its own or as something that was
// there before.
func (s *search) adopt(r resolve.Resource, o offspring) {
	if !o.since.IsZero() && s.at.Sub(o.since).Abs() > launch {
		s.step(Children, r.ARN, "it was started anew, so that nothing tells what came with it")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	there := map[string]bool{}
	for _, p := range s.plan.Resources {
		there[p.Name()] = true
	}
	for _, c := range s.facts.Children {
		there[c.Name()] = true
	}
	for _, c := range o.ids {
		if there[c.id] || s.plan.Event.Request.Any(func(text string) bool { return text == c.id }) {
			continue
		}
		if res, ok := s.child(r, c); ok {
			s.facts.Children = append(s.facts.Children, res)
		}
	}
}

// child is a child as the catalogue has its type.
func (s *search) child(r resolve.Resource, c child) (resolve.Resource, bool) {
	row, err := s.Catalogue.Lookup("ec2.amazonaws.com", "Create"+c.kind)
	if err != nil || row == nil || len(row.Resources) == 0 {
		return resolve.Resource{}, false
	}
	kind := &row.Resources[0]
	parts := strings.SplitN(r.ARN, ":", 6)
	account, word := r.Account, map[string]string{"Volume": "volume", "NetworkInterface": "network-interface", "Snapshot": "snapshot"}[c.kind]
	if c.kind == "Snapshot" { // whose ARNs have no account
		account = ""
	}
	return resolve.Resource{
		ARN:  "arn:" + parts[1] + ":ec2:" + r.Region + ":" + account + ":" + word + "/" + c.id,
		Type: kind.Type, API: kind.API, Calls: kind.Calls, Limits: &kind.Limits, Permissions: kind.Permissions,
		Account: r.Account, Region: r.Region,
		Upsert: true, // it may have tags that the request gave it
	}, true
}

// describe returns the children of instances or images. EC2 refuses a call for one id that
// it doesn't know, or not yet.
func (f *Finder) describe(ctx context.Context, like resolve.Resource, ids []string) (map[string]offspring, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	describe := f.describeInstances
	if like.Type == imageType {
		describe = f.describeImages
	}
	found, err := describe(ctx, like, ids)
	if err == nil || len(ids) == 1 || outcome(err) != Absent {
		return found, err
	}
	found = map[string]offspring{}
	for _, id := range ids {
		one, err := describe(ctx, like, []string{id})
		if err != nil && outcome(err) != Absent {
			return found, err
		}
		if o, ok := one[id]; ok {
			found[id] = o
		}
	}
	return found, nil
}

// What is attached to an instance came with it where that was at its launch: within soon
// whatever it is, since nothing can be attached before the instance runs, and within launch
// where it also goes with the instance. EC2's launchTime is that of the last start, and to a
// stopped instance anything can be attached, so that it has to be within launch of the
// event.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html
const (
	soon   = 3 * time.Second
	launch = time.Minute
)

// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
func (f *Finder) describeInstances(ctx context.Context, like resolve.Resource, ids []string) (map[string]offspring, error) {
	type attachment struct {
		At   moment `xml:"attachTime"`
		Goes bool   `xml:"deleteOnTermination"`
	}
	var answer struct {
		Instances []struct {
			ID       string `xml:"instanceId"`
			Launched moment `xml:"launchTime"`
			State    string `xml:"instanceState>name"`
			Root     string `xml:"rootDeviceType"`
			Volumes  []struct {
				ID string `xml:"volumeId"`
				attachment
			} `xml:"blockDeviceMapping>item>ebs"`
			Interfaces []struct {
				ID         string     `xml:"networkInterfaceId"`
				Owner      string     `xml:"ownerId"`
				Attachment attachment `xml:"attachment"`
			} `xml:"networkInterfaceSet>item"`
		} `xml:"reservationSet>item>instancesSet>item"`
	}
	if err := f.ec2(ctx, like, "DescribeInstances", "InstanceId", ids, &answer); err != nil {
		return nil, err
	}
	found := map[string]offspring{}
	for _, i := range answer.Instances {
		o := offspring{since: i.Launched.Time}
		came := func(a attachment) bool {
			after := a.At.Sub(i.Launched.Time).Abs()
			return after <= soon || a.Goes && after <= launch
		}
		for _, v := range i.Volumes {
			if v.ID != "" && came(v.attachment) {
				o.ids = append(o.ids, child{"Volume", v.ID})
			}
		}
		for _, n := range i.Interfaces {
			// One that was there before is given to an instance to outlive it.
			if n.Attachment.Goes && came(n.Attachment) && n.Owner == like.Account {
				o.ids = append(o.ids, child{"NetworkInterface", n.ID})
			}
		}
		o.more = i.State == "pending" && (len(i.Volumes) == 0 && i.Root != "instance-store" || len(i.Interfaces) == 0)
		found[i.ID] = o
	}
	return found, nil
}

// moment is a time, zero where there is none that can be read.
type moment struct{ time.Time }

func (m *moment) UnmarshalText(text []byte) error {
	m.Time, _ = time.Parse(time.RFC3339, string(text))
	return nil
}

// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html
func (f *Finder) describeImages(ctx context.Context, like resolve.Resource, ids []string) (map[string]offspring, error) {
	var answer struct {
		Images []struct {
			ID        string   `xml:"imageId"`
			Owner     string   `xml:"imageOwnerId"`
			State     string   `xml:"imageState"`
			Root      string   `xml:"rootDeviceType"`
			Snapshots []string `xml:"blockDeviceMapping>item>ebs>snapshotId"`
		} `xml:"imagesSet>item"`
	}
	if err := f.ec2(ctx, like, "DescribeImages", "ImageId", ids, &answer); err != nil {
		return nil, err
	}
	found := map[string]offspring{}
	for _, i := range answer.Images {
		var o offspring
		for _, id := range i.Snapshots {
			if id != "" && i.Owner == like.Account {
				o.ids = append(o.ids, child{"Snapshot", id})
			}
		}
		o.more = i.State == "pending" && len(i.Snapshots) == 0 && i.Root != "instance-store"
		found[i.ID] = o
	}
	return found, nil
}

func (f *Finder) ec2(ctx context.Context, like resolve.Resource, op, param string, ids []string, answer any) error {
	form := url.Values{}
	for i, id := range ids {
		form.Set(param+"."+strconv.Itoa(i+1), id)
	}
	body, err := f.Caller.Do(awsapi.WithAccount(ctx, like.Account), awsapi.Call{
		Service: apply.EC2(), Op: op, Account: like.Account, Region: like.Region, ARN: like.ARN, Form: form,
	})
	if err == nil {
		err = xml.Unmarshal(body, answer)
	}
	if err != nil {
		return fmt.Errorf("asking EC2 for %s: %w", op, err)
	}
	return nil
}
