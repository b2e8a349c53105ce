package lookup_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"autotagger/internal/apply"
	"autotagger/internal/attribute"
	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/lookup"
	"autotagger/internal/resolve"
)

// role makes a role of IAM in the emulator.
func (w *world) role(name, trust string, tags ...string) {
	w.Helper()
	form := url.Values{"RoleName": {name}, "AssumeRolePolicyDocument": {trust}}
	for i := 0; i < len(tags); i += 2 {
		form.Set(fmt.Sprintf("Tags.member.%d.Key", i/2+1), tags[i])
		form.Set(fmt.Sprintf("Tags.member.%d.Value", i/2+1), tags[i+1])
	}
	w.call("IAM", "iam", catalogue.Query, "2010-05-08", "CreateRole", form, nil)
	w.forget()
}

const anyTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}`

// TestPrincipalTags: the cost center of the user or role behind a call, up to fifty tags.
func TestPrincipalTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "look-ups: {ledger: true}\ncost-center: [{tag: cc}, {principal-tag: cc}, {default: '0'}]")
	var fifty []string
	for i := range 49 {
		fifty = append(fifty, fmt.Sprint("k", i), "v")
	}
	w.role("principal-dev", anyTrust, append(fifty, "cc", "42")...)
	form := url.Values{"UserName": {"principal-alice"}, "Tags.member.1.Key": {"CC"}, "Tags.member.1.Value": {"7"}}
	w.call("IAM", "iam", catalogue.Query, "2010-05-08", "CreateUser", form, nil)
	w.records(assume(t, user("principal-alice"), "principal-dev", "x", "ASIAPRINCIPAL"))
	elsewhere := session("principal-dev", "x", "AKIAELSE")
	elsewhere["sessionContext"].(object)["sessionIssuer"].(object)["arn"] = "arn:aws:iam::444455556666:role/principal-dev"
	sso := session("AWSReservedSSO_Dev_0123456789abcdef", "erin", "AKIASSO")
	for name, c := range map[string]struct {
		e            *cloudtrail.Event
		want, source string
		calls        string
		whose        string
	}{
		"role":                   {table(t, session("principal-dev", "x", "AKIA"), "t"), "42", "principal-tag cc", "iam:GetRole×1", "of-" + account},
		"first of the chain":     {table(t, session("principal-dev", "x", "ASIAPRINCIPAL"), "t"), "7", "principal-tag CC", "dynamodb:Query×1 iam:GetUser×1", "of-" + account},
		"another account's role": {table(t, elsewhere, "t"), "42", "principal-tag cc", "iam:GetRole×1", "of-444455556666"},
		"the request has one":    {table(t, session("principal-unasked", "x", "AKIA"), "t", "cc", "1"), "1", "tag cc", "", ""},
		"Identity Center's role": {table(t, sso, "t"), "0", "default", "", ""},
		"a deleted role":         {table(t, session("principal-gone", "x", "AKIA"), "t"), "0", "default", "iam:GetRole×1", "of-" + account},
		"service-linked":         {table(t, linked("rds"), "t"), "0", "default", "", ""},
	} {
		for _, again := range []bool{false, true} {
			w.forget()
			p, f := w.find(c.e)
			_, what := w.asked()
			r := p.Resources[0]
			if r.Tags["cost-center"] != c.want || r.Sources()["cost-center"] != c.source || !again && what != c.calls || again && what != "" {
				t.Errorf("%s: %v by %q, asked %q, %v", name, r.Tags, r.Sources()["cost-center"], what, f.Steps)
			}
			for action, whose := range w.accounts {
				if strings.HasPrefix(action, "iam:") && whose[0] != c.whose {
					t.Errorf("%s: %s with the credentials %v", name, action, whose)
				}
			}
		}
	}
	// With one account's credentials another's role of the same name isn't asked.
	w = newWorld(t, "cost-center: [{principal-tag: cc}]", func(c *lookup.Config) { c.Account = account })
	if p, f := w.find(table(t, elsewhere, "t")); p.Resources[0].Tags["cost-center"] != "" || f.Steps[0].Answer != "in another account" {
		t.Errorf("%v, %v", p.Resources[0].Tags, f.Steps)
	}
	if n, what := w.asked(); n > 0 {
		t.Errorf("asked %s", what)
	}
}

// TestStrict: names of sessions count where the role's trust policy says what they are.
func TestStrict(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sessions: {strict: true, verify: true, trusted-roles: [trusted]}")
	trust := func(statements ...string) string {
		return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
	}
	const open = `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["sts:AssumeRole","sts:TagSession"]}`
	named := func(operator, value string) string {
		return `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"` + operator + `":{"sts:RoleSessionName":` + value + `}}}`
	}
	for role, c := range map[string]struct{ trust, want string }{
		"strict-user":     {trust(named("StringLike", `"${aws:username}"`)), "alice"},
		"strict-list":     {trust(named("StringEquals", `["${aws:username}","break-glass"]`), `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:TagSession"}`), "alice"},
		"strict-any":      {trust(named("StringLike", `"*"`)), "strict-any"},
		"strict-not":      {trust(named("StringNotEquals", `"root"`)), "strict-not"},
		"strict-open":     {trust(open), "strict-open"},
		"strict-two-ways": {trust(named("StringLike", `"${aws:username}"`), open), "strict-two-ways"},
	} {
		w.role(role, c.trust)
		_, f := w.find(table(t, session(role, "alice", "ASIA1"), "t"))
		name := role
		if f.Creator != nil {
			name = f.Creator.Name
		}
		if (name == role) != (f.Creator == nil || f.Creator.By != attribute.ByTrustPolicy) {
			t.Errorf("%s: %+v", role, f.Creator)
		}
		if name != c.want || c.want == role && !strings.Contains(f.Steps[0].Answer, "unverified") {
			t.Errorf("%s: %s, %v", role, name, f.Steps)
		}
	}
	w.forget()
	w.find(table(t, session("trusted", "alice", "ASIA1"), "t"))
	if n, what := w.asked(); n > 0 {
		t.Errorf("a trusted role: asked %s", what)
	}
	w.refuses("iam:GetRole")
	if p, f := w.find(table(t, session("strict-denied", "alice", "ASIA1"), "t")); p.Creator.Name != "strict-denied" || f.Steps[0].Answer != "session unverified: denied: AccessDenied" {
		t.Errorf("%s, %v", p.Creator.Name, f.Steps)
	}
}

