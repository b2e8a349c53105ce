package main

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"

	"autotagger/internal/deployment"
)

const dashboardName = "autotagger"

// query is a query over the functions' log lines.
type query struct {
	id, name string
	lines    []string
	groups   []awslogs.LogGroup
}

func (q query) text() string { return strings.Join(q.lines, "\n| ") }

// queries are the saved ones. The fields are those of the functions' log lines; a
// line's results are a list, which only the text of the line shows whole. A tag's key
// may have characters that a field's name has in backticks only.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Guidelines.html
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
func (h *hub) queries() []query {
	var groups, every []awslogs.LogGroup
	for _, j := range h.jobs {
		if every = append(every, j.logs); j.writes() {
			groups = append(groups, j.logs)
		}
	}
	all := []query{
		{id: "Event", name: "event", lines: []string{
			`fields @timestamp, outcome, detail, source, name, account, region, creator, end, after, reason, @message`,
			`filter eventId = "THE EVENT'S ID"`,
			`sort @timestamp asc`,
		}},
		{id: "Created", name: "who-created-what", lines: []string{
			fmt.Sprintf("fields @timestamp, `results.0.tags.%[1]s` as written, `results.0.sources.%[1]s` as because, source, name, results.0.arn, resources, account, region", h.settings.Policy.Tags.Creator),
			`filter outcome = "tag"`,
			`sort @timestamp desc`,
			`limit 1000`,
		}},
		{id: "Denied", name: "denied", lines: []string{
			denied,
			`stats count(*) as events, latest(@timestamp) as last by account, source`,
			`sort events desc`,
		}},
		{id: "NotTagged", name: "not-tagged", lines: []string{
			`filter ispresent(outcome) and (outcome != "tag" or @message like /"outcome":"(skipped|failed|retry)"/)`,
			`stats count(*) as events by outcome, source, name, results.0.why, results.0.error`,
			`sort events desc`,
		}},
		{id: "Slowest", name: "slowest", lines: []string{
			`fields @timestamp, ms, source, name, resources, account, region, eventId`,
			`filter ispresent(ms)`,
			`sort ms desc`,
			`limit 100`,
		}},
	}
	for i := range all {
		all[i].groups = groups
	}
	all[0].groups = every // what became of an event, the ledger may know, too
	return all
}

// denied lets through the lines of resources that AWS refused to let us write to.
const denied = `filter @message like /"outcome":"denied"/`

// dashboard is its body: what is slow or failing first, then how much there is.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
func (h *hub) dashboard() map[string]any {
	region := *h.stack.Region()
	var depth, age, dead, health, durations, throttles []any
	var logs []string
	own := func(job, name string, more ...any) []any {
		return append([]any{deployment.Metrics, name, "Function", job}, more...)
	}
	label := func(text, stat string) map[string]any { return map[string]any{"label": text, "stat": stat} }
	for _, j := range h.jobs {
		queue, letters, function := *j.queue.QueueName(), *j.dead.QueueName(), *j.function.FunctionName()
		depth = append(depth, []any{"AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue, label(j.name, "Maximum")})
		age = append(age, []any{"AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue, label(j.name, "Maximum")})
		dead = append(dead, []any{"AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", letters, label(j.name, "Maximum")})
		health = append(health, []any{"AWS/Lambda", "Errors", "FunctionName", function, label(j.name+" errors", "Sum")},
			[]any{"AWS/Lambda", "Throttles", "FunctionName", function, label(j.name+" throttled", "Sum")})
		durations = append(durations, []any{"AWS/Lambda", "Duration", "FunctionName", function, label(j.name+" p50", "p50")},
			[]any{"AWS/Lambda", "Duration", "FunctionName", function, label(j.name+" p99", "p99")})
		for _, kind := range []string{"write", "read"} {
			if kind == "write" || j.writes() {
				throttles = append(throttles, own(j.name, "Throttles", "Kind", kind, label(j.name+" "+kind, "Sum")))
			}
		}
		if j.writes() {
			logs = append(logs, fmt.Sprintf("SOURCE '%s'", *j.logs.LogGroupName()))
		}
	}
	dead = append(dead, []any{"AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", *h.undelivered.QueueName(), label("undelivered", "Maximum")})

	var widgets []any
	place := func(kind string, properties map[string]any) {
		properties["region"] = region
		n := len(widgets)
		widgets = append(widgets, map[string]any{
			"type": kind, "x": n % 3 * 8, "y": n / 3 * 6, "width": 8, "height": 6, "properties": properties,
		})
	}
	graph := func(title string, metrics []any) {
		place("metric", map[string]any{"title": title, "metrics": metrics, "view": "timeSeries", "period": 300})
	}
	search := func(title, expression string, stacked bool) {
		place("metric", map[string]any{
			"title": title, "metrics": []any{[]any{map[string]any{"expression": expression, "id": "q"}}},
			"view": "timeSeries", "stacked": stacked, "period": 300,
		})
	}
	graph("From event to tag, seconds", []any{own(deployment.Tagger, "TagLatency", label("p50", "p50")), own(deployment.Tagger, "TagLatency", label("p99", "p99"))})
	graph("Oldest message in the queues, seconds", age)
	graph("Dead letters and undelivered events", dead)
	search("Events by decision", fmt.Sprintf("SELECT SUM(Events) FROM SCHEMA(%s, Decision, Function, Service) WHERE Function = 'tagger' GROUP BY Decision", deployment.Metrics), true)
	search("Resources by outcome", fmt.Sprintf("SELECT SUM(Resources) FROM SCHEMA(%s, Function, Outcome) GROUP BY Outcome", deployment.Metrics), true)
	search("Busiest services, events", fmt.Sprintf("SELECT SUM(Events) FROM SCHEMA(%s, Decision, Function, Service) WHERE Function = 'tagger' GROUP BY Service ORDER BY SUM() DESC LIMIT 10", deployment.Metrics), true)
	graph("Messages in the queues", depth)
	graph("Functions: errors and throttles", health)
	graph("Functions: duration, milliseconds", durations)
	graph("Calls that AWS throttled", throttles)
	place("log", map[string]any{
		"title": "Denied, by account and service", "view": "table",
		"query": strings.Join(logs, " | ") + "\n| " + denied + "\n| stats count(*) as events by account, source\n| sort events desc",
	})
	return map[string]any{"widgets": widgets}
}
