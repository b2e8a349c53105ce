package lookup_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/ledger"
	"autotagger/internal/lookup"
	"autotagger/internal/plan"
)

const byParents = "look-ups: {ledger: true, parents: true}\ntags: {created-via: true}\ncost-center: [{parent-tag: cc}]"

// stack is a stack's ARN.
func stack(name string) string {
	return "arn:aws:cloudformation:" + region + ":" + account + ":stack/" + name + "/6f0f4c10-0000-11f0-8f00-0a1b2c3d4e5f"
}

// makes is the operation that makes a stack.
func makes(t testing.TB, by object, name string, tags ...string) *cloudtrail.Event {
	t.Helper()
	list := []object{}
	for i := 0; i < len(tags); i += 2 {
		list = append(list, object{"key": tags[i], "value": tags[i+1]})
	}
	return record(t, noon.Add(-20*time.Second), "cloudformation", "CreateStack", by, object{"stackName": name, "tags": list}, object{"stackId": stack(name)})
}

// nested is CloudFormation's word on a stack.
func nested(in string, tags ...string) string {
	var b strings.Builder
	b.WriteString("<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>x</StackName>")
	if in != "" {
		b.WriteString("<ParentId>" + stack("middle") + "</ParentId><RootId>" + stack(in) + "</RootId>")
	}
	b.WriteString("<CreationTime>" + noon.Add(-20*time.Second).Format(time.RFC3339) + "</CreationTime>")
	b.WriteString("<Tags>")
	for i := 0; i < len(tags); i += 2 {
		b.WriteString("<member><Key>" + tags[i] + "</Key><Value>" + tags[i+1] + "</Value></member>")
	}
	return b.String() + "</Tags></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
}

// cfn is CloudFormation at work under a service role.
func cfn() object {
	return via(session("cfn-exec", "AWSCloudFormation", "ASIACFN"), "cloudformation")
}

// TestNestedStack: what a nested stack three deep makes, under a service role, is the
// doing of whoever began the outermost one's operation; each link is asked about once.
func TestNestedStack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byParents)
	w.says("cloudformation:DescribeStacks", 200, nested("outer"))
	w.records(
		assume(t, user("alice"), "Deploy", "1234567890", "ASIADEPLOY"),
		makes(t, session("Deploy", "1234567890", "ASIADEPLOY"), "outer", "cc", "42"),
		makes(t, cfn(), "middle"), makes(t, cfn(), "inner"),
	)
	e := table(t, cfn(), "t", "aws:cloudformation:stack-id", stack("inner"))
	p, f := w.find(e)
	r := p.Resources[0]
	if r.Tags["creator"] != "alice" || r.Tags["created-via"] != "role/Deploy stack/outer stack/inner cloudformation.amazonaws.com" || r.Tags["cost-center"] != "42" || f.Missing != "" {
		t.Errorf("tags %v, facts %+v", r.Tags, f)
	}
	// The inner stack's operation, what it is nested in, the outer's, and one role.
	if n, what := w.asked(); n != 4 || what != "cloudformation:DescribeStacks×1 dynamodb:Query×3" {
		t.Errorf("the first time asked %s", what)
	}
	for kind, outcomes := range w.outcomes {
		if want := map[lookup.Kind]int{lookup.Stack: 3, lookup.Session: 1}[kind]; len(outcomes) != want {
			t.Errorf("%s: %v", kind, outcomes)
		}
	}
	w.forget()
	if p, _ := w.find(e); p.Resources[0].Tags["creator"] != "alice" {
		t.Errorf("the second time %v", p.Resources[0].Tags)
	}
	if n, what := w.asked(); n > 0 {
		t.Errorf("the second time asked %s", what)
	}
}

// group makes an Auto Scaling group with tags.
func (w *world) group(name string, tags ...string) {
	w.Helper()
	form := url.Values{
		"LaunchConfigurationName": {name}, "ImageId": {"ami-12c6146b"}, "InstanceType": {"t2.micro"},
	}
	const service, version = "autoscaling", "2011-01-01"
	w.call("Auto Scaling", service, catalogue.Query, version, "CreateLaunchConfiguration", form, nil)
	form = url.Values{
		"AutoScalingGroupName": {name}, "LaunchConfigurationName": {name}, "MinSize": {"0"}, "MaxSize": {"0"},
		"AvailabilityZones.member.1": {region + "a"},
	}
	for i := 0; i < len(tags); i += 2 {
		at := fmt.Sprintf("Tags.member.%d.", i/2+1)
		form.Set(at+"Key", tags[i])
		form.Set(at+"Value", tags[i+1])
		form.Set(at+"ResourceId", name)
		form.Set(at+"ResourceType", "auto-scaling-group")
		form.Set(at+"PropagateAtLaunch", "false")
	}
	w.call("Auto Scaling", service, catalogue.Query, version, "CreateAutoScalingGroup", form, nil)
	w.forget()
}

