package resolve

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
)

// Reason says why an event is skipped. They are listed in the order in which
// they are looked for; the first that applies is given.
type Reason string

// The reasons. Malformed and not-cloudtrail are those of package cloudtrail;
// OwnEvent is found by package plan, which knows the policy, and so is Excluded
// but for rows that are off.
const (
	DryRun       Reason = "dry-run"
	CallFailed   Reason = "error" // the call was refused or failed
	OwnEvent     Reason = "own-event"
	SignIn       Reason = "sign-in"
	ServiceEvent Reason = "service-event" // eventType is not AwsApiCall
	DataEvent    Reason = "data-event"
	ReadOnly     Reason = "read-only"
	UnknownEvent Reason = "unknown-event" // looks like a create, not in the catalogue
	NotACreate   Reason = "not-a-create"
	NotTaggable  Reason = "not-taggable"
	NoIdentifier Reason = "no-identifier" // the record doesn't say what was created
	Excluded     Reason = "excluded"
)

// Resource is one thing that a call created.
type Resource struct {
	ARN         string
	Type        string // CloudFormation type name, else service:resource
	API         string // see catalogue.Resource
	Calls       *catalogue.Calls
	Limits      *catalogue.Limits // of its tags, in what its service takes; nil: as all do
	Account     string            // of the resource: of its ARN, else the event's
	Region      string            // likewise
	Permissions []string
	Requested   map[string]string // tags that the create request set
	// LookUp is the catalogue's: what tells whether the call created it.
	LookUp string
	// Upsert says that the resource may have tags beside those: the call may
	// answer with one that exists, or the record doesn't tell its tags.
	Upsert bool
	// LastResort says that the call isn't in the catalogue and the resource was
	// worked out from its response alone.
	LastResort bool
}

// Name returns what the resource is called within its account: what follows
// the last slash or colon of its ARN.
func (r Resource) Name() string {
	return r.ARN[strings.LastIndexAny(r.ARN, ":/")+1:]
}

// Switches say which calls are handled. A [*policy.Policy] has them.
type Switches interface {
	// RowOff says why a row isn't used, "" where it is.
	RowOff(*catalogue.Row) string
	// LastResort reports whether a call that has no row may be handled where
	// its response leaves no doubt.
	LastResort(eventSource, eventName string) bool
}

// Resolve returns what the event created. Without resources there is a reason,
// and a detail for the log. The error is a fault of the catalogue's data.
func Resolve(c *catalogue.Catalogue, on Switches, e *cloudtrail.Event) (created []Resource, reason Reason, detail string, err error) {
	if reason, detail := screen(e); reason != "" {
		return nil, reason, detail, nil
	}
	row, err := c.Lookup(e.Source, e.Name)
	switch {
	case err != nil:
		return nil, "", "", err
	case row == nil && creates(e.Name):
		detail = e.Source + " " + e.Name + " is not in the catalogue"
		if !on.LastResort(e.Source, catalogue.Undated(e.Name)) {
			return nil, UnknownEvent, detail, nil
		}
		found, doubt := lastResort(e)
		if doubt != "" {
			return nil, UnknownEvent, detail + ", and " + doubt, nil
		}
		return []Resource{found}, "", "", nil
	case row == nil:
		return nil, NotACreate, "", nil
	case row.Untaggable != "":
		return nil, NotTaggable, row.Untaggable, nil
	}
	rec := record{e, catalogue.Undated(e.Name)}
	for i := range row.Resources {
		created = rec.locate(created, &row.Resources[i])
	}
	if len(created) == 0 && rec.changed(row) {
		return nil, NotACreate, "the call changed what was there", nil
	}
	if len(created) == 0 {
		return nil, NoIdentifier, "the record doesn't name the " + row.Resources[0].Type, nil
	}
	if why := on.RowOff(row); why != "" {
		return nil, Excluded, why, nil
	}
	return created, "", "", nil
}

// changed reports whether a call that may create or change has changed: the
// conditions that a creation shows don't hold for any of its resources.
func (r record) changed(row *catalogue.Row) bool {
	return !slices.ContainsFunc(row.Resources, func(res catalogue.Resource) bool {
		return !res.Upsert || r.holds(res.When)
	})
}

