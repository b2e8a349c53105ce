package doctor

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
	"autotagger/internal/live"
	"autotagger/internal/policy"
)

// parameters looks at the switch and at where the configuration comes from.
func (v *visit) parameters(ctx context.Context) []Finding {
	values, err := live.Parameters(ctx, v.cfg, deployment.ParameterWriting, deployment.ParameterConfiguration)
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
	bucket, key, ok := live.Place(value)
	if !ok {
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
	return v.judgeConfiguration(name, data)
}

// judgeConfiguration says what the functions make of a configuration that was read
// while they run. What they refuse depends on the one that they were deployed with.
func (v *visit) judgeConfiguration(name string, data []byte) Finding {
	all, err := catalogue.Default().All()
	if err != nil {
		return Finding{Status: Fail, Subject: name, Found: err.Error(), Do: "build autotagger anew"}
	}
	p, err := policy.ParseForDeployment(name, data, all)
	if err != nil {
		return Finding{Status: Fail, Subject: name, Found: err.Error(), Do: "mend it; until then the last good configuration is in force"}
	}
	if v.deployed == "" {
		return Finding{Status: Warn, Subject: name, Found: "valid; whether the functions take it depends on the configuration that they were deployed with, which isn't here",
			Do: "name the file that was deployed with --config"}
	}
	if beyond := p.Beyond(v.policy); len(beyond) > 0 {
		return Finding{Status: Fail, Subject: name, Found: "functions deployed with " + v.deployed + " refuse it: " + strings.Join(beyond, "; "),
			Do: "make deploy with these in " + v.deployed + ", or take them out; until then the last good configuration is in force"}
	}
	return Finding{Status: OK, Subject: name, Found: "valid, and functions deployed with " + v.deployed + " take it"}
}