// TestGroupOfStackOfPipeline: an instance of a group that a stack made, which a pipeline on
// GitHub made, is the pipeline's.
func TestGroupOfStackOfPipeline(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byParents)
	w.group("web of app", "aws:cloudformation:stack-id", stack("app"), "cc", "7")
	w.records(
		record(t, noon.Add(-5*time.Minute), "sts", "AssumeRoleWithWebIdentity", object{"type": "WebIdentityUser", "userName": "repo:org/app:ref:refs/heads/main"},
			object{"roleArn": "arn:aws:iam::" + account + ":role/Deploy", "roleSessionName": "GitHubActions"},
			object{"credentials": object{"accessKeyId": id("ASIAGROUP")}, "subjectFromWebIdentityToken": "repo:org/app:ref:refs/heads/main"}),
		makes(t, session("Deploy", "GitHubActions", "ASIAGROUP"), "app"),
	)
	e := instances(t, linked("autoscaling"), []string{"i-0123456789abcdef0"}, "aws:autoscaling:groupName", "web of app")
	p, f := w.find(e)
	r := p.Resources[0]
	if r.Tags["creator"] != "repo:org/app:ref:refs/heads/main" || r.Tags["created-via"] != "role/Deploy stack/app group/web_of_app autoscaling.amazonaws.com" || r.Tags["cost-center"] != "7" {
		t.Errorf("tags %v, facts %+v", r.Tags, f)
	}
	if n, what := w.asked(); n != 3 || what != "autoscaling:DescribeTags×1 dynamodb:Query×2" {
		t.Errorf("the first time asked %s", what)
	}
	w.forget()
	w.find(e)
	if n, what := w.asked(); n > 0 {
		t.Errorf("the second time asked %s", what)
	}
	// Once the group has its creator, that is the answer.
	w.pass(time.Minute)
	w.group("tagged", "creator", "dora@example.com", "created-via", "role/Admin")
	p, _ = w.find(instances(t, linked("autoscaling"), []string{"i-0123456789abcdef0"}, "aws:autoscaling:groupName", "tagged"))
	if r := p.Resources[0]; r.Tags["creator"] != "dora@example.com" || r.Tags["created-via"] != "role/Admin group/tagged autoscaling.amazonaws.com" || !strings.HasPrefix(r.Sources()["creator"], "parent arn:aws:autoscaling:") {
		t.Errorf("%+v", r)
	}
}

// TestNoParentAnswers: the service stays named, with the reason, and the link is waited
// for once.
func TestNoParentAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byParents)
	w.group("bare")
	launch := func(at time.Duration, group string) *cloudtrail.Event {
		e := instances(t, linked("autoscaling"), []string{"i-0123456789abcdef0"}, "aws:autoscaling:groupName", group)
		e.Time = noon.Add(at)
		return e
	}
	p, f := w.find(launch(0, "bare"))
	if p.Creator.Name != "autoscaling.amazonaws.com" || !strings.HasPrefix(f.Missing, "creator of arn:aws:autoscaling:") || !f.Until.Equal(noon.Add(3*time.Minute)) {
		t.Errorf("%+v", f)
	}
	// Ten minutes later the group's own event should have come, so nothing is waited for.
	w.pass(10 * time.Minute)
	if _, f := w.find(launch(11*time.Minute, "bare")); f.Missing == "" || f.Until.After(w.clock()) {
		t.Errorf("ten minutes later: %+v", f)
	}
	// After an hour it may be another group of the name.
	w.pass(55 * time.Minute)
	if _, f := w.find(launch(66*time.Minute, "bare")); !f.Until.Equal(noon.Add(69 * time.Minute)) {
		t.Errorf("an hour later: %+v", f)
	}
	w.pass(-55 * time.Minute)
	if p, f := w.find(launch(11*time.Minute, "deleted")); p.Creator.Name != "autoscaling.amazonaws.com" || !f.Until.Equal(noon.Add(14*time.Minute)) {
		t.Errorf("a deleted group: %+v", f)
	}
	w.refuses("autoscaling:DescribeTags")
	if p, f := w.find(launch(11*time.Minute, "secret")); p.Creator.Name != "autoscaling.amazonaws.com" || f.Missing != "" || len(f.Steps) == 0 || f.Steps[0].Answer != "denied: AccessDenied" {
		t.Errorf("a group that may not be read: %+v", f)
	}
}

