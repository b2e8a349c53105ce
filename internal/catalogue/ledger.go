package catalogue

import (
	"maps"
	"slices"

	"autotagger/internal/deployment"
)

const (
	sts            = "sts.amazonaws.com"
	cloudformation = "cloudformation.amazonaws.com"
)

// LedgerCalls are the names of the calls that the ledger records, by eventSource.
func LedgerCalls() map[string][]string {
	return map[string][]string{
		sts: {assumeRole, "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "GetFederationToken"},
		cloudformation: {
			"ContinueUpdateRollback", "CreateChangeSet", "CreateStack", "CreateStackInstances", "CreateStackSet",
			"ExecuteChangeSet", "RollbackStack", "UpdateStack", "UpdateStackInstances", "UpdateStackSet",
		},
	}
}

// assumeRole is the one call whose caller chooses the session's name.
const assumeRole = "AssumeRole"

// LedgerSources are the event sources of [LedgerCalls].
func LedgerSources() []string { return slices.Sorted(maps.Keys(LedgerCalls())) }

// Ledger returns the patterns that let through what the ledger records: who began a
// session, and who made or changed a stack or stack set. No source of theirs is in
// those of [Patterns].
//
// # Read-only calls
//
// The sessions' patterns are for rules that take read-only calls too
// ([Pattern.ReadOnly]). AssumeRole, AssumeRoleWithSAML and AssumeRoleWithWebIdentity
// are logged with readOnly true, AssumeRoot and GetFederationToken with false. By
// EventBridge's page a rule may get read-only calls without that state where their names
// don't begin with Describe, Get or List; its own example of a rule for AssumeRole asks
// for the state all the same.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail-management.html
//
// # Who calls
//
// Services that take their roles themselves are left out, by a list of all other types of
// callers, which every record names; so are our functions in their spokes, by the name of
// their sessions. That name is a required parameter of AssumeRole and of no use
// elsewhere: a call that lacks it would match no anything-but.
//
//   - https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
//   - https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
//
// # Where
//
// A session is logged in the region of the endpoint that was called, and may be used in
// any: see [GlobalSessions].
func Ledger() []Pattern {
	calls := LedgerCalls()
	sessions := newLedgerPattern("sessions", "Roles that are assumed", "sts", []string{assumeRole})
	sessions.Detail.RequestParameters = &parameterPattern{RoleSessionName: []anythingBut{{[]string{deployment.SessionName}}}}
	federation := newLedgerPattern("federation", "Sessions of federated users, and of root", "sts",
		slices.DeleteFunc(calls[sts], func(c string) bool { return c == assumeRole }))
	for _, p := range []*Pattern{&sessions, &federation} {
		p.ReadOnly = true
		p.Detail.UserIdentity = &identityPattern{Type: callers()}
	}
	return []Pattern{
		sessions,
		federation,
		newLedgerPattern("stacks", "Stacks and stack sets that are made or changed", "cloudformation", calls[cloudformation]),
	}
}

// callers are the types of identities but for AWSService.
func callers() []string {
	return []string{
		"AWSAccount", "AssumedRole", "Directory", "FederatedUser", "IAMUser", "IdentityCenterUser",
		"Role", "Root", "SAMLUser", "Unknown", "WebIdentityUser",
	}
}

func newLedgerPattern(label, about, service string, calls []string) Pattern {
	p := newPattern(label, 0, about)
	p.Source = []any{"aws." + service}
	p.Detail.EventSource = []string{service + ".amazonaws.com"}
	for _, c := range calls {
		p.Detail.EventName = append(p.Detail.EventName, c)
	}
	return p
}

// GlobalSessions is the region in which calls to STS's global endpoint are logged,
// "" in partitions that have none. Since 2025 such a call may be served where the caller
// is; where it is logged hasn't changed.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_region-endpoints.html#reference_sts_global_endpoint_changes
func GlobalSessions(partition string) string {
	if partition == "aws" {
		return "us-east-1"
	}
	return ""
}
