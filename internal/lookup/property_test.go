package lookup_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"autotagger/internal/apply"
	"autotagger/internal/attribute"
	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/ledger"
	"autotagger/internal/lookup"
	"autotagger/internal/plan"
)

// memory is a ledger, and parents' tags, in memory; some of it is denied.
type memory struct {
	sessions map[string]*ledger.Session
	stacks   map[string]*ledger.Operation
	sets     map[string]*ledger.Operation // by account and name
	tags     map[string]map[string]string
	denied   map[string]bool
}

var errDenied = &denied{}

type denied struct{}

func (*denied) Error() string { return "denied" }

func (m *memory) Session(_ context.Context, id string) (*ledger.Session, error) {
	if m.denied[id] {
		return nil, errDenied
	}
	return m.sessions[id], nil
}

func (m *memory) Stack(_ context.Context, arn string, _ time.Time) (*ledger.Operation, error) {
	return m.stacks[arn], nil
}

func (m *memory) StackSet(_ context.Context, name, account string, _ time.Time) (*ledger.Operation, error) {
	return m.sets[account+" "+name], nil
}

func (m *memory) Written(_ context.Context, arns []string) ([]*ledger.Written, error) {
	return make([]*ledger.Written, len(arns)), nil
}

func (m *memory) Tags(_ context.Context, of []apply.Request) []apply.Tags {
	out := make([]apply.Tags, len(of))
	for i, r := range of {
		out[i].All = m.tags[r.ARN]
		if m.denied[r.ARN] {
			out[i].Err = errDenied
		}
	}
	return out
}

// TestNeverAnother: whoever is named stands in the chain: is the caller, or began a
// session, made a stack or administers a stack set that leads to it, or is the creator on a
// parent that does. What anyone may name, a tag or a stack set, leads nowhere by itself.
func TestNeverAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byParents) // for its plans only
	rapid.Check(t, func(r *rapid.T) {
		m := &memory{map[string]*ledger.Session{}, map[string]*ledger.Operation{}, map[string]*ledger.Operation{}, map[string]map[string]string{}, map[string]bool{}}
		const links = 6
		identity := func(label string) object {
			i := rapid.IntRange(0, links-1).Draw(r, label)
			switch rapid.SampledFrom([]string{"user", "person", "machine", "service", "role of a service", "linked", "of EKS", "elsewhere"}).Draw(r, label+" kind") {
			case "user":
				return user(fmt.Sprint("user", i))
			case "person":
				return session(fmt.Sprint("role", i), fmt.Sprint("person", i), fmt.Sprint("ASIA", i))
			case "machine":
				return session(fmt.Sprint("role", i), "botocore-session-1", fmt.Sprint("ASIA", i))
			case "service":
				return via(session(fmt.Sprint("role", i), fmt.Sprint("person", i), fmt.Sprint("ASIA", i)), "cloudformation")
			case "role of a service":
				return via(session(fmt.Sprint("exec", i), "AWSCloudFormation", fmt.Sprint("ASIA", i)), "cloudformation")
			case "linked":
				return linked("autoscaling")
			case "of EKS":
				return linked("eks")
			}
			return object{"type": "AWSAccount", "accountId": fmt.Sprint("44445555666", i)}
		}
		decoded := func(by object) cloudtrail.Identity { return table(w.TB, by, "t").Identity }
		for i := range links {
			key := id(fmt.Sprint("ASIA", i))
			if rapid.Bool().Draw(r, "known") {
				m.sessions[key] = &ledger.Session{ID: key, By: decoded(identity("by")), At: noon}
			}
			m.denied[key] = rapid.IntRange(0, 9).Draw(r, "denied") == 0
			name := fmt.Sprint("s", i)
			if rapid.Bool().Draw(r, "operation") {
				m.stacks[stack(name)] = &ledger.Operation{Stack: stack(name), By: decoded(identity("operator")), At: noon.Add(-time.Minute)}
			}
			tags := map[string]string{}
			if rapid.Bool().Draw(r, "creator") {
				tags["creator"] = fmt.Sprint("creator", i)
			}
			if rapid.Bool().Draw(r, "of a group") {
				tags["aws:autoscaling:groupName"] = fmt.Sprint("g", rapid.IntRange(0, links-1).Draw(r, "group"))
			}
			if rapid.Bool().Draw(r, "of a stack") {
				tags["aws:cloudformation:stack-id"] = stack(fmt.Sprint("s", rapid.IntRange(0, links-1).Draw(r, "stack")))
			}
			m.tags[groupARN(i)] = tags
			if rapid.Bool().Draw(r, "of a cluster") {
				tags["eks:cluster-name"] = fmt.Sprint("c", rapid.IntRange(0, links-1).Draw(r, "cluster"))
			}
			m.tags[clusterARN(fmt.Sprint("c", i))] = map[string]string{"creator": fmt.Sprint("of cluster", i)}
			if rapid.Bool().Draw(r, "of a stack set") {
				role := rapid.SampledFrom([]string{"stacksets-exec-0", "Execution"}).Draw(r, "execution")
				by := via(session(role, guid, fmt.Sprint("ASIA", rapid.IntRange(0, links-1).Draw(r, "executed"))), "cloudformation")
				m.stacks[stack(ofSet(i))] = &ledger.Operation{Stack: stack(ofSet(i)), By: decoded(by), At: noon.Add(-time.Minute)}
			}
			for _, of := range []string{ledger.ServiceManaged, account, fmt.Sprint("44445555666", i)} {
				if rapid.Bool().Draw(r, "stack set") {
					m.sets[of+" "+fmt.Sprint("set", i)] = &ledger.Operation{By: decoded(user(fmt.Sprint("of set", i, " ", of))), At: noon.Add(-time.Hour), Account: of}
				}
			}
			m.denied[groupARN(i)] = rapid.IntRange(0, 9).Draw(r, "denied") == 0
		}
		f := lookup.New(lookup.Config{
			Policy: w.policy, Ledger: m, Tags: m, Catalogue: catalogue.Default(), Now: w.clock,
			Caller: w.caller(), Own: w.caller(),
		})
		w.says("cloudformation:DescribeStacks", 403, "")
		planner := &plan.Planner{Catalogue: catalogue.Default(), Policy: w.policy}
		for range 5 { // events, which share what is known
			var tags []string
			if rapid.Bool().Draw(r, "group") {
				tags = append(tags, "aws:autoscaling:groupName", fmt.Sprint("g", rapid.IntRange(0, links-1).Draw(r, "its group")))
			}
			if rapid.Bool().Draw(r, "stack") {
				tags = append(tags, "aws:cloudformation:stack-id", stack(fmt.Sprint("s", rapid.IntRange(0, links-1).Draw(r, "its stack"))))
			}
			if rapid.Bool().Draw(r, "stack of a set") {
				tags = append(tags, "aws:cloudformation:stack-id", stack(ofSet(rapid.IntRange(0, links-1).Draw(r, "its set"))))
			}
			if rapid.Bool().Draw(r, "cluster") {
				tags = append(tags, "eks:cluster-name", fmt.Sprint("c", rapid.IntRange(0, links-1).Draw(r, "its cluster")))
			}
			e := table(w.TB, identity("caller"), "t", tags...)
			made, err := planner.Plan(e)
			if err != nil || made.Reason != "" {
				r.Fatal(made.Reason, err)
			}
			p := planner.With(made, f.Find(context.Background(), []plan.Plan{made})[0])
			got := p.Resources[0].Tags["creator"]
			if may := m.reachable(e, tags); got != "" && !slices.Contains(may, got) {
				r.Errorf("%s is named, who is none of %v: %v", got, may, p.Facts.Steps)
			}
			// A user at the beginning is final, whatever else is known.
			if made.Creator.By == attribute.ByUser && got != made.Creator.Name {
				r.Errorf("%s is named instead of %s", got, made.Creator.Name)
			}
		}
	})
}