// TestOwnTags: what the record doesn't name, the resource's own tags may; they are read
// once for a batch and handed back.
func TestOwnTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byParents)
	w.records(makes(t, user("alice"), "own"))
	var batch []*cloudtrail.Event
	for i := range 5 {
		name := fmt.Sprint("own-", i)
		w.call("DynamoDB", "dynamodb", catalogue.JSON10, "DynamoDB_20120810", "CreateTable", nil, map[string]any{
			"TableName": name, "BillingMode": "PAY_PER_REQUEST",
			"KeySchema":            []any{map[string]string{"AttributeName": "id", "KeyType": "HASH"}},
			"AttributeDefinitions": []any{map[string]string{"AttributeName": "id", "AttributeType": "S"}},
			"Tags":                 []any{map[string]string{"Key": "aws:cloudformation:stack-id", "Value": stack("own")}},
		})
		batch = append(batch, table(t, cfn(), name))
	}
	w.forget()
	for _, f := range w.Find(context.Background(), w.plans(batch...)) {
		if f.Creator == nil || f.Creator.Name != "alice" || f.Resources[0].Own["aws:cloudformation:stack-id"] != stack("own") {
			t.Errorf("%+v", f)
		}
	}
	// All tags in one call; the stack's operations in one.
	if n, what := w.asked(); n > 3 || !strings.HasSuffix(what, "tag:GetResources×1") {
		t.Errorf("asked %s", what)
	}
	// A resource that isn't there yet is waited for.
	if _, f := w.find(table(t, cfn(), "nowhere")); !strings.HasPrefix(f.Missing, "tags of ") {
		t.Errorf("%+v", f)
	}
}

// TestParentsCircle: parents that name each other end the search.
func TestParentsCircle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byParents)
	for _, tags := range [][2]string{{"one", "two"}, {"two", "one"}} {
		w.group("circle-"+tags[0], "aws:autoscaling:groupName", "circle-"+tags[1])
	}
	p, f := w.find(instances(t, linked("autoscaling"), []string{"i-0123456789abcdef0"}, "aws:autoscaling:groupName", "circle-one"))
	if n, what := w.asked(); n != 2 || p.Creator.Name != "autoscaling.amazonaws.com" || f.Steps[len(f.Steps)-1].Answer != "the parents go in a circle" {
		t.Errorf("asked %s, %+v", what, f)
	}
}

// TestStacks: who is behind a stack, by what is known of it.
func TestStacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byParents)
	const guid = "6f0f4c10-1111-11f0-8f00-0a1b2c3d4e5f"
	execution := via(session("StackSetExecution", guid, "ASIAEXEC"), "cloudformation")
	old := makes(t, user("bob"), "old")
	old.Time = noon.Add(-time.Hour)
	w.records(
		old, makes(t, user("alice"), "plain"), makes(t, via(user("alice"), "cloudformation"), "forwarded"),
		makes(t, via(session("launch", "servicecatalog", "ASIASC"), "servicecatalog"), "product", "aws:servicecatalog:provisioningPrincipalArn", "arn:aws:sts::"+account+":assumed-role/AWSReservedSSO_Dev_0123456789abcdef/erin"),
		makes(t, execution, "StackSet-base-"+guid),
		record(t, noon.Add(-2*time.Minute), "sts", "AssumeRole", object{"type": "AWSAccount", "accountId": account, "principalId": "AROAADMIN:" + guid},
			object{"roleArn": "arn:aws:iam::" + account + ":role/StackSetExecution", "roleSessionName": guid}, object{"credentials": object{"accessKeyId": id("ASIAEXEC")}}),
		makes(t, user("mallory"), "StackSet-mine-"+guid),
		record(t, noon.Add(-time.Hour), "cloudformation", "CreateStackSet", user("frank"), object{"stackSetName": "base"}, object{"stackSetId": "base:" + guid}),
		record(t, noon.Add(-time.Hour), "cloudformation", "CreateStackSet", user("grace"), object{"stackSetName": "mine"}, object{"stackSetId": "mine:" + guid}),
	)
	w.says("cloudformation:DescribeStacks", 200, nested(""))
	for name, c := range map[string]struct{ creator, path, missing string }{
		"plain":                    {"alice", "stack/plain cloudformation.amazonaws.com", ""},
		"forwarded":                {"alice", "stack/forwarded cloudformation.amazonaws.com", ""},
		"product":                  {"erin", "service-catalog/erin stack/product cloudformation.amazonaws.com", ""},
		"old":                      {"bob", "stack/old cloudformation.amazonaws.com", "operation of " + stack("old")},                                        // an update may be behind
		"StackSet-base-" + guid:    {"frank", "stack-set/base stack/StackSet-base-" + guid + " cloudformation.amazonaws.com", "operation of stack set base"}, // likewise
		"StackSet-mine-" + guid:    {"mallory", "stack/StackSet-mine-" + guid + " cloudformation.amazonaws.com", ""},
		"StackSet-unknown-" + guid: {"cfn-exec", "cloudformation.amazonaws.com", "operation of " + stack("StackSet-unknown-"+guid)},
		"nowhere":                  {"cfn-exec", "cloudformation.amazonaws.com", "operation of " + stack("nowhere")},
	} {
		p, f := w.find(table(t, cfn(), "t", "aws:cloudformation:stack-id", stack(name)))
		if r := p.Resources[0]; r.Tags["creator"] != c.creator || r.Tags["created-via"] != c.path || f.Missing != c.missing {
			t.Errorf("%s: tags %v, missing %q, steps %v", name, r.Tags, f.Missing, f.Steps)
		}
	}
}