// screen finds the reasons that don't need the catalogue.
func screen(e *cloudtrail.Event) (Reason, string) {
	switch {
	case e.DryRun:
		return DryRun, ""
	case e.ErrorCode != "" || e.ErrorMessage != "":
		return CallFailed, e.ErrorCode
	case e.Type == "AwsConsoleSignIn" || e.Source == "signin.amazonaws.com":
		return SignIn, ""
	case e.Type != "AwsApiCall" && e.Type != "":
		return ServiceEvent, e.Type
	case e.Management == cloudtrail.False || e.Category != "" && e.Category != "Management":
		return DataEvent, e.Category
	case e.ReadOnly == cloudtrail.True || e.ReadOnly == cloudtrail.Absent && reads(e.Name):
		return ReadOnly, ""
	}
	return "", ""
}

// creates reports whether a call's name begins with a verb of creation.
func creates(name string) bool {
	return verb(name, "Allocate", "BatchCreate", "Clone", "Copy", "Create", "Import", "Issue", "Launch",
		"Provision", "Purchase", "Register", "Replicate", "Request", "Restore", "Run")
}

// reads reports whether a call's name begins with a verb that only reads, for
// old records that lack the readOnly flag.
func reads(name string) bool {
	return verb(name, "BatchDescribe", "BatchGet", "Check", "Describe", "Estimate", "Get", "Head", "List", "Lookup",
		"Preview", "Query", "Read", "Scan", "Search", "Select", "Simulate", "Test", "Validate", "View")
}

// verb reports whether name begins with one of the verbs as a whole word.
func verb(name string, verbs ...string) bool {
	return slices.ContainsFunc(verbs, func(v string) bool {
		rest, ok := strings.CutPrefix(name, v)
		return ok && (rest == "" || rest[0] < 'a' || rest[0] > 'z')
	})
}

// record is an event whose paths are being followed.
type record struct {
	*cloudtrail.Event
	op string // the event's name without an API version
}

// locate appends what res finds: the first locator that yields decides.
func (r record) locate(found []Resource, res *catalogue.Resource) []Resource {
	if !r.holds(res.When) {
		return found
	}
	region := r.Region
	if !res.Region.IsZero() {
		if v := r.values(res.Region); len(v) == 1 && v[0] != "" {
			region = resourceRegion(v[0])
		}
	}
	for _, l := range res.From {
		arns, certain := r.arns(res.ARN, l, region)
		if !certain {
			return found
		}
		if len(arns) == 0 {
			continue
		}
		requested, told := r.requested(res)
		for _, arn := range arns {
			if slices.ContainsFunc(found, func(f Resource) bool { return f.ARN == arn }) {
				continue
			}
			parts := strings.SplitN(arn, ":", 6)
			found = append(found, Resource{
				ARN: arn, Type: res.Type, API: res.API, Calls: res.Calls, Limits: &res.Limits, Permissions: res.Permissions, Requested: requested, Upsert: res.Upsert || !told, LookUp: res.LookUp,
				Account: cmp.Or(parts[4], r.Account), Region: cmp.Or(parts[3], region),
			})
		}
		return found
	}
	return found
}

// holds reports whether all the conditions do.
func (r record) holds(conditions []catalogue.Condition) bool {
	for _, c := range conditions {
		want := c.Equal
		if want == "{account}" {
			want = r.Account
		}
		values := r.walk(c.Path)
		there := c.Absent && len(values) == 0
		for _, v := range values {
			switch {
			case want == "{time}":
				there = there || r.isNow(v.Text())
			default:
				there = there || v.Exists() && (want == "" || strings.EqualFold(v.Text(), want))
			}
		}
		if there == c.Not {
			return false
		}
	}
	return true
}

// isNow reports whether a time in the record is that of the event, within the
// two minutes that a call may take.
func (r record) isNow(text string) bool {
	at, ok := timeOf(text)
	return ok && !r.Time.IsZero() && at.Sub(r.Time).Abs() <= 2*time.Minute
}

