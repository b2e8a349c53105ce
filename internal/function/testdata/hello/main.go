// Hello is the floor that the functions' start is measured against: the least
// that a function with the AWS SDK does. With HELLO=bare not even that.
package main

import (
	"context"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
)

func main() {
	if os.Getenv("HELLO") != "bare" {
		if _, err := config.LoadDefaultConfig(context.Background()); err != nil {
			os.Exit(1)
		}
	}
	lambda.Start(func(context.Context, events.SQSEvent) (events.SQSEventResponse, error) {
		return events.SQSEventResponse{}, nil
	})
}
