package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// loadAWS reads the SDK's configuration from the environment. The SDK's own log is
// dropped: what goes wrong comes back as an error, which is said once.
func loadAWS(ctx context.Context) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithLogger(logging.Nop{}))
	if err != nil {
		return cfg, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	return cfg, nil
}

// requireCredentials refuses an environment without credentials. What is said of the
// last place that the SDK looks at, the instance's metadata, helps nobody elsewhere.
func requireCredentials(ctx context.Context, cfg aws.Config) error {
	_, err := cfg.Credentials.Retrieve(ctx)
	if err == nil {
		return nil
	}
	const none = "there are no AWS credentials in the environment: set AWS_PROFILE, or run aws configure"
	var op *smithy.OperationError
	if errors.As(err, &op) && op.Service() == "ec2imds" {
		return errors.New(none)
	}
	return fmt.Errorf("%s: %w", none, err)
}

// plain is an error without the SDK's words around what AWS or the network said.
func plain(err error) string {
	var op *smithy.OperationError
	if !errors.As(err, &op) {
		return err.Error()
	}
	said := ""
	if api, ok := errors.AsType[smithy.APIError](op); ok {
		said = strings.TrimSuffix(api.ErrorCode()+": "+api.ErrorMessage(), ": ")
	} else if sent, ok := errors.AsType[*smithyhttp.RequestSendError](op); ok {
		said = fmt.Sprintf("AWS can't be reached: %v; look at the region, the network and AWS_ENDPOINT_URL", sent.Err)
	} else {
		return err.Error()
	}
	return strings.Replace(err.Error(), op.Error(), said, 1)
}
