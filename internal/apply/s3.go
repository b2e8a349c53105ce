package apply

import (
	"context"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
)

// s3Clients builds S3's client for an account and region when it is first needed.
// S3 is the one service with a client of the SDK: its endpoints, checksums and
// redirects are rules of their own.
type s3Clients struct {
	cfg   aws.Config
	creds func(account string) aws.CredentialsProvider // nil: cfg's
	rates *awsapi.Retryers
	mu    sync.Mutex
	by    map[string]*s3.Client
}

func (c *s3Clients) of(account, region string) *s3.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := region
	if c.creds != nil {
		key = account + " " + region
	}
	client, ok := c.by[key]
	if !ok {
		client = s3.NewFromConfig(c.cfg, func(o *s3.Options) {
			o.Region = region
			o.Retryer = c.rates.For(s3.ServiceID, account, region)
			if c.creds != nil {
				o.Credentials = c.creds(account)
			}
			// bucket.127.0.0.1 is no name. AWS's own endpoints take the
			// bucket as a label.
			o.UsePathStyle = o.BaseEndpoint != nil
		})
		c.by[key] = client
	}
	return client
}

// s3ControlService is S3 Control as a row of data: two operations of it need no
// client.
func s3ControlService() *catalogue.Service {
	return &catalogue.Service{
		ID: "S3 Control", Signing: "s3", Protocol: catalogue.RESTXML,
		Endpoints: []catalogue.Endpoint{{Host: "{account}.s3-control.{region}.{suffix}"}},
	}
}

// s3Store tags general purpose buckets.
//
// Tags are written by S3 Control's TagResource, which adds single tags and
// disturbs none
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/buckets-tagging.html;
// buckets with ABAC enabled accept nothing else:
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAbac.html).
// Where an endpoint doesn't know the operation, PutBucketTagging has to
// replace the whole set; see merge. A refusal of TagResource is final: going
// round it would evade a policy that guards the bucket's tags.
//
// Tags are read by GetBucketTagging in both cases. ListTagsForResource would
// do for the first, but one read serves both, and it is the bucket's own
// endpoint that says whether the bucket is there.
type s3Store struct {
	clients *s3Clients
	c       *awsapi.Caller
	control *catalogue.Service
	replace bool
}

// bucketOf is the bucket's name. Directory buckets are left alone: they are
// created by the thousand for short work, and have neither GetBucketTagging nor
// CORS (https://docs.aws.amazon.com/AmazonS3/latest/userguide/directory-buckets-overview.html).
func bucketOf(arn string) (string, error) {
	parts := strings.SplitN(arn, ":", 6)
	switch {
	case len(parts) < 6 || parts[5] == "":
		return "", bad(WhyBadARN)
	case parts[2] == "s3express", strings.HasSuffix(parts[5], "--x-s3"):
		return "", skip(WhyDirectoryBucket)
	case strings.Contains(parts[5], "/"), parts[2] != "s3":
		return "", bad(WhyBadARN) // an object, an access point, …
	}
	return parts[5], nil
}

func (s s3Store) read(ctx context.Context, ts []target) []found {
	out := make([]found, len(ts))
	for i, t := range ts {
		out[i].tags, out[i].err = s.get(ctx, t)
	}
	return out
}

// get reads a bucket's tags. Only NoSuchTagSet means that there are none; any
// other error leaves them unknown, and nothing may be written then.
func (s s3Store) get(ctx context.Context, t target) (map[string]string, error) {
	bucket, err := bucketOf(t.arn)
	if err != nil {
		return nil, err
	}
	out, err := s.clients.of(t.account, t.region).GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: &bucket})
	if awsapi.Code(err) == "NoSuchTagSet" {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, err
	}
	tags := make(map[string]string, len(out.TagSet))
	for _, tag := range out.TagSet {
		tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return tags, nil
}

func (s s3Store) write(ctx context.Context, ts []target, tags map[string]string) []error {
	errs := make([]error, len(ts))
	for i, t := range ts {
		errs[i] = s.tag(ctx, t, tags)
		// The read has just found the bucket, so that an S3 Control that
		// doesn't is another thing: an emulator without it takes the path for
		// an object's, or the bucket is too new for it.
		if code := awsapi.Code(errs[i]); errs[i] != nil && (unsupported(errs[i]) || code == "NoSuchBucket" || code == "NoSuchResource") {
			errs[i] = s.merge(ctx, t, tags)
		}
	}
	return errs
}

// tag adds tags:
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_TagResource.html
func (s s3Store) tag(ctx context.Context, t target, tags map[string]string) error {
	type pair struct{ Key, Value string }
	var body struct {
		XMLName xml.Name `xml:"http://awss3control.amazonaws.com/doc/2018-08-20/ TagResourceRequest"`
		Tags    []pair   `xml:"Tags>Tag"`
	}
	for _, k := range sortedKeys(tags) {
		body.Tags = append(body.Tags, pair{k, tags[k]})
	}
	raw, err := xml.Marshal(body)
	if err != nil {
		return fmt.Errorf("writing the tags of %s: %w", t.arn, err)
	}
	_, err = s.c.Do(ctx, awsapi.Call{
		Service: s.control, Op: "TagResource", Account: t.account, Region: t.region, ARN: t.arn,
		Method: http.MethodPost, Path: "/v20180820/tags/" + escapeLabel(t.arn), ContentType: "application/xml",
		Header: http.Header{"X-Amz-Account-Id": {t.account}}, Body: raw,
	})
	return err
}

