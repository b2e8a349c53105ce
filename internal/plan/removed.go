package plan

import (
	"slices"

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
