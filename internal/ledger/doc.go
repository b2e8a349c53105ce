// Package ledger remembers, in a table of DynamoDB, what later events need to know of
// earlier ones: who began a session, who made or changed a stack, and which tags were
// written before a link was there.
package ledger