// controlStore reads and writes the tags of what S3 has beside buckets: access
// points, access grants and groups of Storage Lens. Only S3 Control knows them.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_TagResource.html
type controlStore struct{ s3Store }

// controlled reports whether an ARN is of such a thing: theirs have an account.
func controlled(arn string) bool {
	parts := strings.SplitN(arn, ":", 6)
	return len(parts) == 6 && parts[2] == "s3" && parts[4] != "" && strings.Contains(parts[5], "/")
}

func (s controlStore) read(ctx context.Context, ts []target) []found {
	out := make([]found, len(ts))
	for i, t := range ts {
		out[i].tags, out[i].err = s.list(ctx, t)
	}
	return out
}

// list reads tags:
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_ListTagsForResource.html
func (s controlStore) list(ctx context.Context, t target) (map[string]string, error) {
	body, err := s.c.Do(ctx, awsapi.Call{
		Service: s.control, Op: "ListTagsForResource", Account: t.account, Region: t.region, ARN: t.arn,
		Method: http.MethodGet, Path: "/v20180820/tags/" + escapeLabel(t.arn), Header: http.Header{"X-Amz-Account-Id": {t.account}},
	})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Tags []struct{ Key, Value string } `xml:"Tags>Tag"`
	}
	if err := xml.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("reading the tags of %s: %w", t.arn, err)
	}
	tags := map[string]string{}
	for _, tag := range answer.Tags {
		tags[tag.Key] = tag.Value
	}
	return tags, nil
}

func (s controlStore) write(ctx context.Context, ts []target, tags map[string]string) []error {
	errs := make([]error, len(ts))
	for i, t := range ts {
		errs[i] = s.tag(ctx, t, tags)
	}
	return errs
}

// mergeTries bounds the repairs of one bucket. Each needs another writer in the
// few milliseconds between a read and a put.
const mergeTries = 5

// merge adds tags by PutBucketTagging, which replaces a bucket's whole set and
// takes no condition
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html).
// So it reads, puts everything it read and the new tags, and reads again until
// nothing is missing. Tags of AWS's own (aws:…) are sent back as they are; S3
// refuses a set without them.
//
// What another writer does meanwhile:
//
//   - before the read: it is kept;
//   - after the put, in a set that lacks ours or others that stood before: the
//     second read shows it, and what is missing is put back. A value that they
//     changed stays theirs;
//   - between the read and the put: their tags are overwritten, and nothing
//     shows that they ever stood. This window is a few milliseconds wide and
//     can't be closed without a conditional write. A writer that reads back as
//     this one does repairs its own loss.
//
// The price of putting back is that a tag which someone deletes in those
// milliseconds returns.
func (s s3Store) merge(ctx context.Context, t target, want map[string]string) error {
	bucket, err := bucketOf(t.arn)
	if err != nil {
		return err
	}
	now, err := s.get(ctx, t)
	if err != nil {
		return err
	}
	seen := map[string]string{} // every tag that stood at some read or put
	wrote := false
	for try := range mergeTries {
		set := maps.Clone(seen)
		maps.Copy(set, now) // the newest value of a key is the one to keep
		for k, v := range want {
			if _, stands := now[k]; !stands || s.replace {
				set[k] = v
			}
		}
		if maps.Equal(set, now) {
			if !wrote {
				return errStands
			}
			return nil
		}
		if n := userTags(set); n > maxTags {
			return skip(WhyTagLimit)
		}
		wrote = true // even if the answer is an error: it may be the answer that failed
		err := s.put(ctx, bucket, t, set)
		if o, _ := fate(err); o == Retry && try < mergeTries-1 && ctx.Err() == nil {
			if err := s.clients.pause(ctx, t.account, t.region, try+1, err); err != nil {
				return err
			}
		} else if err != nil {
			return err
		} else {
			seen = set
		}
		if now, err = s.get(ctx, t); err != nil {
			return err
		}
	}
	for k := range want {
		if _, stands := now[k]; !stands {
			return &coded{code: "OperationAborted", message: "other writers keep replacing the bucket's tags", status: http.StatusConflict}
		}
	}
	return nil
}

// put replaces the bucket's tags. The client must not repeat it by itself: a put
// that had arrived, though its answer got lost, would be sent again over what
// another writer has put since. merge reads anew first.
func (s s3Store) put(ctx context.Context, bucket string, t target, tags map[string]string) error {
	set := make([]types.Tag, 0, len(tags))
	for _, k := range sortedKeys(tags) {
		set = append(set, types.Tag{Key: aws.String(k), Value: aws.String(tags[k])})
	}
	_, err := s.clients.of(t.account, t.region).PutBucketTagging(ctx, &s3.PutBucketTaggingInput{
		Bucket: &bucket, Tagging: &types.Tagging{TagSet: set},
	}, func(o *s3.Options) { o.Retryer = aws.NopRetryer{} })
	return err
}

// pause waits as long as the retryer would before its next attempt.
func (c *s3Clients) pause(ctx context.Context, account, region string, attempt int, cause error) error {
	delay, err := c.rates.For(s3.ServiceID, account, region).RetryDelay(attempt, cause)
	if err != nil {
		return cause
	}
	return sleep(ctx, delay)
}
