// Package resolve says what a call created: for an event it returns the
// resources with their ARNs, or the [Reason] why there are none to tag.
//
// It is pure and it doesn't guess: an identifier that is missing, redacted or
// not of the form that the catalogue gives for the type yields nothing, and an
// event that yields nothing is [NoIdentifier].
package resolve
