// Package main is the CDK app: one stack for one account and region.
//
// # What is deployed
//
// For each function (tagger, and cors unless the configuration says cors: off):
//
//	EventBridge rules → queue → function
//	        │             └ after ten attempts → dead-letter queue
//	        └ what can't be delivered → the undelivered queue
//
// The rules' patterns and the tagger's permissions are derived from package
// catalogue, the tag keys it may write from package policy: a new row in the
// catalogue needs no change here.
//
// # Where to look
//
//   - settings.go: what a deployment may choose, and the configuration file.
//   - stack.go: queues, functions and how they are joined.
//   - rules.go: rules from patterns, and who may send to the queues.
//   - permissions.go: what the functions may do.
//   - asset.go: the folders that become the functions' code.
//
// The tests look at the template that CDK makes, and match the sample events
// against its patterns with a real pattern matcher.
package main
