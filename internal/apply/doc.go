// Package apply writes tags to AWS resources and CORS rules to buckets. It is
// the last working step of the pipeline and the only one that calls AWS.
//
// # What it does with a request
//
// [Applier.Tag] takes a batch of [Request] values and answers each of them with
// a [Result], in the same order. Every request goes through the same steps,
// whatever AWS system holds the resource's tags:
//
//  1. Wanted tags that the create call itself set (Request.Known) are dropped.
//  2. The resource's present tags are read, many resources a call.
//  3. A resource that carries the opt-out tag is skipped.
//  4. What is missing is worked out. A key that stands keeps its value
//     (or gets the wanted one with Options.Replace).
//  5. Nothing missing: unchanged, and no write. More than 50 tags: skipped.
//  6. Resources of one account, region and system that miss the same tags are
//     written together, as many a call as the system allows.
//
// # The systems
//
// A store knows how one system reads and writes tags; Request.API names it.
// Most resources go through the Resource Groups Tagging API (tagging.go). S3
// buckets (s3.go), IAM (iam.go), KMS keys (kms.go) and EC2 (ec2.go) have tag
// calls with rules of their own. Any other service is a row in a table (own.go).
// All but S3's bucket calls are sent by package awsapi, so that the Lambda links one
// service client rather than fifty.
//
// The tagging API doesn't serve every type of resource, and doesn't say so
// plainly. What it refuses goes through the service's own calls, read first,
// where the table has a row for it.
//
// # What can't be promised
//
// No tag API of AWS has a conditional write: a tag that someone else sets
// between the read and the write of the same key is overwritten. Where a whole
// set has to be replaced (S3 without TagResource), the same holds for all keys;
// see merge in s3.go for what is done about it.
//
// # What becomes of an error
//
// fate.go turns an error code into an [Outcome], for every system, and nothing
// else does. Message text is never looked at.
package apply
