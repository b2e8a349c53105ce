package ledger

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/deployment"
	"autotagger/internal/resolve"
)

// Kind is what an item is about.
type Kind string

// The kinds of what [Read] makes of events.
const (
	Sessions   Kind = "session"
	Stacks     Kind = "stack"
	ChangeSets Kind = "change-set"
	StackSets  Kind = "stack-set"
)

// Item is a row of the table.
type Item struct {
	ID, At  string
	Data    string // JSON; "" where the key says all
	Expires time.Time
}

// Kind is the item's, as its id begins.
func (i Item) Kind() Kind {
	kind, _, _ := strings.Cut(i.ID, "/")
	return Kind(kind)
}

// Reason says why an event leaves nothing.
type Reason string

// The reasons, the first that applies.
const (
	NotWanted    Reason = "not-wanted"    // it is none of [catalogue.LedgerCalls]
	Failed       Reason = "error"         // the call failed
	ByService    Reason = "by-service"    // a service acted for itself
	Own          Reason = "own-event"     // the session is one of our own roles'
	NoTime       Reason = "no-time"       // the record's time is none
	NoIdentifier Reason = "no-identifier" // the record doesn't say what was begun
	TooLarge     Reason = "too-large"     // more than an item holds
)

// For how long things are kept: see the package's documentation.
const (
	sessionsFor    = 48 * time.Hour
	operationsFor  = 400 * 24 * time.Hour
	provisionalFor = 14 * 24 * time.Hour
	restoredFor    = 90 * 24 * time.Hour
)

// The largest keys of DynamoDB, and how much data an item may have here: half of what it
// may weigh.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const (
	maxID   = 2048
	maxAt   = 1024
	maxData = 200 << 10
)

// Read returns what an event leaves in the table, or why it leaves nothing.
func Read(e *cloudtrail.Event) ([]Item, Reason) {
	switch {
	case !slices.Contains(catalogue.LedgerCalls()[e.Source], e.Name):
		return nil, NotWanted
	case e.ErrorCode != "" || e.ErrorMessage != "":
		return nil, Failed
	case e.Identity.Type == "AWSService":
		return nil, ByService
	case e.Time.IsZero():
		return nil, NoTime
	}
	var items []Item
	var why Reason
	if e.Source == "sts.amazonaws.com" {
		items, why = session(e)
	} else {
		items, why = operation(e)
	}
	for _, i := range items {
		switch {
		case len(i.ID) > maxID || len(i.At) > maxAt:
			return nil, NoIdentifier
		case len(i.Data) > maxData:
			return nil, TooLarge
		}
	}
	return items, why
}

// The sort keys of a session's two records: the caller's comes last, and is asked for
// first.
const (
	byCaller  = "caller"
	byAccount = "account"
)

// session reads a call that begins one.
func session(e *cloudtrail.Event) ([]Item, Reason) {
	s := Session{
		ID: e.Response.Key("credentials").Key("accessKeyId").Text(), By: e.Identity,
		Role: e.Request.Key("roleArn").Text(), Name: e.Request.Key("roleSessionName").Text(),
		SourceIdentity: e.Request.Key("sourceIdentity").Text(),
		At:             e.Time.UTC(), Event: e.ID,
	}
	if !temporary(s.ID) {
		return nil, NoIdentifier
	}
	if own(s.Role) {
		return nil, Own
	}
	if s.SourceIdentity == "" { // of a chain, it goes on without being named again
		s.SourceIdentity = e.Identity.SourceIdentity
	}
	switch e.Name {
	case "AssumeRoleWithSAML":
		// A transient subject is made up for each sign-in; the session's name is the
		// provider's word, too.
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_saml_assertions.html
		s.Provider, s.Subject = e.Request.Key("principalArn").Text(), e.Response.Key("subject").Text()
		if s.Subject == "" || e.Response.Key("subjectType").Text() == "transient" {
			s.Subject = s.Name
		}
	case "AssumeRoleWithWebIdentity":
		s.Provider, s.Subject = e.Response.Key("provider").Text(), e.Response.Key("subjectFromWebIdentityToken").Text()
	case "AssumeRoot":
		s.Role = root(e)
	case "GetFederationToken":
		s.Role, s.Name = "", e.Request.Key("name").Text()
	}
	s.Tags = sessionTags(e.Request)
	at := byCaller
	if e.Identity.ARN == "" && (e.Identity.Type == "AWSAccount" || e.Identity.Type == "") {
		at = byAccount
	}
	return []Item{{ID: id(Sessions, s.ID), At: at, Data: text(s), Expires: s.At.Add(sessionsFor)}}, ""
}

