package lookup

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"autotagger/internal/attribute"
	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/ledger"
	"autotagger/internal/resolve"
)

const (
	// prompt is for how long after an operation nobody can have begun another: a stack
	// takes one at a time, and the next is refused until it is done.
	prompt = 30 * time.Second
	// slack is by how much CloudFormation's time of an operation may differ from its
	// record's.
	slack = 10 * time.Second
	// fresh is how long a stack works on an operation, for the most part.
	fresh = 15 * time.Minute
)

// stack asks who made what a stack makes: whoever began its latest operation or, where
// that was CloudFormation itself, that of the stack which it is nested in, or of its stack
// set. It returns the stack's tags.
func (s *search) stack(ctx context.Context, arn string, own bool, a *answer) (tags map[string]string, done bool) {
	op, late := s.operation(ctx, arn)
	if op != nil {
		tags = op.Tags
		if s.operator(ctx, op, a) {
			a.gap = later(a.gap, s.behind(ctx, arn, op, own))
			return tags, true
		}
	}
	if !own {
		s.step(Stack, arn, "in another account")
		return tags, false
	}
	top := arn
	about, err := s.describe(ctx, arn)
	if err != nil {
		s.fails(Stack, arn, err)
	}
	tags = union(tags, about.tags)
	if about.root != "" && about.root != arn && accountOf(about.root) == accountOf(arn) {
		top = about.root
		a.path = slices.Insert(a.path, 0, stackStep(top))
		s.step(Stack, arn, "nested in "+top)
		var root *ledger.Operation
		if root, late = s.operation(ctx, top); root != nil {
			op, tags = root, union(tags, root.Tags)
			if s.operator(ctx, root, a) {
				a.gap = later(a.gap, s.behind(ctx, top, root, own))
				return tags, true
			}
		} else if about, err = s.describe(ctx, top); err != nil {
			s.fails(Stack, top, err)
		}
	}
	a.gap = s.unrecorded(late, about.changed)
	if set := stackSetOf(top); set != "" && op != nil && uuid(lastPart(op.By.ARN)) {
		administrator, missing := s.administrator(ctx, op)
		a.gap = later(a.gap, missing)
		if administrator == "" {
			return tags, false
		}
		if op := s.setOperation(ctx, set, administrator); op != nil {
			a.path = slices.Insert(a.path, 0, "stack-set/"+set)
			done = s.operator(ctx, op, a)
			a.gap = later(a.gap, s.unsettled("operation of stack set "+set, op))
			return union(tags, op.Tags), done
		}
	}
	return tags, false
}

// administrator is the account of the stack set that an operation on a stack is of, "" where
// that isn't known: any account may give a stack set of its own the name of another's. With
// permissions of AWS Organizations the role is one of CloudFormation's making, and it is one
// of those stack sets; otherwise it is of the account that has assumed the role.
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/CloudFormationStackSetsOrgAdminServiceRolePolicy.html
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-prereqs-self-managed.html
func (s *search) administrator(ctx context.Context, op *ledger.Operation) (account string, missing gap) {
	if strings.HasPrefix(op.By.IssuerName, "stacksets-exec-") {
		return ledger.ServiceManaged, gap{}
	}
	key := op.By.AccessKeyID
	began, err := s.session(ctx, key)
	if err != nil {
		s.fails(Session, key, err)
		if outcome(err) == Absent {
			missing = s.gap("session "+key, op.At)
		}
		return "", missing
	}
	s.step(Session, key, "begun in "+began.By.AccountID)
	return began.By.AccountID, gap{}
}

// later is the gap that may take longer.
func later(a, b gap) gap {
	if a.link == "" || b.until.After(a.until) {
		return b
	}
	return a
}

// operator reports whether an operation says who it was. If so it is in the answer.
func (s *search) operator(ctx context.Context, op *ledger.Operation, a *answer) bool {
	if who := s.named(ctx, op.By); acted(who) || who.Name == attribute.Unknown {
		return false
	}
	c := s.follow(ctx, op.By, op.At)
	who := s.person(ctx, c.creator(), c.first().id)
	who.Via = s.plan.Creator.Via
	a.who, a.chain, a.gap = &who, &c, c.missing
	a.path = append(c.path(), a.path...)
	return true
}

