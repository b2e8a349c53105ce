package main

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"autotagger/internal/deployment"
)

// addTopic makes the topic that alarms go to, or takes the one that there is.
// Without either they are seen on the dashboard only.
//
// A topic under SNS's AWS managed key never gets an alarm, since CloudWatch may
// not use that key: it is under a key of its own or under none.
// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
func (h *hub) addTopic() {
	switch {
	case h.settings.AlarmTopic != "":
		h.topic = jsii.String(h.settings.AlarmTopic)
		return
	case h.settings.AlarmEmail == "":
		awscdk.Annotations_Of(h.stack).AddInfoV2(jsii.String("autotagger:alarms"), jsii.String(fmt.Sprintf(
			"alarms reach nobody: give %s or %s", contextAlarmEmail, contextAlarmTopic)))
		return
	}
	props := &awssns.TopicProps{DisplayName: jsii.String("autotagger"), EnforceSSL: jsii.Bool(true)}
	if h.key != nil {
		props.MasterKey = h.key
	}
	topic := awssns.NewTopic(h.stack, jsii.String("Alarms"), props)
	topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("Alarms"),
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("cloudwatch.amazonaws.com"), nil)},
		Actions:    jsii.Strings("sns:Publish"),
		Resources:  &[]*string{topic.TopicArn()},
		Conditions: h.ofAlarms(),
	}))
	awssns.NewSubscription(h.stack, jsii.String("AlarmEmail"), &awssns.SubscriptionProps{
		Topic: topic, Protocol: awssns.SubscriptionProtocol_EMAIL, Endpoint: jsii.String(h.settings.AlarmEmail),
	})
	if h.key == nil {
		excuse(topic, "AwsSolutions-SNS2", "The AWS managed key would keep alarms out; -c encryption=customer-key encrypts the topic under a key that lets them in.")
	}
	h.topic = topic.TopicArn()
}

// ofAlarms holds what CloudWatch does to our own alarms.
func (h *hub) ofAlarms() *map[string]any {
	return &map[string]any{
		"ArnLike": map[string]any{"aws:SourceArn": h.stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("cloudwatch"), Resource: jsii.String("alarm"), ResourceName: jsii.String(deployment.Prefix + "*"),
			ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
		})},
		"StringEquals": map[string]any{"aws:SourceAccount": h.stack.Account()},
	}
}

// spokeAlarm begins the names of spokes' alarms. The hub's begin otherwise, so
// that the spoke in the hub's own region doesn't forward them.
const spokeAlarm = deployment.Prefix + deployment.Forward + "-"

// alarmChanges lets through the changes of spokes' alarms, which a person looks
// for at the hub.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
func alarmChanges() map[string]any {
	return map[string]any{
		"source":      []any{"aws.cloudwatch"},
		"detail-type": []any{"CloudWatch Alarm State Change"},
		"detail": map[string]any{
			"alarmName": []any{map[string]any{"prefix": spokeAlarm}},
			"state":     map[string]any{"value": []any{"ALARM", "OK"}},
		},
	}
}

// addSpokeAlarms sends the changes of spokes' alarms to the topic. EventBridge
// publishes under a role: a topic's policy could name no rule, since it knows no
// condition for EventBridge.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
func (h *hub) addSpokeAlarms() {
	if h.topic == nil {
		return
	}
	const name = deployment.Prefix + "spoke-alarms"
	statements := []awsiam.PolicyStatement{awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("sns:Publish"), Resources: &[]*string{h.topic},
	})}
	if h.key != nil {
		statements = append(statements, awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions: jsii.Strings("kms:GenerateDataKey", "kms:Decrypt"), Resources: &[]*string{h.key.KeyArn()},
		}))
	}
	role := awsiam.NewRole(h.stack, jsii.String("SpokeAlarmsRole"), &awsiam.RoleProps{
		Description: jsii.String("Publishes the alarms of autotagger's spokes"),
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: &map[string]any{
				"ArnLike":      map[string]any{"aws:SourceArn": ruleArn(h.stack, deployment.Bus+"/"+name)},
				"StringEquals": map[string]any{"aws:SourceAccount": h.stack.Account()},
			},
		}),
		InlinePolicies: &map[string]awsiam.PolicyDocument{
			"Publish": awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &statements}),
		},
	})
	to := target{arn: h.topic, role: role.RoleArn(), undelivered: h.undelivered.QueueArn()}
	h.way = append(h.way, to.newRule(h.stack, "SpokeAlarms", name, "alarms of spokes", alarmChanges(), h.bus.Ref()))
}

// alarm is one alarm, and where docs/troubleshooting.md tells of it.
type alarm struct {
	name, anchor string
	means        string
	metrics      []awscloudwatch.CfnAlarm_MetricDataQueryProperty // the last one counts
	threshold    float64
	below        bool // the alarm is when less than the threshold, and when there is nothing
	periods      float64
}

