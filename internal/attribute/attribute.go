// Package attribute names who caused an event: the person, pipeline, role or
// service behind its userIdentity. It is pure.
//
// # Who is named
//
// What goes into the tag is [Creator.Name]. sourceIdentity wins where it is
// present, since it follows a person through role chains and can't be changed
// on the way
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html).
// Then it depends on the type of the identity:
//
//   - IAMUser, WebIdentityUser, SAMLUser, Directory: the user's name.
//   - AssumedRole: the session's name where it names a person or a pipeline;
//     the role's name where the session is a machine's: an instance id, digits,
//     a UUID, an SDK's default, or credentials that AWS itself delivered to a
//     function or an instance. A session of IAM Identity Center
//     (AWSReservedSSO_…) is always a person's.
//   - FederatedUser: the name given to GetFederationToken.
//   - IdentityCenterUser: the user's id in the identity store.
//   - Root: "root"; but with invokedBy it is the service that acted.
//   - AWSService, and service-linked roles: the service's principal.
//   - AWSAccount: the session that the call came from, or the account where there
//     is none or it is a machine's.
//
// A record that says nothing gives [Unknown].
//
// Session names are chosen by whoever assumes the role, unless its trust policy
// demands sts:RoleSessionName: the name is attribution, not evidence.
package attribute

import (
	"strings"

	"autotagger/internal/cloudtrail"
)

// Unknown is the name of a creator of whom the record says nothing.
const Unknown = "unknown"

// Basis is what a creator's name rests on.
type Basis string

const (
	BySourceIdentity Basis = "source-identity" // set by an identity provider or a first role, and unchangeable since
	ByUser           Basis = "user"            // of IAM, of an identity provider, or of a directory
	BySSO            Basis = "identity-center" // the session's name, which IAM Identity Center sets
	BySession        Basis = "session"         // the session's name, which whoever assumed the role has chosen
	ByTrustPolicy    Basis = "trust-policy"    // the session's name, which the role's trust policy says
	ByRole           Basis = "role"            // the role's name, for a session that names nobody
	ByService        Basis = "service"         // a service that acted for itself
	ByAccount        Basis = "account"         // its root, or another account of which no more is known
	ByNothing        Basis = "nothing"
)

// Creator is who caused an event.
type Creator struct {
	Name string // what goes into the tag
	By   Basis  // what Name rests on
	Kind string // userIdentity.type, "Unknown" without one
	ARN  string // userIdentity.arn
	Via  string // userIdentity.invokedBy: the service that made the call for them
	Role string // the name of the role assumed, "" if none was
	// Account is userIdentity.accountId, which the creator belongs to.
	Account string
}

// Of returns the creator that an identity names.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
func Of(id cloudtrail.Identity) Creator {
	p := parseARN(id.ARN)
	c := Creator{Kind: id.Type, ARN: id.ARN, Via: id.InvokedBy, Role: p.role, Account: id.AccountID}
	if c.Kind == "" {
		c.Kind = "Unknown"
	}
	if c.Role == "" && (id.Type == "AssumedRole" || id.Type == "Root" && p.session != "") {
		c.Role = id.IssuerName
	}
	name, by := named(id, p, c.Role)
	for _, n := range []struct {
		name string
		by   Basis
	}{{id.SourceIdentity, BySourceIdentity}, {service(id), ByService}, {name, by}, {Unknown, ByNothing}} {
		if present(n.name) {
			c.Name, c.By = n.name, n.by
			break
		}
	}
	return c
}

// AsRole is the creator named for its role, or where the record names none for its
// account, if its name is the session's and no more than what the caller chose; any other
// stays.
func (c Creator) AsRole() Creator {
	switch {
	case c.By != BySession:
	case present(c.Role):
		c.Name, c.By = c.Role, ByRole
	case present(c.Account):
		c.Name, c.By = c.Account, ByAccount
	}
	return c
}

