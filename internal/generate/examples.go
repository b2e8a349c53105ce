package generate

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/resolve"
)

// everything turns on every row.
type everything struct{}

func (everything) RowOff(*catalogue.Row) string   { return "" }
func (everything) LastResort(string, string) bool { return false }

// proveExamples holds the rows against the examples of AWS's documentation: where
// an example's answer has the new resource's ARN, what a row makes of the same
// answer without any ARN must be that ARN, or nothing. It returns how many
// examples told both.
func (g *generator) proveExamples(c *catalogue.Catalogue, rows []*catalogue.Row) (told int, err error) {
	var faults []error
	for _, r := range rows {
		made := g.rows[r.Source][r.Event]
		for _, m := range made {
			for _, e := range m.m.svc.Examples[r.Event] {
				whole, err := resource(c, r, e.Input, e.Output)
				if err != nil {
					return told, err
				}
				bare, err := resource(c, r, e.Input, withoutARNs(e.Output).(map[string]any))
				if err != nil {
					return told, err
				}
				if whole == "" || bare == "" {
					continue
				}
				told++
				if whole != bare {
					faults = append(faults, fmt.Errorf("%s %s: AWS's example answers with %s, and without that ARN the row makes %s of it", r.Source, r.Event, whole, bare))
				}
			}
		}
	}
	return told, errors.Join(faults...)
}

// resource is the resource part of the ARN that an example yields; examples have
// regions and accounts of their own.
func resource(c *catalogue.Catalogue, r *catalogue.Row, input, output map[string]any) (string, error) {
	record, err := json.Marshal(map[string]any{
		"eventSource": r.Source, "eventName": r.Event, "eventTime": madeUpTime, "awsRegion": madeUpRegion, "recipientAccountId": madeUpAccount,
		"requestParameters": input, "responseElements": output, "eventType": "AwsApiCall",
	})
	if err != nil {
		return "", err
	}
	e, err := cloudtrail.Decode(string(record))
	if err != nil {
		return "", fmt.Errorf("reading the example of %s %s: %w", r.Source, r.Event, err)
	}
	created, _, _, err := resolve.Resolve(c, everything{}, e)
	if err != nil || len(created) == 0 {
		return "", err
	}
	return strings.SplitN(created[0].ARN, ":", 6)[5], nil
}

// withoutARNs is a value without the ARNs in it.
func withoutARNs(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, member := range v {
			if text, ok := member.(string); !ok || !strings.HasPrefix(text, "arn:") {
				out[key] = withoutARNs(member)
			}
		}
		return out
	case []any:
		out := slices.DeleteFunc(slices.Clone(v), func(member any) bool {
			text, ok := member.(string)
			return ok && strings.HasPrefix(text, "arn:")
		})
		for i := range out {
			out[i] = withoutARNs(out[i])
		}
		return out
	}
	return v
}