// behind is the gap behind the latest operation on a stack that the ledger has: where there
// was another before the event, which it may get yet. Soon after an operation there was
// none; else CloudFormation says when it was.
func (s *search) behind(ctx context.Context, arn string, op *ledger.Operation, own bool) gap {
	if s.at.Sub(op.At) <= prompt || s.Now().Sub(s.at) > cloudtrail.Delivery {
		return gap{}
	}
	link := "operation of " + arn
	if !own {
		return s.unsettled(link, op)
	}
	about, err := s.describe(ctx, arn)
	switch changed := about.changed; {
	case err != nil:
		s.fails(Stack, arn, err)
	case changed.IsZero(): // it didn't say
	case !changed.After(op.At.Add(slack)):
		return gap{}
	case !changed.After(s.at):
		s.step(Stack, arn, "another operation at "+changed.UTC().Format(time.RFC3339))
		return gap{link, changed.Add(s.Policy.LookUps.Wait)}
	}
	return s.unsettled(link, op)
}

// unrecorded is the gap behind a stack of which the ledger has no operation, by when
// CloudFormation changed the stack, zero where that isn't known: what was long before the
// event isn't recorded any more.
func (s *search) unrecorded(late gap, changed time.Time) gap {
	switch {
	case late.link == "" || changed.IsZero() || changed.After(s.at):
		return late
	case s.at.Sub(changed) > cloudtrail.Delivery:
		return gap{}
	}
	return gap{late.link, changed.Add(s.Policy.LookUps.Wait)}
}

// unsettled is the gap where nothing tells whether there was another operation. What
// follows one closely is most likely of it, and isn't waited for.
func (s *search) unsettled(link string, op *ledger.Operation) gap {
	if s.at.Sub(op.At) <= fresh {
		return gap{link, s.unwaited()}
	}
	return gap{link, s.at.Add(s.Policy.LookUps.Wait)}
}

// bucket is within which time events share an answer about a stack.
const bucket = time.Minute

// ofMinute asks once for all events of a minute, and for the one of a time alone where that
// answer isn't for it.
func ofMinute[T any](at time.Time, ask func(until time.Time) (T, error), serves func(T) bool) (T, error) {
	answer, err := ask(at.Truncate(bucket).Add(bucket))
	if err == nil && !serves(answer) {
		return ask(at)
	}
	return answer, err
}

// latest is what the ledger has as the latest operation at the event's time.
func (s *search) latest(ctx context.Context, of Kind, id string, ask func(context.Context, time.Time) (*ledger.Operation, error)) (*ledger.Operation, error) {
	return ofMinute(s.at, func(until time.Time) (*ledger.Operation, error) {
		return look(ctx, s.Finder, of, id+" "+until.UTC().Format(time.RFC3339Nano), always[*ledger.Operation](keepOwner), func(ctx context.Context) (*ledger.Operation, error) {
			op, err := ask(ctx, until)
			if err == nil && op == nil {
				err = errAbsent
			}
			return op, err
		})
	}, func(op *ledger.Operation) bool { return !op.At.After(s.at) })
}

// operation is a stack's latest operation at the event's time, nil where the ledger has
// none; and the gap where there may be one yet.
func (s *search) operation(ctx context.Context, arn string) (*ledger.Operation, gap) {
	if !s.records() {
		return nil, gap{}
	}
	op, err := s.latest(ctx, Stack, arn, func(ctx context.Context, until time.Time) (*ledger.Operation, error) {
		return s.Ledger.Stack(ctx, arn, until)
	})
	if err != nil {
		s.fails(Stack, arn, err)
		if outcome(err) != Absent {
			return nil, gap{}
		}
		return nil, gap{"operation of " + arn, s.at.Add(s.Policy.LookUps.Wait)}
	}
	s.step(Stack, arn, op.Call+" by "+orNobody(op.By)+record(op.At, op.Event))
	return op, gap{}
}

// setOperation is the latest operation on an account's stack set, nil where the ledger has
// none.
func (s *search) setOperation(ctx context.Context, name, account string) *ledger.Operation {
	op, err := s.latest(ctx, StackSet, account+" "+name, func(ctx context.Context, until time.Time) (*ledger.Operation, error) {
		return s.Ledger.StackSet(ctx, name, account, until)
	})
	if err != nil {
		s.fails(StackSet, name, err)
		return nil
	}
	s.step(StackSet, name, op.Call+" by "+orNobody(op.By)+" in "+op.Account+record(op.At, op.Event))
	return op
}

// about is what CloudFormation says of a stack.
type about struct {
	root    string // the ARN of the outermost stack that it is nested in
	tags    map[string]string
	changed time.Time // when it was made or last updated
	asked   time.Time // until when that holds
}

// describe asks CloudFormation about a stack, which it does for ninety days after the
// stack was deleted.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
func (s *search) describe(ctx context.Context, arn string) (about, error) {
	ask := func(until time.Time) (about, error) {
		return look(ctx, s.Finder, Stack, "about "+arn+" "+until.UTC().Format(time.RFC3339Nano), always[about](keepTags), func(ctx context.Context) (about, error) {
			return s.described(ctx, arn)
		})
	}
	return ofMinute(s.at, ask, func(a about) bool { return !s.at.After(a.asked) })
}