// TestOthersParents: what is in another account isn't asked, nor what anyone may name.
func TestOthersParents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byParents)
	for name, e := range map[string]*cloudtrail.Event{
		"a database elsewhere":      table(t, linked("rds"), "t", "aws:rds:primaryDBInstanceArn", "arn:aws:rds:"+region+":444455556666:db:orders"),
		"a stack elsewhere":         table(t, cfn(), "t", "aws:cloudformation:stack-id", strings.ReplaceAll(stack("x"), account, "444455556666")),
		"a tag that anyone writes":  table(t, linked("config"), "t", "eks:cluster-name", "prod"),
		"two clusters":              table(t, linked("eks"), "t", "kubernetes.io/cluster/prod", "owned", "kubernetes.io/cluster/test", "owned"),
		"a cluster used":            table(t, linked("eks"), "t", "kubernetes.io/cluster/prod", "shared"),
		"no name":                   table(t, linked("eks"), "t", "eks:cluster-name", "prod:x/*"),
		"a service without a name":  table(t, linked("ecs"), "t", "aws:ecs:serviceName", "web"),
		"another partition's stack": table(t, cfn(), "t", "aws:cloudformation:stack-id", strings.Replace(stack("x"), "arn:aws:", "arn:aws-cn:", 1)),
	} {
		w.forget()
		p, f := w.find(e)
		_, what := w.asked()
		if p.Creator.Name != w.plans(e)[0].Creator.Name || strings.Contains(what, "Describe") || strings.Contains(what, "ListTagsForResource") {
			t.Errorf("%s: %v, asked %s", name, f.Steps, what)
		}
	}
}

// TestMakers: a resource with several parents is of the one that its maker made it for.
func TestMakers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byParents)
	w.records(makes(t, user("alice"), "vpc"))
	w.says("tag:GetResources", 200, `{"ResourceTagMappingList":[{"ResourceARN":"arn:aws:eks:eu-west-1:123456789012:cluster/prod","Tags":[{"Key":"creator","Value":"bob"}]}]}`)
	tags := []string{"kubernetes.io/cluster/prod", "owned", "aws:cloudformation:stack-id", stack("vpc")}
	for by, want := range map[string]string{"cloudformation": "alice", "eks": "bob"} {
		p, f := w.find(table(t, linked(by), "t", tags...))
		if p.Resources[0].Tags["creator"] != want {
			t.Errorf("made by %s: %v, %v", by, p.Resources[0].Tags, f.Steps)
		}
	}
}

// TestPersonsParent: a person who works through a service stays the creator; what the
// service made it for may have the cost center.
func TestPersonsParent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byParents)
	w.records(makes(t, user("bob"), "shared", "cc", "9"))
	p, _ := w.find(table(t, via(user("alice"), "cloudformation"), "t", "aws:cloudformation:stack-id", stack("shared")))
	if tags := p.Resources[0].Tags; tags["creator"] != "alice" || tags["cost-center"] != "9" {
		t.Errorf("%v", tags)
	}
	// Who isn't asked for anything costs nothing.
	w.forget()
	w.find(table(t, user("alice"), "t"))
	if n, what := w.asked(); n > 0 {
		t.Errorf("asked %s", what)
	}
}

// TestEnvironment: an environment of Elastic Beanstalk is asked for its ARN.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byParents)
	arn := "arn:aws:elasticbeanstalk:" + region + ":" + account + ":environment/shop/shop-prod"
	w.says("elasticbeanstalk:DescribeEnvironments", 200, "<DescribeEnvironmentsResponse><DescribeEnvironmentsResult><Environments><member><EnvironmentArn>"+arn+"</EnvironmentArn></member></Environments></DescribeEnvironmentsResult></DescribeEnvironmentsResponse>")
	w.says("tag:GetResources", 200, `{"ResourceTagMappingList":[{"ResourceARN":"`+arn+`","Tags":[{"Key":"creator","Value":"alice"}]}]}`)
	by := via(session("aws-elasticbeanstalk-service-role", "elasticbeanstalk", "ASIAEB"), "elasticbeanstalk")
	p, f := w.find(table(t, by, "t", "elasticbeanstalk:environment-id", "e-abcdefgh12"))
	if r := p.Resources[0]; r.Tags["creator"] != "alice" || r.Tags["created-via"] != "environment/shop-prod elasticbeanstalk.amazonaws.com" {
		t.Errorf("%v, %v", r.Tags, f.Steps)
	}
}

