package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
	"autotagger/internal/iampolicy"
	"autotagger/internal/models"
)

// roleDocuments are the parsed policies of the role whose logical id begins with
// prefix.
func roleDocuments(t *testing.T, tpl template, prefix string) []iampolicy.Document {
	t.Helper()
	var all []iampolicy.Document
	for _, text := range documents(t, tpl, prefix) {
		all = append(all, parsed(t, text))
	}
	if len(all) == 0 {
		t.Fatalf("there is no role %s", prefix)
	}
	return all
}

func parsed(t *testing.T, text string) iampolicy.Document {
	t.Helper()
	doc, err := iampolicy.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return doc
}

// allActions is every action that IAM knows, read from the models.
var allActions = sync.OnceValues(func() ([]string, error) {
	iam, err := models.ReadIAM(context.Background(), "../build/inputs")
	if err != nil {
		return nil, err
	}
	var actions []string
	for prefix, service := range iam {
		for _, a := range service.Actions {
			actions = append(actions, prefix+":"+a.Name)
		}
	}
	if len(actions) < 20000 {
		return nil, fmt.Errorf("IAM knows only %d actions", len(actions))
	}
	return actions, nil
})

func everyAction(t *testing.T) []string {
	t.Helper()
	actions, err := allActions()
	if err != nil {
		t.Fatal(err)
	}
	return actions
}

// resourceFor is an ARN that an action may be asked for.
func resourceFor(action string) string {
	service, _, _ := strings.Cut(action, ":")
	if service == "apigateway" {
		return "arn:aws:apigateway:" + testRegion + "::/tags/arn%3Aaws%3Aapigateway%3A" + testRegion + "%3A%3A%2Frestapis%2Fa"
	}
	return "arn:aws:" + service + ":" + testRegion + ":" + testAccount + ":thing/a"
}

// taggingWith is what a request to tag says of itself.
func taggingWith(keys ...string) map[string][]string {
	c := map[string][]string{"aws:TagKeys": keys}
	for _, k := range keys {
		c["aws:RequestTag/"+k] = []string{"v"}
	}
	return c
}

// TestEveryRowIsPermitted evaluates the policies of the role that tags, which are
// those of spokes too (TestSpokeRoles): every row of the catalogue has its permissions
// for our keys, and of the 22,000 actions that IAM knows no other is allowed.
//
// What this doesn't prove: that AWS fills in the condition keys as documented, and
// that an operation asks for the actions that the catalogue says. The latter is tried
// on the emulator (TestPermissionsSuffice), for what it has.
func TestEveryRowIsPermitted(t *testing.T) {
	rows := rowsOn(t)
	keys := testPolicy(t).Keys()
	policies := roleDocuments(t, theTemplate(t), "TaggerRole")
	decide := func(action string, keys ...string) iampolicy.Result {
		return iampolicy.Evaluate(iampolicy.Request{Action: action, Resource: resourceFor(action), Context: taggingWith(keys...)}, policies...)
	}
	needed := map[string]bool{}
	for _, action := range catalogue.Actions(rows) {
		needed[action] = true
		for _, key := range keys {
			if r := decide(action, key); r.Decision != iampolicy.Allowed {
				t.Errorf("%s with the key %s is %s %s", action, key, r.Decision, r.Why)
			}
		}
		if r := decide(action, "another"); r.Decision == iampolicy.Allowed && !reads(action) && !anyKey(action) {
			t.Errorf("%s is allowed with another key than ours, by %s", action, r.Sid)
		}
	}
	for _, row := range rows {
		for _, res := range row.Resources {
			for _, action := range res.Permissions {
				if !needed[action] {
					t.Errorf("%s of %s %s isn't evaluated", action, row.Source, row.Event)
				}
			}
		}
	}
	own := ownActions()
	for _, action := range everyAction(t) {
		if needed[action] || slices.Contains(own, action) {
			continue
		}
		if r := decide(action, keys...); r.Decision != iampolicy.NotAllowed {
			t.Errorf("%s is %s by %q %s, and no row needs it", action, r.Decision, r.Sid, r.Why)
		}
	}
}

