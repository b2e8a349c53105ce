package cloudtrail

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// Event is one CloudTrail record. Texts are as the record spells them; an
// absent field is "".
type Event struct {
	ID     string // eventID: the key that recognises a second delivery
	Source string // eventSource, such as ec2.amazonaws.com
	Name   string // eventName, such as CreateFunction20150331
	Time   time.Time
	// TimeText is eventTime as written, kept for records whose time does not
	// parse (Time is then zero).
	TimeText string
	Region   string // awsRegion
	// Account is the account the call acted in: Recipient, or where an old record
	// lacks it Delivered or the caller's.
	Account string
	// Recipient is recipientAccountId, and Delivered the account of the EventBridge
	// event around the record: "" of a bare one. EventBridge sets that itself, for
	// events that come from another account too.
	// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
	Recipient, Delivered string

	Type         string // eventType: AwsApiCall, AwsServiceEvent, …
	Category     string // eventCategory: Management, Data, …
	ErrorCode    string
	ErrorMessage string
	ReadOnly     Flag
	Management   Flag // managementEvent
	DryRun       bool // requestParameters.dryRun, or EC2's DryRunOperation

	Identity Identity
	Request  Value // requestParameters
	Response Value // responseElements
}

// Flag is a boolean that many records leave out.
type Flag uint8

// The values of a [Flag].
const (
	Absent Flag = iota
	False
	True
)

// Identity is a record's userIdentity, flattened. As JSON it is what the ledger keeps.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
type Identity struct {
	Type           string `json:"type,omitzero"`
	PrincipalID    string `json:"principal,omitzero"`
	ARN            string `json:"arn,omitzero"`
	AccountID      string `json:"account,omitzero"`
	AccessKeyID    string `json:"key,omitzero"` // of the credentials: ASIA… are a session's
	UserName       string `json:"user,omitzero"`
	InvokedBy      string `json:"via,omitzero"`
	IssuerARN      string `json:"issuer,omitzero"`          // sessionContext.sessionIssuer.arn
	IssuerName     string `json:"issuer-name,omitzero"`     // sessionContext.sessionIssuer.userName
	SourceIdentity string `json:"source-identity,omitzero"` // sessionContext.sourceIdentity
	// SessionStart is when the session's credentials were issued
	// (sessionContext.attributes.creationDate), zero where the record doesn't say.
	SessionStart time.Time `json:"start,omitzero"`
	// InScopeOf and EC2RoleDelivery are there when AWS issued the credentials
	// to a Lambda function (and the like) or to an instance.
	InScopeOf       bool   `json:"in-scope-of,omitzero"`
	EC2RoleDelivery string `json:"ec2-role-delivery,omitzero"`
	OnBehalfOf      string `json:"on-behalf-of,omitzero"`   // onBehalfOf.userId of the Identity Center
	IdentityStore   string `json:"identity-store,omitzero"` // onBehalfOf.identityStoreArn: where that user is
}

// Service returns the first label of the event source: "ec2" of
// ec2.amazonaws.com.
func (e *Event) Service() string {
	s, _, _ := strings.Cut(e.Source, ".")
	return s
}

// Reason says why a document is no usable record.
type Reason string

// The reasons, as the command line prints them.
const (
	Malformed     Reason = "malformed"
	NotCloudTrail Reason = "not-cloudtrail"
)

// Error is a document that can't be used, and why.
type Error struct {
	Reason Reason
	Detail string
}

func (e *Error) Error() string { return string(e.Reason) + ": " + e.Detail }

// Fault is why a document can't be used, by an error of [Decode] or [Read], and more about
// it.
func Fault(err error) (why Reason, detail string) {
	var unusable *Error
	if errors.As(err, &unusable) {
		return unusable.Reason, unusable.Detail
	}
	return Malformed, err.Error()
}

// Delivery is within how long CloudTrail delivers nearly all events.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html
const Delivery = 15 * time.Minute

func malformed(format string, args ...any) error {
	return &Error{Malformed, fmt.Sprintf(format, args...)}
}

