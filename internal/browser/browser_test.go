package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"autotagger/internal/deployment"
	"autotagger/internal/emulator"
	"autotagger/internal/runtimeapi"
	"autotagger/internal/sample"
)

var (
	gateway  = flag.String("gateway", "", "the program versitygw")
	chromium = flag.String("chromium", "", "the program chromium")
)

const (
	region = "us-east-1"
	text   = "an object of a new bucket"
	// patience is how long each of the programs may take.
	patience = time.Minute
)

// TestDefaultCORS: with the configuration that the project ships.
func TestDefaultCORS(t *testing.T) {
	if *gateway == "" || *chromium == "" {
		t.Skip("make browser runs this, with versitygw and Chromium")
	}
	t.Parallel()
	url := startGateway(t)
	client := s3.NewFromConfig(aws.Config{
		Region: region, BaseEndpoint: &url,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "testing", SecretAccessKey: "testing"}, nil
		}),
	}, func(o *s3.Options) { o.UsePathStyle = true })
	const assets, orders = "shop-assets", "shop-orders"
	// The second bucket has rules of its own, for another origin.
	objects, pages := map[string]string{}, map[string]string{}
	for _, bucket := range []string{assets, orders} {
		objects[bucket] = newObject(t, client, bucket)
		pages[bucket] = servePage(t, objects[bucket])
	}
	if _, err := client.PutBucketCors(t.Context(), &s3.PutBucketCorsInput{
		Bucket: aws.String(orders), CORSConfiguration: &s3types.CORSConfiguration{CORSRules: []s3types.CORSRule{{
			AllowedMethods: []string{"GET"}, AllowedOrigins: []string{"https://shop.example.com"},
		}}},
	}); err != nil {
		t.Fatal(err)
	}

	// The objects can be read, only not by a page.
	const refused, read = "refused: TypeError: Failed to fetch", "read: " + text
	for _, bucket := range []string{assets, orders} {
		if body, allowed := get(t, objects[bucket], pages[bucket]); body != text || allowed != "" {
			t.Fatalf("before the function ran, the object of %s is %q, allowed to %q", bucket, body, allowed)
		}
		if said := visit(t, pages[bucket]); said != refused {
			t.Fatalf("before the function ran, the page on %s says %q", bucket, said)
		}
	}
	for _, bucket := range []string{assets, orders} {
		handleCreation(t, url, bucket)
	}
	for bucket, want := range map[string]string{assets: read, orders: refused} {
		if said := visit(t, pages[bucket]); said != want {
			t.Errorf("after the function ran, the page on %s says %q, want %q", bucket, said, want)
		}
	}
	if _, allowed := get(t, objects[orders], "https://shop.example.com"); allowed != "https://shop.example.com" {
		t.Errorf("rules of a bucket's own were lost: its origin is allowed %q", allowed)
	}
}

// newObject makes a bucket with an object, and returns a URL that reads it.
func newObject(t *testing.T, client *s3.Client, bucket string) string {
	t.Helper()
	key := aws.String("greeting.txt")
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: key, Body: strings.NewReader(text)}); err != nil {
		t.Fatal(err)
	}
	signed, err := s3.NewPresignClient(client).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return signed.URL
}

// servePage serves a page at an origin of its own, which says what became of a
// fetch.
func servePage(t *testing.T, object string) string {
	t.Helper()
	script, err := json.Marshal(object) // a JavaScript string, safe inside a script
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, `<!DOCTYPE html><output>waiting</output><script>
const say = text => { document.querySelector("output").textContent = text }
fetch(`+string(script)+`).then(r => r.text()).then(t => say("read: " + t), e => say("refused: " + e))
</script>`)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// visit loads the page in the browser and returns what it says once nothing is
// under way any more.
func visit(t *testing.T, page string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	home := t.TempDir()
	cmd := exec.CommandContext(ctx, *chromium, "--headless", "--disable-gpu",
		"--no-sandbox", // which isn't there for root, as in CI; the page is ours
		"--disable-dev-shm-usage", "--user-data-dir="+filepath.Join(home, "profile"), "--no-first-run",
		// Nothing but the two origins is to be reached.
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-background-networking", "--disable-component-update",
		"--disable-sync", "--disable-default-apps",
		"--virtual-time-budget=10000", "--dump-dom", page)
	cmd.Env = append(os.Environ(), "HOME="+home)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var dom, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &dom, &log
	start := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatalf("running the browser: %v\n%s", err, &log)
	}
	// Helpers of the browser may outlive it for a moment. They write to its home.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_, said, _ := strings.Cut(dom.String(), "<output>")
	said, _, found := strings.Cut(said, "</output>")
	if !found {
		t.Fatalf("the browser has no page: %s\n%s", &dom, &log)
	}
	said = html.UnescapeString(said)
	t.Logf("the browser says %q, after %v", said, time.Since(start).Round(time.Millisecond))
	return said
}

// get reads the object as a page at an origin would ask for it, and returns to
// whom the answer allows it.
func get(t *testing.T, object, origin string) (body, allowed string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, object, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", origin)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data), resp.Header.Get("Access-Control-Allow-Origin")
}

// handleCreation runs the function cors on the event of the bucket's creation.
func handleCreation(t *testing.T, url, bucket string) {
	t.Helper()
	dir := t.TempDir()
	config, err := os.ReadFile("../../autotagger.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "autotagger.yaml"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	bootstrap := filepath.Join(dir, "bootstrap")
	if err := runtimeapi.Build(t.Context(), "autotagger/functions/cors", bootstrap); err != nil {
		t.Fatal(err)
	}
	f, err := runtimeapi.Start(bootstrap, dir, patience, "AWS_ENDPOINT_URL="+url, "AWS_REGION="+region,
		"AWS_ACCESS_KEY_ID=testing", "AWS_SECRET_ACCESS_KEY=testing", "AWS_SESSION_TOKEN=",
		deployment.EnvConfig+"=autotagger.yaml", deployment.EnvAccount+"="+emulator.Account)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Stop()
	event, err := sample.Read(os.DirFS("../../events"), "s3/CreateBucket_location.json").
		Place(emulator.Account, region).At(time.Now()).Set("requestParameters.bucketName", bucket).JSON()
	if err != nil {
		t.Fatal(err)
	}
	batch, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{MessageId: "m", Body: string(event), EventSource: "aws:sqs"}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	answer, err := f.Invoke(ctx, batch)
	if err != nil {
		t.Fatalf("%v\n%s", err, f.Log())
	}
	var left events.SQSEventResponse
	if err := json.Unmarshal(answer, &left); err != nil || len(left.BatchItemFailures) > 0 {
		t.Fatalf("the function left the event in the queue: %s\n%s", answer, f.Log())
	}
}

// startGateway runs versitygw on loopback and returns its URL.
func startGateway(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	data, sidecar := t.TempDir(), t.TempDir()
	var log bytes.Buffer
	// The sidecar keeps what a file system without extended attributes can't.
	cmd := exec.Command(*gateway, "--port", address, "--access", "testing", "--secret", "testing", "--region", region, "--quiet",
		"posix", "--sidecar", sidecar, data)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return "http://" + address
		}
		if time.Since(start) > patience {
			t.Fatalf("starting versitygw: %v", err)
		}
	}
}
