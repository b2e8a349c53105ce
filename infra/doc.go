// Package main is the CDK app: the stacks of one account, of an organisation's hub,
// or of spokes.
//
// # What is deployed
//
// The hub, in one account and region. For each function (tagger, cors unless the
// configuration says cors: off, and ledger where it asks for one, with its table):
//
//	the hub's bus → rules → queue → function
//	default bus ──▶ rules ──┘  │      └ what failed for good → dead-letter queue
//	                │          └ received too often ─────────┘
//	                └ what can't be delivered → the undelivered queue
//
// The rules on the default bus are of a deployment for one account, whose functions
// act as themselves. In an organisation every account is a spoke, the hub's own too,
// and the functions assume its roles.
//
// A spoke: roles once in an account; in each region rules that forward to the hub's
// bus. There are three templates, which name neither account nor region: of the
// roles, of all rules, and of those for global services. Stack sets of the hub
// deploy them in an organisation; plain stacks in an account's other regions and in
// accounts that stack sets don't reach.
//
// The rules' patterns and the permissions are derived from package catalogue, the
// tag keys from package policy: a new row in the catalogue needs no change here.
//
// # Where to look
//
//   - settings.go: what a deployment may choose, and the configuration file.
//   - main.go: which stacks there are.
//   - hub.go: the hub; function.go: queues and functions in it.
//   - spoke.go: the spokes; stacksets.go: how an organisation gets them.
//   - rules.go: rules from patterns, and who may send to the queues.
//   - permissions.go: what the roles may do; lookups.go: and for look-ups.
//   - operations.go: alarms and where they go; dashboard.go: what a person looks at.
//   - asset.go: the folders that become the functions' code.
//
// The tests look at the templates that CDK makes, match the sample events against
// their patterns with a real pattern matcher, run the functions under their
// policies, and hold all of it to cdk-nag.
package main
