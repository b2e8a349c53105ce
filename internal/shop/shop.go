// Package shop has the resources of a small shop, with which demonstrations show
// the program at work: buckets, a table, a queue and the like, which are created
// in an emulator through the AWS SDK, some with tags and CORS of their own.
//
// No emulator emits usable CloudTrail events. Those of the calls are made from
// the project's samples, with the names of what was created ([Resource.Create]).
package shop

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"autotagger/internal/emulator"
	"autotagger/internal/sample"
)

// Config is the configuration that every [Resource.Want] goes by. It gives every
// resource both tags.
const Config = `# The cost center is the one that the create request names, else its creator's.
cost-center:
  - tag: [CostCenter, cost-center]
  - rule: {creators: ["*@shop.example.com"], value: "1001"}
  - default: "9000"
cors:
  rules:
    - allowed-methods: [GET, HEAD]
      allowed-origins: ["*"]
      max-age-seconds: 3000
`

const (
	// Alice is the creator of what alice makes.
	Alice = "alice@shop.example.com"
	// CORSByDefault is what [Config] gives a bucket.
	CORSByDefault = "GET,HEAD from *"
)

func alice() map[string]any { return sample.Person(emulator.Account, Alice) }

// Create makes the resource and returns the EventBridge event of the call, and
// what the resource is like then. Events is the folder of the project's samples.
func (r Resource) Create(ctx context.Context, cfg aws.Config, events fs.FS) (event []byte, before State, err error) {
	values, err := r.create(ctx)
	if err != nil {
		return nil, State{}, fmt.Errorf("creating %s: %w", r.Name, err)
	}
	region := cfg.Region
	if strings.HasPrefix(r.sample, "iam/") {
		region = "us-east-1" // where CloudTrail has IAM's calls
	}
	// A call reaches the bus a minute after it was made.
	e := sample.Read(events, r.sample).Place(emulator.Account, region).At(time.Now().Add(-time.Minute)).By(r.by).Untag()
	for path, v := range values {
		e.Set(path, v)
	}
	if event, err = e.JSON(); err != nil {
		return nil, State{}, err
	}
	before, err = r.Look(ctx)
	return event, before, err
}

// By is the resource as another identity makes it.
func (r Resource) By(identity map[string]any) Resource {
	r.by = identity
	return r
}

// File is a name for the event of the nth resource.
func (r Resource) File(n int) string {
	return fmt.Sprintf("%02d-%s", n, strings.ReplaceAll(r.sample, "/", "-"))
}
