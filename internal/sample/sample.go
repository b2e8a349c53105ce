// Package sample turns the project's sample events into the events of
// resources that exist: the demo and the integration tests create a resource,
// take the sample of the call that creates such a thing, and put the names and
// ids in that the resource got.
//
//	e := sample.Read(os.DirFS("events"), "sqs/CreateQueue.json").
//		Place("123456789012", "eu-west-1").
//		By(sample.Person("123456789012", "alice@example.com")).
//		Untag().
//		Set("requestParameters.queueName", name).
//		Set("responseElements.queueUrl", url)
//	body, err := e.JSON()
//
// No emulator emits CloudTrail events, so that this is the nearest to the real
// thing: the form is the sample's, the names are the resource's.
package sample

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"autotagger/internal/catalogue"
	"time"
)

// Event is an EventBridge event with a CloudTrail record in it. Its methods
// change it and return it; the first error is kept for JSON.
type Event struct {
	name   string
	event  map[string]any
	record map[string]any // event's detail
	err    error
}

// Read reads a sample: a file with one EventBridge event. A name such as
// "generated/acm RequestCertificate" is a record of that name in
// generated/acm.jsonl, and "#2" behind it means the second of them.
func Read(fsys fs.FS, name string) *Event {
	e := &Event{name: name}
	file, call, among := strings.Cut(name, " ")
	if among {
		file += ".jsonl"
	}
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		e.err = fmt.Errorf("reading the sample: %w", err)
		return e
	}
	if among {
		return e.pick(data, call)
	}
	return e.decode(data)
}

// pick takes one record of several, and puts an event around it.
func (e *Event) pick(data []byte, call string) *Event {
	call, ordinal, _ := strings.Cut(call, "#")
	nth, err := strconv.Atoi(cmp.Or(ordinal, "1"))
	if err != nil {
		return e.fail(fmt.Errorf("reading the sample %s: %w", e.name, err))
	}
	for line := range bytes.Lines(data) {
		var r struct{ EventName, EventSource, EventTime, AWSRegion, RecipientAccountID string }
		if err := json.Unmarshal(line, &r); err != nil {
			return e.fail(fmt.Errorf("reading the sample %s: %w", e.name, err))
		}
		if r.EventName != call && catalogue.Undated(r.EventName) != call {
			continue
		}
		if nth--; nth == 0 {
			event, err := json.Marshal(map[string]any{
				"version": "0", "id": "00000000-0000-4000-8000-000000000000", "detail-type": "AWS API Call via CloudTrail", "resources": []string{},
				"source": "aws." + strings.TrimSuffix(r.EventSource, ".amazonaws.com"), "account": r.RecipientAccountID, "time": r.EventTime, "region": r.AWSRegion,
				"detail": json.RawMessage(line),
			})
			if err != nil {
				return e.fail(fmt.Errorf("reading the sample %s: %w", e.name, err))
			}
			return e.decode(event)
		}
	}
	return e.fail(fmt.Errorf("reading the sample %s: there is none", e.name))
}

func (e *Event) decode(data []byte) *Event {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	e.event = nil
	if err := d.Decode(&e.event); err != nil {
		return e.fail(fmt.Errorf("reading the sample %s: %w", e.name, err))
	}
	var ok bool
	if e.record, ok = e.event["detail"].(map[string]any); !ok {
		return e.fail(fmt.Errorf("reading the sample %s: it is no EventBridge event", e.name))
	}
	return e
}

func (e *Event) fail(err error) *Event {
	if e.err == nil {
		e.err = err
	}
	return e
}

// Place moves the event into an account and a region, wherever it names its
// own.
func (e *Event) Place(account, region string) *Event {
	if e.err != nil {
		return e
	}
	data, err := json.Marshal(e.event)
	if err != nil {
		return e.fail(fmt.Errorf("placing %s: %w", e.name, err))
	}
	was := []string{}
	for key, now := range map[string]string{"recipientAccountId": account, "awsRegion": region} {
		old, _ := e.record[key].(string)
		if old == "" {
			return e.fail(fmt.Errorf("placing %s: it has no %s", e.name, key))
		}
		was = append(was, old, now)
	}
	return e.decode([]byte(strings.NewReplacer(was...).Replace(string(data))))
}

