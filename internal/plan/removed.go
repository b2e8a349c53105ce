package plan

import (
	"slices"
	"strings"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/resolve"
)

// removed are our tag keys that a call took away, where the policy wants to know.
// Some calls name none, and take away all tags: so they are about all of ours.
func (p *Planner) removed(e *cloudtrail.Event, reason resolve.Reason) []string {
	if !p.Policy.RemovedTags || reason != resolve.NotACreate || !catalogue.IsRemoval(e.Name) {
		return nil
	}
	keys := p.Policy.Keys()
	if e.Name == "DeleteBucketTagging" || e.Name == "DeleteTags" && !names(e.Request) {
		return keys
	}
	return slices.DeleteFunc(keys, func(key string) bool {
		return !e.Request.Any(func(text string) bool { return text == key })
	})
}

// names reports whether EC2's DeleteTags says which tags.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteTags.html
func names(request cloudtrail.Value) bool {
	return len(request.Key("tagSet").Elements()) > 0 || len(request.Key("tags").Elements()) > 0
}

// RemovedFrom are the ARNs that a call which takes tags away may be about: those that the
// request names, and what its names come to in the ARNs that they can only stand in.
// What isn't among them can't be told from the record alone.
func RemovedFrom(e *cloudtrail.Event) []string {
	partition := resolve.Partition(e.Region)
	var all []string
	e.Request.Any(func(text string) bool {
		if strings.HasPrefix(text, "arn:") {
			all = append(all, text)
		}
		return false
	})
	name := func(key string) string { return e.Request.Key(key).Text() }
	switch e.Source {
	case "s3.amazonaws.com":
		if bucket := name("bucketName"); bucket != "" {
			all = append(all, "arn:"+partition+":s3:::"+bucket)
		}
	case "iam.amazonaws.com":
		for _, kind := range []string{"role", "user"} {
			if n := name(kind + "Name"); n != "" {
				all = append(all, "arn:"+partition+":iam::"+e.Account+":"+kind+"/"+n)
			}
		}
	case "ec2.amazonaws.com":
		for _, item := range e.Request.Key("resourcesSet").Elements() {
			id := item.Key("resourceId").Text()
			prefix, _, _ := strings.Cut(id, "-")
			if kind := ec2Kind(prefix); kind != "" {
				all = append(all, "arn:"+partition+":ec2:"+e.Region+":"+e.Account+":"+kind+"/"+id)
			}
		}
	}
	return all
}

// ec2Kind is how an ARN writes what has an id with the given prefix.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
func ec2Kind(prefix string) string {
	switch prefix {
	case "i":
		return "instance"
	case "vol":
		return "volume"
	case "snap":
		return "snapshot"
	case "eni":
		return "network-interface"
	case "sg":
		return "security-group"
	case "subnet", "vpc":
		return prefix
	case "rtb":
		return "route-table"
	case "igw":
		return "internet-gateway"
	case "nat":
		return "natgateway"
	case "eipalloc":
		return "elastic-ip"
	case "lt":
		return "launch-template"
	case "acl":
		return "network-acl"
	case "vpce":
		return "vpc-endpoint"
	case "tgw":
		return "transit-gateway"
	}
	return ""
}