const minute = 60.0

// metric is one metric of an alarm.
func metric(id, space, name, stat string, period float64, dimensions map[string]*string) awscloudwatch.CfnAlarm_MetricDataQueryProperty {
	var all []any
	for _, key := range []string{"Function", "FunctionName", "Kind", "Outcome", "QueueName", "Result"} {
		if value, ok := dimensions[key]; ok {
			all = append(all, awscloudwatch.CfnAlarm_DimensionProperty{Name: jsii.String(key), Value: value})
		}
	}
	return awscloudwatch.CfnAlarm_MetricDataQueryProperty{
		Id: jsii.String(id), ReturnData: true,
		MetricStat: awscloudwatch.CfnAlarm_MetricStatProperty{
			Metric: awscloudwatch.CfnAlarm_MetricProperty{
				Namespace: jsii.String(space), MetricName: jsii.String(name), Dimensions: all,
			},
			Stat: jsii.String(stat), Period: jsii.Number(period),
		},
	}
}

// one is an alarm of a single metric.
func one(m awscloudwatch.CfnAlarm_MetricDataQueryProperty) []awscloudwatch.CfnAlarm_MetricDataQueryProperty {
	return []awscloudwatch.CfnAlarm_MetricDataQueryProperty{m}
}

// queueAlarm is for messages in a queue that is to be empty.
func queueAlarm(name, anchor, means string, queue awssqs.Queue) alarm {
	return alarm{
		name: name, anchor: anchor, means: means, threshold: 1, periods: 1,
		metrics: one(metric("messages", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", 5*minute,
			map[string]*string{"QueueName": queue.QueueName()})),
	}
}

// alarms are the hub's.
func (h *hub) alarms() []alarm {
	all := []alarm{
		queueAlarm("undelivered", "undelivered-events", "EventBridge could not deliver events; they are kept for 14 days.", h.undelivered),
		{
			name: "no-events", anchor: "no-events", below: true, threshold: 1, periods: 1,
			means:   "No event arrived for a day: the trail or the rules may be off.",
			metrics: one(metric("events", deployment.Metrics, "Events", "Sum", 24*60*minute, map[string]*string{"Function": jsii.String(deployment.Tagger)})),
		},
	}
	// What was denied twice is done with: no dead letter tells.
	denied := alarm{
		name: "denied", anchor: "denied", threshold: 10, periods: 1,
		means: "AWS denied writing to ten resources or more in an hour.",
	}
	for _, j := range h.jobs {
		if !j.writes() {
			continue
		}
		outcome := "denied"
		if j.name == deployment.CORS {
			outcome = "cors-denied"
		}
		m := metric(j.name, deployment.Metrics, "Resources", "Sum", 60*minute, map[string]*string{
			"Function": jsii.String(j.name), "Outcome": jsii.String(outcome),
		})
		m.ReturnData = false
		denied.metrics = append(denied.metrics, m)
	}
	denied.metrics = append(denied.metrics, awscloudwatch.CfnAlarm_MetricDataQueryProperty{
		Id: jsii.String("all"), Expression: jsii.String("SUM(METRICS())"), Label: jsii.String("resources"), ReturnData: true,
	})
	all = append(all, denied)
	if h.settings.Policy.Asks() {
		all = append(all, alarm{
			name: deployment.Tagger + "-denied-look-ups", anchor: "denied-look-ups", threshold: 1, periods: 1,
			means: "AWS denied look-ups in the last hour: what they would have found isn't in the tags.",
			metrics: one(metric("denied", deployment.Metrics, "LookUps", "Sum", 60*minute, map[string]*string{
				"Function": jsii.String(deployment.Tagger), "Result": jsii.String("denied"),
			})),
		})
	}
	for _, j := range h.jobs {
		own := func(name, stat string, dimensions ...string) []awscloudwatch.CfnAlarm_MetricDataQueryProperty {
			d := map[string]*string{"Function": jsii.String(j.name)}
			if len(dimensions) == 1 {
				d["Kind"] = jsii.String(dimensions[0])
			}
			return one(metric("own", deployment.Metrics, name, stat, 5*minute, d))
		}
		lambda := func(id, name string) awscloudwatch.CfnAlarm_MetricDataQueryProperty {
			return metric(id, "AWS/Lambda", name, "Sum", 5*minute, map[string]*string{"FunctionName": j.function.FunctionName()})
		}
		errors, invocations := lambda("errors", "Errors"), lambda("invocations", "Invocations")
		errors.ReturnData, invocations.ReturnData = false, false
		all = append(all,
			queueAlarm(j.name+"-dead-letters", "dead-letters", "Events failed for good; they are kept for 14 days.", j.dead),
			alarm{
				name: j.name + "-age", anchor: "age-of-the-oldest-message", threshold: 30 * minute, periods: 3,
				means: "Events wait for more than half an hour.",
				metrics: one(metric("age", "AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", 5*minute,
					map[string]*string{"QueueName": j.queue.QueueName()})),
			},
			alarm{
				name: j.name + "-errors", anchor: "error-rate", threshold: 5, periods: 3,
				means: "More than 5 % of the function's invocations fail.",
				metrics: []awscloudwatch.CfnAlarm_MetricDataQueryProperty{errors, invocations, {
					Id: jsii.String("rate"), Expression: jsii.String("100 * errors / invocations"), Label: jsii.String("percent"), ReturnData: true,
				}},
			},
			alarm{
				name: j.name + "-concurrency", anchor: "function-throttled", threshold: 1, periods: 3,
				means: "Lambda throttles the function.", metrics: one(lambda("throttles", "Throttles")),
			},
			alarm{
				name: j.name + "-throttled-writes", anchor: "throttled-writes", threshold: 100, periods: 3,
				means: "AWS throttles the calls that write.", metrics: own("Throttles", "Sum", "write"),
			},
		)
		if j.writes() {
			all = append(all, alarm{
				name: j.name + "-throttled-reads", anchor: "throttled-look-ups", threshold: 100, periods: 3,
				means: "AWS throttles the look-ups.", metrics: own("Throttles", "Sum", "read"),
			}, alarm{
				name: j.name + "-configuration", anchor: "configuration-refused", threshold: 1, periods: 1,
				means: "A new configuration has faults; the last good one is used.", metrics: own("ConfigurationRefused", "Sum"),
			})
		}
		all = append(all, alarm{
			name: j.name + "-refused", anchor: "refused-resources", threshold: 1, periods: 1,
			means: "Resources were refused because an event's accounts don't agree.", metrics: own("Refused", "Sum"),
		})
	}
	return all
}

