package doctor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
)

// parameters looks at the switch and at where the configuration comes from.
func (v *visit) parameters(ctx context.Context) []Finding {
	if v.hub == nil {
		return nil
	}
	values, err := v.ssm(ctx, deployment.ParameterWriting, deployment.ParameterConfiguration)
	if err != nil {
		return []Finding{unseen(deployment.ParameterWriting, err)}
	}
	return append(v.switched(values), v.source(ctx, values)...)
}

// put is the command that sets a parameter.
func put(name, value string) string {
	return "aws ssm put-parameter --overwrite --name " + name + " --value " + value
}

func absent(name string) Finding {
	return Finding{Status: Fail, Subject: name, Found: "the parameter is gone: the functions keep to what they read last", Do: "aws ssm put-parameter --type String --name " + name + " --value VALUE"}
}

func (v *visit) switched(values map[string]string) []Finding {
	const name = deployment.ParameterWriting
	switch value, ok := values[name]; {
	case !ok:
		return []Finding{absent(name)}
	case value == deployment.WritingOn:
		return []Finding{{"", OK, name, "on", ""}}
	case value == deployment.WritingOff && v.organization:
		return []Finding{{"", Info, name, "off: the functions only say what they would do", "when that is right: " + put(name, deployment.WritingOn)}}
	case value == deployment.WritingOff:
		return []Finding{{"", Warn, name, "off: nothing is tagged", put(name, deployment.WritingOn)}}
	default:
		return []Finding{{"", Fail, name, fmt.Sprintf("%q is neither on nor off", value), put(name, deployment.WritingOn)}}
	}
}

// source looks at the configuration that the functions read while they run.
func (v *visit) source(ctx context.Context, values map[string]string) []Finding {
	const name = deployment.ParameterConfiguration
	value, ok := values[name]
	if !ok {
		return []Finding{absent(name)}
	}
	if value == deployment.Deployed {
		return []Finding{{"", OK, name, "the one that was deployed", ""}}
	}
	rest, ok := strings.CutPrefix(value, "s3://")
	bucket, key, split := strings.Cut(rest, "/")
	if !ok || !split || bucket == "" || key == "" {
		return []Finding{{"", Fail, name, fmt.Sprintf("%q is neither %s nor s3://BUCKET/KEY", value, deployment.Deployed), put(name, deployment.Deployed)}}
	}
	client := s3.NewFromConfig(v.cfg, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil })
	var findings []Finding
	versioning, err := client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &bucket})
	switch {
	case err != nil:
		findings = append(findings, unseen(bucket, err))
	case versioning.Status != s3types.BucketVersioningStatusEnabled:
		findings = append(findings, Finding{"", Warn, bucket, "the bucket keeps no versions: a bad configuration can't be undone",
			"aws s3api put-bucket-versioning --bucket " + bucket + " --versioning-configuration Status=Enabled"})
	}
	return append(findings, v.object(ctx, client, bucket, key))
}

// maxConfig bounds what is read of a configuration.
const maxConfig = 8 << 20

func (v *visit) object(ctx context.Context, client *s3.Client, bucket, key string) Finding {
	name := "s3://" + bucket + "/" + key
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if hasCode(err, "NoSuchKey", "NoSuchBucket") {
		return Finding{Status: Fail, Subject: name, Found: "isn't there: the functions keep to the last good configuration", Do: "aws s3 cp autotagger.yaml " + name}
	}
	if err != nil {
		return unseen(name, err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(io.LimitReader(out.Body, maxConfig))
	if err != nil {
		return unseen(name, err)
	}
	all, err := catalogue.Default().All()
	if err == nil {
		_, err = deployable(name, data, all)
	}
	if err != nil {
		return Finding{Status: Fail, Subject: name, Found: err.Error(), Do: "mend it; until then the last good configuration is in force"}
	}
	return Finding{Status: OK, Subject: name, Found: "valid"}
}

// ssm reads parameters; those that aren't there are left out. The SDK's client for
// the one call would take longer to build than all others together.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
func (v *visit) ssm(ctx context.Context, names ...string) (map[string]string, error) {
	fail := func(err error) error {
		return &smithy.OperationError{ServiceID: "SSM", OperationName: "GetParameters", Err: err}
	}
	body, err := json.Marshal(map[string]any{"Names": names})
	if err != nil {
		return nil, fail(err)
	}
	suffix, _ := catalogue.Suffixes(v.partition)
	endpoint := "https://ssm." + v.region + "." + suffix
	if v.cfg.BaseEndpoint != nil {
		endpoint = *v.cfg.BaseEndpoint
	}
	for _, source := range v.cfg.ConfigSources {
		// AWS_ENDPOINT_URL_SSM, and the profile's like:
		// https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
		if s, ok := source.(interface {
			GetServiceBaseEndpoint(context.Context, string) (string, bool, error)
		}); ok {
			if url, found, err := s.GetServiceBaseEndpoint(ctx, "SSM"); err == nil && found {
				endpoint = url
				break
			}
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, fail(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AmazonSSM.GetParameters")
	if v.cfg.Credentials != nil {
		creds, err := v.cfg.Credentials.Retrieve(ctx)
		if err != nil {
			return nil, fail(err)
		}
		sum := sha256.Sum256(body)
		if err := v4.NewSigner().SignHTTP(ctx, creds, req, hex.EncodeToString(sum[:]), "ssm", v.region, time.Now()); err != nil {
			return nil, fail(err)
		}
	}
	client := v.cfg.HTTPClient
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fail(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Type       string `json:"__type"`
		Message    string
		Parameters []struct{ Name, Value string }
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxConfig)).Decode(&answer); err != nil {
		return nil, fail(fmt.Errorf("reading the answer, %s: %w", resp.Status, err))
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fail(&smithy.GenericAPIError{Code: answer.Type[strings.LastIndexByte(answer.Type, '#')+1:], Message: answer.Message})
	}
	values := map[string]string{}
	for _, p := range answer.Parameters {
		values[p.Name] = p.Value
	}
	return values, nil
}
