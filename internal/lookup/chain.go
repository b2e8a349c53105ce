package lookup

import (
	"context"
	"maps"
	"strings"
	"time"

	"autotagger/internal/attribute"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/ledger"
	"autotagger/internal/policy"
)

// maxLinks bounds chains and the levels of parents.
const maxLinks = 10

// link is one identity of a chain, and who it is.
type link struct {
	id  cloudtrail.Identity
	who attribute.Creator
}

// final reports whether nobody stands behind it.
func (l link) final() bool {
	switch l.who.By {
	case attribute.BySourceIdentity, attribute.ByUser, attribute.BySSO:
		return true
	}
	return false
}

// chain are the identities behind a call: the caller first, then who began the caller's
// session, and so on.
type chain struct {
	links   []link
	tags    map[string]string // of the sessions; the nearest to the call counts
	missing gap
}

// follow goes back from an identity to the first of its chain. It ends there, or where the
// ledger has no more, in a circle, or with credentials that AWS delivered.
//
// A session's access key id leads to who began it
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html).
func (s *search) follow(ctx context.Context, id cloudtrail.Identity, at time.Time) chain {
	var c chain
	seen := map[string]bool{}
	tags := s.wantsCost(policy.SourceSession)
	for {
		l := link{id, s.named(ctx, id)}
		c.links = append(c.links, l)
		// Behind a name that is final only tags are of interest.
		if !s.records() || !assumed(l) || l.final() && !tags {
			return c
		}
		key := id.AccessKeyID
		if seen[key] || len(c.links) > maxLinks {
			s.step(Session, key, "the chain goes in a circle, or has more than ten links")
			return c
		}
		seen[key] = true
		session, err := s.session(ctx, key)
		if err != nil {
			s.fails(Session, key, err)
			if outcome(err) == Absent {
				began := id.SessionStart
				if began.IsZero() {
					began = at
				}
				c.missing = s.gap("session "+key, began)
			}
			return c
		}
		for k, v := range session.Tags {
			if _, nearer := c.tags[k]; !nearer {
				if c.tags == nil {
					c.tags = map[string]string{}
				}
				c.tags[k] = v
			}
		}
		id, at = began(session), session.At
		s.step(Session, key, "begun by "+orNobody(id)+record(session.At, session.Event))
		if id.Type == "AWSAccount" {
			// The caller's own account has the rest, and may send it yet.
			c.missing = s.gap("caller of session "+key, at)
		}
	}
}

// assumed reports whether a link is a session that someone began, rather than AWS.
func assumed(l link) bool {
	return strings.HasPrefix(l.id.AccessKeyID, "ASIA") && !l.id.InScopeOf && l.id.EC2RoleDelivery == "" && l.who.By != attribute.ByService
}

// session asks the ledger for one.
func (s *search) session(ctx context.Context, key string) (*ledger.Session, error) {
	keep := func(found *ledger.Session) time.Duration {
		if found.By.Type == "AWSAccount" {
			return keepMissing
		}
		return keepLink
	}
	return look(ctx, s.Finder, Session, key, keep, func(ctx context.Context) (*ledger.Session, error) {
		found, err := s.Ledger.Session(ctx, key)
		if err == nil && found == nil {
			err = errAbsent
		}
		return found, err
	})
}

// began is who began a session: as the identity provider says, where one vouched.
func began(s *ledger.Session) cloudtrail.Identity {
	id := s.By
	if s.Subject != "" {
		id.UserName = s.Subject
		if id.Type == "" {
			id.Type = "WebIdentityUser"
		}
	}
	if id.SourceIdentity == "" {
		id.SourceIdentity = s.SourceIdentity
	}
	return id
}

// gap is a missing link of which the event should be there some time after it was made.
// What was missed as long ago before isn't waited for again.
func (f *Finder) gap(what string, made time.Time) gap {
	if now := f.Now(); made.IsZero() || made.After(now) {
		made = now
	}
	if first := f.since.missed(what, f.Now()); first.Before(made) {
		made = first
	}
	return gap{what, made.Add(f.Policy.LookUps.Wait)}
}

// named is who an identity is, as far as the policy believes it. That may take a look at
// the role.
func (s *search) named(ctx context.Context, id cloudtrail.Identity) attribute.Creator {
	who := attribute.Of(id)
	if who.By != attribute.BySession || s.Policy.TrustsSession(who.Role) {
		return who
	}
	if s.Policy.Sessions.Verify && s.namesSessions(ctx, id) {
		who.By = attribute.ByTrustPolicy
		return who
	}
	return who.AsRole()
}

// first is the link that the creator is named for: the furthest back where that is final,
// else the furthest back that names a person, else the furthest back that is a role.
func (c chain) first() link {
	best := 0
	for i, l := range c.links {
		if r := l.rank(); r > 0 && r >= c.links[best].rank() {
			best = i
		}
		if l.final() {
			break
		}
	}
	return c.links[best]
}

func (l link) rank() int {
	switch {
	case l.final():
		return 3
	case l.who.By == attribute.BySession, l.who.By == attribute.ByTrustPolicy:
		return 2
	case l.who.By == attribute.ByRole:
		return 1
	}
	return 0
}

// creator is who stands at the beginning of the chain. The call's own role is what the
// policy's rules go by, and its own service made it.
func (c chain) creator() attribute.Creator {
	who := c.first().who
	for i := len(c.links) - 1; i >= 0 && who.ARN == ""; i-- {
		who.ARN = c.links[i].who.ARN // the first session's, of one who has none
	}
	who.Role, who.Via = c.links[0].who.Role, c.links[0].who.Via
	return who
}

// path are the roles of a chain, the first assumed first.
func (c chain) path() []string {
	var path []string
	for i := len(c.links) - 1; i >= 0; i-- {
		if role := c.links[i].who.Role; role != "" {
			path = append(path, "role/"+role)
		}
	}
	return path
}

// orNobody is an identity for people: of a role's session both names.
func orNobody(id cloudtrail.Identity) string {
	who := attribute.Of(id)
	switch {
	case who.Name == attribute.Unknown:
		return "someone the record doesn't name"
	case who.By == attribute.BySession && who.Role != "":
		return "role " + who.Role + ", session " + who.Name
	case who.By == attribute.ByRole:
		return "role " + who.Name
	}
	return who.Name + " (" + who.Kind + ")"
}

// record is where a step's own record can be found.
func record(at time.Time, event string) string {
	said := " at " + at.UTC().Format(time.RFC3339)
	if event != "" {
		said += ", event " + event
	}
	return said
}

// union are all tags; the first have the say.
func union(first, then map[string]string) map[string]string {
	if len(first) == 0 {
		return then
	}
	all := maps.Clone(then)
	if all == nil {
		return first
	}
	maps.Copy(all, first)
	return all
}
