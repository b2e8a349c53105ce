package apply

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"autotagger/internal/catalogue"
)

// Parameters reads parameters of Systems Manager by their names, up to ten, in the
// configuration's region and with its credentials. One that isn't there is not
// among the results. The function's configuration needs this one call of a service
// whose client is among the SDK's largest.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
func Parameters(ctx context.Context, cfg aws.Config, partition string, names ...string) (map[string]string, error) {
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = awshttp.NewBuildableClient()
	}
	ssm := &catalogue.Service{ID: "SSM", Signing: "ssm", Protocol: catalogue.JSON11, Version: "AmazonSSM"}
	body, err := newCaller(cfg, nil).do(ctx, call{
		service: ssm, op: "GetParameters", region: cfg.Region, arn: "arn:" + partition + ":", fields: map[string]any{"Names": names},
	})
	if err != nil {
		return nil, fmt.Errorf("reading the parameters %v: %w", names, err)
	}
	var answer struct {
		Parameters []struct{ Name, Value string }
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("reading the parameters %v: %w", names, err)
	}
	values := map[string]string{}
	for _, p := range answer.Parameters {
		values[p.Name] = p.Value
	}
	return values, nil
}
