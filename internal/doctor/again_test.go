package doctor_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"autotagger/internal/doctor"
)

// TestAgain: an answer that breaks off in the middle is asked for again.
func TestAgain(t *testing.T) {
	t.Parallel()
	const identity = `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/alice</Arn><UserId>A</UserId><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch {
		case !strings.Contains(string(body), "GetCallerIdentity"):
			w.WriteHeader(http.StatusForbidden)
		case asked.Add(1) == 1:
			w.Header().Set("Content-Length", fmt.Sprint(len(identity)))
			fmt.Fprint(w, identity[:40])
			panic(http.ErrAbortHandler)
		default:
			fmt.Fprint(w, identity)
		}
	}))
	t.Cleanup(srv.Close)
	cfg := aws.Config{Region: home, BaseEndpoint: aws.String(srv.URL), Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "A", SecretAccessKey: "B"}, nil
	})}
	findings := doctor.Examine(t.Context(), cfg, doctor.Options{})
	want(t, findings, "credentials", doctor.OK, "111122223333", "alice", "")
	if n := asked.Load(); n != 2 {
		t.Errorf("it was asked %d times", n)
	}
}
