package apply

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
)

// Request asks for tags on one resource.
type Request struct {
	// ARN names the resource. Type is its CloudFormation type name, for the
	// caller's use: nothing here but a look-up depends on it.
	ARN, Type string
	// API says which system holds the tags: "tagging" (Resource Groups Tagging
	// API), "s3", "iam", "kms", "ec2", a service's own name for that service's
	// own tag call ("sqs", "sns", …), or "none" for what must never be written.
	API string
	// Calls are the service's own tag calls, from the catalogue; nil where it has
	// none. The irregular services are known here and need none.
	Calls *catalogue.Calls
	// Account and Region are the resource's own. Region is set for S3 buckets
	// too, whose ARN has neither; for a global resource it is the region whose
	// endpoint serves it.
	Account, Region string
	// Tags are the tags wanted, already valid for the service.
	Tags map[string]string
	// Known are tags that the create call is known to have set. They count as
	// existing without a read.
	Known map[string]string
	// Read are all tags of the resource, as [Applier.Tags] has just read them; nil:
	// they are read.
	Read map[string]string
	// Provisional are tags that we wrote before all was known. Where one still
	// stands with that value, it is replaced.
	Provisional map[string]string
	// Keep are the keys of which other values that stand are kept where
	// [Options.Replace] would replace them: the wanted ones aren't sure.
	Keep []string
	// Upsert says that the event may have changed an older resource rather
	// than created one, so that its age says nothing about its tags.
	Upsert bool
	// LookUp names the look-up that tells whether the call created the resource
	// or changed one, see catalogue.Resource; "" where the record tells.
	LookUp string
	// EventTime is when the create call was made.
	EventTime time.Time
}

// Outcome says what became of a request.
type Outcome string

const (
	// Tagged: the missing tags were written.
	Tagged Outcome = "tagged"
	// Unchanged: every wanted key stands already, with whatever value.
	Unchanged Outcome = "unchanged"
	// Skipped: the resource must not or cannot be tagged; Result.Why says why.
	Skipped Outcome = "skipped"
	// Retry: not possible yet, worth another try later.
	Retry Outcome = "retry"
	// Denied: AWS refused the caller. Another try needs another policy first.
	Denied Outcome = "denied"
	// Failed: another try would fail alike.
	Failed Outcome = "failed"
)

// Reasons in Result.Why and CORSResult.Why. Where the outcome comes from an
// error of AWS, Why is the error's code instead.
const (
	WhyDeadline        = "deadline"         // the context ended before the work began or was done
	WhyAccounts        = "accounts-differ"  // the event's accounts don't agree, or are none to act for
	WhyDirectoryBucket = "directory-bucket" // S3 directory buckets are left alone
	WhyExisted         = "existed-before"   // the call changed a resource, or nothing shows that it created it
	WhyKeyState        = "key-state"        // a KMS key that is being deleted
	WhyManaged         = "aws-managed"      // AWS's own resource, such as an IAM managed policy
	WhyManagedKey      = "aws-managed-key"  // AWS's own KMS key
	WhyNoLookUp        = "no-look-up"       // a look-up that is not known here
	WhyNoAPI           = "no-tag-api"       // API "none", or one that is not known here
	WhyOptOut          = "opt-out-tag"      // the resource carries the opt-out tag
	WhyRole            = "role-not-assumed" // of the resource's account
	WhyTagLimit        = "tag-limit"        // the resource would have more than 50 tags
	WhyBadARN          = "bad-arn"          // the ARN doesn't name what the API tags
)

// Result is what became of one Request.
type Result struct {
	Outcome Outcome
	// Why explains an outcome other than Tagged and Unchanged: one of the Why…
	// constants, or the code of AWS's error.
	Why string
	// Err is the error behind Retry, Denied and Failed, nil otherwise.
	Err error
	// Standing are the tags wanted whose key stood already, with the value that
	// stays: of a resource whose tags were read or known, else nil.
	Standing map[string]string
	// Written are the tags that were written by this request, nil unless Tagged.
	Written map[string]string
	// After is when another try is worth it, where that is known; of a Retry only.
	After time.Duration
}

// Tags are what was read of one resource.
type Tags struct {
	All map[string]string
	Err error
}

// CORSRule is one rule of a bucket's CORS configuration, as
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CORSRule.html has it.
type CORSRule struct {
	ID             string
	AllowedMethods []string
	AllowedOrigins []string
	AllowedHeaders []string
	ExposeHeaders  []string
	// MaxAgeSeconds is sent when it is above zero.
	MaxAgeSeconds int
}

// CORSRequest asks for CORS rules on one bucket.
type CORSRequest struct {
	Bucket          string // the bucket's ARN
	Account, Region string // the bucket's own
	Rules           []CORSRule
}

// CORSOutcome says what became of a CORSRequest.
type CORSOutcome string

const (
	// Put: the bucket had no CORS configuration and has the wanted one now.
	Put CORSOutcome = "put"
	// Kept: the bucket has a configuration, whatever it says; it stays.
	Kept CORSOutcome = "kept"
	// CORSSkipped: CORS doesn't apply to the bucket; CORSResult.Why says why.
	CORSSkipped CORSOutcome = "skipped"
	// CORSRetry: not possible yet, worth another try later.
	CORSRetry CORSOutcome = "retry"
	// CORSDenied: AWS refused the caller.
	CORSDenied CORSOutcome = "denied"
	// CORSFailed: another try would fail alike.
	CORSFailed CORSOutcome = "failed"
)

// CORSResult is what became of one CORSRequest. Why and Err are as in Result.
type CORSResult struct {
	Outcome CORSOutcome
	Why     string
	Err     error
}

// Options are the choices of an Applier. The zero value is usable.
type Options struct {
	// Replace gives keys that stand with another value the wanted one. By
	// default a standing key is never touched.
	Replace bool
	// OptOut tells from a resource's present tags that it wants to be left
	// alone. Nil: none does.
	OptOut func(tags map[string]string) bool
	// Credentials gives the credentials for calls to an account's resources. Nil:
	// those of the configuration serve every account.
	Credentials func(account string) aws.CredentialsProvider
	// Now is the clock, time.Now by default.
	Now func() time.Time
	// Concurrency is how many calls run at once at most, 8 by default.
	Concurrency int
	// Attempt is how long one attempt of a call may take, 5 s by default: six of
	// them leave time for the rest of a batch.
	Attempt time.Duration
	// OnCall is told of every attempt sent to AWS. It may be called from
	// several goroutines at once. Nil: nobody is.
	OnCall func(awsapi.Attempt)
}

func (o Options) withDefaults() Options {
	if o.OptOut == nil {
		o.OptOut = func(map[string]string) bool { return false }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 8
	}
	if o.Attempt <= 0 {
		o.Attempt = 5 * time.Second
	}
	if o.OnCall == nil {
		o.OnCall = func(awsapi.Attempt) {}
	}
	return o
}
