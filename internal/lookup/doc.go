// Package lookup finds out what an event's record doesn't say: the person at the beginning
// of a chain of roles, whoever is behind what a service made, the tags and units that a
// cost center may come from, and what came with a resource.
//
// # The way of an event
//
// [Finder.Find] takes the plans that records alone have led to and returns a plan.Facts for
// each; the planner makes the plans anew with them. What has to be asked is decided without
// a call, from the plan and the policy (search.go), so that most events cost nothing: one
// of an IAM user, or with the tags in its request. Then
//
//   - the tags of resources that services made are read, all of a batch at once, where the
//     record names nothing that they were made for;
//   - parents are climbed (climb.go): from the tag that names one (parents.go, a table) to
//     its creator's tag, or to its own parent in turn. Stacks have no tags of ours, and
//     are asked for in the ledger (stacks.go);
//   - a role's session leads to who began it, through the ledger (chain.go);
//   - IAM, Organizations and the Identity Store are asked where the policy wants them
//     (principal.go, accounts.go, people.go), EC2 for children (children.go).
//
// # What may go wrong
//
// Nothing here is an error. What is denied, down, gone or goes in a circle is a
// plan.Step that says so, and the next source is asked, down to what the record says. What
// isn't there, but may be on its way, is Facts.Missing too, with the time by which it should
// have come; the pipeline does the waiting. What failed is missing, too, and isn't waited
// for; where something failed or was denied, the facts are Unsure. Find takes ten seconds
// at most, or a quarter of the time left.
//
// # Whom it may ask
//
// Accounts are asked with their own credentials only. Of what a record names, only parents
// in the event's own account are asked; a tag that anyone can write names a parent only on
// what its service made, and in the same region. Principals are asked in the account that
// their ARN has, since chains cross accounts, and CloudTrail wrote that ARN.
//
// # Answers are kept
//
// All look-ups go through one cache (cache.go): bounded, each answer with its own time,
// those that say no shorter, and the same question asked by many at once is one call.
package lookup
