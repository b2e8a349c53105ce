package resolve

import (
	"slices"
	"strings"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
)

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
		key := member.Key("key")
		if !key.Exists() {
			key = member.Key("tagKey")
		}
		if key.Exists() {
			value := member.Key("value")
			if !value.Exists() {
				value = member.Key("tagValue")
			}
			into[key.Text()] = value.Text()
			continue
		}
		if inner := member.Key("Tag"); inner.IsObject() || inner.IsArray() {
			readTags(into, inner)
			continue
		}
		member.Each(func(key string, value cloudtrail.Value) { into[key] = value.Text() })
	}
}
