// Package function is what the Lambda functions share: they take batches of
// queue messages, each with an EventBridge event, run the pipeline over a whole
// batch, log one line for each event, and count.
//
// # What becomes of a message
//
// A message is acknowledged when its event is done with: tagged, already as
// wanted, or skipped for a reason. Every other message is reported as failed
// (ReportBatchItemFailures), so that the queue delivers it again and, after the
// queue's maximum of receives, keeps it in the dead-letter queue. That holds for
// a message that can't be read too: it never holds up the rest of its batch and
// it is never thrown away.
//
// # Logs
//
// One line of JSON an event, with the keys of the Key constants; the whole
// event only at debug level.
//
// # Metrics
//
// Lines in CloudWatch's embedded metric format, namespace Autotagger, a set for
// each invocation. Each has the dimension Function (tagger or cors); where more
// are named, the metric is written with each of those sets:
//
//   - Events (Count; none, or Service and Decision): records by what was decided,
//     "tag" or the reason for skipping.
//   - Resources (Count; Outcome, or Service and Outcome): resources by what became
//     of them.
//   - Calls, Throttles (Count; Kind, or API): requests sent to AWS, retries
//     included, and those that AWS refused for their rate. Kind is read or write.
//   - TagLatency (Seconds): from eventTime to the tag written.
//   - Refused (Count): resources that an event may not name, see pipeline.Guard.
//   - ConfigurationRefused (Count): looks that found no configuration to take, see
//     package live.
//
// # Which policy holds
//
// The one that the function was deployed with, or what package live finds instead.
// When it changes while a batch is being handled, what isn't done comes again.
package function