// IsService reports whether a text is a service's principal. The console signs in as one.
func IsService(principal string) bool {
	return strings.HasSuffix(principal, ".amazonaws.com") && principal != "signin.amazonaws.com"
}

// service returns the principal of a service that acted for itself: as
// AWSService, as the account ("Root" with invokedBy), or through its
// service-linked role.
func service(id cloudtrail.Identity) string {
	principal := IsService(id.InvokedBy)
	switch id.Type {
	case "AWSService", "":
		if id.ARN == "" {
			return id.InvokedBy
		}
	case "Root":
		if principal {
			return id.InvokedBy
		}
	case "AssumedRole":
		_, path, linked := strings.Cut(id.IssuerARN, ":role/aws-service-role/")
		if !linked && !strings.HasPrefix(id.IssuerName, "AWSServiceRoleFor") {
			return ""
		}
		if principal {
			return id.InvokedBy
		}
		name, _, _ := strings.Cut(path, "/")
		return name
	}
	return ""
}

// named returns the name of the user or of the session or role, and what it rests on.
func named(id cloudtrail.Identity, p principal, role string) (string, Basis) {
	_, suffix, _ := strings.Cut(id.PrincipalID, ":")
	switch {
	case id.Type == "AssumedRole" || p.session != "":
		session := p.session
		if session == "" && !p.other {
			session = suffix
		}
		switch {
		case p.user != "": // a record whose ARN is not an assumed role's
			return p.user, ByUser
		case strings.HasPrefix(role, "AWSReservedSSO_") && present(session):
			return session, BySSO
		case present(session) && !id.InScopeOf && id.EC2RoleDelivery == "" && !machine(session):
			return session, BySession
		case present(role):
			return role, ByRole
		}
		return session, ByRole
	case id.Type == "Root":
		return "root", ByAccount
	case id.Type == "FederatedUser" && p.user == "":
		return suffix, ByUser
	case id.Type == "IdentityCenterUser" && !present(id.UserName):
		return id.OnBehalfOf, ByUser
	case present(id.UserName):
		return id.UserName, ByUser
	case p.user != "":
		return p.user, ByUser
	case id.Type == "WebIdentityUser" || id.Type == "SAMLUser":
		return id.PrincipalID[strings.LastIndexByte(id.PrincipalID, ':')+1:], ByUser
	case id.Type == "AWSAccount":
		if suffix != "" && !machine(suffix) {
			return suffix, BySession
		}
		return id.AccountID, ByAccount
	case id.Type == "Directory":
		return id.PrincipalID, ByUser
	case id.Type == "IAMUser":
		return p.bare, ByUser
	}
	return "", ByNothing
}

// principal is what the ARN of an identity says.
type principal struct {
	role, session, user string
	bare                string // the resource part where it has no kind
	other               bool   // an ARN that names nobody
}

// parseARN reads the ARNs of
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns
// A damaged one still says what it says: a missing account or partition
// doesn't matter here.
func parseARN(arn string) principal {
	i := strings.LastIndexByte(arn, ':')
	kind, rest, ok := strings.Cut(arn[i+1:], "/")
	switch kind {
	case "assumed-role":
		// The role's name has no slash; its session may lack where the record
		// was written for a role that names the person itself.
		role, session, both := strings.Cut(rest, "/")
		if !both {
			return principal{session: role}
		}
		return principal{role: role, session: session}
	case "user", "federated-user":
		if ok {
			return principal{user: rest[strings.LastIndexByte(rest, '/')+1:]}
		}
	case "role":
		if ok {
			return principal{role: rest[strings.LastIndexByte(rest, '/')+1:], other: true}
		}
	}
	return principal{bare: kind, other: arn != ""}
}

// present reports whether a name is one: records have redactions and dashes
// where a name belongs, or say that there was nobody.
func present(s string) bool {
	switch s {
	case "", "-", "--", "...", "***", "null", "HIDDEN_DUE_TO_SECURITY_REASONS", "ANONYMOUS_PRINCIPAL":
		return false
	}
	return true
}
