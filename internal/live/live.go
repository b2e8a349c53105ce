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
// object, if its bucket keeps versions. So it is with an object that was deleted.
//
// Where nothing can be told, as without permission to read the parameters, a
// function that has a configuration keeps it. One that has just started has none to
// trust, for the deployed one may name other cost centers: it takes no events, and
// they stay in the queue.
//
// # Valid cost centers
//
// A policy may name an object of them (cost-centers.object), which is looked at as
// often. One with a fault is reported, and the last good one stays; without any every
// value is taken.
package live

import (
	"bytes"
	"context"
	"errors"
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

// maxObject is how many bytes an object may have. What is beyond is read as far as to tell
// that it is too much; of a configuration package policy takes less.
const maxObject = 1 << 20

// maxVersions is how many versions of an object are looked through for a good one.
const maxVersions = 20

// Options are the choices of New. All but Every are needed.
type Options struct {
	// Deployed is the configuration in the function's package.
	Deployed *policy.Policy
	Log      *slog.Logger
	// OnRefused is told of each look that found nothing to take, for as long as that
	// lasts.
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
	writing string         // of deployment.ParameterWriting
	force   version        // in force; without a policy before the first look
	seen    version        // of the object that was read last; without a policy if it was refused
	valid   list           // of cost centers, if the policy in force has an object of them
	current *policy.Policy // that in force, or what is left of it while writing is off
}

// list is an object of valid cost centers.
type list struct {
	from, etag string
	values     []string
}

// version is a policy and where it comes from: the value of
// deployment.ParameterConfiguration, and the ETag of an object.
type version struct {
	from, etag string
	policy     *policy.Policy
}

// errRefused is the error of an object that can't be taken. The log has the reason,
// from when it was read first.
var errRefused = errors.New("it is refused, the log says why")

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
	err := c.look(ctx)
	switch {
	case err == nil:
	case errors.Is(ctx.Err(), context.Canceled):
		// The caller has ended, which says nothing about the configuration; that its
		// time has run out may well say that nothing answers.
		if c.current == nil {
			return nil, fmt.Errorf("reading the configuration: %w", err)
		}
		return c.current, nil
	default:
		c.o.OnRefused()
		if c.current == nil {
			return nil, fmt.Errorf("reading the configuration: %w", err)
		}
		if !errors.Is(err, errRefused) {
			c.o.Log.LogAttrs(ctx, slog.LevelError, "configuration", slog.String("kept", c.force.from), slog.String("error", err.Error()))
		}
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
			// The work's end cuts a look off, and its deadline is no other end.
			look, end := context.WithCancel(context.WithoutCancel(watched))
			stop := context.AfterFunc(watched, end)
			if p, err := c.Policy(look); err == nil && p != under {
				cancel()
			}
			stop()
			end()
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
	v, err := c.read(ctx, from)
	switch {
	case err == nil:
		c.take(ctx, writing, v)
	case c.force.policy != nil:
		c.take(ctx, writing, c.force) // the switch works whatever the configuration is
	case errors.Is(err, errRefused), awsapi.Code(err) == "NoSuchKey":
		good, none := c.lastGood(ctx, from)
		if none != nil {
			return fmt.Errorf("%w; %w", err, none)
		}
		c.take(ctx, writing, good)
	}
	return err
}

// take puts a policy in force, and says so where that changes anything.
func (c *Configuration) take(ctx context.Context, writing string, v version) {
	valid, err := c.readList(ctx, v.policy.CostCenters.Object)
	if err != nil {
		c.o.Log.LogAttrs(ctx, slog.LevelError, "cost centers", slog.String("from", v.policy.CostCenters.Object), slog.String("error", err.Error()))
		c.o.OnRefused()
	}
	same := c.current != nil && v.policy == c.force.policy && writing == c.writing && v.from == c.force.from && valid.from == c.valid.from && valid.etag == c.valid.etag
	c.writing, c.force, c.valid = writing, v, valid
	if same {
		return
	}
	c.current = v.policy
	if valid.values != nil {
		c.current = c.current.WithCostCenters(valid.values)
	}
	if writing == deployment.WritingOff {
		c.current = c.current.Observing()
	}
	c.o.Log.LogAttrs(ctx, slog.LevelInfo, "configuration", slog.String("from", v.from), slog.String("etag", v.etag), slog.String("writing", writing), slog.String("mode", string(c.current.Mode)))
}

// read returns what a source holds, the same policy as long as it doesn't change.
func (c *Configuration) read(ctx context.Context, from string) (version, error) {
	if from == deployment.Deployed {
		return version{from: from, policy: c.o.Deployed}, nil
	}
	bucket, key, ok := Place(from)
	if !ok {
		return version{}, fmt.Errorf("the parameter %s is %q; it is to be %s or s3://bucket/key", deployment.ParameterConfiguration, from, deployment.Deployed)
	}
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key}
	if from == c.seen.from && c.seen.etag != "" {
		in.IfNoneMatch = &c.seen.etag
	}
	data, etag, err := c.object(ctx, in)
	switch {
	case unchanged(err):
	case err != nil:
		return version{}, fmt.Errorf("reading %s: %w", from, err)
	default:
		p, err := c.parse(from, data)
		if err != nil {
			c.o.Log.LogAttrs(ctx, slog.LevelError, "configuration refused", slog.String("from", from), slog.String("etag", etag), slog.String("error", err.Error()))
		}
		c.seen = version{from, etag, p}
	}
	if c.seen.policy == nil {
		return version{}, fmt.Errorf("reading %s: %w", from, errRefused)
	}
	return c.seen, nil
}

