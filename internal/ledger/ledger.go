package ledger

import (
	"time"

	"autotagger/internal/cloudtrail"
)

// Session is a role's or federated user's session, as the call that began it tells.
type Session struct {
	// ID is the access key id of the session's credentials, which calls made with
	// them have in userIdentity.accessKeyId.
	ID string `json:"id"`
	// By is who began the session: the link before it in the chain. Of a session in
	// another account it may be an AWSAccount, of which no more is known, where the
	// caller's own account sends no events.
	By cloudtrail.Identity `json:"by"`
	// Role is the ARN of the role, "" of a federated user, and …:root of AssumeRoot.
	// Name is the session's.
	Role string `json:"role,omitzero"`
	Name string `json:"name,omitzero"`
	// Subject is whom an identity provider vouched for, such as
	// repo:example/app:ref:refs/heads/main or alice@example.com; Provider is that
	// provider. Both are "" where no provider took part.
	Subject  string `json:"subject,omitzero"`
	Provider string `json:"provider,omitzero"`
	// SourceIdentity is set for the session and all that follow it.
	SourceIdentity string `json:"source-identity,omitzero"`
	// Tags are the session's, those included that it has from the one before.
	Tags map[string]string `json:"tags,omitzero"`
	At   time.Time         `json:"time"`
	// Event is the eventID of the call's record.
	Event string `json:"event,omitzero"`
}

// Operation is a call that made or changed a stack or stack set, and so all that it
// makes until the next.
type Operation struct {
	// Stack is the stack's ARN (of a stack set: its name).
	Stack string `json:"stack,omitzero"`
	// Call is the event's name: CreateStack, UpdateStack, ExecuteChangeSet, …
	Call string              `json:"call"`
	By   cloudtrail.Identity `json:"by"`
	// Account is where the call was made.
	Account string `json:"account"`
	// ChangeSet is the change set's ARN or name, "" where there is none.
	ChangeSet string `json:"change-set,omitzero"`
	// Tags are those that the call gives to the stack; nil where it leaves them as
	// they are.
	Tags map[string]string `json:"tags,omitzero"`
	At   time.Time         `json:"time"`
	// Event is the eventID of the call's record.
	Event string `json:"event,omitzero"`
}

// Written are tags of ours on one resource.
type Written struct {
	ARN  string            `json:"arn"`
	Tags map[string]string `json:"tags,omitzero"`
	// Event is the eventID of the call that made the resource: only its own later
	// tries may replace what is provisional.
	Event string `json:"event,omitzero"`
	// Source is the eventSource of the call that made the resource, Type its type;
	// by both the catalogue knows how it is tagged.
	Source string `json:"source,omitzero"`
	Type   string `json:"type,omitzero"`
	// Account and Region are the resource's.
	Account string `json:"account,omitzero"`
	Region  string `json:"region,omitzero"`
	// Provisional: a link was missing, so that the values may be replaced as long as
	// they stand.
	Provisional bool `json:"provisional,omitzero"`
	// At is when; zero stands for now.
	At time.Time `json:"time"`
}