// TestCORSIsAllThatCorsMay does the same for the other function.
func TestCORSIsAllThatCorsMay(t *testing.T) {
	policies := roleDocuments(t, theTemplate(t), "CorsRole")
	want := append(ownActions(), "s3:GetBucketCORS", "s3:PutBucketCORS")
	for _, action := range everyAction(t) {
		resource := resourceFor(action)
		if strings.HasPrefix(action, "s3:") {
			resource = "arn:aws:s3:::bucket"
		}
		r := iampolicy.Evaluate(iampolicy.Request{Action: action, Resource: resource}, policies...)
		if allowed := r.Decision != iampolicy.NotAllowed; allowed && !slices.Contains(want, action) || !allowed && strings.HasSuffix(action, "BucketCORS") {
			t.Errorf("%s is %s by %q", action, r.Decision, r.Sid)
		}
	}
}

// ownActions are what a function needs for itself. In a template their resources are
// references, which are wildcards once resolved: other tests look at what they name.
func ownActions() []string {
	return slices.Concat(ownLogs, ownQueue, ownParameters, []string{"sqs:SendMessage", "cloudtrail:LookupEvents"})
}

// TestConfigurationBucket: the functions may read the configuration's bucket, and tell an
// object that was deleted from one that they may not read; nothing of another bucket,
// and they write none.
func TestConfigurationBucket(t *testing.T) {
	s := organisation(t)
	s.ConfigBucket = "my-bucket"
	tpl, _, err := makeHub(s)
	if err != nil {
		t.Fatal(err)
	}
	may := map[string]string{
		"s3:GetObject": "/autotagger.yaml", "s3:GetObjectVersion": "/autotagger.yaml",
		"s3:ListBucket": "", "s3:ListBucketVersions": "",
	}
	for _, role := range []string{"TaggerRole", "CorsRole"} {
		policies := roleDocuments(t, tpl, role)
		for _, action := range everyAction(t) {
			if !strings.HasPrefix(action, "s3:") {
				continue
			}
			for _, bucket := range []string{"my-bucket", "another"} {
				for _, path := range []string{"", "/autotagger.yaml"} {
					want := iampolicy.NotAllowed
					if of, ok := may[action]; ok && of == path && bucket == "my-bucket" {
						want = iampolicy.Allowed
					}
					r := iampolicy.Evaluate(iampolicy.Request{Action: action, Resource: "arn:aws:s3:::" + bucket + path}, policies...)
					if r.Decision != want {
						t.Errorf("%s: %s of %s%s is %s, want %s", role, action, bucket, path, r.Decision, want)
					}
				}
			}
		}
	}
}

// TestHubMayOnlyAssume: in an organisation the functions' own roles have no tagging of
// their own, and assume the one role that spokes have for them, in the organisation.
func TestHubMayOnlyAssume(t *testing.T) {
	tpl, _, err := makeHub(organisation(t))
	if err != nil {
		t.Fatal(err)
	}
	own := ownActions()
	for id, job := range map[string]string{"TaggerRole": "tagger", "CorsRole": "cors"} {
		policies := roleDocuments(t, tpl, id)
		for _, action := range everyAction(t) {
			r := iampolicy.Evaluate(iampolicy.Request{Action: action, Resource: resourceFor(action), Context: taggingWith(testPolicy(t).Keys()...)}, policies...)
			if r.Decision != iampolicy.NotAllowed && !slices.Contains(own, action) {
				t.Errorf("%s: %s is %s by %s", job, action, r.Decision, r.Sid)
			}
		}
		for _, c := range []struct {
			role, organization string
			want               iampolicy.Decision
		}{
			{deployment.SpokeRole(job), testOrganization, iampolicy.Allowed},
			{deployment.SpokeRole(job), "o-another", iampolicy.NotAllowed},
			{"Admin", testOrganization, iampolicy.NotAllowed},
			{deployment.SpokeRole(map[string]string{"tagger": "cors", "cors": "tagger"}[job]), testOrganization, iampolicy.NotAllowed},
		} {
			r := iampolicy.Evaluate(iampolicy.Request{
				Action: "sts:AssumeRole", Resource: "arn:aws:iam::444455556666:role/" + c.role,
				Context: map[string][]string{"aws:ResourceOrgID": {c.organization}},
			}, policies...)
			if r.Decision != c.want {
				t.Errorf("%s may assume %s of %s: %s, want %s (%s)", job, c.role, c.organization, r.Decision, c.want, r.Why)
			}
		}
	}
}
