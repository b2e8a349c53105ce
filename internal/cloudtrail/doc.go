// Package cloudtrail reads CloudTrail management events, whatever they arrive
// in, into one typed [Event].
//
// It is the first step of the pipeline and it is pure: bytes in, events out.
// Nothing here knows what a call creates; that is the catalogue's business.
//
// # Forms
//
// A record reaches us bare, inside an EventBridge event (`detail`), in a log
// file as CloudTrail writes it to S3 (`{"Records":[…]}`), as the body of an SQS
// message as Lambda receives it (`{"Records":[{"eventSource":"aws:sqs",…}]}`),
// in what `aws cloudtrail lookup-events` prints (`{"Events":[{"CloudTrailEvent":…}]}`),
// or as JSON Lines of any of these, each perhaps gzipped. [Read] recognises
// the form by its content. [Decode] takes one JSON document, which is what the
// functions do for each queue message.
//
// # Oddities
//
// The envelope of a record is regular and documented
// (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html);
// its requestParameters and responseElements are not. Each service writes them
// in its own spelling, so they stay raw and are walked by [Value], which
// matches keys without case and knows the shapes that lists come in.
//
// # Errors
//
// A document that is not a usable record is an [Error] with a [Reason]:
// nothing is guessed from half a record.
package cloudtrail
