// Package live keeps a running function's configuration up to date without a
// deployment.
//
// # Where it comes from
//
// A function carries the configuration that it was deployed with. Two parameters
// of Systems Manager, which the deployment makes, say what holds instead:
//
//   - /autotagger/writing: on, or off, under which everything is decided and
//     reported and nothing is written;
//   - /autotagger/configuration: deployed, or an object as s3://bucket/key in a
//     bucket that the functions may read.
//
// They are looked at when an invocation begins and while one goes on, each 15
// seconds at most.
//
// # What a new configuration must be
//
// It must be free of faults, and want nothing that the deployment hasn't got
// ([policy.Policy.Beyond]). One that isn't so is reported, and the last good one
// stays: the one in memory, or after a fresh start the newest good version of the
// object, if its bucket keeps versions.
//
// Where nothing can be told, as without permission to read the parameters, a
// function that has a configuration keeps it. One that has just started has none to
// trust, for the deployed one may name other cost centers: it takes no events, and
// they stay in the queue.
package live

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"autotagger/internal/awsapi"
	"autotagger/internal/deployment"
	"autotagger/internal/policy"
)

// every is how long a look at the parameters lasts, unless told otherwise.
const every = 15 * time.Second

// maxObject is the most that is read of an object; package policy takes less.
const maxObject = 1 << 20

// maxVersions is how many versions of an object are looked through for a good one.
const maxVersions = 20

// Options are the choices of New. All but Every are needed.
type Options struct {
	// Deployed is the configuration in the function's package.
	Deployed *policy.Policy
	Log      *slog.Logger
	// OnRefused is told of each look that found nothing to take.
	OnRefused func()
	Now       func() time.Time
	// Every is how long a look lasts, 15 s by default.
	Every time.Duration
}

// Configuration is the one in force. It is safe for concurrent use.
type Configuration struct {
	o   Options
	cfg aws.Config
	s3  *s3.Client

	mu      sync.Mutex
	looked  time.Time
	writing string // of deployment.ParameterWriting
	from    string // of deployment.ParameterConfiguration, "" before the first look
	etag    string // of the object's version that was read last, good or not
	policy  *policy.Policy
	current *policy.Policy // policy, or what is left of it while writing is off
}

// New returns a configuration that is read with cfg, for the first time when it is
// asked for.
func New(cfg aws.Config, o Options) *Configuration {
	if o.Every == 0 {
		o.Every = every
	}
	return &Configuration{o: o, cfg: cfg}
}

// Policy returns the policy in force: the same pointer as long as nothing changes.
// The error means that none is known yet.
func (c *Configuration) Policy(ctx context.Context) (*policy.Policy, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.o.Now()
	if c.current != nil && now.Sub(c.looked) < c.o.Every {
		return c.current, nil
	}
	if err := c.look(ctx); err != nil {
		c.o.OnRefused()
		if c.current == nil {
			return nil, fmt.Errorf("reading the configuration: %w", err)
		}
		c.o.Log.LogAttrs(ctx, slog.LevelError, "configuration", slog.String("kept", c.from), slog.String("error", err.Error()))
	}
	c.looked = now
	return c.current, nil
}

// Watch returns a context that ends when the policy changes, so that work under the
// former one stops. stop ends the watching.
func (c *Configuration) Watch(ctx context.Context, under *policy.Policy) (watched context.Context, stop func()) {
	watched, cancel := context.WithCancel(ctx)
	go func() {
		tick := time.NewTicker(c.o.Every)
		defer tick.Stop()
		for {
			select {
			case <-watched.Done():
				return
			case <-tick.C:
			}
			if p, err := c.Policy(watched); err == nil && p != under {
				cancel()
			}
		}
	}()
	return watched, cancel
}

// look reads the parameters and what they name.
func (c *Configuration) look(ctx context.Context) error {
	values, err := Parameters(ctx, c.cfg, deployment.ParameterWriting, deployment.ParameterConfiguration)
	if err != nil {
		return err
	}
	writing, from := values[deployment.ParameterWriting], values[deployment.ParameterConfiguration]
	if writing != deployment.WritingOn && writing != deployment.WritingOff {
		return fmt.Errorf("the parameter %s is %q; it is to be %s or %s", deployment.ParameterWriting, writing, deployment.WritingOn, deployment.WritingOff)
	}
	p, etag, err := c.read(ctx, from)
	if err != nil {
		// The switch works whatever the configuration is.
		if c.policy != nil {
			c.take(ctx, writing, c.from, c.etag, c.policy)
		}
		return err
	}
	c.take(ctx, writing, from, etag, p)
	return nil
}