// readList returns the valid cost centers of an object, the last good ones where it
// can't be read or has a fault. Without any every value is taken.
func (c *Configuration) readList(ctx context.Context, from string) (list, error) {
	if from == "" {
		return list{}, nil
	}
	last := c.valid
	if last.from != from {
		last = list{}
	}
	bucket, key, _ := Place(from)
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key}
	if last.etag != "" {
		in.IfNoneMatch = &last.etag
	}
	data, etag, err := c.object(ctx, in)
	if unchanged(err) {
		return last, nil
	}
	if len(data) > maxObject {
		err = fmt.Errorf("it has more than %d bytes", maxObject)
	}
	var values []string
	if err == nil {
		values, err = policy.ParseCostCenters(data)
	}
	if err != nil {
		return last, fmt.Errorf("reading %s: %w", from, err)
	}
	return list{from, etag, values}, nil
}

// CostCenters returns a policy with the valid cost centers of its object, if it has one.
// Without a function's configuration around it nothing else is read.
func CostCenters(ctx context.Context, cfg aws.Config, p *policy.Policy) (*policy.Policy, error) {
	found, err := (&Configuration{cfg: cfg}).readList(ctx, p.CostCenters.Object)
	if err != nil || found.values == nil {
		return p, err
	}
	return p.WithCostCenters(found.values), nil
}

// Place is the bucket and the key of s3://bucket/key.
func Place(from string) (bucket, key string, ok bool) {
	path, ok := strings.CutPrefix(from, "s3://")
	if !ok {
		return "", "", false
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key, bucket != "" && key != ""
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
func (c *Configuration) lastGood(ctx context.Context, from string) (version, error) {
	bucket, key, _ := Place(from)
	out, err := c.client().ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &bucket, Prefix: &key, MaxKeys: aws.Int32(maxVersions)})
	if err != nil {
		return version{}, fmt.Errorf("looking for the last good version of %s: %w", from, err)
	}
	for _, v := range out.Versions { // the newest first
		if aws.ToString(v.Key) != key || aws.ToBool(v.IsLatest) {
			continue
		}
		data, etag, err := c.object(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key, VersionId: v.VersionId})
		if err != nil {
			return version{}, fmt.Errorf("reading version %s of %s: %w", aws.ToString(v.VersionId), from, err)
		}
		if p, err := c.parse(from, data); err == nil {
			c.o.Log.LogAttrs(ctx, slog.LevelWarn, "configuration", slog.String("kept", from), slog.String("version", aws.ToString(v.VersionId)))
			return version{from, etag, p}, nil
		}
	}
	return version{}, fmt.Errorf("no version of %s can be taken", from)
}

func (c *Configuration) object(ctx context.Context, in *s3.GetObjectInput) (data []byte, etag string, err error) {
	out, err := c.client().GetObject(ctx, in)
	if err != nil {
		return nil, "", err
	}
	defer out.Body.Close()
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(out.Body, maxObject+1)); err != nil {
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
