package resolve

import (
	"iter"
	"slices"
	"strings"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
)

// lastResort works out what a call made that the catalogue doesn't know: AWS
// adds calls faster than catalogues follow. It names a resource only where the
// response leaves no doubt, else it says what the doubt is:
//
//   - the call's verb makes something new each time: what Register, Import or
//     Put answer with may have been there before;
//   - the response has exactly one ARN of the call's own service, in the event's
//     account and region, wherever it stands;
//   - that ARN stands under a name that means the call's result: arn, or the
//     thing that the call's name says it creates, such as thingArn for
//     CreateThing; roleArn or parent name something else;
//   - the request names it neither by its ARN nor by its id, unless as the name
//     of the new thing;
//   - it isn't of the kind of thing that the new one only belongs to.
//
// The tags go through the Resource Groups Tagging API, the only one whose calls
// are the same for every service.
func lastResort(e *cloudtrail.Event) (found Resource, doubt string) {
	noun, ok := createsNew(catalogue.Undated(e.Name))
	switch {
	case !ok:
		return found, "its verb may stand for a change of what exists"
	case e.Source == "cloudformation.amazonaws.com":
		return found, "tagging a stack or a stack set would update it"
	case e.Region == "" || len(e.Account) != 12 || strings.Trim(e.Account, "0123456789") != "":
		return found, "the record lacks its region or account"
	}
	service := e.Service()
	if e.Source != service+".amazonaws.com" {
		return found, "the event source is not the name of an ARN's service"
	}
	rec := record{e, catalogue.Undated(e.Name)}
	arn, key := "", place{}
	for at, text := range rec.texts(e.Response) {
		switch {
		case !isOf(service, text) || rec.mentions(text):
		case arn != "" && arn != text:
			return found, "its response names several ARNs of the service"
		case arn == "" || !key.isResult(noun):
			arn, key = text, at
		}
	}
	parts := strings.SplitN(arn, ":", 6)
	switch {
	case arn == "":
		return found, "its response has no ARN of the service but those that the request gave"
	case len(parts) != 6 || !usable(arn) || parts[1] != Partition(e.Region) || parts[3] != "" && parts[3] != e.Region || parts[4] != e.Account:
		return found, "the ARN in its response is malformed, or of another account or region"
	case !key.isResult(noun):
		return found, "the ARN in its response stands where another thing is named"
	}
	kind, id, ok := cutKind(parts[5])
	switch {
	case !ok:
		return found, "the ARN in its response doesn't tell the kind of the resource"
	case isPart(noun, kind):
		return found, "the ARN in its response is a " + kind + "'s, not the new " + noun + "'s"
	case rec.takes(id, noun):
		return found, "the ARN in its response is of something that its request names"
	}
	tags := catalogue.Resource{Tags: catalogue.Path{Root: "request", Steps: []catalogue.Step{{Name: "tags"}}}}
	requested, _ := rec.requested(&tags)
	return Resource{
		ARN: arn, Type: service + ":" + kind, API: catalogue.APITagging, Account: e.Account, Region: e.Region,
		// The service's own action is needed too; its name isn't known.
		Permissions: []string{"tag:TagResources", "tag:GetResources"},
		Requested:   requested,
		Upsert:      true, // whether "tags" are all that the request sets isn't known
		LastResort:  true,
	}, ""
}

// createsNew reports whether a call makes something new each time, and what
// its name says that is: Thing for CreateThing.
func createsNew(name string) (noun string, ok bool) {
	for _, v := range []string{"Allocate", "BatchCreate", "Clone", "Copy", "Create", "Purchase"} {
		if noun, ok := strings.CutPrefix(name, v); ok && verb(name, v) {
			return noun, noun != "" && !verb(noun, "Or") // CreateOrUpdateThing
		}
	}
	return "", false
}

