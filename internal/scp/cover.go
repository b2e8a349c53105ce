package scp

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"autotagger/internal/models"
)

// The condition keys that a policy needs.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
const (
	requestTag  = "aws:RequestTag/"
	resourceTag = "aws:ResourceTag/"
	tagKeys     = "aws:TagKeys"
)

// Coverage is what policies can hold of the services whose resources are tagged.
type Coverage struct {
	Services []string // prefixes of actions, sorted
	Set      []string // actions that set tags, and whose change of one can be told
	Remove   []string // actions that remove tags, and say which
	Gaps     []Gap
}

// moreThanTags is why calls that change a resource, and its tags with it, aren't
// held: which resource's tags a condition on them sees isn't certain.
const moreThanTags = "changes more than tags"

// Gap is an action by which a tag can be changed or removed all the same.
type Gap struct{ Action, Why string }

// Cover reads from the IAM Service Authorization Reference what can be protected
// in the services of the given actions.
func Cover(iam map[string]*models.IAMService, actions []string) Coverage {
	sets := regexp.MustCompile(`^(Tag\w*|AddTags?\w*|CreateTags|CreateOrUpdateTags|UpdateTags\w*|SetTags\w*|SetCapacityTags|ChangeTags\w*|Put\w*Tagging)$`)
	removes := regexp.MustCompile(`^(Un[tT]ag\w*|RemoveTags?\w*|DeleteTags\w*|Delete\w*Tagging)$`)
	replaces := regexp.MustCompile(`^(Put\w*Tagging|SetTags\w*)$`)
	changes := regexp.MustCompile(`^(Put|Update|Modify|Alter)`)

	var c Coverage
	for _, a := range actions {
		prefix, _, _ := strings.Cut(a, ":")
		// The Resource Groups Tagging API needs the service's own action as well.
		if prefix != "tag" {
			c.Services = append(c.Services, prefix)
		}
	}
	slices.Sort(c.Services)
	c.Services = slices.Compact(c.Services)
	gap := func(action, why string) { c.Gaps = append(c.Gaps, Gap{action, why}) }
	for _, prefix := range c.Services {
		service := iam[prefix]
		if service == nil {
			gap(prefix+":*", "not in IAM's reference")
			continue
		}
		found := false
		for _, key := range slices.Sorted(maps.Keys(service.Actions)) {
			a := service.Actions[key]
			name := prefix + ":" + a.Name
			switch {
			case prefix == "apigateway" && a.Name == "DELETE" && a.HasKey(tagKeys):
				// Its actions are those of HTTP. Only a removal of tags has keys of tags.
				c.Remove = append(c.Remove, name)
			case prefix == "apigateway" && a.Name == "PUT":
				gap(name, "no "+resourceTag+" on its paths of tags")
				found = true
			case sets.MatchString(a.Name):
				found = true
				switch {
				case !a.HasKey(requestTag):
					gap(name, "no "+requestTag)
				case !seesTags(service, a):
					gap(name, "no "+resourceTag)
				default:
					c.Set = append(c.Set, name)
				}
				if name == "s3:TagResource" {
					// https://docs.aws.amazon.com/AmazonS3/latest/userguide/buckets-tagging-enable-abac.html
					gap(name, "no "+resourceTag+" of a bucket without ABAC, as by default")
				}
				if a.HasKey(requestTag) && replaces.MatchString(a.Name) {
					gap(name, "replaces all tags: what it leaves out is gone")
				}
			case removes.MatchString(a.Name):
				if a.HasKey(tagKeys) {
					c.Remove = append(c.Remove, name)
				} else {
					gap(name, "no "+tagKeys)
				}
			case changes.MatchString(a.Name) && a.HasKey(requestTag):
				gap(name, moreThanTags)
			}
		}
		if !found {
			gap(prefix+":*", "no action for tags")
		}
	}
	slices.SortFunc(c.Gaps, func(a, b Gap) int { return cmp.Or(cmp.Compare(a.Why, b.Why), cmp.Compare(a.Action, b.Action)) })
	return c
}

// seesTags reports whether a condition on an action may ask for the tags of the
// resource: the action says so itself, or one of its types.
func seesTags(service *models.IAMService, a *models.IAMAction) bool {
	if a.HasKey(resourceTag) {
		return true
	}
	for _, r := range a.ResourceTypes {
		if t := service.Types[r.Name]; t != nil && t.Taggable() {
			return true
		}
	}
	return false
}

// wildcards shortens actions to their beginnings, up to the word Tag.
func wildcards(actions []string) []string {
	var all []string
	for _, a := range actions {
		prefix, name, _ := strings.Cut(a, ":")
		if i := strings.Index(strings.ToLower(name), "tag"); i >= 0 {
			name = name[:i+len("tag")] + "*"
		}
		all = append(all, prefix+":"+name)
	}
	// Actions are the same in upper and lower case: UnTag, Untag.
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(strings.ToLower(a), strings.ToLower(b)) })
	return slices.CompactFunc(all, strings.EqualFold)
}
