package resolve_test

import (
	"testing"
	"testing/fstest"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/resolve"
)

// TestCreatedByTheCall: a call that may change what exists has created it where
// the time of creation in the answer is that of the call, in any of the forms.
func TestCreatedByTheCall(t *testing.T) {
	t.Parallel()
	const row = "source: x.amazonaws.com\napi: none\n\nevent: PutThing\ntype: x:thing\narn: arn:{partition}:x:{region}:{account}:thing/{id}\n" +
		"from: request.id\nwhen: response.at={time}\nwhen: request.catalog?={account}\nupsert: yes\nevidence: none\n"
	c := catalogue.New(fstest.MapFS{"x.txt": {Data: []byte(row)}})
	for response, want := range map[string]string{
		`{"at":"2026-01-15T10:00:30Z"}`:     "thing/t1",
		`{"at":"2026-01-15T09:00:00Z"}`:     "not-a-create",
		`{"at":"Jan 15, 2026 10:00:01 AM"}`: "thing/t1",
		`{"at":"Jan 15, 2026 10:00:01 PM"}`: "not-a-create",
		`{"at":1768471201}`:                 "thing/t1",
		`{"at":1768471201.5}`:               "thing/t1",
		`{"at":1768471201500}`:              "thing/t1",
		`{"at":1668471201}`:                 "not-a-create",
		`{"at":"soon"}`:                     "not-a-create",
		`{}`:                                "not-a-create",
		`null`:                              "not-a-create",
	} {
		for catalog, mine := range map[string]bool{"": true, `,"catalog":"111122223333"`: true, `,"catalog":"444455556666"`: false} {
			record := `{"eventSource":"x.amazonaws.com","eventName":"PutThing","awsRegion":"eu-west-1","recipientAccountId":"111122223333",` +
				`"eventTime":"2026-01-15T10:00:00Z","requestParameters":{"id":"t1"` + catalog + `},"responseElements":` + response + `}`
			wanted := want
			if !mine {
				wanted = "not-a-create"
			}
			e, err := cloudtrail.Decode(record)
			if err != nil {
				t.Fatal(err)
			}
			created, reason, _, err := resolve.Resolve(c, switches{}, e)
			if err != nil {
				t.Fatal(err)
			}
			got := string(reason)
			if len(created) == 1 {
				got = created[0].ARN[len("arn:aws:x:eu-west-1:111122223333:"):]
			}
			if got != wanted {
				t.Errorf("%s %s: %s, want %s", response, catalog, got, wanted)
			}
		}
	}
}
