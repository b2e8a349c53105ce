package sample_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"autotagger/internal/sample"
)

const queue = `{"account":"111122223333","region":"eu-north-1","time":"2026-11-21T10:00:00Z","detail":{
	"eventTime":"2026-11-21T10:00:00Z","eventName":"CreateQueue","awsRegion":"eu-north-1","recipientAccountId":"111122223333","eventID":"1",
	"userIdentity":{"type":"Root"},"big":12345678901234567890,
	"requestParameters":{"queueName":"orders","tags":{"team":"orders"},"spec":[{"TagSpecification":{"tag":1},"Key":"k"}]},
	"responseElements":{"queueUrl":"https://sqs.eu-north-1.amazonaws.com/111122223333/orders","nothing":null}}}`

func TestEvent(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{"q.json": {Data: []byte(queue)}, "no.json": {Data: []byte(`{"Records":[]}`)}}
	made := func(name string) *sample.Event {
		return sample.Read(fsys, name).Place("123456789012", "eu-west-1").At(time.Unix(0, 0)).By(sample.User("123456789012", "bob")).Untag()
	}
	body, err := made("q.json").Set("requestParameters.queueName", "new").
		Set("responseElements.nothing.items.0.id", "i-1").Set("responseElements.nothing.items.1.id", "i-2").JSON()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Account, Region, Time string
		Detail                struct {
			EventID, EventTime string
			Big                json.Number
			UserIdentity       struct{ UserName string }
			RequestParameters  map[string]any
			ResponseElements   struct {
				QueueURL string
				Nothing  struct{ Items []struct{ ID string } }
			}
		}
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	d := got.Detail
	if got.Account != "123456789012" || got.Region != "eu-west-1" || got.Time != "1970-01-01T00:00:00Z" || d.EventTime != got.Time ||
		d.Big != "12345678901234567890" || d.UserIdentity.UserName != "bob" ||
		d.RequestParameters["queueName"] != "new" || strings.Contains(strings.ToLower(string(body)), "tag") ||
		d.ResponseElements.QueueURL != "https://sqs.eu-west-1.amazonaws.com/123456789012/orders" ||
		len(d.ResponseElements.Nothing.Items) != 2 || d.ResponseElements.Nothing.Items[1].ID != "i-2" {
		t.Errorf("got %s", body)
	}
	again, err := made("q.json").JSON()
	if err != nil {
		t.Fatal(err)
	}
	same, err := made("q.json").JSON()
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != string(same) || strings.Contains(string(again), d.EventID) {
		t.Error("an event's id doesn't follow from the event")
	}
	for name, bad := range map[string]*sample.Event{
		"a file that isn't there": made("x.json"),
		"something else":          made("no.json"),
		"a path through a text":   made("q.json").Set("eventName.x", 1),
		"a far item":              made("q.json").Set("requestParameters.spec.7", 1),
	} {
		if _, err := bad.JSON(); err == nil {
			t.Errorf("%s made an event", name)
		}
	}
}