// timeOf reads a time in the forms that CloudTrail has: of RFC 3339, of Java's
// default for a date, and seconds or milliseconds since 1970.
func timeOf(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "Jan 2, 2006 3:04:05 PM", "Jan 2, 2006, 3:04:05 PM", "Mon Jan 2 15:04:05 MST 2006"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return time.Time{}, false
	}
	if seconds > 1e11 {
		seconds /= 1000
	}
	return time.Unix(int64(seconds), 0), true
}

// arns returns the ARNs that a locator yields, those only that fit the type's
// template. It isn't certain of them where the record has an ARN that doesn't
// fit: then what a later locator would yield is something else's name.
func (r record) arns(t catalogue.Template, l catalogue.Locator, region string) (arns []string, certain bool) {
	columns := make([][]string, len(l))
	rows := -1 // of the lists; there is none yet
	for i, a := range l {
		columns[i] = r.values(a.Path)
		if !slices.ContainsFunc(a.Path.Steps, func(s catalogue.Step) bool { return s.List }) {
			if len(columns[i]) == 0 {
				return nil, true
			}
			continue
		}
		// Lists go side by side. Where a member lacks in one of them, which
		// belongs to which isn't known.
		if n := len(columns[i]); rows < 0 || n == rows {
			rows = n
		} else {
			return nil, true
		}
	}
	if rows < 0 {
		rows = 1
	}
	for row := range rows {
		at := func(i int) string { return columns[i][min(row, len(columns[i])-1)] }
		arn, ok := r.direct(l, at)
		if ok && !t.Fits(arn) {
			return nil, false
		}
		if !ok {
			arn, ok = t.Expand(func(name string) string {
				for i, a := range l {
					if a.Var == name {
						return identifier(a.Func, at(i))
					}
				}
				switch name {
				case "partition":
					return Partition(region)
				case "region":
					return region
				case "account":
					return r.Account
				}
				return ""
			})
		}
		if ok && t.Fits(arn) {
			arns = append(arns, arn)
		}
	}
	return arns, true
}

// direct returns the ARN that a locator's id is, where it is one: of the answer,
// unless the request has it, since what it names was there before; of the request
// only for what the caller named so in the own account.
func (r record) direct(l catalogue.Locator, at func(int) string) (string, bool) {
	for i, a := range l {
		v := at(i)
		if a.Path.Root == "request" && !strings.Contains(v, ":"+r.Account+":") {
			continue
		}
		if a.Path.Root == "response" && strings.HasPrefix(v, "arn:") && r.asked(v) {
			return "", true
		}
		if strings.HasPrefix(v, "aws:") || strings.HasPrefix(v, "aws-") && strings.Count(v, ":") >= 4 {
			v = "arn:" + v // as Rekognition's are logged
		}
		if a.Var == "id" && strings.HasPrefix(v, "arn:") && usable(v) {
			return v, true
		}
	}
	return "", false
}

// asked reports whether a text is one of the request's values, at any depth.
func (r record) asked(text string) bool {
	for _, t := range r.texts(r.Request) {
		if t == text {
			return true
		}
	}
	return false
}

// identifier makes a value ready for its place in a template; "" if it can't
// be an identifier. An ARN has no place inside another.
func identifier(function, v string) string {
	switch function {
	case "last":
		v = v[strings.LastIndexByte(v, '/')+1:]
	case "unslash":
		v = strings.TrimPrefix(v, "/")
	}
	if !usable(v) || strings.HasPrefix(v, "arn:") {
		return ""
	}
	if function == "lower" {
		return strings.ToLower(v)
	}
	return v
}

// values returns the identifiers at a path: texts, and whole numbers. What is of
// another type is "".
func (r record) values(p catalogue.Path) []string {
	var texts []string
	for _, v := range r.walk(p) {
		text := v.Text()
		if !v.IsText() && strings.Trim(text, "0123456789") != "" {
			text = ""
		}
		texts = append(texts, text)
	}
	return texts
}

