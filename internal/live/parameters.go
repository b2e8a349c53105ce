package live

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
	"autotagger/internal/resolve"
)

// Parameters reads parameters of Systems Manager by their names, up to ten. One that
// isn't there is not among the results. SSM's client is among the SDK's largest.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
func Parameters(ctx context.Context, cfg aws.Config, names ...string) (map[string]string, error) {
	body, err := awsapi.New(cfg, nil).Do(ctx, awsapi.Call{
		Service: &catalogue.Service{ID: "SSM", Signing: "ssm", Protocol: catalogue.JSON11, Version: "AmazonSSM"},
		Op:      "GetParameters", Region: cfg.Region, ARN: "arn:" + resolve.Partition(cfg.Region) + ":",
		Fields: map[string]any{"Names": names},
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", strings.Join(names, ", "), err)
	}
	var answer struct {
		Parameters []struct{ Name, Value string }
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("reading %s: %w", strings.Join(names, ", "), err)
	}
	values := map[string]string{}
	for _, p := range answer.Parameters {
		values[p.Name] = p.Value
	}
	return values, nil
}
