package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"autotagger/internal/awsapi"
)

// Options are what a [Table] needs beside its name.
type Options struct {
	Now    func() time.Time
	OnCall func(awsapi.Attempt) // told of every request; nil: nobody
	// Attempt ends each attempt of a call that takes longer; 5 s by default.
	Attempt time.Duration
}

// Table is the ledger's table in DynamoDB. It may be used concurrently.
type Table struct {
	c            *awsapi.Caller
	name, region string
	now          func() time.Time
}

// New returns the table of the name, in cfg's account and region. It calls nothing.
func New(cfg aws.Config, name string, o Options) *Table {
	cfg = cfg.Copy()
	cfg.APIOptions = slices.Clone(cfg.APIOptions)
	if o.OnCall != nil {
		cfg.APIOptions = append(cfg.APIOptions, awsapi.Observe(o.OnCall, o.Now))
	}
	cfg.APIOptions = append(cfg.APIOptions, awsapi.Limit(cmp.Or(o.Attempt, 5*time.Second)))
	return &Table{c: awsapi.New(cfg, nil), name: name, region: cfg.Region, now: o.Now}
}

// WriterActions are the actions of IAM on the table that writing of events takes.
func WriterActions() []string { return []string{"dynamodb:BatchWriteItem"} }

// ReaderActions are those of Session, Stack, StackSet and Written.
func ReaderActions() []string { return []string{"dynamodb:BatchGetItem", "dynamodb:Query"} }

// KeeperActions are those of PutWritten and Claim, which use no partition keys but those
// of [KeeperKeys].
func KeeperActions() []string { return []string{"dynamodb:BatchWriteItem", "dynamodb:PutItem"} }

// KeeperKeys are globs over partition keys, for the condition dynamodb:LeadingKeys.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
func KeeperKeys() []string { return []string{string(written) + "/*", string(restored) + "/*"} }

