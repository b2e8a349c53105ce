package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/rogpeppe/go-internal/testscript"

	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
	"autotagger/internal/emulator"
)

// hubStack is what redrive needs of the hub.
const hubStack = `{"Resources":{
	"TaggerQueue":{"Type":"AWS::SQS::Queue"}, "TaggerDead":{"Type":"AWS::SQS::Queue"},
	"CorsQueue":{"Type":"AWS::SQS::Queue"}, "CorsDead":{"Type":"AWS::SQS::Queue"}, "Undelivered":{"Type":"AWS::SQS::Queue"},
	"Writing":{"Type":"AWS::SSM::Parameter","Properties":{"Name":"/autotagger/writing","Type":"String","Value":"WRITING"}}},
"Outputs":{
	"TaggerQueueUrl":{"Value":{"Ref":"TaggerQueue"}}, "TaggerDeadLetterQueueUrl":{"Value":{"Ref":"TaggerDead"}},
	"CorsQueueUrl":{"Value":{"Ref":"CorsQueue"}}, "CorsDeadLetterQueueUrl":{"Value":{"Ref":"CorsDead"}},
	"UndeliveredQueueUrl":{"Value":{"Ref":"Undelivered"}}}}`

// TestRedrive runs the command on the queues of a stack in an emulator. Each script has
// a region of its own and these commands:
//
//	deploy on|off                   the stack; its outputs are in the environment
//	writing on|off|gone             the functions' switch
//	dead QUEUE REASON FILE N        puts a file into a queue N times, with a reason
//	undelivered RULE FILE           puts it where EventBridge puts what it can't deliver
//	holds QUEUE… N                  checks how many messages can be received in all
//	refuse CALL, refuse             lets AWS refuse a call; none
//	slow CALL                       lets AWS take a second for each such call
//	await                           waits until one has begun
func TestRedrive(t *testing.T) {
	t.Parallel()
	emu, err := emulator.Start(t.Context(), emulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// The scripts run in parallel to this test, once it has returned.
	t.Cleanup(emu.Stop)
	target, err := url.Parse(emu.URL)
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	regions := []string{"eu-west-1", "eu-west-2", "eu-north-1", "us-west-2"}
	var used atomic.Int64
	testscript.Run(t, testscript.Params{
		Dir: "testdata/redrive",
		Setup: func(env *testscript.Env) error {
			h := &hub{region: regions[used.Add(1)-1], begun: make(chan struct{}, 100)}
			proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.pass(w, r, proxy) }))
			env.Defer(srv.Close)
			h.cfg = emu.Config()
			h.cfg.Region = h.region
			for k, v := range map[string]string{
				"AWS_ENDPOINT_URL": srv.URL, "AWS_REGION": h.region, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y",
				"AWS_MAX_ATTEMPTS": "1", "EVENTS": filepath.Join(root, "events"),
			} {
				env.Setenv(k, v)
			}
			env.Values[hubKey{}] = h
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "deploy": deploy, "writing": writing, "dead": dead, "undelivered": undelivered, "holds": holds, "refuse": refuse,
			"slow": slow, "await": await,
		},
	})
}

type hubKey struct{}

// hub is a script's deployment.
type hub struct {
	region        string
	cfg           aws.Config
	refused, slow atomic.Value // of a call's name
	begun         chan struct{}
}