// temporary reports whether an access key id is of temporary credentials.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes
func temporary(key string) bool {
	return strings.HasPrefix(key, "ASIA") && len(key) >= 16 && len(key) <= 128 &&
		strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

// own reports whether a role is one of the deployment's.
func own(role string) bool {
	name := role[strings.LastIndexByte(role, '/')+1:]
	return slices.ContainsFunc(deployment.OwnRoles(), func(glob string) bool {
		is, err := path.Match(glob, name)
		return is && err == nil
	})
}

// root is the principal of AssumeRoot, which is named by its account or its ARN.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoot.html
func root(e *cloudtrail.Event) string {
	target := e.Request.Key("targetPrincipal").Text()
	if target == "" || strings.HasPrefix(target, "arn:") {
		return target
	}
	return "arn:" + resolve.Partition(e.Region) + ":iam::" + target + ":root"
}

// sessionTags are the tags of a session: those that the call gives it, an identity
// provider's, and those that it has from the session before.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
func sessionTags(request cloudtrail.Value) map[string]string {
	all := map[string]string{}
	for _, from := range []string{"incomingTransitiveTags", "principalTags"} {
		request.Key(from).Each(func(key string, value cloudtrail.Value) { all[key] = value.Text() })
	}
	for key, value := range tagList(request.Key("tags")) {
		all[key] = value
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// tagList reads tags as a list of keys and values; nil where there is none.
func tagList(v cloudtrail.Value) map[string]string {
	if !v.Exists() {
		return nil
	}
	all := map[string]string{}
	for _, tag := range v.Elements() {
		if key := tag.Key("key").Text(); key != "" {
			all[key] = tag.Key("value").Text()
		}
	}
	return all
}

// operation reads a call about a stack, a change set or a stack set.
func operation(e *cloudtrail.Event) ([]Item, Reason) {
	o := Operation{
		Call: e.Name, By: e.Identity, Account: e.Account,
		ChangeSet: e.Request.Key("changeSetName").Text(), Tags: tagList(e.Request.Key("tags")),
		At: e.Time.UTC(), Event: e.ID,
	}
	expires := o.At.Add(operationsFor)
	item := func(kind Kind, name string) Item {
		return Item{ID: id(kind, name), At: moment(e.Time) + "#" + e.ID, Data: text(o), Expires: expires}
	}
	if set := e.Request.Key("stackSetName").Text(); set != "" || strings.Contains(e.Name, "StackSet") || strings.Contains(e.Name, "StackInstances") {
		if o.Stack = stackSetName(set); o.Stack == "" {
			return nil, NoIdentifier
		}
		home := e.Account + "/" + e.Region
		items := []Item{
			item(StackSets, o.Stack+"/"+home),
			{ID: id(StackSets, o.Stack), At: home, Expires: expires},
		}
		if serviceManaged(e) {
			items = append(items, Item{ID: id(StackSets, o.Stack), At: ServiceManaged + "/" + home, Expires: expires})
		}
		return items, ""
	}
	o.Stack = e.Response.Key("stackId").Text()
	if o.Stack == "" {
		o.Stack = e.Request.Key("stackName").Text()
	}
	if e.Name == createChangeSet {
		o.ChangeSet = e.Response.Key("id").Text()
	}
	if o.Stack == "" && e.Name == "ExecuteChangeSet" && here(e, o.ChangeSet, "changeSet") {
		return []Item{item(ChangeSets, o.ChangeSet)}, ""
	}
	if o.Stack != "" && !strings.HasPrefix(o.Stack, "arn:") {
		o.Stack = "arn:" + resolve.Partition(e.Region) + ":cloudformation:" + e.Region + ":" + e.Account + ":stack/" + o.Stack
	}
	if !here(e, o.Stack, "stack") {
		return nil, NoIdentifier
	}
	name, _ := stackName(o.Stack)
	return []Item{item(Stacks, name)}, ""
}

// ServiceManaged stands for the account of a stack set for which AWS Organizations gives
// the permissions. Only the management account and delegated administrators may have such.
const ServiceManaged = "service-managed"

// serviceManaged reports whether a call is about such a stack set, as far as it says.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStackSet.html
func serviceManaged(e *cloudtrail.Event) bool {
	return e.Request.Key("permissionModel").Text() == "SERVICE_MANAGED" || e.Request.Key("callAs").Text() == "DELEGATED_ADMIN"
}

// createChangeSet is the one call about a stack that changes nothing yet.
const createChangeSet = "CreateChangeSet"

// here reports whether an ARN is of the kind, in the event's account and region.
func here(e *cloudtrail.Event, arn, kind string) bool {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "cloudformation" || parts[3] != e.Region || parts[4] != e.Account {
		return false
	}
	name, found := strings.CutPrefix(parts[5], kind+"/")
	return found && name != "" && !strings.HasPrefix(name, "/") && !strings.Contains(name, ":")
}

// stackName parts a stack's ARN into that with the name alone, and whether there was a
// unique id beside it.
func stackName(arn string) (name string, unique bool) {
	head, rest, _ := strings.Cut(arn, ":stack/")
	name, id, _ := strings.Cut(rest, "/")
	return head + ":stack/" + name, id != ""
}

// stackSetName is the name in a stack set's name, id (name:uuid) or ARN
// (arn:…:stackset/name:uuid), "" where there is none.
func stackSetName(s string) string {
	if strings.HasPrefix(s, "arn:") {
		_, s, _ = strings.Cut(s, ":stackset/")
	}
	s, _, _ = strings.Cut(s, ":")
	if strings.Contains(s, "/") {
		return ""
	}
	return s
}

func id(kind Kind, name string) string { return string(kind) + "/" + name }

// moment is a time as sort keys have it.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// text is an item's data.
func text(v any) string {
	b, _ := json.Marshal(v) // texts, times and maps of texts
	return string(b)
}