// TestServicesValue: a service's name on a parent, for want of a better one, is passed by,
// whatever form names have.
func TestServicesValue(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"name", "arn", "{hash-key: '0123456789abcdef0123456789abcdef', value: hash}"} {
		if !strings.HasPrefix(form, "{") {
			form = "{value: " + form + "}"
		}
		w := newWorld(t, "look-ups: {ledger: true, parents: true}\ntags: {creator: "+form+"}")
		by := w.plans(table(t, linked("eks"), "t"))[0].Creator
		group := fmt.Sprint("by-eks-", shared.Number())
		w.group(group, "creator", w.policy.FormatCreator(by.Name, by.ARN), "aws:cloudformation:stack-id", stack("nodes"))
		w.records(makes(t, user("alice"), "nodes"))
		p, f := w.find(instances(t, linked("autoscaling"), []string{"i-0123456789abcdef0"}, "aws:autoscaling:groupName", group))
		if p.Creator.Name != "alice" || f.Missing != "" {
			t.Errorf("%s: %s, %+v", form, p.Creator.Name, f)
		}
	}
}

// TestOperationOfTheTime: of two operations within a minute the one before the event counts.
func TestOperationOfTheTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byParents)
	update := makes(t, user("bob"), "twice")
	update.Name, update.Time = "UpdateStack", noon.Add(-10*time.Second)
	w.records(makes(t, user("alice"), "twice"), update)
	for at, want := range map[time.Duration]string{-15: "alice", -5: "bob"} {
		e := table(t, cfn(), "t", "aws:cloudformation:stack-id", stack("twice"))
		e.Time = noon.Add(at * time.Second)
		if p, f := w.find(e); p.Creator.Name != want {
			t.Errorf("%v: %s, %v", at, p.Creator.Name, f.Steps)
		}
	}
}

// TestOperationNotThere: an operation that CloudFormation knows of, and the ledger doesn't
// yet, is waited for: whoever made the one before isn't named for good.
func TestOperationNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byParents)
	stackAt := func(updated time.Duration) string {
		return strings.Replace(nested(""), "</CreationTime>", "</CreationTime><LastUpdatedTime>"+noon.Add(updated).Format("2006-01-02T15:04:05.000Z")+"</LastUpdatedTime>", 1)
	}
	makes := func(who, name string, before time.Duration) *cloudtrail.Event {
		e := makes(t, user(who), name)
		e.Time = noon.Add(-before)
		return e
	}
	const never = time.Hour
	for i, c := range []struct {
		what          string
		made, updated time.Duration // before the event, and after it
		describes     int
		missing       bool
		until         time.Duration
	}{
		{"just made", 20 * time.Second, never, 0, false, 0},
		{"as it was made", 10 * time.Minute, -10*time.Minute + time.Second, 1, false, 0},
		{"an old one, as it was made", 100 * time.Hour, -100*time.Hour + time.Second, 1, false, 0},
		{"updated since", 10 * time.Minute, -time.Minute, 1, true, 2 * time.Minute},
		{"updated after the event", 10 * time.Minute, 30 * time.Second, 1, true, time.Minute},
		{"an old one, updated after the event", 100 * time.Hour, 30 * time.Second, 1, true, 3 * time.Minute},
	} {
		name := fmt.Sprint("there", i)
		w.records(makes("alice", name, c.made))
		w.says("cloudformation:DescribeStacks", 200, stackAt(c.updated))
		e := table(t, cfn(), "t", "aws:cloudformation:stack-id", stack(name))
		for _, times := range []int{c.describes, 0} {
			w.forget()
			p, f := w.find(e)
			if p.Creator.Name != "alice" || (f.Missing == "operation of "+stack(name)) != c.missing || c.missing && !f.Until.Equal(noon.Add(c.until)) || w.calls["cloudformation:DescribeStacks"] != times {
				t.Errorf("%s: %s, missing %q until %v, asked %v", c.what, p.Creator.Name, f.Missing, f.Until, w.calls)
			}
		}
	}
	// It comes, and whoever made it is named.
	update := makes("bob", "there3", time.Minute)
	update.Name = "UpdateStack"
	w.records(update)
	w.pass(time.Minute)
	w.says("cloudformation:DescribeStacks", 200, stackAt(-time.Minute))
	if p, f := w.find(table(t, cfn(), "t", "aws:cloudformation:stack-id", stack("there3"))); p.Creator.Name != "bob" || f.Missing != "" {
		t.Errorf("%s, %+v", p.Creator.Name, f)
	}
	// Where CloudFormation can't be asked, the name isn't final.
	w.refuses("cloudformation:DescribeStacks")
	w.records(makes("alice", "denied", 10*time.Minute))
	if _, f := w.find(table(t, cfn(), "t", "aws:cloudformation:stack-id", stack("denied"))); f.Missing == "" || f.Until.After(w.clock()) || !f.Unsure {
		t.Errorf("%+v", f)
	}
	// What comes when all of it is there needs no more.
	w.pass(20 * time.Minute)
	w.forget()
	if _, f := w.find(table(t, cfn(), "t", "aws:cloudformation:stack-id", stack("denied"))); f.Missing != "" || w.calls["cloudformation:DescribeStacks"] > 0 {
		t.Errorf("%+v", f)
	}
}

