package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"autotagger/internal/deployment"
	"autotagger/internal/emulator"
	"autotagger/internal/policy"
	"autotagger/internal/sample"
)

// EnforceLookUps is [Deployed.Enforce] for look-ups, of a configuration that wants all of
// them but children of images. The ledger's function records a chain of two sessions and a
// stack. The tagger names who began the chain, for a table and an instance of the last
// session, for the instance's volume, and for a group that the stack made. It asks IAM,
// Organizations and the Identity Store, and puts a tag back that was taken away. No call of
// either may be refused, and without any of the actions, one taken out at a time, that one
// must be.
//
// moto looks at no conditions: which of the table's keys the tagger may write
// (dynamodb:LeadingKeys), and in which account it may ask the identity store
// (aws:PrincipalAccount), the infrastructure's tests evaluate. Of the services that parents
// belong to only Auto Scaling is asked for tags.
func EnforceLookUps(t testing.TB, ledger, tagger Deployed, actions ...string) {
	t.Helper()
	srv, err := emulator.Start(t.Context(), emulator.Options{Region: Region})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	if err := srv.MakeLedger(t.Context(), deployment.Table); err != nil {
		t.Fatal(err)
	}
	a := Account{TB: t, URL: srv.URL}
	w := a.lookedInto(tagger.Config)
	env := []string{deployment.EnvTable + "=" + deployment.Table, deployment.EnvAccount + "=" + emulator.Account}
	tagger.bin = build(t, tagger.Function)
	recorder, looker := ledger.ready(a, env...), tagger.ready(a, env...)
	enforce := func(on bool) {
		t.Helper()
		if err := srv.EnforceIAM(t.Context(), on); err != nil {
			t.Fatal(err)
		}
	}
	enforce(true)
	if answer, log := recorder.invoke(w.recorded); len(answer.BatchItemFailures) > 0 || !strings.Contains(log, `"recorded":{"session":2,"stack":1}`) {
		t.Fatalf("recording: %v\n%s", answer, log)
	}
	a.mayNot(recorder.role, append(attempts(), tableAttempts()...))
	_, log := looker.invoke(w.made) // the group may come again: its stack is newer than its event
	a.mayNot(looker.role, append(attempts(), tableAttempts()...))
	enforce(false)
	w.check(a, log)
	untag := func() {
		a.json("dynamodb", "DynamoDB_20120810.UntagResource", object{"ResourceArn": w.table, "TagKeys": []string{w.tags.Creator}})
	}
	untag()
	enforce(true)
	_, log = looker.invoke(w.removed)
	enforce(false)
	w.check(a, log)
	if refused := slices.Concat(recorder.refused, looker.refused); len(refused) > 0 {
		t.Errorf("%v are refused", refused)
	}

	all := events.SQSEvent{Records: slices.Concat(w.made.Records, w.removed.Records)}
	for _, action := range actions {
		less := tagger.without(t, action).ready(a, env...)
		untag()
		enforce(true)
		_, log := less.invoke(all)
		enforce(false)
		if len(slices.Compact(less.refused)) != 1 || less.refused[0] != action {
			t.Errorf("without %s %v are refused\n%s", action, less.refused, log)
		}
	}
}

// lookedInto are resources of an account into which look-ups are made, and their events.
type lookedInto struct {
	tags                    policy.Tags
	recorded, made, removed events.SQSEvent
	table, topic            string
	instance, volume        string
}