// TestAccounts: the cost center of an account's tags, and of its unit.
func TestAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "cost-center: [{account-tag: cc}, {organizational-unit: {ou-ab12-c3d4e5f6: '3', r-ab12: '9'}}]")
	w.says("organizations:ListTagsForResource", 200, `{"Tags":[{"Key":"Team","Value":"x"}]}`)
	w.says("organizations:ListParents", 200, `{"Parents":[{"Id":"r-ab12","Type":"ROOT"}]}`)
	p, f := w.find(table(t, user("alice"), "t"))
	if r := p.Resources[0]; r.Tags["cost-center"] != "9" || len(f.OUs) != 1 {
		t.Errorf("%v, %+v", r.Tags, f)
	}
	if n, what := w.asked(); n != 2 || w.accounts["organizations:ListParents"][0] != "testing" {
		t.Errorf("asked %s with %v", what, w.accounts)
	}
	w.find(table(t, user("bob"), "t"))
	if n, what := w.asked(); n != 2 {
		t.Errorf("the second time asked %s", what)
	}
	w = newWorld(t, "cost-center: [{account-tag: cc}, {organizational-unit: {r-ab12: '9'}}, {default: '0'}]")
	w.refuses("organizations:ListTagsForResource")
	w.says("organizations:ListParents", 400, `{"__type":"ChildNotFoundException"}`)
	p, f = w.find(table(t, user("alice"), "t"))
	if p.Resources[0].Tags["cost-center"] != "0" || f.Steps[0].Answer != "denied: AccessDeniedException" || f.Steps[1].Answer != "not there" {
		t.Errorf("%v, %v", p.Resources[0].Tags, f.Steps)
	}
}

