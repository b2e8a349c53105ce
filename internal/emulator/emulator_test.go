package emulator_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"autotagger/internal/emulator"
)

// TestServer is one walk through a server's life, since starts are slow.
func TestServer(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	srv, err := emulator.Start(ctx, emulator.Options{Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)

	cfg := srv.Config()
	if cfg.Region != "eu-west-1" || *cfg.BaseEndpoint != srv.URL {
		t.Errorf("config for %s at %s", cfg.Region, *cfg.BaseEndpoint)
	}
	creds, err := cfg.Credentials.Retrieve(ctx)
	if err != nil || !creds.HasKeys() {
		t.Errorf("credentials %v, %v", creds, err)
	}

	s3 := func(method, path string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	if code, body := s3(http.MethodPut, "/kept"); code != http.StatusOK {
		t.Fatalf("creating a bucket: %d %s", code, body)
	}

	if err := srv.EnforceIAM(ctx, true); err != nil {
		t.Fatal(err)
	}
	if code, body := s3(http.MethodGet, "/kept?tagging"); code != http.StatusForbidden || !strings.Contains(body, "InvalidAccessKeyId") {
		t.Errorf("with IAM enforced, an unknown key got %d %s", code, body)
	}
	if err := srv.EnforceIAM(ctx, false); err != nil {
		t.Fatal(err)
	}
	if code, _ := s3(http.MethodHead, "/kept"); code != http.StatusOK {
		t.Errorf("with IAM no longer enforced: %d", code)
	}

	if err := srv.Reset(ctx); err != nil {
		t.Fatal(err)
	}
	if code, _ := s3(http.MethodHead, "/kept"); code != http.StatusNotFound {
		t.Errorf("after a reset, the bucket answers %d", code)
	}

	srv.Stop()
	srv.Stop()
	if _, err := http.Get(srv.URL); err == nil {
		t.Error("the server answers after Stop")
	}
}

func TestStartGivesUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if srv, err := emulator.Start(ctx, emulator.Options{}); err == nil {
		srv.Stop()
		t.Error("a start with an ended context succeeded")
	}
}
