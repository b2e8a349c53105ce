package integration_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"autotagger/internal/deployment"
	"autotagger/internal/integration"
)

// TestHubTagsInSpokes runs the real function as a hub does: each event is handled
// in its own account, under the role that the account's spoke has for it, which is
// assumed once. An account without that role doesn't hold up the others.
func TestHubTagsInSpokes(t *testing.T) {
	t.Parallel()
	const refused = "444433332222"
	accounts := []string{"222233334444", "333344445555", refused}
	types := []string{"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SNS::Topic", "AWS::SecretsManager::Secret"}

	var batch events.SQSEvent
	made := map[string][]string{} // by account
	for _, account := range accounts {
		spoke := integration.Account{TB: t, URL: shared.url}.In(account)
		for _, k := range integration.Kinds() {
			if !slices.Contains(types, k.Type) {
				continue
			}
			m := k.Create(spoke, "spoke-"+account[:4]+"-"+fmt.Sprint(len(batch.Records)))
			body, err := k.Event(t, m).Place(account, integration.Region).JSON()
			if err != nil {
				t.Fatal(err)
			}
			made[account] = append(made[account], m.ARNs...)
			batch.Records = append(batch.Records, events.SQSMessage{MessageId: account + " " + k.Type, Body: string(body), EventSource: "aws:sqs"})
		}
	}
	if len(batch.Records) != len(accounts)*len(types) {
		t.Fatalf("%d events", len(batch.Records))
	}

	// assumed are the roles that were assumed; one is refused.
	var mu sync.Mutex
	var assumed []string
	to, err := url.Parse(shared.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			t.Error(err)
		}
		role := form.Get("RoleArn")
		mu.Lock()
		assumed = append(assumed, role)
		mu.Unlock()
		if strings.Contains(role, refused) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>")
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(sts.Close)

	role := deployment.SpokeRole("tagger")
	answer, log := integration.Invoke(t, "tagger", "cors: off\n", batch, deployment.EnvSpokeRole+"="+role,
		"AWS_ENDPOINT_URL="+shared.url, "AWS_ENDPOINT_URL_STS="+sts.URL)
	for _, item := range answer.BatchItemFailures {
		if !strings.HasPrefix(item.ItemIdentifier, refused) {
			t.Errorf("%s is left in the queue", item.ItemIdentifier)
		}
	}
	if len(answer.BatchItemFailures) != len(types) || strings.Count(log, `"why":"role-not-assumed"`) != len(types) {
		t.Errorf("%d messages are left, want the %d of the account whose role can't be assumed\n%s", len(answer.BatchItemFailures), len(types), log)
	}
	for account, arns := range made {
		spoke := integration.Account{TB: t, URL: shared.url}.In(account)
		for _, arn := range arns {
			if creator := spoke.Tags(arn)["creator"]; (creator == integration.Creator) == (account == refused) {
				t.Errorf("%s has the creator %q\n%s", arn, creator, log)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, account := range accounts[:2] {
		arn := "arn:aws:iam::" + account + ":role/" + role
		if n := len(slices.DeleteFunc(slices.Clone(assumed), func(r string) bool { return r != arn })); n != 1 {
			t.Errorf("%s was assumed %d times: %v", arn, n, assumed)
		}
	}
}
