package apply

import (
	"context"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"autotagger/internal/awsapi"
)

// S3's limits on a CORS configuration
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html).
const (
	maxCORSRules = 100
	maxCORSBytes = 64 << 10
)

// WhyCORSLimit: the rules are more, or longer, than S3 takes, or there are none.
const WhyCORSLimit = "cors-limit"

// PutCORS gives each bucket its rules if it has no CORS configuration at all,
// and answers every request with a result, in the same order. A bucket named
// twice is written once, by the first request. In another account or region it is
// another bucket: what one of them is refused says nothing about the other.
func (a *Applier) PutCORS(ctx context.Context, reqs []CORSRequest) []CORSResult {
	type place struct{ account, region, bucket string }
	at := func(r CORSRequest) place { return place{r.Account, r.Region, r.Bucket} }
	res := make([]CORSResult, len(reqs))
	first := map[place]int{}
	var work []int
	for i, r := range reqs {
		if _, twice := first[at(r)]; !twice {
			first[at(r)] = i
			work = append(work, i)
		}
	}
	a.each(len(work), func(n int) {
		i := work[n]
		put, err := false, ctx.Err()
		if err == nil {
			put, err = a.putCORS(awsapi.WithAccount(ctx, reqs[i].Account), reqs[i])
		}
		res[i] = corsResult(put, err)
	})
	for i, r := range reqs {
		if f := first[at(r)]; f != i {
			res[i] = res[f]
			if res[i].Outcome == Put {
				res[i].Outcome = Kept
			}
		}
	}
	return res
}

// corsTries bounds the puts for one bucket, as many as the SDK's attempts.
const corsTries = 3

// putCORS puts a bucket's rules unless a configuration stands, whatever it
// says: PutBucketCors replaces it whole, and takes no condition
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html).
// So the client must not repeat it by itself: the bucket's owner may have put
// rules since, and what stands is read anew before each put.
func (a *Applier) putCORS(ctx context.Context, r CORSRequest) (put bool, err error) {
	bucket, err := bucketOf(r.Bucket)
	if err != nil {
		return false, err
	}
	rules, size := make([]types.CORSRule, 0, len(r.Rules)), 0
	for _, rule := range r.Rules {
		out := types.CORSRule{
			AllowedMethods: rule.AllowedMethods, AllowedOrigins: rule.AllowedOrigins,
			AllowedHeaders: rule.AllowedHeaders, ExposeHeaders: rule.ExposeHeaders,
		}
		if rule.ID != "" {
			out.ID = aws.String(rule.ID)
		}
		if rule.MaxAgeSeconds > 0 {
			out.MaxAgeSeconds = aws.Int32(int32(rule.MaxAgeSeconds))
		}
		rules = append(rules, out)
		size += corsBytes(rule)
	}
	if len(rules) == 0 || len(rules) > maxCORSRules || size > maxCORSBytes {
		return false, bad(WhyCORSLimit)
	}
	client := a.s3.of(r.Account, r.Region)
	for try := 1; ; try++ {
		stands, err := client.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &bucket})
		if err == nil {
			// Ours after a put that failed: its answer got lost.
			return try > 1 && sameCORS(stands.CORSRules, rules), nil
		}
		if awsapi.Code(err) != "NoSuchCORSConfiguration" {
			return false, err
		}
		_, err = client.PutBucketCors(ctx, &s3.PutBucketCorsInput{
			Bucket: &bucket, CORSConfiguration: &types.CORSConfiguration{CORSRules: rules},
		}, func(o *s3.Options) { o.Retryer = aws.NopRetryer{} })
		if err == nil {
			return true, nil
		}
		if o, _ := fate(err); o != Retry || try == corsTries || ctx.Err() != nil {
			return false, err
		}
		if err := a.s3.pause(ctx, r.Account, r.Region, try, err); err != nil {
			return false, err
		}
	}
}

// sameCORS compares rules. S3 may name those that came without an ID.
func sameCORS(a, b []types.CORSRule) bool {
	return slices.EqualFunc(a, b, func(a, b types.CORSRule) bool {
		return slices.Equal(a.AllowedMethods, b.AllowedMethods) && slices.Equal(a.AllowedOrigins, b.AllowedOrigins) &&
			slices.Equal(a.AllowedHeaders, b.AllowedHeaders) && slices.Equal(a.ExposeHeaders, b.ExposeHeaders) &&
			aws.ToInt32(a.MaxAgeSeconds) == aws.ToInt32(b.MaxAgeSeconds)
	})
}

// corsBytes is about what a rule takes in XML: its values with their elements.
func corsBytes(r CORSRule) int {
	n := len("<CORSRule></CORSRule><ID></ID><MaxAgeSeconds>2147483647</MaxAgeSeconds>") + len(r.ID)
	for _, list := range [][]string{r.AllowedMethods, r.AllowedOrigins, r.AllowedHeaders, r.ExposeHeaders} {
		for _, v := range list {
			n += len("<AllowedOrigin></AllowedOrigin>") + len(v)
		}
	}
	return n
}

// corsResult is a CORS request's result; what an error means is decided by
// fate, as for tags.
func corsResult(put bool, err error) CORSResult {
	if err == nil {
		if put {
			return CORSResult{Outcome: Put}
		}
		return CORSResult{Outcome: Kept}
	}
	o, why := fate(err)
	switch o {
	case Skipped:
		return CORSResult{Outcome: CORSSkipped, Why: why}
	case Retry:
		return CORSResult{Outcome: CORSRetry, Why: why, Err: err}
	case Denied:
		return CORSResult{Outcome: CORSDenied, Why: why, Err: err}
	}
	return CORSResult{Outcome: CORSFailed, Why: why, Err: err}
}

// each runs f for 0…n-1, so many at once as Options.Concurrency says.
func (a *Applier) each(n int, f func(int)) {
	if n == 1 {
		f(0)
		return
	}
	var wg sync.WaitGroup
	room := make(chan struct{}, a.o.Concurrency)
	for i := range n {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			f(i)
		})
	}
	wg.Wait()
}