// DetailType is the EventBridge detail-type of management events.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
const DetailType = "AWS API Call via CloudTrail"

// Decode reads one JSON document that holds one record: bare or in an
// EventBridge event. The error is always an [*Error]; with it may come an event
// that holds what could be read, for the log.
func Decode(doc string) (*Event, error) {
	if err := valid(doc); err != nil {
		return nil, err
	}
	return decode(gjson.Parse(doc))
}

// valid reports the first syntax error of a document, and its place.
func valid(doc string) error {
	if strings.TrimSpace(doc) == "" {
		return malformed("the document is empty")
	}
	if !json.Valid([]byte(doc)) {
		var any json.RawMessage
		err := json.Unmarshal([]byte(doc), &any)
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return malformed("no valid JSON at byte %d: %v", syntax.Offset, err)
		}
		return malformed("no valid JSON: %v", err)
	}
	return nil
}

// decode reads a record or an EventBridge event around one.
func decode(doc gjson.Result) (*Event, error) {
	if !doc.IsObject() {
		return nil, malformed("a record is a JSON object, this is %s", kind(doc))
	}
	var detail, detailType, source, account gjson.Result
	doc.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "detail":
			detail = v
		case "detail-type":
			detailType = v
		case "source":
			source = v
		case "account":
			account = v
		}
		return true
	})
	if !detailType.Exists() && !detail.Exists() {
		return record(doc, "")
	}
	// Console sign-ins and service events come under detail-types of their own
	// ("AWS Console Sign In via CloudTrail"), still with a record as detail.
	if !strings.HasSuffix(detailType.Str, "via CloudTrail") || source.Exists() && !strings.HasPrefix(source.Str, "aws.") {
		return nil, &Error{NotCloudTrail, fmt.Sprintf("an EventBridge event of detail-type %q from %q", clip(detailType.String()), clip(source.String()))}
	}
	if !detail.IsObject() {
		return nil, malformed("the detail of the EventBridge event is %s, not a record", kind(detail))
	}
	return record(detail, text(account))
}

// record reads a record, delivered with the account of the envelope around it.
func record(doc gjson.Result, delivered string) (*Event, error) {
	e := &Event{Delivered: delivered}
	fields := 0
	digest := false
	var buf [32]byte
	doc.ForEach(func(k, v gjson.Result) bool {
		fields++
		switch string(lower(buf[:0], k.Str)) {
		case "eventid":
			e.ID = text(v)
		case "eventsource":
			e.Source = strings.TrimSuffix(text(v), ".cn")
		case "eventname":
			e.Name = text(v)
		case "eventtime":
			e.TimeText = text(v)
		case "awsregion":
			e.Region = text(v)
		case "recipientaccountid":
			e.Recipient = text(v)
		case "eventtype":
			e.Type = text(v)
		case "eventcategory":
			e.Category = text(v)
		case "errorcode":
			e.ErrorCode = text(v)
		case "digeststarttime":
			digest = true
		case "errormessage":
			e.ErrorMessage = text(v)
		case "readonly":
			e.ReadOnly = flag(v)
		case "managementevent":
			e.Management = flag(v)
		case "requestparameters":
			e.Request = value(v)
		case "responseelements":
			e.Response = value(v)
		case "useridentity":
			e.Identity = identity(v)
		}
		return true
	})
	// A trail's folder holds files of other kinds beside its logs.
	// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
	switch {
	case digest && e.Source == "":
		return e, &Error{NotCloudTrail, "a digest file of CloudTrail"}
	case e.Category == "Insight" && e.Source == "":
		return e, &Error{NotCloudTrail, "an Insights event of CloudTrail"}
	}
	if strings.HasPrefix(e.Source, "aws:") {
		return e, &Error{NotCloudTrail, fmt.Sprintf("a notification of %q", clip(e.Source))}
	}
	switch {
	case fields == 0:
		return e, malformed("the record is empty")
	case e.Source == "":
		return e, malformed("the record has no eventSource")
	case !isSource(e.Source):
		return e, malformed("eventSource %q is no AWS service", clip(e.Source))
	case e.Name == "":
		return e, malformed("the record has no eventName")
	case !isName(e.Name):
		return e, malformed("eventName %q is no name of a call", clip(e.Name))
	}
	if t, err := time.Parse(time.RFC3339, e.TimeText); err == nil {
		e.Time = t
	}
	e.Account = cmp.Or(e.Recipient, e.Delivered, e.Identity.AccountID)
	e.DryRun = strings.HasSuffix(e.ErrorCode, "DryRunOperation") || e.Request.Key("dryRun").True()
	return e, nil
}

