package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"

	"autotagger/internal/deployment"
)

// alarmChanges lets through the changes of spokes' alarms, which a person looks
// for at the hub.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
func alarmChanges() map[string]any {
	return map[string]any{
		"source":      []any{"aws.cloudwatch"},
		"detail-type": []any{"CloudWatch Alarm State Change"},
		"detail": map[string]any{
			"alarmName": []any{map[string]any{"prefix": deployment.Prefix + forward + "-"}},
		},
	}
}

func addSpokeAlarm(stack awscdk.Stack, undelivered awssqs.Queue) {}
