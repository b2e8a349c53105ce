package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
)

// maxHistory is how many pages are read of a resource's history, the newest events
// first: an account's region allows two pages a second.
const maxHistory = 3

// Past is a call of an account's history.
type Past struct {
	ID, Source, Name string // eventID, eventSource, eventName
	At               time.Time
	Failed           bool
}

// History returns the calls that an account made in a region since a time and that
// CloudTrail has under a resource's name, the newest first. It keeps them for ninety
// days, has them after some fifteen minutes, and not every service gives its events a
// resource's name: an empty history proves nothing.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events.html
func (a *Applier) History(ctx context.Context, account, partition, region, resource string, since time.Time) ([]Past, error) {
	ctx = awsapi.WithAccount(ctx, account)
	var calls []Past
	token := ""
	for range maxHistory {
		fields := map[string]any{
			"LookupAttributes": []any{map[string]any{"AttributeKey": "ResourceName", "AttributeValue": resource}},
			"StartTime":        since.Unix(), "MaxResults": 50,
		}
		if token != "" {
			fields["NextToken"] = token
		}
		body, err := a.c.Do(ctx, awsapi.Call{
			Service: &catalogue.Service{ID: "CloudTrail", Signing: "cloudtrail", Protocol: catalogue.JSON11, Version: "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101"},
			Op:      "LookupEvents", Account: account, Region: region, ARN: "arn:" + partition + ":", Fields: fields,
		})
		if err != nil {
			return nil, fmt.Errorf("looking up %s in CloudTrail: %w", resource, err)
		}
		var page struct {
			Events []struct {
				EventID, EventSource, EventName, CloudTrailEvent string
				EventTime                                        float64 // seconds
			}
			NextToken string
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, fmt.Errorf("looking up %s in CloudTrail: %w", resource, err)
		}
		for _, e := range page.Events {
			var record struct{ ErrorCode string }
			// One that can't be read has no error that is known.
			_ = json.Unmarshal([]byte(e.CloudTrailEvent), &record)
			calls = append(calls, Past{e.EventID, e.EventSource, e.EventName, time.UnixMilli(int64(e.EventTime * 1000)), record.ErrorCode != ""})
		}
		if token = page.NextToken; token == "" {
			break
		}
	}
	return calls, nil
}

// Fate is what an error of AWS means for what it was about, and why: for callers
// that ask AWS something of their own, as about a resource's [Applier.History].
func Fate(err error) (Outcome, string) { return fate(err) }
