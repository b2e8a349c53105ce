package generate

import (
	"slices"
	"strings"

	"autotagger/internal/models"
)

// makingVerbs begin the names of calls that create something new.
var makingVerbs = []string{
	"Create", "Allocate", "BatchCreate", "Clone", "Copy", "Issue", "Launch", "Provision", "Purchase", "Replicate",
	"Request", "Restore", "Reserve", "Run", "Upload",
}

// upsertVerbs begin the names of calls that may change what exists.
var upsertVerbs = []string{"Put", "Import", "Register"}

// jobVerbs begin the names of calls that start something that ends by itself.
var jobVerbs = []string{"Start", "Submit", "Send", "Invoke"}

// otherVerbs begin the names of calls that create something now and then: they
// count only where the call takes tags.
var otherVerbs = []string{
	"Add", "Associate", "Build", "Claim", "Connect", "Define", "Deploy", "Distribute", "Enable", "Generate", "Initiate", "Invite",
	"Open", "Promote", "Publish", "Subscribe", "Transfer", "Accept", "Convert",
}

// openVerbs are those of them whose calls create something wherever they take
// tags and answer with what they made.
var openVerbs = []string{"Add", "Associate", "Claim", "Connect", "Convert", "Enable", "Generate", "Open"}

// verb cuts a call's name into its verb and what follows. The verb is "" where
// calls of that name create nothing.
func verb(name string) (verb, noun string) {
	for _, list := range [][]string{makingVerbs, upsertVerbs, jobVerbs, otherVerbs} {
		for _, v := range list {
			if rest, ok := strings.CutPrefix(name, v); ok && rest != "" && (rest[0] < 'a' || rest[0] > 'z') {
				return v, rest
			}
		}
	}
	return "", name
}

// handlesTags reports whether a call takes tags to write, remove, find or show
// them, or changes what exists.
func handlesTags(name string) bool {
	return slices.ContainsFunc([]string{"Tag", "Untag", "AddTags", "RemoveTags", "CreateTags", "CreateOrUpdateTags", "DeleteTags", "Delete", "Update", "Modify", "List",
		"Describe", "Get", "Search", "Set", "Change", "PutBucketTagging", "PutJobTagging", "PutObjectTagging", "PutStorageLensConfigurationTagging"},
		func(p string) bool { return strings.HasPrefix(name, p) })
}

// copiesTags reports whether what the call makes may have the tags of what it is
// made from, which the record doesn't tell.
func (m *maker) copiesTags() bool {
	switch m.verb {
	case "Clone", "Copy", "Replicate", "Restore":
		return true
	}
	return slices.ContainsFunc(m.svc.Shape(m.op.Input).Names(), func(name string) bool {
		p := plain(name)
		return strings.HasPrefix(p, "copy") && strings.HasSuffix(strings.TrimSuffix(p, "fromsource"), "tags")
	})
}

// makes reports whether a verb is one of creation.
func makes(verb string) bool { return slices.Contains(makingVerbs, verb) }

// refusesTwice reports whether the model says that the call fails where the
// resource exists: then a success has created it.
func refusesTwice(op *models.Operation) bool {
	return slices.ContainsFunc(op.Errors, func(r models.Ref) bool {
		s := strings.ToLower(r.Shape)
		// What is in use may be busy, rather than there already, to a Put.
		busy := strings.Contains(s, "resourceinuse") && !strings.HasPrefix(op.Name, "Put")
		return strings.Contains(s, "alreadyexist") || strings.Contains(s, "resourceexists") || strings.Contains(s, "duplicate") || busy ||
			strings.HasPrefix(s, "entityalready") || s == "nameinuseexception"
	})
}
