package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
)

// maxHistory is how many pages are read of a history, the newest events first: an
// account's region allows two pages a second.
const maxHistory = 5

// Question is what CloudTrail's history is asked for: the calls of a name, or those
// that it has under a resource's name. One look-up takes one of the two.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupAttribute.html
type Question struct {
	Account, Partition, Region string
	Call, Resource             string // one of them
}

// Past is a call of an account's history.
type Past struct {
	ID, Source, Name string // eventID, eventSource, eventName
	At               time.Time
	Record           string // as CloudTrail writes it to a trail
}

// History returns the calls that answer a question, the newest first, and since when
// they are all there are: since the time asked for, or a later one where there are too
// many. CloudTrail keeps management events for ninety days, has them after some fifteen
// minutes, and not every service's under a resource's name: no answer to a question for
// that proves nothing.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events.html
func (a *Applier) History(ctx context.Context, q Question, since time.Time) (calls []Past, from time.Time, err error) {
	ctx = awsapi.WithAccount(ctx, q.Account)
	attribute := map[string]any{"AttributeKey": "ResourceName", "AttributeValue": q.Resource}
	if q.Call != "" {
		attribute = map[string]any{"AttributeKey": "EventName", "AttributeValue": q.Call}
	}
	token := ""
	for range maxHistory {
		fields := map[string]any{"LookupAttributes": []any{attribute}, "StartTime": since.Unix(), "MaxResults": 50}
		if token != "" {
			fields["NextToken"] = token
		}
		body, err := a.c.Do(ctx, awsapi.Call{
			Service: &catalogue.Service{ID: "CloudTrail", Signing: "cloudtrail", Protocol: catalogue.JSON11, Version: "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101"},
			Op:      "LookupEvents", Account: q.Account, Region: q.Region, ARN: "arn:" + q.Partition + ":", Fields: fields,
		})
		if err != nil {
			return nil, since, fmt.Errorf("looking up %s in CloudTrail: %w", q.Call+q.Resource, err)
		}
		var page struct {
			Events []struct {
				EventID, EventSource, EventName, CloudTrailEvent string
				EventTime                                        float64 // seconds
			}
			NextToken string
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, since, fmt.Errorf("looking up %s in CloudTrail: %w", q.Call+q.Resource, err)
		}
		for _, e := range page.Events {
			calls = append(calls, Past{e.EventID, e.EventSource, e.EventName, time.UnixMilli(int64(e.EventTime * 1000)), e.CloudTrailEvent})
		}
		if token = page.NextToken; token == "" {
			return calls, since, nil
		}
	}
	if len(calls) > 0 {
		since = calls[len(calls)-1].At
	}
	return calls, since, nil
}

// Fate is what an error of AWS means for what it was about, and why: for callers
// that ask AWS something of their own, as about an account's [Applier.History].
func Fate(err error) (Outcome, string) { return fate(err) }