// TestOrganization: the same against Organizations as the emulator has it.
func TestOrganization(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "cost-center: [{account-tag: cc}, {organizational-unit: {r-ab12: '9'}}]")
	ask := func(op string, fields map[string]any) []byte {
		return w.call("Organizations", "organizations", catalogue.JSON11, "AWSOrganizationsV20161128", op, nil, fields)
	}
	ask("CreateOrganization", map[string]any{"FeatureSet": "ALL"})
	made := string(ask("CreateAccount", map[string]any{"AccountName": "shop", "Email": "shop@example.com", "Tags": []any{map[string]string{"Key": "cc", "Value": "4711"}}}))
	_, rest, _ := strings.Cut(made, `"AccountId": "`)
	if rest == "" {
		_, rest, _ = strings.Cut(made, `"AccountId":"`)
	}
	id, _, _ := strings.Cut(rest, `"`)
	e := table(t, user("alice"), "t")
	e.Account, e.Recipient = id, id
	plans := w.plans(e)
	if facts := w.Find(context.Background(), plans)[0]; facts.Account["cc"] != "4711" {
		t.Errorf("%s: %+v", id, facts)
	}
	w = newWorld(t, "cost-center: [{organizational-unit: {r-ab12: '9'}}]")
	if facts := w.Find(context.Background(), plans)[0]; len(facts.OUs) != 1 || !strings.HasPrefix(facts.OUs[0], "r-") {
		t.Errorf("%s: %+v", id, facts)
	}
}

// TestPeople: ids of Identity Center become names, and names addresses where those are
// wanted.
func TestPeople(t *testing.T) {
	t.Parallel()
	store := func(w *world) (string, string) {
		const store = "d-1234567890"
		made := string(w.call("identitystore", "identitystore", catalogue.JSON11, "AWSIdentityStore", "CreateUser", nil, map[string]any{
			"IdentityStoreId": store, "UserName": fmt.Sprint("dora", shared.Number()), "DisplayName": "Dora",
			"Name":   map[string]string{"GivenName": "Dora", "FamilyName": "M"},
			"Emails": []any{map[string]any{"Value": "other@example.com"}, map[string]any{"Value": "dora@example.com", "Primary": true}},
		}))
		_, id, _ := strings.Cut(made, `"UserId": "`)
		id, _, _ = strings.Cut(id, `"`)
		w.forget()
		return store, id
	}
	by := func(store, id string) object {
		return object{"type": "IdentityCenterUser", "accountId": account, "onBehalfOf": object{"userId": id, "identityStoreArn": "arn:aws:identitystore::" + account + ":identitystore/" + store}}
	}
	w := newWorld(t, "look-ups: {identity-store: {region: eu-west-1}}")
	at, id := store(w)
	if p, f := w.find(table(t, by(at, id), "t")); !strings.HasPrefix(p.Creator.Name, "dora") || strings.Contains(p.Creator.Name, "@") {
		t.Errorf("%s, %v", p.Creator.Name, f.Steps)
	}
	w = newWorld(t, "look-ups: {identity-store: {account: '"+account+"', region: eu-west-1}}\ntags: {creator: {value: email}}")
	at, id = store(w)
	if p, f := w.find(table(t, by(at, id), "t")); p.Creator.Name != "dora@example.com" || w.accounts["identitystore:DescribeUser"][0] != "of-"+account {
		t.Errorf("%s, %v, %v", p.Creator.Name, f.Steps, w.accounts)
	}
	if p, f := w.find(table(t, by(at, "00000000-0000-0000-0000-000000000000"), "t")); !strings.HasPrefix(p.Creator.Name, "0000") || f.Steps[0].Answer != "not there" {
		t.Errorf("%s, %v", p.Creator.Name, f.Steps)
	}
	w.says("sso:ListInstances", 200, `{"Instances":[{"IdentityStoreId":"d-9","InstanceArn":"arn:aws:sso:::instance/ssoins-1"}]}`)
	w.says("identitystore:GetUserId", 200, `{"IdentityStoreId":"d-9","UserId":"u-1"}`)
	w.says("identitystore:DescribeUser", 200, `{"UserName":"erin","UserId":"u-1","Emails":[{"Value":"erin@example.com","Primary":true}]}`)
	w.forget()
	e := table(t, session("AWSReservedSSO_Dev_0123456789abcdef", "erin", "ASIASSO"), "t")
	for range 2 {
		if p, f := w.find(e); p.Creator.Name != "erin@example.com" || p.Resources[0].Tags["creator"] != "erin@example.com" {
			t.Errorf("%s, %v", p.Creator.Name, f.Steps)
		}
	}
	if n, what := w.asked(); n != 3 {
		t.Errorf("asked %s", what)
	}
	w.refuses("identitystore:GetUserId")
	if p, f := w.find(table(t, session("AWSReservedSSO_Dev_0123456789abcdef", "frank", "ASIASSO"), "t")); p.Creator.Name != "frank" || f.Steps[0].Answer != "denied: AccessDeniedException" {
		t.Errorf("%s, %v", p.Creator.Name, f.Steps)
	}
	// A record's own store must be the one that may be asked.
	other := by("d-2", "u-2")
	other["onBehalfOf"].(object)["identityStoreArn"] = "arn:aws:identitystore::444455556666:identitystore/d-2"
	if p, f := w.find(table(t, other, "t")); p.Creator.Name != "u-2" || f.Steps[0].Answer != "in another account" {
		t.Errorf("%s, %v", p.Creator.Name, f.Steps)
	}
}

