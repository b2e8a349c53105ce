package ledger

import (
	"time"

	"autotagger/internal/cloudtrail"
)

// Session is a role's or federated user's session, as the call that began it tells.
type Session struct {
	// ID is the access key id of the session's credentials, which calls made with
	// them have in userIdentity.accessKeyId.
	ID string
	// By is who began the session: the link before it in the chain.
	By cloudtrail.Identity
	// Role is the ARN of the role, "" of a federated user. Name is the session's.
	Role, Name string
	// Subject is whom an identity provider vouched for, such as
	// repo:example/app:ref:refs/heads/main or alice@example.com; Provider is that
	// provider. Both are "" where no provider took part.
	Subject, Provider string
	// SourceIdentity is set for the session and all that follow it.
	SourceIdentity string
	// Tags are the session's, those included that it has from the one before.
	Tags map[string]string
	At   time.Time
}

// Operation is a call that made or changed a stack or stack set, and so all that it
// makes until the next.
type Operation struct {
	// Stack is the stack's ARN (of a stack set: its name).
	Stack string
	// Call is the event's name: CreateStack, UpdateStack, ExecuteChangeSet, …
	Call string
	By   cloudtrail.Identity
	// Account is where the call was made.
	Account string
	// Tags are those that the call gives to the stack.
	Tags map[string]string
	At   time.Time
}

// Written are tags of ours on one resource.
type Written struct {
	ARN  string
	Tags map[string]string
	// Source is the eventSource of the call that made the resource, Type its type;
	// by both the catalogue knows how it is tagged.
	Source, Type    string
	Account, Region string // the resource's
	// Provisional: a link was missing, so that the values may be replaced as long as
	// they stand.
	Provisional bool
	At          time.Time
}
