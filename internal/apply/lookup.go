package apply

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"time"

	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
)

// lookup tells whether a call that may change what exists has created its
// resource. Look-ups are named by the catalogue's field "look-up".
func (a *Applier) lookup(ctx context.Context, t target, r Request) (created bool, err error) {
	if r.LookUp == "alarm-history" {
		return a.alarmCreated(ctx, t, r)
	}
	return false, bad(WhyNoLookUp)
}

// LookUpActions are the IAM actions that a look-up takes.
func LookUpActions(name string) []string {
	if name == "alarm-history" {
		return []string{"cloudwatch:DescribeAlarmHistory"}
	}
	return nil
}

// historyWindow is how far the time of an alarm's history may be from that of the
// event that made the alarm. Someone else's change within it would be named
// after the alarm's creator at worst, were it as far off as this.
const historyWindow = 15 * time.Second

// errHistoryLags is the answer of a history that has nothing yet about a change
// which was made.
var errHistoryLags = &coded{code: "HistoryLags", message: "the alarm's history doesn't have the change yet", status: http.StatusServiceUnavailable}

// alarmCreated looks in an alarm's history for its creation at the event's time.
// The data of each change of an alarm's configuration says of which type it was;
// AWS documents that there is data, not what is in it. Where no change says that it
// created the alarm, the alarm isn't tagged.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html
func (a *Applier) alarmCreated(ctx context.Context, t target, r Request) (bool, error) {
	at := r.EventTime
	kind := r.Type[strings.LastIndexByte(r.Type, ':')+1:] // CompositeAlarm, LogAlarm
	if kind == "Alarm" || kind == "" {
		kind = "MetricAlarm"
	}
	_, name, ok := strings.Cut(t.arn, ":alarm:")
	if !ok {
		return false, bad(WhyBadARN)
	}
	form := url.Values{
		"AlarmName":           {name},
		"AlarmTypes.member.1": {kind},
		"HistoryItemType":     {"ConfigurationUpdate"},
		"StartDate":           {at.Add(-historyWindow).UTC().Format(time.RFC3339)},
		"EndDate":             {at.Add(historyWindow).UTC().Format(time.RFC3339)},
	}
	body, err := a.c.Do(ctx, awsapi.Call{
		Service: &catalogue.Service{ID: "CloudWatch", Signing: "monitoring", Protocol: catalogue.Query, Version: "2010-08-01"},
		Op:      "DescribeAlarmHistory", Account: t.account, Region: t.region, ARN: t.arn, Form: form,
	})
	if err != nil {
		return false, err
	}
	var answer struct {
		Items []struct{ HistoryData string } `xml:"DescribeAlarmHistoryResult>AlarmHistoryItems>member"`
	}
	if err := xml.Unmarshal(body, &answer); err != nil {
		return false, err
	}
	for _, item := range answer.Items {
		var data struct{ Type string }
		if json.Unmarshal([]byte(item.HistoryData), &data) == nil && data.Type == "Create" {
			return true, nil
		}
	}
	if len(answer.Items) == 0 && a.o.Now().Sub(at) < freshFor {
		return false, errHistoryLags
	}
	return false, nil
}

// ask settles the items whose call may have changed what exists, unless a
// look-up shows that it created it.
func (a *Applier) ask(ctx context.Context, items []*item, reqs []Request) {
	var open []*item
	for _, it := range items {
		if !it.done && reqs[it.reqs[0]].LookUp != "" {
			open = append(open, it)
		}
	}
	a.each(len(open), func(n int) {
		it := open[n]
		// Of several changes of one resource in a batch the first may have made it.
		first := reqs[it.reqs[0]]
		created, err := a.lookup(awsapi.WithAccount(ctx, it.account), it.target, first)
		switch {
		case err != nil:
			it.fail(err)
		case !created:
			it.finish(Result{Outcome: Skipped, Why: WhyExisted})
		}
	})
}