// TestStores: what one identity store says isn't another's answer.
func TestStores(t *testing.T) {
	t.Parallel()
	const config = "tags: {creator: {value: email}}\nlook-ups: {identity-store: {region: "
	w := newWorld(t, config+"eu-west-1}}")
	e := table(t, session("AWSReservedSSO_Dev_0123456789abcdef", "erin", "ASIASTORES"), "t")
	for _, c := range [][2]string{{"eu-west-1", "d-1"}, {"eu-central-1", "d-2"}} {
		w.Finder = w.Under(parsed(t, config+c[0]+"}}"))
		w.says("sso:ListInstances", 200, `{"Instances":[{"IdentityStoreId":"`+c[1]+`"}]}`)
		w.says("identitystore:GetUserId", 200, `{"UserId":"u"}`)
		w.says("identitystore:DescribeUser", 200, `{"UserName":"erin","Emails":[{"Value":"erin@`+c[1]+`.example.com"}]}`)
		if p, f := w.find(e); p.Creator.Name != "erin@"+c[1]+".example.com" {
			t.Errorf("%s: %s, %v", c[1], p.Creator.Name, f.Steps)
		}
	}
}

// TestChildren: an instance's volumes and network interfaces and an image's snapshots, with
// ARNs of their own, in one call; nothing else that hangs on them.
func TestChildren(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "look-ups: {children: true}")
	const instance = `<instancesSet><item><instanceId>%s</instanceId><instanceState><name>%s</name></instanceState><launchTime>2026-11-21T12:00:00.000Z</launchTime><rootDeviceType>ebs</rootDeviceType><blockDeviceMapping>%s</blockDeviceMapping><networkInterfaceSet>%s</networkInterfaceSet></item></instancesSet>`
	volume := func(id string, after int, goes bool) string {
		return fmt.Sprintf(`<item><deviceName>/dev/sda</deviceName><ebs><volumeId>%s</volumeId><attachTime>%s</attachTime><deleteOnTermination>%t</deleteOnTermination></ebs></item>`, id, noon.Add(time.Duration(after)*time.Second).Format(time.RFC3339), goes)
	}
	eni := func(id, owner string, goes bool) string {
		return fmt.Sprintf(`<item><networkInterfaceId>%s</networkInterfaceId><ownerId>%s</ownerId><attachment><attachTime>2026-11-21T12:00:00.000Z</attachTime><deleteOnTermination>%t</deleteOnTermination></attachment></item>`, id, owner, goes)
	}
	reply := func(items ...string) string {
		return "<DescribeInstancesResponse><reservationSet><item>" + strings.Join(items, "</item><item>") + "</item></reservationSet></DescribeInstancesResponse>"
	}
	w.says("ec2:DescribeInstances", 200, reply(
		fmt.Sprintf(instance, "i-0000000000000000a", "running",
			volume("vol-root", 1, true)+volume("vol-data", 1, false)+volume("vol-late", 30, false)+volume("vol-old", 4000, true),
			eni("eni-own", account, true)+eni("eni-given", account, false)+eni("eni-others", "444455556666", true)),
		fmt.Sprintf(instance, "i-0000000000000000b", "pending", "", ""),
	))
	facts := w.Find(context.Background(), w.plans(instances(t, user("alice"), []string{"i-0000000000000000a"}), instances(t, user("bob"), []string{"i-0000000000000000b"})))
	if got := arns(facts[0].Children); got != "volume/vol-root volume/vol-data network-interface/eni-own" || facts[0].Missing != "" {
		t.Errorf("%s, %+v", got, facts[0])
	}
	if f := facts[1]; len(f.Children) > 0 || !strings.Contains(f.Missing, "i-0000000000000000b") || !f.Until.Equal(noon.Add(3*time.Minute)) {
		t.Errorf("%+v", f)
	}
	if n, what := w.asked(); n != 1 {
		t.Errorf("asked %s", what)
	}
	if c := facts[0].Children[0]; c.ARN != "arn:aws:ec2:eu-west-1:123456789012:volume/vol-root" || c.Type != "AWS::EC2::Volume" || c.API != "ec2" || c.Account != account || c.Region != region || !c.Upsert {
		t.Errorf("%+v", c)
	}
	// What doesn't show after the wait isn't missed: what the instance carries is settled.
	late := instances(t, user("bob"), []string{"i-0000000000000000b"})
	late.Time = noon.Add(-5 * time.Minute)
	if _, f := w.find(late); f.Missing != "" {
		t.Errorf("%+v", f)
	}
	// What was there when the instance was started again may have been attached to it since.
	late = instances(t, user("alice"), []string{"i-0000000000000000a"})
	late.Time = noon.Add(-time.Hour)
	if _, f := w.find(late); len(f.Children) > 0 || f.Missing != "" || len(f.Steps) != 1 {
		t.Errorf("%+v", f)
	}
	// What is known isn't asked again.
	w.forget()
	w.find(instances(t, user("alice"), []string{"i-0000000000000000a"}))
	if n, what := w.asked(); n > 0 {
		t.Errorf("asked %s", what)
	}
	// What the request names was there before.
	w.says("ec2:DescribeImages", 200, `<DescribeImagesResponse><imagesSet><item><imageId>ami-0000000000000000a</imageId><imageOwnerId>123456789012</imageOwnerId><imageState>available</imageState><blockDeviceMapping><item><ebs><snapshotId>snap-new</snapshotId></ebs></item><item><ebs><snapshotId>snap-given</snapshotId></ebs></item></blockDeviceMapping></item></imagesSet></DescribeImagesResponse>`)
	image := record(t, noon, "ec2", "CreateImage", user("alice"), object{"instanceId": "i-1", "blockDeviceMapping": object{"items": []object{{"ebs": object{"snapshotId": "snap-given"}}}}}, object{"imageId": "ami-0000000000000000a"})
	if _, f := w.find(image); arns(f.Children) != "snapshot/snap-new" || f.Children[0].ARN != "arn:aws:ec2:eu-west-1::snapshot/snap-new" || f.Children[0].Account != account {
		t.Errorf("%+v", f)
	}
	// Not there yet, and denied.
	w.says("ec2:DescribeInstances", 400, `<Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code></Error></Errors></Response>`)
	if _, f := w.find(instances(t, user("alice"), []string{"i-0000000000000000c"})); f.Missing == "" {
		t.Errorf("%+v", f)
	}
	// What failed is tried again, and not for ever.
	w.says("ec2:DescribeInstances", 503, `<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>`)
	for _, after := range []time.Duration{2, 3} { // minutes, of the event
		if _, f := w.find(instances(t, user("alice"), []string{"i-0000000000000000c"})); f.Missing == "" || f.Unsure || !f.Until.Equal(noon.Add(after*time.Minute)) {
			t.Errorf("%+v", f)
		}
		w.pass(time.Minute)
	}
	if _, f := w.find(instances(t, user("alice"), []string{"i-0000000000000000c"})); f.Missing != "" {
		t.Errorf("%+v", f)
	}
	w.says("ec2:DescribeInstances", 403, `<Response><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors></Response>`)
	if _, f := w.find(instances(t, user("alice"), []string{"i-0000000000000000c"})); f.Missing != "" || f.Steps[0].Answer != "denied: UnauthorizedOperation" {
		t.Errorf("%+v", f)
	}
}