func (a Account) lookedInto(config string) (w lookedInto) {
	a.Helper()
	p, err := policy.Parse("autotagger.yaml", []byte(config))
	if err != nil {
		a.Fatal(err)
	}
	w.tags = p.Tags
	const pipeline, deploy = "ASIAPIPELINE00000001", "ASIADEPLOY0000000001"
	a.query("iam", "CreateRole", "RoleName", "Pipeline", "AssumeRolePolicyDocument", trust, "Tags.member.1.Key", "cc", "Tags.member.1.Value", "4711")
	a.json("organizations", "AWSOrganizationsV20161128.CreateOrganization", object{"FeatureSet": "ALL"})
	person := a.text(a.json("identitystore", "AWSIdentityStore.CreateUser", object{
		"IdentityStoreId": "d-1234567890", "UserName": "dora", "DisplayName": "Dora", "Name": object{"GivenName": "Dora", "FamilyName": "M"},
	}), "UserId")
	stack := a.query("cloudformation", "CreateStack", "StackName", "web", "TemplateBody", `{"Resources":{"T":{"Type":"AWS::SNS::Topic"}}}`).one("StackId")
	a.Group("web", map[string]string{"aws:cloudformation:stack-id": stack})
	w.instance = a.instance()
	w.volume = a.query("ec2", "DescribeInstances", "InstanceId.1", w.instance).one("volumeId")

	say := func(file string, minutes time.Duration, by map[string]any) *sample.Event {
		e := sample.Read(os.DirFS(filepath.Join(Root(a), "events")), file).Place(emulator.Account, Region).At(time.Now().Add(-minutes * time.Minute))
		if by != nil {
			e.By(by)
		}
		return e
	}
	ci, deployer := Role("Pipeline", "GitHubActions", pipeline, ""), Role("Deploy", "deploy", deploy, "")
	const key = "responseElements.credentials.accessKeyId"
	w.recorded = a.batch(
		say("ledger/AssumeRoleWithWebIdentity_github.json", 9, nil).Set(key, pipeline),
		say("ledger/AssumeRole_chain.json", 9, ci).Set(key, deploy),
		say("cloudformation/CreateStack.json", 8, deployer).Set("requestParameters.stackName", "web").Set("responseElements.stackId", stack),
	)

	group := say("autoscaling/CreateAutoScalingGroup.json", 7, Role("cfn", "AWSCloudFormation", "ASIACFN0000000000001", "cloudformation.amazonaws.com")).
		Untag().Set("requestParameters.autoScalingGroupName", "web")
	instance := say("ec2/RunInstances.json", 0, deployer).
		Untag().Set("responseElements.instancesSet", object{"items": []object{{"instanceId": w.instance}}})
	var table, topic *sample.Event
	for _, k := range Kinds() {
		switch k.Type {
		case "AWS::DynamoDB::Table":
			made := k.Create(a, "looked-into")
			w.table, table = made.ARNs[0], k.Event(a, made).By(deployer)
		case "AWS::SNS::Topic":
			made := k.Create(a, "looked-into")
			w.topic, topic = made.ARNs[0], k.Event(a, made).By(object{
				"type": "IdentityCenterUser", "accountId": emulator.Account,
				"onBehalfOf": object{"userId": person, "identityStoreArn": "arn:aws:identitystore::" + emulator.Account + ":identitystore/d-1234567890"},
			})
		}
	}
	w.made = a.batch(table, topic, group, instance)
	w.removed = a.batch(say("dynamodb/CreateTable.json", 1, sample.User(emulator.Account, "mallory")).
		Set("eventName", "UntagResource").Set("requestParameters", object{"resourceArn": w.table, "tagKeys": []string{w.tags.Creator}}).Set("responseElements", nil))
	w.removed.Records[0].MessageId = "removed"
	return w
}

// check looks whether all resources got what the look-ups say.
func (w lookedInto) check(a Account, log string) {
	a.Helper()
	const subject = "repo:example/shop:ref:refs/heads/main"
	for name, tags := range map[string]map[string]string{
		"the table": a.Tags(w.table), "the stack's group": a.GroupTags("web"),
		"the instance": a.Tags(arn("ec2", "instance/"+w.instance)), "its volume": a.Tags(arn("ec2", "volume/"+w.volume)),
	} {
		if tags[w.tags.Creator] != subject || tags[w.tags.CostCenter] != "4711" {
			a.Errorf("%s has %v\n%s", name, tags, log)
		}
	}
	if tags := a.Tags(w.topic); tags[w.tags.Creator] != "dora" {
		a.Errorf("the topic has %v\n%s", tags, log)
	}
}

// batch is a queue's batch of events.
func (a Account) batch(all ...*sample.Event) (batch events.SQSEvent) {
	a.Helper()
	for _, e := range all {
		body, err := e.JSON()
		if err != nil {
			a.Fatal(err)
		}
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: string(rune('a' + len(batch.Records))), Body: string(body), EventSource: "aws:sqs"})
	}
	return batch
}

// without is the function without an action.
func (d Deployed) without(t testing.TB, action string) Deployed {
	t.Helper()
	d.lacks, d.Policies = "-without-"+strings.ReplaceAll(action, ":", "-"), slices.Clone(d.Policies)
	for i, p := range d.Policies {
		doc := read(t, p)
		for j := len(doc.Statement) - 1; j >= 0; j-- {
			s := &doc.Statement[j]
			if s.Action = slices.DeleteFunc(s.Action, func(a string) bool { return a == action }); len(s.Action) == 0 {
				doc.Statement = slices.Delete(doc.Statement, j, j+1)
			}
		}
		out, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		d.Policies[i] = string(out)
	}
	return d
}
