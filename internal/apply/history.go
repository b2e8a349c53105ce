package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
)

// maxHistory is how many pages of events are read of one call's history: some
// thousand events, at two pages a second that an account's region allows.
const maxHistory = 20

// History returns the CloudTrail records of the calls of a name that an account made
// in a region since a time, the newest first. whole is false where there are more
// than are read. CloudTrail keeps them for ninety days, and has them after some
// fifteen minutes.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events.html
func (a *Applier) History(ctx context.Context, account, partition, region, name string, since time.Time) (records []string, whole bool, err error) {
	ctx = awsapi.WithAccount(ctx, account)
	token := ""
	for range maxHistory {
		fields := map[string]any{
			"LookupAttributes": []any{map[string]any{"AttributeKey": "EventName", "AttributeValue": name}},
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
			return nil, false, fmt.Errorf("looking up %s in CloudTrail: %w", name, err)
		}
		var page struct {
			Events    []struct{ CloudTrailEvent string }
			NextToken string
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, false, fmt.Errorf("looking up %s in CloudTrail: %w", name, err)
		}
		for _, e := range page.Events {
			records = append(records, e.CloudTrailEvent)
		}
		if token = page.NextToken; token == "" {
			return records, true, nil
		}
	}
	return records, false, nil
}

// Fate is what an error of AWS means for what it was about, and why: for callers
// that ask AWS something of their own, as about a call's [Applier.History].
func Fate(err error) (Outcome, string) { return fate(err) }