func groupARN(i int) string {
	return "arn:aws:autoscaling:" + region + ":" + account + ":autoScalingGroup:*:autoScalingGroupName/g" + fmt.Sprint(i)
}

func clusterARN(name string) string {
	return "arn:aws:eks:" + region + ":" + account + ":cluster/" + name
}

const guid = "6f0f4c10-1111-11f0-8f00-0a1b2c3d4e5f"

// ofSet is the name of a stack of a stack set.
func ofSet(i int) string { return fmt.Sprint("StackSet-set", i, "-", guid) }

// reachable are the names of all that lead to an event.
func (m *memory) reachable(e *cloudtrail.Event, tags []string) (names []string) {
	seen := map[string]bool{}
	var identity func(cloudtrail.Identity)
	identity = func(id cloudtrail.Identity) {
		who := attribute.Of(id)
		names = append(names, who.Name, who.Role)
		if s := m.sessions[id.AccessKeyID]; s != nil && !seen[id.AccessKeyID] {
			seen[id.AccessKeyID] = true
			identity(s.By)
		}
	}
	var parents func(tags map[string]string, maker string)
	parents = func(tags map[string]string, maker string) {
		if name := tags["eks:cluster-name"]; name != "" && (maker == "" || maker == "eks.amazonaws.com") {
			names = append(names, m.tags[clusterARN(name)]["creator"])
		}
		if name := tags["aws:autoscaling:groupName"]; name != "" && !seen[name] {
			seen[name] = true
			up := m.tags["arn:aws:autoscaling:"+region+":"+account+":autoScalingGroup:*:autoScalingGroupName/"+name]
			names = append(names, up["creator"])
			parents(up, "")
		}
		if arn := tags["aws:cloudformation:stack-id"]; arn != "" && !seen[arn] {
			seen[arn] = true
			op := m.stacks[arn]
			if op == nil {
				return
			}
			identity(op.By)
			_, set, _ := strings.Cut(arn, ":stack/StackSet-")
			set, _, executed := strings.Cut(set, "-")
			administrator := ledger.ServiceManaged
			if op.By.IssuerName == "Execution" {
				administrator = ""
				if s := m.sessions[op.By.AccessKeyID]; s != nil {
					administrator = s.By.AccountID
				}
			}
			if o := m.sets[administrator+" "+set]; executed && o != nil {
				identity(o.By)
			}
		}
	}
	identity(e.Identity)
	named := map[string]string{}
	for i := 0; i < len(tags); i += 2 {
		named[tags[i]] = tags[i+1]
	}
	maker := attribute.Of(e.Identity)
	parents(named, cmp.Or(maker.Via, maker.Name))
	return names
}
