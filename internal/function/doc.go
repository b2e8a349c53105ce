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
// each invocation. Each has the dimension Function (tagger or cors) and those
// named here:
//
//   - Events (Count; Service, Decision): records by what was decided, "tag" or
//     the reason for skipping.
//   - Resources (Count; Service, Outcome): resources by what became of them.
//   - Calls, Throttles (Count; API): requests sent to AWS, retries included,
//     and those that AWS refused for their rate.
//   - TagLatency (Seconds): from eventTime to the tag written.
package function