func arns(all []resolve.Resource) string {
	var ids []string
	for _, r := range all {
		ids = append(ids, r.ARN[strings.LastIndexByte(r.ARN, ':')+1:])
	}
	return strings.Join(ids, " ")
}

// TestChildrenOfReal: the same of an instance and an image in the emulator.
func TestChildrenOfReal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "look-ups: {children: true}")
	w.now = time.Now()
	launched := func(e *cloudtrail.Event) *cloudtrail.Event { e.Time = w.now; return e }
	ec2 := func(op string, form url.Values) string {
		return string(w.call("EC2", "ec2", catalogue.Query, "2016-11-15", op, form, nil))
	}
	cut := func(text, before, after string) string {
		_, rest, _ := strings.Cut(text, before)
		found, _, _ := strings.Cut(rest, after)
		return found
	}
	made := ec2("RunInstances", url.Values{"ImageId": {"ami-12c6146b"}, "MinCount": {"1"}, "MaxCount": {"1"}})
	i := cut(made, "<instanceId>", "<")
	image := cut(ec2("CreateImage", url.Values{"InstanceId": {i}, "Name": {i}}), "<imageId>", "<")
	w.forget()
	_, f := w.find(launched(instances(t, user("alice"), []string{i})))
	if got := arns(f.Children); !strings.Contains(got, "volume/vol-") {
		t.Errorf("%s: %s, %+v", i, got, f)
	}
	_, f = w.find(record(t, noon, "ec2", "CreateImage", user("alice"), object{"instanceId": i}, object{"imageId": image}))
	if got := arns(f.Children); !strings.Contains(got, "snapshot/snap-") {
		t.Errorf("%s: %s, %+v", image, got, f)
	}
}

