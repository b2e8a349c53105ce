package catalogue

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"autotagger/internal/cloudtrail"
)

// MaxPattern is how many characters an EventBridge rule's pattern may have.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
const MaxPattern = 2048

// Pattern is the event pattern of one EventBridge rule.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern.html
type Pattern struct {
	// Label tells the patterns of one set apart and is fit for a rule's name; it
	// stays when other services come and go. About says what is let through.
	Label string `json:"-"`
	About string `json:"-"`
	// ReadOnly is for a rule that gets all management events, those of read-only calls
	// too.
	ReadOnly bool `json:"-"`

	Source     []any         `json:"source"`      // such as aws.s3, or {"prefix": …}
	DetailType []string      `json:"detail-type"` // DetailType of package cloudtrail
	Detail     PatternDetail `json:"detail"`
}

// PatternDetail is what a [Pattern] asks of the record. It asks for nothing that
// only some records have: readOnly is often missing.
type PatternDetail struct {
	EventSource []string `json:"eventSource,omitempty"`
	EventName   []any    `json:"eventName"` // names, and {"prefix": …}
	ErrorCode   []exists `json:"errorCode"` // calls that succeeded have none

	// What only the calls of [Ledger] are asked.
	UserIdentity      *identityPattern  `json:"userIdentity,omitempty"`
	RequestParameters *parameterPattern `json:"requestParameters,omitempty"`
}

type identityPattern struct {
	Type []string `json:"type"`
}

type parameterPattern struct {
	RoleSessionName []anythingBut `json:"roleSessionName"`
}

type anythingBut struct {
	But []string `json:"anything-but"`
}

type exists struct {
	Exists bool `json:"exists"`
}

type prefix struct {
	Prefix string `json:"prefix"`
}

// JSON returns the pattern as EventBridge takes it.
func (p Pattern) JSON() string {
	b, _ := json.Marshal(p) // strings, maps of strings and a bool
	return string(b)
}

// long reports whether EventBridge would refuse the pattern.
func (p Pattern) long() bool { return len(p.JSON()) > MaxPattern }