// TestStackBeforeLedger: an operation that is too old to be recorded yet isn't waited for,
// nor is a newer one for longer than since it was made.
func TestStackBeforeLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byParents)
	described := func(before time.Duration, in string) string {
		return strings.Replace(nested(in), noon.Add(-20*time.Second).Format(time.RFC3339), noon.Add(-before).Format(time.RFC3339), 1)
	}
	for i, c := range []struct {
		made    time.Duration // before the event
		until   time.Duration // after it
		missing bool
	}{
		{100 * 24 * time.Hour, 0, false},
		{16 * time.Minute, 0, false},
		{10 * time.Minute, -7 * time.Minute, true},
		{time.Minute, 2 * time.Minute, true},
		{-30 * time.Second, 3 * time.Minute, true}, // changed since
	} {
		name := fmt.Sprint("before", i)
		w.group(name, "aws:cloudformation:stack-id", stack(name))
		w.says("cloudformation:DescribeStacks", 200, described(c.made, ""))
		p, f := w.find(instances(t, linked("autoscaling"), []string{"i-0123456789abcdef0"}, "aws:autoscaling:groupName", name))
		if p.Creator.Name != "autoscaling.amazonaws.com" || (f.Missing == "operation of "+stack(name)) != c.missing || c.missing && !f.Until.Equal(noon.Add(c.until)) {
			t.Errorf("%v before: missing %q until %v", c.made, f.Missing, f.Until)
		}
	}
	// Of a nested stack the outermost counts.
	for name, c := range map[string]struct {
		inner, outer time.Duration
		missing      bool
	}{"oldouter": {time.Minute, time.Hour, false}, "newouter": {time.Hour, time.Minute, true}} {
		w.says("cloudformation:DescribeStacks "+stack(name+"in"), 200, described(c.inner, name))
		w.says("cloudformation:DescribeStacks "+stack(name), 200, described(c.outer, ""))
		_, f := w.find(table(t, cfn(), "t", "aws:cloudformation:stack-id", stack(name+"in")))
		if (f.Missing == "operation of "+stack(name)) != c.missing || c.missing && !f.Until.Equal(noon.Add(2*time.Minute)) {
			t.Errorf("%s: missing %q until %v, %v", name, f.Missing, f.Until, f.Steps)
		}
	}
}

// TestSeveralParents: each of an event's resources has its own parent's creator.
func TestSeveralParents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byParents)
	w.group("several-a", "creator", "dora")
	w.records(makes(t, user("alice"), "several"))
	group, made := [2]string{"aws:autoscaling:groupName", "several-a"}, [2]string{"aws:cloudformation:stack-id", stack("several")}
	for want, tags := range map[string][][2]string{
		"dora alice autoscaling.amazonaws.com": {group, made},
		"alice dora autoscaling.amazonaws.com": {made, group},
		"alice alice":                          {made, made},
	} {
		w.forget()
		var ids []string
		answer := "<DescribeTagsResponse><tagSet>"
		for i := range len(strings.Fields(want)) {
			id := fmt.Sprintf("i-0000000000000000%x", i)
			ids = append(ids, id)
			if i < len(tags) {
				answer += "<item><resourceId>" + id + "</resourceId><key>" + tags[i][0] + "</key><value>" + tags[i][1] + "</value></item>"
			}
		}
		w.says("ec2:DescribeTags", 200, answer+"</tagSet></DescribeTagsResponse>")
		p, f := w.find(instances(t, linked("autoscaling"), ids))
		var got []string
		for _, r := range p.Resources {
			got = append(got, r.Tags["creator"])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v, want %s: %+v", got, want, f)
		}
		if n, what := w.asked(); n > 4 || w.calls["ec2:DescribeTags"] != 1 {
			t.Errorf("asked %s", what)
		}
	}
}