// TestDenied: whatever is denied or down, the next source is asked, and the steps say so.
func TestDenied(t *testing.T) {
	t.Parallel()
	const all = "look-ups: {ledger: true, parents: true, children: true}\ncost-center: [{session-tag: cc}, {principal-tag: cc}, {account-tag: cc}, {organizational-unit: {r-ab12: '1'}}, {default: '0'}]"
	for _, status := range []int{http.StatusForbidden, http.StatusInternalServerError} {
		w := newWorld(t, all)
		for _, action := range []string{"dynamodb:Query", "iam:GetRole", "organizations:ListTagsForResource", "organizations:ListParents", "ec2:DescribeInstances", "ec2:DescribeTags", "autoscaling:DescribeTags", "cloudformation:DescribeStacks"} {
			w.says(action, status, "")
		}
		for _, e := range []*cloudtrail.Event{
			instances(t, session("Dev", "erin", "ASIADENIED"), []string{"i-0000000000000000d"}),
			instances(t, linked("autoscaling"), []string{"i-0000000000000000d"}, "aws:autoscaling:groupName", "web"),
			instances(t, cfn(), []string{"i-0000000000000000d"}, "aws:cloudformation:stack-id", stack("web")),
			instances(t, cfn(), []string{"i-0000000000000000d"}),
		} {
			made := w.plans(e)[0]
			p, f := w.find(e)
			down := status == http.StatusInternalServerError // then it may be known later; only children are waited for
			if p.Creator != made.Creator || !f.Unsure || (f.Missing != "") != down || down && f.Missing != "what came with "+made.Resources[0].ARN || len(f.Steps) < 4 || p.Resources[0].Tags["cost-center"] != "0" {
				t.Errorf("%d: %s, %+v", status, p.Creator.Name, f)
			}
			for _, s := range f.Steps {
				if !strings.HasPrefix(s.Answer, "denied: ") && !strings.HasPrefix(s.Answer, "failed: ") {
					t.Errorf("%d: %+v", status, s)
				}
			}
		}
	}
}

