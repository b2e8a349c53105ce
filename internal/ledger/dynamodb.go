package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/smithy-go"

	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
	"autotagger/internal/resolve"
)

// How many items DynamoDB takes and gives in a call.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
const (
	mostWritten = 25
	mostRead    = 100
)

// rounds is how often what DynamoDB leaves undone of a batch is sent again, with pauses
// that begin at pause and double.
const (
	rounds = 5
	pause  = 50 * time.Millisecond
)

// errUndone is of an item that DynamoDB left undone each time: the table takes no more
// for now.
var errUndone = errors.New("DynamoDB left it undone")

// attribute is a value: a text, or a number as text.
type attribute struct {
	S string `json:",omitzero"`
	N string `json:",omitzero"`
}

// row is an item on the wire, or its key.
type row struct {
	ID      *attribute `json:"id"`
	At      *attribute `json:"at"`
	Data    *attribute `json:"data,omitzero"`
	Expires *attribute `json:"expires,omitzero"`
}

func (i Item) row() row {
	r := row{ID: &attribute{S: i.ID}, At: &attribute{S: i.At}, Expires: number(i.Expires)}
	if i.Data != "" {
		r.Data = &attribute{S: i.Data}
	}
	return r
}

func number(t time.Time) *attribute { return &attribute{N: strconv.FormatInt(t.Unix(), 10)} }

// items are rows that haven't expired.
func (t *Table) items(rows []row) []Item {
	var all []Item
	for _, r := range rows {
		i := Item{ID: r.ID.text(), At: r.At.text(), Data: r.Data.text()}
		if r.Expires != nil {
			seconds, err := strconv.ParseInt(r.Expires.N, 10, 64)
			if i.Expires = time.Unix(seconds, 0); err != nil || !i.Expires.After(t.now()) {
				continue
			}
		}
		all = append(all, i)
	}
	return all
}

func (a *attribute) text() string {
	if a == nil {
		return ""
	}
	return a.S
}

// do makes a call with the function's own credentials.
func (t *Table) do(ctx context.Context, op string, fields map[string]any) ([]byte, error) {
	return t.c.Do(ctx, awsapi.Call{
		Service: &catalogue.Service{ID: "DynamoDB", Signing: "dynamodb", Protocol: catalogue.JSON10, Version: "DynamoDB_20120810"},
		Op:      op, Region: t.region, ARN: "arn:" + resolve.Partition(t.region) + ":", Fields: fields,
	})
}

// NoTable is the code of a read from a table that isn't there. It is another thing than an
// item that isn't.
const NoTable = "NoTable"

// ask is do for reads.
func (t *Table) ask(ctx context.Context, op string, fields map[string]any) ([]byte, error) {
	body, err := t.do(ctx, op, fields)
	if awsapi.Code(err) == "ResourceNotFoundException" {
		err = &smithy.GenericAPIError{Code: NoTable, Message: "there is no table " + t.name + " in " + t.region}
	}
	return body, err
}

// query asks for the items of an id, the last first.
type query struct {
	id     string
	before string // sort keys below it; "" for all
	prefix string // of sort keys, in place of before; "" for all
	limit  int
	start  map[string]*attribute // where the last page ended
}

// query returns items, and where the next page starts: nil where there is none.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
func (t *Table) query(ctx context.Context, q query) ([]Item, map[string]*attribute, error) {
	condition, names, values := "#id = :id", map[string]string{"#id": "id"}, map[string]*attribute{":id": {S: q.id}}
	for bound, key := range map[string]string{" AND #at < :at": q.before, " AND begins_with(#at, :at)": q.prefix} {
		if key != "" {
			condition += bound
			names["#at"], values[":at"] = "at", &attribute{S: key}
		}
	}
	fields := map[string]any{
		"TableName": t.name, "KeyConditionExpression": condition,
		"ExpressionAttributeNames": names, "ExpressionAttributeValues": values,
		"ScanIndexForward": false, "Limit": q.limit,
	}
	if q.start != nil {
		fields["ExclusiveStartKey"] = q.start
	}
	body, err := t.ask(ctx, "Query", fields)
	if err != nil {
		return nil, nil, err
	}
	var answer struct {
		Items            []row
		LastEvaluatedKey map[string]*attribute
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, nil, err
	}
	return t.items(answer.Items), answer.LastEvaluatedKey, nil
}

