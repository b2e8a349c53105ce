package resolve

import (
	"slices"
	"strings"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
)

// requested returns the tags of the create request, and whether the record
// tells them: parameters that are too long are left out of it whole, and tags
// may be redacted.
func (r record) requested(res *catalogue.Resource) (tags map[string]string, told bool) {
	if res.Tags.IsZero() {
		return nil, true
	}
	if !r.Request.Exists() {
		return nil, false
	}
	for _, v := range r.walk(res.Tags) {
		if v.IsText() && v.Text() != "" {
			return nil, false
		}
	}
	return r.tags(res.Tags, res.TagsFor), true
}

// tags reads the tags of a create request. With a kind they are those of EC2's
// tag specification for that kind of resource.
func (r record) tags(p catalogue.Path, kind string) map[string]string {
	if kind == "" {
		tags := map[string]string{}
		for _, v := range r.walk(p) {
			readTags(tags, v)
		}
		return tags
	}
	// One parameter, three spellings: the classic form logs
	// tagSpecificationSet.items, the wrapped one TagSpecification or
	// TagSpecifications.
	tags := map[string]string{}
	for _, name := range []string{"tagSpecificationSet", "tagSpecification", "tagSpecifications"} {
		parents := p.Steps[:len(p.Steps)-1]
		spelled := catalogue.Path{Root: p.Root, Steps: append(slices.Clip(parents), catalogue.Step{Name: name, List: true})}
		for _, spec := range r.walk(spelled) {
			if !strings.EqualFold(spec.Key("resourceType").Text(), kind) {
				continue
			}
			readTags(tags, spec.Key("tags"))
			readTags(tags, spec.Key("Tag"))
		}
	}
	return tags
}

// readTags adds tags in any of the forms services log them in: a list of
// {key,value}, {Key,Value} or {tagKey,tagValue}, such a list inside XML's
// {"Tag":…}, or an object of keys.
func readTags(into map[string]string, v cloudtrail.Value) {
	for _, member := range v.Elements() {
		if key, value, ok := pair(member); ok {
			into[key] = value
			continue
		}
		if inner := member.Key("Tag"); inner.IsObject() || inner.IsArray() {
			readTags(into, inner)
			continue
		}
		member.Each(func(key string, value cloudtrail.Value) { into[key] = value.Text() })
	}
}

// pair reads a tag that is an object of its key and value. An object with any
// other member is one whose members are the tags, even if one is called "key".
// Auto Scaling's tags say more: https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Tag.html
func pair(v cloudtrail.Value) (key, value string, ok bool) {
	ok = true
	named := false
	v.Each(func(name string, member cloudtrail.Value) {
		switch strings.ToLower(name) {
		case "key", "tagkey":
			key, named = member.Text(), true
		case "value", "tagvalue":
			value = member.Text()
		case "tag": // EC2 numbers the members of its lists so
			ok = ok && !member.IsObject() && !member.IsArray()
		case "propagateatlaunch", "resourceid", "resourcetype":
		default:
			ok = false
		}
	})
	return key, value, ok && named
}