// TestUnsure: what only the cost center hangs on, or the form of a name, leaves no doubt of
// who it was.
func TestUnsure(t *testing.T) {
	t.Parallel()
	sso := table(t, session("AWSReservedSSO_Dev_0123456789abcdef", "erin", "AKIASSO"), "t")
	dev := table(t, session("unsure-dev", "erin", "AKIAUNSURE"), "t")
	const strict = "sessions: {strict: true, verify: true}\n"
	for _, c := range []struct {
		config, action string
		e              *cloudtrail.Event
		failed         bool
		unsure, cost   bool
	}{
		{"cost-center: [{principal-tag: cc}]", "iam:GetRole", dev, false, false, true},
		{"cost-center: [{principal-tag: cc}]", "iam:GetRole", dev, true, false, true},
		{"cost-center: [{account-tag: cc}]", "organizations:ListTagsForResource", dev, false, false, true},
		{"cost-center: [{organizational-unit: {r-ab12: '9'}}]", "organizations:ListParents", dev, false, false, true},
		{strict, "iam:GetRole", dev, false, true, false},
		{strict + "cost-center: [{principal-tag: cc}]", "iam:GetRole", dev, false, true, true},
		{"look-ups: {ledger: true}", "dynamodb:Query", table(t, session("unsure-dev", "erin", "ASIAUNSURE"), "t"), false, true, false},
		{"tags: {creator: {value: email}}\nlook-ups: {identity-store: {region: eu-west-1}}", "sso:ListInstances", sso, false, false, false},
		{"tags: {creator: {value: email}}\nlook-ups: {identity-store: {region: eu-west-1}}", "sso:ListInstances", sso, true, true, false},
	} {
		w := newWorld(t, c.config)
		w.refuses(c.action)
		if c.failed {
			w.says(c.action, http.StatusServiceUnavailable, "")
		}
		if _, f := w.find(c.e); f.Unsure != c.unsure || f.UnsureCost != c.cost || (f.Missing != "") != c.failed || len(f.Steps) == 0 {
			t.Errorf("%s: %+v", c.config, f)
		}
	}
}

// TestFailedWithoutLedger: where nothing remembers what was written, a look-up that failed is
// waited for, and not for ever.
func TestFailedWithoutLedger(t *testing.T) {
	t.Parallel()
	for config, until := range map[string][4]time.Duration{ // minutes after the event, of a try each minute
		"look-ups: {parents: true}":               {2, 3, 3, 3},
		"look-ups: {parents: true, ledger: true}": {1, 2, 3, 3},
	} {
		w := newWorld(t, config)
		w.says("autoscaling:DescribeTags", http.StatusServiceUnavailable, "")
		for _, after := range until {
			_, f := w.find(instances(t, linked("autoscaling"), []string{"i-0123456789abcdef0"}, "aws:autoscaling:groupName", "failed"))
			if f.Missing == "" || !f.Until.Equal(noon.Add(after*time.Minute)) {
				t.Errorf("%s: missing %q until %v", config, f.Missing, f.Until)
			}
			w.pass(time.Minute)
		}
	}
}