// walk returns the values at a path that exist.
func (r record) walk(p catalogue.Path) []cloudtrail.Value {
	at := []cloudtrail.Value{r.Request}
	if p.Root == "response" {
		at[0] = r.Response
	}
	for i, step := range p.Steps {
		var next []cloudtrail.Value
		for _, v := range at {
			member := v.Key(step.Name)
			if i == 0 && !member.Exists() {
				member = r.wrapped(v, p)
			}
			switch {
			case step.List:
				for _, element := range member.Elements() {
					if step.Unless == nil || !strings.EqualFold(textAt(element, step.Unless), step.Is) {
						next = append(next, element)
					}
				}
			case member.Exists():
				next = append(next, member)
			}
		}
		if at = next; len(at) == 0 {
			return nil
		}
	}
	return at
}

// textAt returns the text at a place below a value.
func textAt(v cloudtrail.Value, place []string) string {
	for _, name := range place {
		v = v.Key(name)
	}
	return v.Text()
}

// wrapped returns a path's first member where it isn't where the path begins:
// inside an object around all of the parameters, or with an object left out so that its own
// members stand in its place, as RDS does for some calls and not for others.
func (r record) wrapped(v cloudtrail.Value, p catalogue.Path) cloudtrail.Value {
	if member := r.unwrap(v).Key(p.Steps[0].Name); member.Exists() || p.Root == "request" {
		return member
	}
	// A bare id or name may be anything's: only what is called after the thing may
	// stand elsewhere.
	if len(p.Steps) > 1 && !p.Steps[0].List && len(p.Steps[1].Name) > len("name") && v.Key(p.Steps[1].Name).Exists() {
		return v
	}
	var found cloudtrail.Value
	v.Each(func(key string, val cloudtrail.Value) {
		if n := len(r.op) - len(key); n > 0 && strings.EqualFold(r.op[n:], key) && val.IsObject() {
			found = val.Key(p.Steps[0].Name) // below what the call is named for: CreateDBProxy's dBProxy
		}
	})
	return found
}

// unwrap steps into the object that some services put around the parameters:
// EC2's newer calls (CreateVpcEndpointRequest, …Response), API Gateway's
// (createStageInput), and query services' results.
func (r record) unwrap(v cloudtrail.Value) cloudtrail.Value {
	var inner cloudtrail.Value
	v.Each(func(key string, val cloudtrail.Value) {
		if r.wraps(key) {
			inner = val
		}
	})
	return inner
}

// wraps reports whether a key is that of such an object.
func (r record) wraps(key string) bool {
	rest, ok := cutPrefixFold(key, r.op)
	if ok {
		switch rest {
		case "Request", "Response", "Result", "Input", "Output":
			return true
		}
	}
	return false
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

// usable reports whether a value can be an identifier. CloudTrail puts
// redactions where values belong, and no id that the catalogue's ARNs are made of
// has a bracket or a wildcard in it. Names of alarms and jobs may have spaces,
// though not at their ends.
func usable(s string) bool {
	switch s {
	case "", "null", "-", "--", "...", "HIDDEN_DUE_TO_SECURITY_REASONS":
		return false
	}
	for _, c := range s {
		if c < ' ' || c == 0x7f || strings.ContainsRune("*?<>{}\"'\\`|^", c) {
			return false
		}
	}
	return len(s) <= 2048 && s[0] != ' ' && s[len(s)-1] != ' '
}

// Partition returns the partition that a region is in.
// https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
func Partition(region string) string {
	switch family, rest, _ := strings.Cut(region, "-"); {
	case family == "cn":
		return "aws-cn"
	case family == "eusc":
		return "aws-eusc"
	case strings.HasPrefix(rest, "gov-"):
		return "aws-us-gov"
	case strings.HasPrefix(rest, "iso-"):
		return "aws-iso"
	case strings.HasPrefix(rest, "isob-"):
		return "aws-iso-b"
	case strings.HasPrefix(rest, "isoe-"):
		return "aws-iso-e"
	case strings.HasPrefix(rest, "isof-"):
		return "aws-iso-f"
	}
	return "aws"
}

// resourceRegion returns the region that a resource's own field names. S3
// still takes EU for eu-west-1.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html
func resourceRegion(s string) string {
	if s == "EU" {
		return "eu-west-1"
	}
	return s
}