// isPart reports whether a noun is something that belongs to a kind of
// resource: ThingVersion to thing.
func isPart(noun, kind string) bool {
	kind = strings.NewReplacer("-", "", "_", "").Replace(kind)
	rest, ok := cutPrefixFold(noun, kind)
	return ok && rest != "" && rest[0] >= 'A' && rest[0] <= 'Z' && strings.Trim(rest[1:], "0123456789") != ""
}

// isOf reports whether a text is an ARN of a service.
func isOf(service, text string) bool {
	if !strings.HasPrefix(text, "arn:") {
		return false
	}
	parts := strings.SplitN(text, ":", 4)
	return len(parts) == 4 && parts[2] == service
}

// mentions reports whether the request has an ARN, alone or in a text.
func (r record) mentions(arn string) bool {
	for _, text := range r.texts(r.Request) {
		if strings.Contains(text, arn) {
			return true
		}
	}
	return false
}

// takes reports whether the request has an id, but not as the name of what is
// to be made.
func (r record) takes(id, noun string) bool {
	taken := false
	for at, text := range r.texts(r.Request) {
		if text != id && text != lastPart(id) {
			continue
		}
		if at.isName(noun) {
			return false
		}
		taken = true
	}
	return taken
}

// place is where a text stands: the key of its value, and that of the object
// which has the key.
type place struct{ parent, key string }

// isResult reports whether what stands here is what a call made.
func (p place) isResult(noun string) bool {
	if is(p.key, "arn") || is(p.key, "resourceArn") {
		return p.parent == "" || isNoun(p.parent, noun, "", "Summary", "Detail", "Details", "Info", "Metadata")
	}
	return isNoun(p.key, noun, "", "Arn", "Id", "Identifier")
}

// isName reports whether what stands here, in a request, is the name of what
// is to be made rather than of what is there.
func (p place) isName(noun string) bool {
	return !is(p.parent, "tags") && (is(p.key, "name") || isNoun(p.key, noun, "", "Name", "Id", "Identifier"))
}

func is(key, name string) bool { return strings.EqualFold(key, name) }

// isNoun reports whether a key is the noun of a call and one of the endings,
// in the plural perhaps: thingArn, ThingARN, things, thingArns.
func isNoun(key, noun string, endings ...string) bool {
	return slices.ContainsFunc(endings, func(end string) bool {
		singular := strings.TrimSuffix(noun, "s")
		for _, form := range []string{noun + end, singular + end, noun + end + "s", singular + end + "s"} {
			if is(key, form) {
				return true
			}
		}
		return false
	})
}

// cutKind divides the last part of an ARN: thing/a and thing:a are a thing, a.
func cutKind(resource string) (kind, id string, ok bool) {
	i := strings.IndexAny(resource, "/:")
	if i <= 0 || i == len(resource)-1 {
		return "", "", false
	}
	kind, id = resource[:i], resource[i+1:]
	letters := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}
	return kind, id, !strings.ContainsFunc(kind, letters) && lastPart(id) != ""
}

// lastPart is what follows the last slash or colon.
func lastPart(id string) string { return id[strings.LastIndexAny(id, "/:")+1:] }

// texts yields every text at and below a value, with its place. What only wraps
// a list, a text or all parameters has no name of its own.
func (r record) texts(v cloudtrail.Value) iter.Seq2[place, string] {
	return func(yield func(place, string) bool) { r.eachText(place{}, v, yield) }
}

func (r record) eachText(at place, v cloudtrail.Value, yield func(place, string) bool) (more bool) {
	more = true
	switch {
	case v.IsArray():
		for _, member := range v.Elements() {
			more = more && r.eachText(at, member, yield)
		}
	case v.IsObject():
		v.Each(func(key string, member cloudtrail.Value) {
			below := place{at.key, key}
			switch key {
			case "items", "item", "member", "content":
				below = at
			}
			if r.wraps(key) {
				below = at
			}
			more = more && r.eachText(below, member, yield)
		})
	case v.IsText():
		return yield(at, v.Text())
	}
	return more
}