// At sets the time of the call. The event's id follows from it and from what
// the event names, so that the same event has the same id.
func (e *Event) At(at time.Time) *Event {
	text := at.UTC().Format(time.RFC3339)
	if e.err == nil {
		e.event["time"] = text
	}
	return e.Set("eventTime", text)
}

// By sets who made the call.
func (e *Event) By(identity map[string]any) *Event { return e.Set("userIdentity", identity) }

// Person is the identity of someone who signed on with IAM Identity Center:
// the session is named for the person.
func Person(account, name string) map[string]any {
	const role = "AWSReservedSSO_Developer_0123456789abcdef"
	return map[string]any{
		"type": "AssumedRole", "principalId": "AROAEXAMPLE:" + name, "accountId": account,
		"arn": "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + name,
		"sessionContext": map[string]any{
			"sessionIssuer": map[string]any{
				"type": "Role", "principalId": "AROAEXAMPLE", "accountId": account, "userName": role,
				"arn": "arn:aws:iam::" + account + ":role/aws-reserved/sso.amazonaws.com/" + role,
			},
			"attributes": map[string]any{"mfaAuthenticated": "false"},
		},
	}
}

// User is the identity of an IAM user.
func User(account, name string) map[string]any {
	return map[string]any{
		"type": "IAMUser", "principalId": "AIDAEXAMPLE", "accountId": account, "userName": name,
		"arn": "arn:aws:iam::" + account + ":user/" + name,
	}
}

// Untag takes the tags out of the request, so that those of the sample aren't
// taken for the resource's.
func (e *Event) Untag() *Event {
	if e.err == nil {
		untag(e.record["requestParameters"])
	}
	return e
}

func untag(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			if strings.HasPrefix(strings.ToLower(key), "tag") {
				delete(v, key)
				continue
			}
			untag(child)
		}
	case []any:
		for _, child := range v {
			untag(child)
		}
	}
}

// Set puts a value at a path of the record, such as
// "responseElements.instancesSet.items.0.instanceId", and makes what isn't
// there on the way.
func (e *Event) Set(path string, value any) *Event {
	if e.err != nil {
		return e
	}
	_, err := set(e.record, strings.Split(path, "."), value)
	if err != nil {
		return e.fail(fmt.Errorf("setting %s of %s: %w", path, e.name, err))
	}
	return e
}

func set(in any, path []string, value any) (any, error) {
	if len(path) == 0 {
		return value, nil
	}
	if list, ok := in.([]any); ok {
		i, err := strconv.Atoi(path[0])
		if err != nil || i < 0 || i > len(list) {
			return nil, fmt.Errorf("there is no item %q", path[0])
		}
		if i == len(list) {
			list = append(list, nil)
		}
		list[i], err = set(list[i], path[1:], value)
		return list, err
	}
	object, ok := in.(map[string]any)
	if !ok && in != nil {
		return nil, fmt.Errorf("%q is inside a %T", path[0], in)
	}
	if !ok {
		if path[0] == "0" {
			return set([]any{}, path, value)
		}
		object = map[string]any{}
	}
	child, err := set(object[path[0]], path[1:], value)
	object[path[0]] = child
	return object, err
}

// JSON is the event, with an id of its own.
func (e *Event) JSON() ([]byte, error) {
	if e.err != nil {
		return nil, e.err
	}
	e.record["eventID"] = ""
	data, err := json.Marshal(e.event)
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", e.name, err)
	}
	sum := sha256.Sum256(data)
	e.record["eventID"] = fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
	if data, err = json.MarshalIndent(e.event, "", "  "); err != nil {
		return nil, fmt.Errorf("writing %s: %w", e.name, err)
	}
	return append(data, '\n'), nil
}