// pass passes a call on, unless it is to be refused. Waiting for letters is for SQS's
// many servers: the emulator has one.
func (h *hub) pass(w http.ResponseWriter, r *http.Request, proxy http.Handler) {
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch op {
	case "":
	case h.slow.Load():
		h.begun <- struct{}{}
		time.Sleep(time.Second)
	case h.refused.Load():
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"__type":"com.amazonaws.sqs#AccessDeniedException","message":"not authorized"}`)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if op == "ReceiveMessage" {
		var call map[string]any
		if json.Unmarshal(body, &call) == nil {
			delete(call, "WaitTimeSeconds")
			body, _ = json.Marshal(call)
		}
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	proxy.ServeHTTP(w, r)
}

func hubOf(ts *testscript.TestScript) *hub { return ts.Value(hubKey{}).(*hub) }

func deploy(ts *testscript.TestScript, _ bool, args []string) {
	c := cloudformation.NewFromConfig(hubOf(ts).cfg)
	_, err := c.CreateStack(context.Background(), &cloudformation.CreateStackInput{
		StackName: aws.String("Autotagger"), TemplateBody: aws.String(strings.ReplaceAll(hubStack, "WRITING", args[0])),
	})
	ts.Check(err)
	out, err := c.DescribeStacks(context.Background(), &cloudformation.DescribeStacksInput{StackName: aws.String("Autotagger")})
	ts.Check(err)
	for _, o := range out.Stacks[0].Outputs {
		ts.Setenv(*o.OutputKey, *o.OutputValue)
	}
}

func writing(ts *testscript.TestScript, _ bool, args []string) {
	call := awsapi.Call{
		Service: &catalogue.Service{ID: "SSM", Signing: "ssm", Protocol: catalogue.JSON11, Version: "AmazonSSM"},
		Op:      "PutParameter", Region: hubOf(ts).region, ARN: "arn:aws:",
		Fields: map[string]any{"Name": deployment.ParameterWriting, "Value": args[0], "Type": "String", "Overwrite": true},
	}
	if args[0] == "gone" {
		call.Op, call.Fields = "DeleteParameter", map[string]any{"Name": deployment.ParameterWriting}
	}
	_, err := awsapi.New(hubOf(ts).cfg, nil).Do(context.Background(), call)
	ts.Check(err)
}

func send(ts *testscript.TestScript, queue, file string, attributes map[string]string) {
	values := map[string]types.MessageAttributeValue{}
	for k, v := range attributes {
		if v != "" {
			values[k] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &v}
		}
	}
	_, err := sqs.NewFromConfig(hubOf(ts).cfg).SendMessage(context.Background(), &sqs.SendMessageInput{
		QueueUrl: aws.String(ts.Getenv(queue)), MessageBody: aws.String(ts.ReadFile(file)), MessageAttributes: values,
	})
	ts.Check(err)
}

func dead(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[3])
	ts.Check(err)
	for range n {
		send(ts, args[0], args[2], map[string]string{"Reason": args[1]})
	}
}

func undelivered(ts *testscript.TestScript, _ bool, args []string) {
	h := hubOf(ts)
	send(ts, "UndeliveredQueueUrl", args[1], map[string]string{
		"RULE_ARN":   "arn:aws:events:" + h.region + ":" + emulator.Account + ":rule/" + args[0],
		"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "the queue's policy",
	})
}

func holds(ts *testscript.TestScript, _ bool, args []string) {
	queues, want := args[:len(args)-1], args[len(args)-1]
	total := 0
	for _, q := range queues {
		out, err := sqs.NewFromConfig(hubOf(ts).cfg).GetQueueAttributes(context.Background(), &sqs.GetQueueAttributesInput{
			QueueUrl: aws.String(ts.Getenv(q)), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages},
		})
		ts.Check(err)
		n, err := strconv.Atoi(out.Attributes["ApproximateNumberOfMessages"])
		ts.Check(err)
		total += n
	}
	if got := strconv.Itoa(total); got != want {
		ts.Fatalf("%v hold %s messages that can be seen, want %s", queues, got, want)
	}
}

func refuse(ts *testscript.TestScript, _ bool, args []string) {
	hubOf(ts).refused.Store(strings.Join(args, ""))
}

func slow(ts *testscript.TestScript, _ bool, args []string) { hubOf(ts).slow.Store(args[0]) }

func await(ts *testscript.TestScript, _ bool, _ []string) {
	select {
	case <-hubOf(ts).begun:
	case <-time.After(time.Minute):
		ts.Fatalf("nothing begins")
	}
}