// TestNotTheOthersParent: a resource with a parent that says nothing, or whose tags can't be
// read, has nothing from the parent of the call's others.
func TestNotTheOthersParent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byParents)
	w.group("others-a", "creator", "dora")
	const tag = "<item><resourceId>i-0000000000000000%d</resourceId><key>aws:autoscaling:groupName</key><value>others-%s</value></item>"
	launch := instances(t, linked("autoscaling"), []string{"i-00000000000000000", "i-00000000000000001"})
	w.says("ec2:DescribeTags", 200, "<DescribeTagsResponse><tagSet>"+fmt.Sprintf(tag, 0, "a")+fmt.Sprintf(tag, 1, "secret")+"</tagSet></DescribeTagsResponse>")
	w.find(instances(t, linked("autoscaling"), []string{"i-00000000000000000"}, "aws:autoscaling:groupName", "others-a")) // to know it
	w.refuses("autoscaling:DescribeTags")
	p, f := w.find(launch)
	for i, want := range []string{"dora", "autoscaling.amazonaws.com"} {
		if r := p.Resources[i]; r.Tags["creator"] != want {
			t.Errorf("%d: %v, %+v", i, r.Tags, f.Resources[i])
		}
	}
	// Tags that can't be read.
	plans := w.plans(table(t, linked("autoscaling"), "others", "aws:autoscaling:groupName", "others-a"))
	unread := plans[0].Resources[0]
	unread.ARN, unread.Requested = unread.ARN+"-unread", nil
	plans[0].Resources = append(plans[0].Resources, unread)
	w.refuses("tag:GetResources")
	w.refuses("dynamodb:ListTagsOfResource")
	f = w.Find(context.Background(), plans)[0]
	planner := &plan.Planner{Catalogue: catalogue.Default(), Policy: w.policy}
	p = planner.With(plans[0], f)
	for i, want := range []string{"dora", "autoscaling.amazonaws.com"} {
		if r := p.Resources[i]; r.Tags["creator"] != want {
			t.Errorf("unread, %d: %v, %v", i, r.Tags, f.Steps)
		}
	}
}

// TestOthersResources: nothing is read of a resource in another account, nor with one
// account's credentials about another's event.
func TestOthersResources(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "look-ups: {ledger: true, parents: true, children: true}")
	for _, tags := range [][]string{nil, {"aws:autoscaling:groupName", "web"}} {
		plans := w.plans(instances(t, linked("autoscaling"), []string{"i-0000000000000000a"}, tags...))
		plans[0].Resources[0].Account = "444455556666"
		facts := w.Find(context.Background(), plans)[0]
		if n, what := w.asked(); n > 0 || facts.Creator != nil || len(facts.Children) > 0 {
			t.Errorf("asked %s, %+v", what, facts)
		}
	}
	w = newWorld(t, "look-ups: {ledger: true, parents: true, children: true}", func(c *lookup.Config) { c.Account = "444455556666" })
	_, f := w.find(instances(t, linked("autoscaling"), []string{"i-0000000000000000a"}, "aws:autoscaling:groupName", "web"))
	if n, what := w.asked(); n > 0 || len(f.Steps) != 1 || f.Steps[0].Answer != "in another account" {
		t.Errorf("asked %s, %+v", what, f)
	}
}