// Session returns the session of an access key id, nil where the table has none.
func (t *Table) Session(ctx context.Context, id string) (*Session, error) {
	rows, _, err := t.query(ctx, query{id: string(Sessions) + "/" + id, limit: 1})
	if err != nil {
		return nil, fmt.Errorf("reading session %s: %w", id, err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	s := new(Session)
	if err := json.Unmarshal([]byte(rows[0].Data), s); err != nil {
		return nil, fmt.Errorf("reading session %s: %w", id, err)
	}
	return s, nil
}

// page is how many operations are read at once, and pages how often: of change sets that
// were never executed there may be many.
const (
	page  = 10
	pages = 5
)

// Stack returns the latest operation on a stack at or before a time, nil where the table
// has none. The stack is named by its ARN with the unique id. The operation's tags are
// those that the stack then had, as far as they were recorded.
func (t *Table) Stack(ctx context.Context, arn string, at time.Time) (*Operation, error) {
	name, _ := stackName(arn)
	q := query{id: id(Stacks, name), before: next(at), limit: page}
	var h history
	for range pages {
		rows, start, err := t.query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("reading the operations on %s: %w", arn, err)
		}
		for _, row := range rows {
			var o Operation
			if err := json.Unmarshal([]byte(row.Data), &o); err != nil {
				return nil, fmt.Errorf("reading the operations on %s: %w", arn, err)
			}
			if _, unique := stackName(o.Stack); unique && o.Stack != arn {
				return h.answer(arn), nil // an older stack of the name
			}
			if h.latest == nil && o.Call == createChangeSet {
				// It may have been executed by its ARN alone.
				if h.latest, err = t.operation(ctx, ChangeSets, o.ChangeSet, at); err != nil {
					return nil, err
				}
				if h.latest != nil {
					h.changeSet = h.latest.ChangeSet
				}
			}
			h.add(o)
		}
		if q.start = start; start == nil || h.sure && h.latest != nil {
			break
		}
	}
	return h.answer(arn), nil
}

// history is what is known of a stack, the newest operation first.
type history struct {
	latest *Operation
	// sure: latest is of the very stack that was asked for, not of one that had the
	// same name before.
	sure bool
	// changeSet is that of which the tags are wanted, "" where it is an operation's.
	changeSet string
}

// add takes the next older record, which is of the stack if it has a unique id.
func (h *history) add(o Operation) {
	created := o.Call == createChangeSet
	if h.latest == nil && !created {
		h.latest, h.changeSet = &o, o.ChangeSet
	}
	if h.latest == nil {
		return
	}
	_, unique := stackName(o.Stack)
	h.sure = h.sure || unique
	switch {
	case h.latest.Tags != nil:
	case !created:
		// What says nothing of tags leaves them as they are.
		// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html
		h.latest.Tags, h.changeSet = o.Tags, o.ChangeSet
	case o.ChangeSet == h.changeSet || h.changeSet != "" && strings.Contains(o.ChangeSet, ":changeSet/"+h.changeSet+"/"):
		h.latest.Tags = o.Tags
	}
}

func (h *history) answer(arn string) *Operation {
	if h.latest == nil || !h.sure {
		return nil
	}
	h.latest.Stack = arn
	return h.latest
}

// StackSet returns the latest operation on a stack set of an account at or before a time,
// nil where the table has none, or more than one region of the account has the name. The
// account may be [ServiceManaged]: whichever has a stack set of that kind and name, if it
// is the only one.
func (t *Table) StackSet(ctx context.Context, name, account string, at time.Time) (*Operation, error) {
	homes, _, err := t.query(ctx, query{id: id(StackSets, name), prefix: account + "/", limit: page})
	if err != nil {
		return nil, fmt.Errorf("reading where stack set %s is: %w", name, err)
	}
	if len(homes) != 1 {
		return nil, nil
	}
	return t.operation(ctx, StackSets, name+"/"+strings.TrimPrefix(homes[0].At, ServiceManaged+"/"), at)
}

// operation returns the latest one under a name at or before a time.
func (t *Table) operation(ctx context.Context, kind Kind, name string, at time.Time) (*Operation, error) {
	rows, _, err := t.query(ctx, query{id: id(kind, name), before: next(at), limit: 1})
	if err != nil {
		return nil, fmt.Errorf("reading the operations on %s: %w", name, err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	o := new(Operation)
	if err := json.Unmarshal([]byte(rows[0].Data), o); err != nil {
		return nil, fmt.Errorf("reading the operations on %s: %w", name, err)
	}
	return o, nil
}

// next is the least sort key of the second after a time's: records have whole seconds.
func next(t time.Time) string { return moment(t.Truncate(time.Second).Add(time.Second)) }

// written begins the ids of tags that were written, restored of those that were put back.
const (
	written  Kind = "written"
	restored Kind = "restored"
)

// none is the sort key where the id says all.
const none = "-"

// Written returns what was written to resources, in their order; nil for those of which
// nothing is known.
func (t *Table) Written(ctx context.Context, arns []string) ([]*Written, error) {
	found := map[string]*Written{}
	var keys []row
	for _, arn := range arns {
		if _, asked := found[arn]; !asked && len(arn) < maxID-len(written) {
			found[arn] = nil
			keys = append(keys, row{ID: &attribute{S: id(written, arn)}, At: &attribute{S: none}})
		}
	}
	for some := range slices.Chunk(keys, mostRead) {
		rows, err := t.get(ctx, some)
		if err != nil {
			return nil, fmt.Errorf("reading what was written: %w", err)
		}
		for _, r := range rows {
			w := new(Written)
			if err := json.Unmarshal([]byte(r.Data), w); err != nil {
				return nil, fmt.Errorf("reading what was written: %w", err)
			}
			found[w.ARN] = w
		}
	}
	all := make([]*Written, len(arns))
	for i, arn := range arns {
		all[i] = found[arn]
	}
	return all, nil
}

// PutWritten keeps what was written to resources, in place of what was kept of them
// before: an error for each, in their order.
func (t *Table) PutWritten(ctx context.Context, all []Written) []error {
	items := make([]Item, len(all))
	for i, w := range all {
		if w.At.IsZero() {
			w.At = t.now().UTC()
		}
		kept := operationsFor
		if w.Provisional {
			kept = provisionalFor
		}
		items[i] = Item{ID: id(written, w.ARN), At: none, Data: text(w), Expires: w.At.Add(kept)}
	}
	return t.Put(ctx, items)
}

// Claim reports whether an event is the first after which tags of a resource that the
// actor removed are put back, in 90 days: true again for that same event, false for all
// others from now on.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html
func (t *Table) Claim(ctx context.Context, arn, actor, event string) (first bool, err error) {
	now := t.now()
	item := Item{ID: id(restored, arn), At: cmp.Or(clip(actor, maxAt), none), Data: cmp.Or(event, none), Expires: now.Add(restoredFor)}
	_, err = t.do(ctx, "PutItem", map[string]any{
		"TableName": t.name, "Item": item.row(),
		"ConditionExpression":       "attribute_not_exists(#id) OR #expires < :now OR #event = :event",
		"ExpressionAttributeNames":  map[string]string{"#id": "id", "#expires": "expires", "#event": "data"},
		"ExpressionAttributeValues": map[string]*attribute{":now": number(now), ":event": {S: item.Data}},
	})
	switch {
	case awsapi.Code(err) == "ConditionalCheckFailedException":
		return false, nil
	case err != nil:
		return false, fmt.Errorf("claiming %s: %w", arn, err)
	}
	return true, nil
}

// clip cuts a text to so many bytes.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}