// Patterns returns the patterns of the rules that together let through every
// call that the rows tag; rows that are untaggable or never written to are left
// out. They are disjoint by source, so that each event matches one rule at most,
// and each keeps within [MaxPattern].
//
// The services of [noisy] have rules of their own, which name their calls. All
// others share a few rules, since a bus takes 300 and has other users: those
// let through what begins with a verb of [making], and other calls by name. What
// more comes through so, the function skips.
func Patterns(rows []*Row) ([]Pattern, error) {
	calls := map[string][]*Row{}
	for _, r := range rows {
		if slices.ContainsFunc(r.Resources, func(res Resource) bool { return res.API != APINone }) {
			calls[r.Source] = append(calls[r.Source], r)
		}
	}
	sources := slices.Sorted(maps.Keys(calls))
	own := map[string]bool{} // by the service's name
	for _, s := range sources {
		// The events of models.lex and of lex may have the same source on the
		// bus: only a rule that asks for the eventSource too tells them apart.
		if name := service(s); slices.Contains(noisy(), name) || s != name+".amazonaws.com" {
			own[name] = true
		}
	}
	var all []Pattern
	shared := make([][]string, len(ranges()))
	for _, s := range sources {
		if own[service(s)] {
			some, err := ownPatterns(s, calls[s])
			if err != nil {
				return nil, err
			}
			all = append(all, some...)
			continue
		}
		i, exact := slices.BinarySearch(ranges(), strings.ToLower(service(s)))
		if !exact {
			i-- // there is one: the first is "a", and names begin with letters
		}
		shared[max(i, 0)] = append(shared[max(i, 0)], s)
	}
	for i, sources := range shared {
		some, err := sharedPatterns(ranges()[i], sources, calls)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// noisy are the services that make many calls which begin with a verb of
// creation and of which nothing is tagged: sessions, tokens, presigned URLs,
// members of lists, jobs. A function that was called for each would cost more
// than all the others together. Their patterns name the calls.
func noisy() []string {
	return []string{
		"apigateway",        // CreateResource, CreateIntegration, CreateDeployment: dozens for one API
		"appstream",         // CreateStreamingURL for each session
		"autoscaling",       // CreateOrUpdateTags
		"bedrock-agentcore", // CreateEvent for each turn of a conversation
		"chime",             // CreateAttendee for each who joins
		"cloudfront",        // CreateInvalidation with each deployment of a site
		"datazone",          // CreateAsset, CreateFormType: imports of whole catalogues
		"ec2",               // CreateTags, our own included; CreateRoute, CreateNetworkAclEntry
		"gamelift",          // CreateGameSession, CreatePlayerSession
		"glue",              // CreatePartition, BatchCreatePartition
		"iam",               // CreatePolicyVersion, CreateAccessKey, CreateLoginProfile
		"iot",               // CreateThing, CreateKeysAndCertificate for each device
		"ivs",               // CreateParticipantToken
		"ivschat",           // CreateChatToken
		"kms",               // CreateGrant for each volume and each table of a service
		"lambda",            // CreateAlias, CreateMicrovmAuthToken
		"logs",              // CreateLogStream for each function's instance
		"profile",           // CreateProfile for each customer
		"quicksight",        // CreateIngestion, CreateGroupMembership
		"rekognition",       // CreateFaceLivenessSession
		"s3",                // CreateMultipartUpload and CopyObject, where a trail has data events
		"s3express",         // CreateSession, likewise
		"sagemaker",         // CreatePresignedDomainUrl; jobs
		"scheduler",         // CreateSchedule: applications make them by the thousand
		"sns",               // CreatePlatformEndpoint for each telephone
	}
}

// making are verbs that make something new each time. Shared rules let through
// all calls that begin with one, those that are newer than the catalogue too.
func making() []string {
	return []string{"Allocate", "BatchCreate", "Clone", "Copy", "Create", "Purchase"}
}

// ranges divides the services of the shared rules by the beginnings of their
// names: each range has a rule. A range is fixed, rather than as long as a rule
// has room, because a service that moves from one rule to another may be in
// neither while a deployment is under way, and what it creates then is never
// tagged. Each has room for half as many services again; a range that outgrows
// its rule gets a second one.
func ranges() []string {
	return []string{"a", "b", "co", "d", "f", "j", "n", "r", "se", "t"}
}

// ownPatterns returns the patterns of one source, with every name; several
// where they would be too long.
func ownPatterns(source string, rows []*Row) ([]Pattern, error) {
	label := strings.ReplaceAll(strings.ToLower(strings.TrimSuffix(source, ".amazonaws.com")), ".", "-")
	var all []Pattern
	begin := func() Pattern {
		p := newPattern(label, len(all), "Calls to "+strings.TrimSuffix(source, ".amazonaws.com"))
		p.Source = envelopes(source)
		p.Detail.EventSource = []string{source}
		return p
	}
	p := begin()
	for _, r := range rows {
		longer := p
		longer.Detail.EventName = append(slices.Clip(p.Detail.EventName), names(r)...)
		if !longer.long() {
			p = longer
			continue
		}
		if len(p.Detail.EventName) == 0 {
			return nil, fmt.Errorf("deriving the event pattern of %s: %s alone is too long", source, r.Event)
		}
		all = append(all, p)
		p = begin()
		p.Detail.EventName = names(r)
	}
	return append(all, p), nil
}

// sharedPatterns returns the patterns of the sources of a range.
func sharedPatterns(from string, sources []string, calls map[string][]*Row) ([]Pattern, error) {
	if len(sources) == 0 {
		return nil, nil
	}
	var all []Pattern
	begin := func() Pattern {
		p := newPattern("from-"+from, len(all), `Calls that create, to services from "`+from+`" on`)
		for _, verb := range making() {
			p.Detail.EventName = append(p.Detail.EventName, prefix{verb})
		}
		return p
	}
	p := begin()
	for _, s := range sources {
		longer := p.with(s, calls[s])
		if longer.long() && len(p.Source) > 0 {
			all = append(all, p)
			longer = begin().with(s, calls[s])
		}
		if longer.long() {
			return nil, fmt.Errorf("deriving the event pattern of %s: its calls alone are too long: add it to noisy", s)
		}
		p = longer
	}
	return append(all, p), nil
}

// with returns the pattern with one more source.
func (p Pattern) with(source string, rows []*Row) Pattern {
	p.Source = append(slices.Clip(p.Source), envelopes(source)...)
	p.Detail.EventName = slices.Clip(p.Detail.EventName)
	for _, r := range rows {
		if slices.ContainsFunc(making(), func(verb string) bool { return strings.HasPrefix(r.Event, verb) }) {
			continue
		}
		for _, n := range names(r) {
			if !slices.Contains(p.Detail.EventName, n) {
				p.Detail.EventName = append(p.Detail.EventName, n)
			}
		}
	}
	return p
}

func newPattern(label string, before int, about string) Pattern {
	if before > 0 {
		label = fmt.Sprintf("%s-%d", label, before+1)
	}
	return Pattern{
		Label: label, About: about,
		DetailType: []string{cloudtrail.DetailType},
		Detail:     PatternDetail{EventName: []any{}, ErrorCode: []exists{{false}}},
	}
}

// names are what a row's call is called in events.
func names(r *Row) []any {
	if r.Dated {
		return []any{r.Event, prefix{r.Event + "20"}}
	}
	return []any{r.Event}
}

// service is the last label of a source below amazonaws.com: lex of
// models.lex.amazonaws.com.
func service(eventSource string) string {
	s := strings.TrimSuffix(eventSource, ".amazonaws.com")
	return s[strings.LastIndexByte(s, '.')+1:]
}

// envelopes returns the sources that EventBridge may give to the events of an
// event source: aws. and its first label. For sources of several labels that is
// documented nowhere, so that the last one is taken too.
func envelopes(eventSource string) []any {
	first, _, _ := strings.Cut(eventSource, ".")
	if last := service(eventSource); last != first {
		return []any{"aws." + first, "aws." + last}
	}
	return []any{"aws." + first}
}

// Removals returns the pattern that lets through the calls which take tags away, of
// all services: [IsRemoval].
func Removals() Pattern {
	p := newPattern("removals", 0, "Calls that take tags away")
	p.Source = []any{prefix{"aws."}}
	for _, verb := range removing() {
		p.Detail.EventName = append(p.Detail.EventName, prefix{verb})
	}
	return p
}

// IsRemoval reports whether a call takes tags away, by its name. Calls that replace
// all tags or overwrite one aren't told from those that add some.
func IsRemoval(eventName string) bool {
	return slices.ContainsFunc(removing(), func(verb string) bool { return strings.HasPrefix(eventName, verb) })
}

// removing are the names that services have for it, or their beginnings.
func removing() []string {
	return []string{"DeleteBucketTagging", "DeleteTags", "RemoveTags", "Untag"}
}

// Actions returns the IAM actions that tagging what the rows create needs,
// sorted.
func Actions(rows []*Row) []string {
	var all []string
	for _, r := range rows {
		for _, res := range r.Resources {
			all = append(all, res.Permissions...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