func (s *search) described(ctx context.Context, arn string) (about, error) {
	asked := s.Now()
	account, region := accountOf(arn), strings.SplitN(arn, ":", 6)[3]
	body, err := s.Caller.Do(awsapi.WithAccount(ctx, account), awsapi.Call{
		Service: &catalogue.Service{ID: "CloudFormation", Signing: "cloudformation", Protocol: catalogue.Query, Version: "2010-05-15"},
		Op:      "DescribeStacks", Account: account, Region: region, ARN: arn, Form: url.Values{"StackName": {arn}},
	})
	if awsapi.Code(err) == "ValidationError" { // its way of saying that there is no such stack
		err = errAbsent
	}
	if err != nil {
		return about{}, fmt.Errorf("describing %s: %w", arn, err)
	}
	var answer struct {
		Stacks []struct {
			ParentID string `xml:"ParentId"`
			RootID   string `xml:"RootId"`
			Tags     []pair `xml:"Tags>member"`
			Created  moment `xml:"CreationTime"`
			Updated  moment `xml:"LastUpdatedTime"`
		} `xml:"DescribeStacksResult>Stacks>member"`
	}
	if err := xml.Unmarshal(body, &answer); err != nil {
		return about{}, fmt.Errorf("describing %s: %w", arn, err)
	}
	if len(answer.Stacks) == 0 {
		return about{}, errAbsent
	}
	stack := answer.Stacks[0]
	if stack.RootID == "" {
		stack.RootID = stack.ParentID
	}
	changed := stack.Updated.Time
	if changed.IsZero() {
		changed = stack.Created.Time
	}
	return about{stack.RootID, tagsFrom(stack.Tags), changed, asked}, nil
}

// pair is a tag as most services write it.
type pair struct{ Key, Value string }

func tagsFrom(pairs []pair) map[string]string {
	tags := make(map[string]string, len(pairs))
	for _, p := range pairs {
		tags[p.Key] = p.Value
	}
	return tags
}

// environment is the ARN of an environment of Elastic Beanstalk.
// https://docs.aws.amazon.com/elasticbeanstalk/latest/api/API_DescribeEnvironments.html
func (s *search) environment(ctx context.Context, id string, at place) (string, error) {
	return look(ctx, s.Finder, Parent, strings.Join([]string{"environment", at.account, at.region, id}, " "), always[string](keepLink), func(ctx context.Context) (string, error) {
		row, err := s.Catalogue.Lookup("elasticbeanstalk.amazonaws.com", "CreateEnvironment")
		if err != nil {
			return "", err
		}
		body, err := s.Caller.Do(awsapi.WithAccount(ctx, at.account), awsapi.Call{
			Service: &row.Resources[0].Calls.Service, Op: "DescribeEnvironments",
			Account: at.account, Region: at.region, ARN: "arn:" + at.partition + ":",
			Form: url.Values{"EnvironmentIds.member.1": {id}, "IncludeDeleted": {"false"}},
		})
		if err != nil {
			return "", fmt.Errorf("describing environment %s: %w", id, err)
		}
		var answer struct {
			ARNs []string `xml:"DescribeEnvironmentsResult>Environments>member>EnvironmentArn"`
		}
		if err := xml.Unmarshal(body, &answer); err != nil {
			return "", fmt.Errorf("describing environment %s: %w", id, err)
		}
		if len(answer.ARNs) == 0 || resolve.Partition(at.region) != at.partition {
			return "", errAbsent
		}
		return answer.ARNs[0], nil
	})
}

// stackName is the name in a stack's ARN, arn:…:stack/name/id.
func stackName(arn string) (string, bool) {
	_, rest, ok := strings.Cut(arn, ":stack/")
	name, _, _ := strings.Cut(rest, "/")
	return name, ok && name != ""
}

func stackStep(arn string) string {
	name, _ := stackName(arn)
	return "stack/" + name
}

// stackSetOf is the name of the stack set whose stack this is, "" where it is none's: they
// are named StackSet-<name>-<UUID>.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-concepts.html
func stackSetOf(arn string) string {
	name, _ := stackName(arn)
	rest, ok := strings.CutPrefix(name, "StackSet-")
	if i := len(rest) - 37; ok && i > 0 && rest[i] == '-' && uuid(rest[i+1:]) {
		return rest[:i]
	}
	return ""
}

// uuid reports whether a text is one, as the sessions in which StackSets works are named.
func uuid(s string) bool {
	return len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' &&
		strings.Trim(s, "0123456789abcdefABCDEF-") == ""
}