// TestStackSets: a stack of a stack set is its administrator's, however many accounts have a
// stack set of its name.
func TestStackSets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byParents)
	w.says("cloudformation:DescribeStacks", 200, nested(""))
	const guid, root, delegate = "6f0f4c10-1111-11f0-8f00-0a1b2c3d4e5f", "777788889999", "888899990000"
	set := func(of, who, name, more string) *cloudtrail.Event {
		e := record(t, noon.Add(-time.Hour), "cloudformation", "CreateStackSet", user(who), object{"stackSetName": name}, nil)
		if more != "" {
			key, value, _ := strings.Cut(more, "=")
			e.Request = decoded(t, `{"stackSetName":"`+name+`","`+key+`":"`+value+`"}`)
		}
		e.Account = of
		return e
	}
	execution := func(role, key string) object { return via(session(role, guid, key), "cloudformation") }
	begins := func(role, key, from string) *cloudtrail.Event {
		return record(t, noon.Add(-2*time.Minute), "sts", "AssumeRole", object{"type": "AWSAccount", "accountId": from, "principalId": "AROAADMIN:" + guid},
			object{"roleArn": "arn:aws:iam::" + account + ":role/" + role, "roleSessionName": guid}, object{"credentials": object{"accessKeyId": id(key)}})
	}
	const managed = "stacksets-exec-0123456789abcdef"
	w.records(
		// The organisation's own, of which the ledger has no record, and mallory's of its name.
		makes(t, execution(managed, "ASIAMANAGED"), "StackSet-unseen-"+guid), set("444455556666", "mallory", "unseen", ""),
		makes(t, execution(managed, "ASIAMANAGED"), "StackSet-seen-"+guid), set("444455556666", "mallory", "seen", ""), set(root, "dora", "seen", "permissionModel=SERVICE_MANAGED"),
		makes(t, execution(managed, "ASIAMANAGED"), "StackSet-delegated-"+guid), set(delegate, "erin", "delegated", "callAs=DELEGATED_ADMIN"),
		begins("Execution", "ASIASELF", root),
		makes(t, execution("Execution", "ASIASELF"), "StackSet-self-"+guid), set("444455556666", "mallory", "self", ""), set(root, "frank", "self", ""),
		makes(t, execution("Execution", "ASIASELF"), "StackSet-elsewhere-"+guid), set("444455556666", "mallory", "elsewhere", ""),
		makes(t, execution("Execution", "ASIALOST"), "StackSet-lost-"+guid), set("444455556666", "mallory", "lost", ""),
	)
	for name, want := range map[string]string{"unseen": "cfn-exec", "seen": "dora", "delegated": "erin", "self": "frank", "elsewhere": "cfn-exec", "lost": "cfn-exec"} {
		p, f := w.find(table(t, cfn(), "t", "aws:cloudformation:stack-id", stack("StackSet-"+name+"-"+guid)))
		if p.Creator.Name != want {
			t.Errorf("%s: %s, %v", name, p.Creator.Name, f.Steps)
		}
	}
}

// TestProvisionalParent: what was written on a parent without a link is no more final on what
// was made for it.
func TestProvisionalParent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byParents)
	group := func(name string) string {
		return "arn:aws:autoscaling:" + region + ":" + account + ":autoScalingGroup:*:autoScalingGroupName/" + name
	}
	written := func(name, creator, of string, provisional bool) ledger.Written {
		return ledger.Written{ARN: group(name), Tags: map[string]string{"creator": creator}, Account: of, Provisional: provisional}
	}
	for _, name := range []string{"early", "sure", "other", "elsewhere", "unknown", "long-ago"} {
		w.group("written-"+name, "creator", "cfn-exec")
	}
	ago := written("written-long-ago", "cfn-exec", account, true)
	ago.At = w.clock().Add(-21 * time.Minute)
	for _, err := range w.table.PutWritten(t.Context(), []ledger.Written{
		ago, written("written-early", "cfn-exec", account, true), written("written-sure", "cfn-exec", account, false),
		written("written-other", "role", account, true), written("written-elsewhere", "cfn-exec", "444455556666", true),
	}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	ask := func(name string) plan.Facts {
		w.forget()
		p, f := w.find(instances(t, linked("autoscaling"), []string{"i-0123456789abcdef0"}, "aws:autoscaling:groupName", "written-"+name))
		if got := p.Resources[0].Tags["creator"]; got != "cfn-exec" {
			t.Errorf("%s: %s", name, got)
		}
		return f
	}
	for name, missing := range map[string]string{"early": "creator of " + group("written-early"), "sure": "", "other": "", "elsewhere": "", "unknown": "", "long-ago": ""} {
		f := ask(name)
		if _, what := w.asked(); f.Missing != missing || f.Until.After(w.clock()) || what != "autoscaling:DescribeTags×1 dynamodb:BatchGetItem×1" {
			t.Errorf("%s: asked %s, %+v", name, what, f)
		}
		ask(name)
		if n, what := w.asked(); n > 0 {
			t.Errorf("%s: the second time asked %s", name, what)
		}
	}
	// Where that can't be asked, the name isn't sure.
	w.group("written-denied", "creator", "cfn-exec")
	w.refuses("dynamodb:BatchGetItem")
	if f := ask("denied"); !f.Unsure {
		t.Errorf("%+v", f)
	}
}

// TestLinkedWithoutService: a service-linked role is the service's, though the record names
// no service that invoked it.
func TestLinkedWithoutService(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byParents)
	w.group("linked", "creator", "dora")
	by := linked("autoscaling")
	delete(by, "invokedBy")
	p, f := w.find(instances(t, by, []string{"i-0123456789abcdef0"}, "aws:autoscaling:groupName", "linked"))
	if tags := p.Resources[0].Tags; tags["creator"] != "dora" || tags["created-via"] != "group/linked autoscaling.amazonaws.com" {
		t.Errorf("%v, %v", tags, f.Steps)
	}
}
