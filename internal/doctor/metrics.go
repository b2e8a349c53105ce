package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"autotagger/internal/deployment"
)

// series is one metric that is asked for.
type series struct {
	namespace, metric, stat string
	dimension, value        string
	period                  time.Duration
}

// points are the values of a series, the newest first.
type points struct {
	times  []time.Time
	values []float64
}

func (p points) sum() (sum float64) {
	for _, v := range p.values {
		sum += v
	}
	return sum
}

// last is the time of the newest value above zero.
func (p points) last() (time.Time, bool) {
	for i, v := range p.values {
		if v > 0 && i < len(p.times) {
			return p.times[i], true
		}
	}
	return time.Time{}, false
}

// read returns the values of metrics over a time that ends now.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
func (v *visit) read(ctx context.Context, span time.Duration, all ...series) ([]points, error) {
	end := v.now()
	in := &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(end.Add(-span)), EndTime: aws.Time(end), ScanBy: types.ScanByTimestampDescending,
	}
	results := make([]points, len(all))
	ids := map[string]int{}
	for i, s := range all {
		id := fmt.Sprintf("m%d", i)
		ids[id] = i
		in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{
			Id: &id,
			MetricStat: &types.MetricStat{
				Metric: &types.Metric{
					Namespace: &s.namespace, MetricName: &s.metric,
					Dimensions: []types.Dimension{{Name: &s.dimension, Value: &s.value}},
				},
				Period: aws.Int32(int32(s.period / time.Second)), Stat: &s.stat,
			},
		})
	}
	pages := cloudwatch.NewGetMetricDataPaginator(cloudwatch.NewFromConfig(v.cfg), in)
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range out.MetricDataResults {
			i, ok := ids[aws.ToString(r.Id)]
			if !ok {
				continue
			}
			results[i].times = append(results[i].times, r.Timestamps...)
			results[i].values = append(results[i].values, r.Values...)
		}
	}
	return results, nil
}

// ages returns how long the oldest message of each of the hub's working queues has
// waited, by the queue's URL.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
func (v *visit) ages(ctx context.Context, queues []queue) (map[string]time.Duration, error) {
	var asked []series
	var urls []string
	for _, q := range queues {
		if q.kind() == "work" && q.inside.total() > 0 {
			asked = append(asked, series{"AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", "QueueName", last(q.url), time.Minute})
			urls = append(urls, q.url)
		}
	}
	ages := map[string]time.Duration{}
	if len(asked) == 0 {
		return ages, nil
	}
	results, err := v.read(ctx, 15*time.Minute, asked...)
	if err != nil {
		return nil, err
	}
	for i, p := range results {
		if len(p.values) > 0 {
			ages[urls[i]] = time.Duration(p.values[0]) * time.Second
		}
	}
	return ages, nil
}

// last is what follows the last slash.
func last(text string) string { return text[strings.LastIndexByte(text, '/')+1:] }

// quiet is how long there may be no event before that is worth a look, and far how
// long back is looked.
const (
	quiet = 24 * time.Hour
	far   = 14 * 24 * time.Hour
)

// events says when the last event came, and what the functions said of themselves.
func (v *visit) events(ctx context.Context) []Finding {
	tagger := v.functions[0].name
	// Counts by the hour: what is asked for 14 days back is kept so long at that
	// resolution.
	day := []series{
		{"AWS/SQS", "NumberOfMessagesSent", "Sum", "QueueName", last(v.hub.output("TaggerQueueUrl")), time.Hour},
		{"AWS/Lambda", "Invocations", "Sum", "FunctionName", tagger, time.Hour},
	}
	results, err := v.read(ctx, far, day...)
	if err != nil {
		return []Finding{unseen("last event", err)}
	}
	findings := []Finding{v.arrival(results[0])}
	if _, handled := results[1].last(); !handled {
		if _, arrived := results[0].last(); arrived {
			findings = append(findings, Finding{"", Fail, tagger, "events arrive and the function never ran", "see the checks functions and queues"})
		}
	}
	var own []series
	for _, j := range v.functions {
		own = append(own,
			series{"AWS/Lambda", "Errors", "Sum", "FunctionName", j.name, time.Hour},
			series{deployment.Metrics, "ConfigurationRefused", "Sum", "Function", j.kind, time.Hour},
			series{deployment.Metrics, "Refused", "Sum", "Function", j.kind, time.Hour})
	}
	results, err = v.read(ctx, quiet, own...)
	if err != nil {
		return append(findings, unseen("errors of a day", err))
	}
	for i, j := range v.functions {
		errors, refusals, refused := results[3*i].sum(), results[3*i+1].sum(), results[3*i+2].sum()
		if errors > 0 {
			findings = append(findings, Finding{"", Warn, j.name, fmt.Sprintf("%.0f errors in a day", errors), "aws logs tail /aws/lambda/" + j.name + " --since 1d"})
		}
		if refusals > 0 {
			findings = append(findings, Finding{"", Warn, j.name, "refused a new configuration within a day; the last good one is in force", "its log names the fault; autotagger doctor --config FILE checks a file before it is put there"})
		}
		if refused > 0 {
			findings = append(findings, Finding{"", Warn, j.name, fmt.Sprintf("refused %.0f resources in a day, since an event's accounts didn't agree", refused), "docs/security.md; its log names the events"})
		}
	}
	return findings
}

// arrival judges when the last event came.
func (v *visit) arrival(p points) Finding {
	f := Finding{Subject: "last event"}
	at, ok := p.last()
	if !ok {
		f.Status, f.Found = Warn, "no event in 14 days"
		f.Do = "create something, as aws logs create-log-group --log-group-name autotagger-doctor-test, and look again in five minutes; if none came, see the checks trail and rules"
		return f
	}
	age := v.now().Sub(at).Round(time.Hour)
	f.Status, f.Found = OK, fmt.Sprintf("in the hour from %s, %.0f in 14 days", at.UTC().Format("2006-01-02 15:04 MST"), p.sum())
	if age > quiet {
		f.Status = Warn
		f.Found += fmt.Sprintf(": that is %d days ago", int(age.Hours()/24))
		f.Do = "nothing, if nothing was created since; else see the checks trail and rules"
	}
	return f
}