func identity(v gjson.Result) Identity {
	var id Identity
	if !v.IsObject() {
		return id
	}
	var buf [32]byte
	v.ForEach(func(k, v gjson.Result) bool {
		switch string(lower(buf[:0], k.Str)) {
		case "type":
			id.Type = text(v)
		case "principalid":
			id.PrincipalID = text(v)
		case "arn":
			id.ARN = text(v)
		case "accountid":
			id.AccountID = text(v)
		case "accesskeyid":
			id.AccessKeyID = text(v)
		case "username":
			id.UserName = text(v)
		case "invokedby":
			id.InvokedBy = text(v)
		case "inscopeof":
			id.InScopeOf = v.IsObject()
		case "onbehalfof":
			id.OnBehalfOf = Value{v}.Key("userId").Text()
			id.IdentityStore = Value{v}.Key("identityStoreArn").Text()
		case "sessioncontext":
			session(v, &id)
		}
		return true
	})
	return id
}

func session(v gjson.Result, id *Identity) {
	if !v.IsObject() {
		return
	}
	var buf [32]byte
	v.ForEach(func(k, v gjson.Result) bool {
		switch string(lower(buf[:0], k.Str)) {
		case "sourceidentity":
			id.SourceIdentity = text(v)
		case "ec2roledelivery":
			id.EC2RoleDelivery = text(v)
		case "attributes":
			// One that is no time is as good as absent.
			id.SessionStart, _ = time.Parse(time.RFC3339, Value{v}.Key("creationDate").Text())
		case "sessionissuer":
			issuer := Value{v}
			id.IssuerARN = issuer.Key("arn").Text()
			id.IssuerName = issuer.Key("userName").Text()
		}
		return true
	})
}

// lower appends s in lower case: the names of the envelope differ in case
// between writers (eventID, eventId; sessioncontext), and a buffer on the stack
// spares the allocation.
func lower(buf []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		buf = append(buf, c)
	}
	return buf
}

// text returns a string or number; other types, where a text belongs, are as
// good as absent.
func text(v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		return v.Str
	case gjson.Number:
		return v.Raw
	}
	return ""
}

// flag reads a boolean, which some writers of records put into a string.
func flag(v gjson.Result) Flag {
	switch {
	case v.Type == gjson.True, v.Type == gjson.String && strings.EqualFold(v.Str, "true"):
		return True
	case v.Type == gjson.False, v.Type == gjson.String && strings.EqualFold(v.Str, "false"):
		return False
	}
	return Absent
}

// isSource reports whether s has the form of an event source: labels under
// amazonaws.com.
func isSource(s string) bool {
	labels, ok := strings.CutSuffix(s, ".amazonaws.com")
	return ok && labels != "" && only(labels, "-._")
}

// isName reports whether s can be the name of an API call.
func isName(s string) bool {
	c := s[0] | 0x20
	return c >= 'a' && c <= 'z' && only(s, "-._:")
}

// only reports whether s has nothing but ASCII letters, digits and extra.
func only(s, extra string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte(extra, c) >= 0:
		default:
			return false
		}
	}
	return true
}

func kind(v gjson.Result) string {
	switch {
	case v.IsArray():
		return "an array"
	case v.IsObject():
		return "an object"
	case !v.Exists():
		return "missing"
	case v.IsBool():
		return "a boolean"
	case v.Type == gjson.String:
		return "a string"
	case v.Type == gjson.Number:
		return "a number"
	}
	return "null"
}

// clip keeps a text from a broken record short enough for a log line.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
