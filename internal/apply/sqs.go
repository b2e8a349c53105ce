package apply

import (
	"context"
	"fmt"
	"strings"

	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
)

// sqsCalls name a queue by its URL, which an ARN doesn't have.
const sqsCalls = `client: sqs
id: SQS
protocol: json-1.0 AmazonSQS
write: TagQueue QueueUrl={arn} Tags={map}
read: ListQueueTags QueueUrl={arn} -> Tags={map}`

// queueURL builds a queue's URL from its ARN:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
// With a custom endpoint the URL is on it, as an emulator's are.
func queueURL(c *awsapi.Caller, t target) (place, error) {
	parts := strings.SplitN(t.arn, ":", 6)
	if len(parts) < 6 || parts[5] == "" {
		return place{}, bad(WhyBadARN)
	}
	u, _, err := c.Endpoint(context.Background(), awsapi.Call{Service: &catalogue.Service{ID: "SQS", Signing: "sqs"}, Region: t.region, ARN: t.arn})
	if err != nil {
		return place{}, fmt.Errorf("resolving the endpoint of SQS: %w", err)
	}
	return place{arn: strings.TrimSuffix(u.String(), "/") + "/" + parts[4] + "/" + parts[5]}, nil
}
