// Package ledger remembers, in a table of DynamoDB, what later events need to know of
// earlier ones: who began a session, who made or changed a stack, and which tags were
// written before a link was there.
//
// [Read] says what an event leaves in the table; it is pure. [Table] is the table, which
// the function ledger writes and the function tagger reads. [catalogue.LedgerCalls] are the
// events that are wanted; [catalogue.Ledger] has the rules for them.
//
// # The table
//
// Its partition key is id, its sort key at, both texts; data is JSON, and expires the
// time after which DynamoDB may drop the item, in seconds since 1970. DynamoDB may take
// days over that, so that an item which has expired is no answer, whether it still
// stands or not.
//
//	id                             at                  data
//	session/ASIA…                  caller or account   Session
//	stack/arn:…:stack/name         time#eventID        Operation
//	change-set/arn:…:changeSet/…   time#eventID        Operation that names no stack
//	stack-set/name/account/region  time#eventID        Operation
//	stack-set/name                 account/region      that the name is in use there
//	stack-set/name                 service-managed/…   likewise, with AWS Organizations' permissions
//	written/arn                    -                   Written
//	restored/arn                   who removed tags    the event's id
//
// Every event is a put of its own, under a key that the event alone gives. So events may
// come twice and in any order, nothing is read before it is written, and a batch of them
// is one call for 25.
//
// What permissions that takes say [WriterActions], [ReaderActions] and [KeeperActions].
//
// # Sessions
//
// A call that begins a session answers with the access key id that all the session's
// calls will have; it is the one thing of the credentials that is kept. A role in another
// account is assumed in two accounts' records, which share that id (and sharedEventID):
// the caller's has its whole identity, the other no more than account and principal id.
// Both are kept side by side, and the caller's is the answer where it is there.
//
//   - AssumeRole, AssumeRoleWithSAML, AssumeRoleWithWebIdentity (read-only events, whose
//     answers CloudTrail logs all the same), AssumeRoot, GetFederationToken (not
//     read-only). GetSessionToken is of no use: calls made with what it gives still have
//     the user's identity.
//   - Calls to the global endpoint are logged in us-east-1, wherever they were served,
//     all others in their own region.
//   - Sessions that services begin for themselves (AWSService) and those of our own roles
//     are left out, as are calls that failed. Nor are the console's there: whoever
//     switches to a role in it calls no AssumeRole, and the session has the user's name.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
//
// # Stacks
//
// What CloudFormation makes is the doing of whoever made the stack's last operation. A
// name can be used anew after its stack was deleted, so that [Table.Stack] answers for
// the very stack that it is asked about: an operation that names the stack without its
// unique id counts where the next older record is of that stack, which there always is,
// since an executed change set was created before.
//
// Stack sets have no id in the names of their stacks, and any account may give one of its
// own the name of another's. So [Table.StackSet] has to be told whose is meant: of which
// account, or that it is one with the permissions of AWS Organizations, which is given to
// the management account and to delegated administrators only.
//
// # For how long
//
// Sessions are kept for 48 hours: a role's lasts twelve at most, a chained one's one hour
// and there are ten links at most, a federated user's 36; then an event is tried for
// twelve hours more (package schedule). A dead letter that is replayed later finds no
// session. Operations are kept for 400 days, since a stack set makes stacks in new
// accounts long after it was changed; so are tags that were written for good.
// Provisional ones are kept for two weeks, as dead letters are, and what was restored
// for 90 days.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_request.html
//
// # What it costs
//
// An item of a session weighs some 480 bytes, more with tags (BenchmarkRead), and so its
// writing is one write request unit, of 1 KB. A role that is assumed within an account is
// one item, across two accounts of the organisation two, an operation on a stack set two or three.
// A million events a day are a million units: at 0.625 dollars (us-east-1, on demand,
// since November 2024) some 19 a month. They stand for two to four days, with 100 bytes
// of DynamoDB's own: 1.2 to 2.3 GB, at 0.25 dollars a month each. Expiry is free. A look
// for a session reads half a read request unit, for a stack two or less: 0.125 dollars a
// million units.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
// https://aws.amazon.com/dynamodb/pricing/on-demand/
package ledger