// add makes the alarm. Silence is no alarm, but where silence is what it is for.
func (a alarm) add(scope constructs.Construct, name string, topic *string) {
	props := &awscloudwatch.CfnAlarmProps{
		AlarmName:          jsii.String(name),
		AlarmDescription:   jsii.String(a.means + " What to do: docs/troubleshooting.md#" + a.anchor),
		ComparisonOperator: jsii.String("GreaterThanOrEqualToThreshold"),
		Threshold:          jsii.Number(a.threshold),
		EvaluationPeriods:  jsii.Number(a.periods),
		TreatMissingData:   jsii.String("notBreaching"),
	}
	if len(a.metrics) > 1 {
		var metrics []any
		for _, m := range a.metrics {
			metrics = append(metrics, m)
		}
		props.Metrics = metrics
	} else {
		m := a.metrics[0].MetricStat.(awscloudwatch.CfnAlarm_MetricStatProperty)
		of := m.Metric.(awscloudwatch.CfnAlarm_MetricProperty)
		props.Namespace, props.MetricName, props.Dimensions = of.Namespace, of.MetricName, of.Dimensions
		props.Statistic, props.Period = m.Stat, m.Period
	}
	if a.below {
		props.ComparisonOperator, props.TreatMissingData = jsii.String("LessThanThreshold"), jsii.String("breaching")
	}
	if topic != nil {
		props.AlarmActions, props.OkActions = &[]any{topic}, &[]any{topic}
	}
	id := "Alarm"
	for word := range strings.SplitSeq(a.name, "-") {
		id += strings.ToUpper(word[:1]) + word[1:]
	}
	awscloudwatch.NewCfnAlarm(scope, jsii.String(id), props)
}

// addSpokeAlarm makes the alarm of a spoke's region.
func addSpokeAlarm(stack awscdk.Stack, undelivered awssqs.Queue) {
	queueAlarm(deployment.Forward+"-undelivered", "undelivered-events", "EventBridge could not forward events to the hub; they are kept for 14 days.", undelivered).
		add(stack, spokeAlarm+"undelivered", nil)
}

// addOperations makes what a person runs the deployment with.
func (h *hub) addOperations() {
	for _, a := range h.alarms() {
		a.add(h.stack, deployment.Prefix+a.name, h.topic)
	}
	for _, q := range h.queries() {
		var groups []any
		for _, group := range q.groups {
			groups = append(groups, group.LogGroupName())
		}
		awslogs.NewCfnQueryDefinition(h.stack, jsii.String("Query"+q.id), &awslogs.CfnQueryDefinitionProps{
			Name: jsii.String(deployment.Prefix + q.name), LogGroupNames: &groups, QueryString: jsii.String(q.text()),
		})
	}
	awscloudwatch.NewCfnDashboard(h.stack, jsii.String("Dashboard"), &awscloudwatch.CfnDashboardProps{
		DashboardName: jsii.String(dashboardName),
		DashboardBody: h.stack.ToJsonString(h.dashboard(), nil),
	})
}