// take puts a policy in force, and says so where that changes anything.
func (c *Configuration) take(ctx context.Context, writing, from, etag string, p *policy.Policy) {
	same := c.current != nil && p == c.policy && writing == c.writing && from == c.from
	c.writing, c.from, c.etag, c.policy = writing, from, etag, p
	if same {
		return
	}
	c.current = p
	if writing == deployment.WritingOff {
		c.current = p.Observing()
	}
	c.o.Log.LogAttrs(ctx, slog.LevelInfo, "configuration", slog.String("from", from), slog.String("etag", etag), slog.String("writing", writing), slog.String("mode", string(c.current.Mode)))
}

// read returns the policy of a source and its ETag, the one in force where it hasn't
// changed or can't be taken.
func (c *Configuration) read(ctx context.Context, from string) (*policy.Policy, string, error) {
	if from == deployment.Deployed {
		return c.o.Deployed, "", nil
	}
	bucket, key, ok := strings.Cut(strings.TrimPrefix(from, "s3://"), "/")
	if !ok || !strings.HasPrefix(from, "s3://") || bucket == "" || key == "" {
		return nil, "", fmt.Errorf("the parameter %s is %q; it is to be %s or s3://bucket/key", deployment.ParameterConfiguration, from, deployment.Deployed)
	}
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key}
	if from == c.from && c.etag != "" {
		in.IfNoneMatch = &c.etag
	}
	data, etag, err := c.object(ctx, in)
	switch {
	case unchanged(err):
		return c.policy, c.etag, nil
	case err != nil:
		return nil, "", fmt.Errorf("reading %s: %w", from, err)
	}
	p, err := c.parse(from, data)
	if err == nil {
		return p, etag, nil
	}
	c.o.OnRefused()
	c.o.Log.LogAttrs(ctx, slog.LevelError, "configuration refused", slog.String("from", from), slog.String("etag", etag), slog.String("error", err.Error()))
	if p = c.policy; p == nil {
		if p, err = c.lastGood(ctx, from, bucket, key); err != nil {
			return nil, "", err
		}
	}
	return p, etag, nil
}

// parse reads a configuration that the deployment has everything for.
func (c *Configuration) parse(from string, data []byte) (*policy.Policy, error) {
	p, err := policy.Parse(from, data)
	if err != nil {
		return nil, err
	}
	if beyond := p.Beyond(c.o.Deployed); len(beyond) > 0 {
		return nil, fmt.Errorf("it takes a deployment: %s", strings.Join(beyond, "; "))
	}
	return p, nil
}

// lastGood is the newest version of an object that can be taken.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
func (c *Configuration) lastGood(ctx context.Context, from, bucket, key string) (*policy.Policy, error) {
	out, err := c.client().ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &bucket, Prefix: &key, MaxKeys: aws.Int32(maxVersions)})
	if err != nil {
		return nil, fmt.Errorf("looking for the last good version of %s: %w", from, err)
	}
	for _, v := range out.Versions { // the newest first
		if aws.ToString(v.Key) != key || aws.ToBool(v.IsLatest) {
			continue
		}
		data, _, err := c.object(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key, VersionId: v.VersionId})
		if err != nil {
			return nil, fmt.Errorf("reading version %s of %s: %w", aws.ToString(v.VersionId), from, err)
		}
		if p, err := c.parse(from, data); err == nil {
			c.o.Log.LogAttrs(ctx, slog.LevelWarn, "configuration", slog.String("kept", from), slog.String("version", aws.ToString(v.VersionId)))
			return p, nil
		}
	}
	return nil, fmt.Errorf("reading %s: no version of it can be taken; the log says why the newest is refused", from)
}

func (c *Configuration) object(ctx context.Context, in *s3.GetObjectInput) (data []byte, etag string, err error) {
	out, err := c.client().GetObject(ctx, in)
	if err != nil {
		return nil, "", err
	}
	defer out.Body.Close()
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(out.Body, maxObject)); err != nil {
		return nil, "", err
	}
	return b.Bytes(), aws.ToString(out.ETag), nil
}

func (c *Configuration) client() *s3.Client {
	if c.s3 == nil {
		c.s3 = s3.NewFromConfig(c.cfg, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil })
	}
	return c.s3
}

// unchanged reports whether S3 answered that an object is as it was, which is an
// error of the status alone.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
func unchanged(err error) bool { return awsapi.Status(err) == http.StatusNotModified }