// TestUnassumed: an account whose role can't be assumed has no tags to tell.
func TestUnassumed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "cost-center: [{principal-tag: cc}, {default: '0'}]")
	w.Caller = awsapi.New(w.cfg, func(account string) aws.CredentialsProvider {
		return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, &apply.Unassumed{Role: account, Err: errDenied}
		})
	})
	if p, f := w.find(table(t, user("alice"), "t")); p.Resources[0].Tags["cost-center"] != "0" || f.Steps[0].Answer != "denied: role-not-assumed" {
		t.Errorf("%v, %v", p.Resources[0].Tags, f.Steps)
	}
}

// TestBudget: an endpoint that hangs takes a quarter of the time left, not more, and what
// it didn't answer isn't asked again at once.
func TestBudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "look-ups: {ledger: true}\ncost-center: [{principal-tag: cc}, {account-tag: cc}]")
	for _, action := range []string{"dynamodb:Query", "iam:GetRole", "organizations:ListTagsForResource"} {
		w.script[action] = answer{hang: true}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var events []*cloudtrail.Event
	for i := range 50 {
		events = append(events, table(t, session("Dev", "erin", fmt.Sprint("ASIAHANG", i)), "t"))
	}
	began := time.Now()
	facts := w.Find(ctx, w.plans(events...))
	if took := time.Since(began); took > 1500*time.Millisecond || took < 400*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	for _, f := range facts {
		if f.Creator != nil || f.Missing == "" || f.Until.After(w.clock()) || !f.Unsure || len(f.Steps) == 0 {
			t.Fatalf("%+v", f)
		}
	}
	w.forget()
	began = time.Now()
	w.Find(ctx, w.plans(events[0]))
	if n, what := w.asked(); strings.Contains(what, "dynamodb") {
		t.Errorf("asked again: %d %s", n, what)
	}
	if took := time.Since(began); took > 1500*time.Millisecond {
		t.Errorf("then it took %v", took)
	}
}

// TestBudgetOfOwnTags: tags that can't be read in time leave some for the others' look-ups.
func TestBudgetOfOwnTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "look-ups: {ledger: true, parents: true}")
	w.records(assume(t, user("alice"), "Dev", "1234567890", "ASIABUDGET"))
	w.script["tag:GetResources"], w.script["dynamodb:ListTagsOfResource"] = answer{hang: true}, answer{hang: true}
	ctx, cancel := context.WithTimeout(t.Context(), 16*time.Second)
	defer cancel()
	facts := w.Find(ctx, w.plans(table(t, linked("autoscaling"), "hangs"), table(t, session("Dev", "1234567890", "ASIABUDGET"), "t")))
	if f := facts[0]; !f.Unsure || f.Missing == "" || f.Until.After(w.clock()) {
		t.Errorf("%+v", f)
	}
	if f := facts[1]; f.Creator == nil || f.Creator.Name != "alice" || f.Unsure || f.Missing != "" {
		t.Errorf("%+v", f)
	}
}

// TestSettled: nothing is asked about what the request has settled.
func TestSettled(t *testing.T) {
	t.Parallel()
	const all = "look-ups: {ledger: true, parents: true}\ncost-center: [{parent-tag: cc}, {principal-tag: cc}, {account-tag: cc}]"
	w := newWorld(t, all)
	for _, by := range []object{session("Dev", "x", "ASIASETTLED"), linked("autoscaling")} {
		if _, f := w.find(table(t, by, "t", "creator", "alice", "cost-center", "1")); len(f.Steps) > 0 {
			t.Errorf("%+v", f)
		}
	}
	if n, what := w.asked(); n > 0 {
		t.Errorf("asked %s", what)
	}
	// Unless what it has is replaced.
	w = newWorld(t, all+"\nexisting: replace")
	if w.find(table(t, session("Dev", "x", "ASIASETTLED"), "t", "creator", "alice", "cost-center", "1")); w.calls["dynamodb:Query"] != 1 {
		_, what := w.asked()
		t.Errorf("asked %s", what)
	}
}