// get reads items by their keys, up to [mostRead].
func (t *Table) get(ctx context.Context, keys []row) ([]Item, error) {
	var all []Item
	for round := range rounds {
		if err := wait(ctx, round); err != nil {
			return nil, err
		}
		body, err := t.ask(ctx, "BatchGetItem", map[string]any{"RequestItems": map[string]any{t.name: map[string]any{"Keys": keys}}})
		if err != nil {
			return nil, err
		}
		var answer struct {
			Responses       map[string][]row
			UnprocessedKeys map[string]struct{ Keys []row }
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			return nil, err
		}
		for _, rows := range answer.Responses {
			all = append(all, t.items(rows)...)
		}
		if keys = answer.UnprocessedKeys[t.name].Keys; len(keys) == 0 {
			return all, nil
		}
	}
	return nil, errUndone
}

// Put writes items, in place of those with the same keys, and returns an error for each,
// in their order.
func (t *Table) Put(ctx context.Context, items []Item) []error {
	errs := make([]error, len(items))
	// A call must not name a key twice: of equal keys the last counts.
	of := map[[2]string][]int{}
	for i, item := range items {
		of[[2]string{item.ID, item.At}] = append(of[[2]string{item.ID, item.At}], i)
	}
	last := slices.Collect(maps.Values(of))
	slices.SortFunc(last, func(a, b [](int)) int { return a[0] - b[0] })
	var wg sync.WaitGroup
	for some := range slices.Chunk(last, mostWritten) {
		wg.Go(func() {
			these := make([]Item, len(some))
			for n, equal := range some {
				these[n] = items[equal[len(equal)-1]]
			}
			for n, err := range t.put(ctx, these) {
				for _, i := range some[n] {
					if err != nil {
						errs[i] = fmt.Errorf("writing %s: %w", items[i].ID, err)
					}
				}
			}
		})
	}
	wg.Wait()
	return errs
}

// put writes up to [mostWritten] items of different keys.
func (t *Table) put(ctx context.Context, items []Item) []error {
	type request struct{ PutRequest struct{ Item row } }
	errs := make([]error, len(items))
	left := map[[2]string]int{} // by their keys
	var requests []request
	for i, item := range items {
		var r request
		r.PutRequest.Item = item.row()
		requests = append(requests, r)
		left[[2]string{item.ID, item.At}] = i
	}
	fail := func(err error) []error {
		for _, i := range left {
			errs[i] = err
		}
		return errs
	}
	for round := range rounds {
		if err := wait(ctx, round); err != nil {
			return fail(err)
		}
		body, err := t.do(ctx, "BatchWriteItem", map[string]any{"RequestItems": map[string]any{t.name: requests}})
		if awsapi.Code(err) == "ValidationException" && len(items) > 1 {
			// One bad item fails all.
			half := len(items) / 2
			return append(t.put(ctx, items[:half]), t.put(ctx, items[half:])...)
		}
		if err != nil {
			return fail(err)
		}
		var answer struct{ UnprocessedItems map[string][]request }
		if err := json.Unmarshal(body, &answer); err != nil {
			return fail(err)
		}
		if requests = answer.UnprocessedItems[t.name]; len(requests) == 0 {
			return errs
		}
		undone := map[[2]string]int{}
		for _, r := range requests {
			key := [2]string{r.PutRequest.Item.ID.text(), r.PutRequest.Item.At.text()}
			if i, ok := left[key]; ok {
				undone[key] = i
			}
		}
		left = undone
	}
	return fail(errUndone)
}

// wait pauses before a round but the first.
func wait(ctx context.Context, round int) error {
	if round == 0 {
		return nil
	}
	most := pause << (round - 1)
	select {
	case <-time.After(most/2 + rand.N(most/2)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
