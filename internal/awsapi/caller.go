package awsapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"autotagger/internal/catalogue"
)

// Call is one request. Form, Fields and Path are used as the protocol says. The
// partition of ARN, which may be an ARN's beginning, decides the endpoint's domain.
type Call struct {
	Service              *catalogue.Service
	Op                   string
	Account, Region, ARN string
	Form                 url.Values
	Fields               map[string]any // of a JSON or CBOR body
	Method, Path, Query  string         // path and query in escaped form
	ContentType          string
	Header               http.Header
	Body                 []byte
}

// Caller sends calls: the SDK's retries, signature, transport and errors, with
// no service client. A client costs some 0.7 ms at a Lambda's start and a
// megabyte or more for two operations of it.
type Caller struct {
	cfg      aws.Config
	signer   *v4.Signer
	retryers *Retryers
	wrap     func(aws.Retryer) aws.Retryer                // nil: as it is
	creds    func(account string) aws.CredentialsProvider // nil: cfg's
}

// New returns a Caller that calls with cfg; creds gives the credentials for an
// account's resources, nil those of cfg for all.
func New(cfg aws.Config, creds func(account string) aws.CredentialsProvider) *Caller {
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = awshttp.NewBuildableClient()
	}
	return &Caller{cfg: cfg, signer: v4.NewSigner(), retryers: NewRetryers(cfg), creds: creds}
}

// Patient returns a Caller that tries each call so often, with pauses up to most,
// unless the configuration says how often. Whoever uses it paces the calls: it has no
// rate of its own.
func (c *Caller) Patient(attempts int, most time.Duration) *Caller {
	p := *c
	if c.cfg.RetryMaxAttempts == 0 && c.cfg.Retryer == nil {
		cfg := c.cfg.Copy()
		cfg.RetryMode = aws.RetryModeStandard
		p.retryers = NewRetryers(cfg)
		p.wrap = func(r aws.Retryer) aws.Retryer {
			return retry.AddWithMaxBackoffDelay(retry.AddWithMaxAttempts(r, attempts), most)
		}
	}
	return &p
}

func (c *Caller) retryer(cl Call) aws.Retryer {
	r := c.retryers.For(cl.Service.ID, cl.Account, cl.Region)
	if c.wrap != nil {
		r = c.wrap(r)
	}
	return r
}

// maxAnswer bounds what is read of an answer; tag lists are far smaller.
const maxAnswer = 8 << 20

// Do sends a call and returns the body of its answer. The error of a refused
// call is a smithy.APIError with AWS's code, whatever the protocol.
func (c *Caller) Do(ctx context.Context, cl Call) ([]byte, error) {
	endpoint, signRegion, err := c.Endpoint(ctx, cl)
	if err != nil {
		return nil, fmt.Errorf("resolving the endpoint of %s: %w", cl.Service.ID, err)
	}
	stack := middleware.NewStack(cl.Op, smithyhttp.NewStackRequest)
	steps := []error{
		stack.Initialize.Add(&awsmiddleware.RegisterServiceMetadata{
			ServiceID: cl.Service.ID, SigningName: cl.Service.Signing, Region: signRegion, OperationName: cl.Op,
		}, middleware.Before),
		stack.Serialize.Add(middleware.SerializeMiddlewareFunc("OperationSerializer", func(
			ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler,
		) (middleware.SerializeOutput, middleware.Metadata, error) {
			req, err := cl.fill(in.Request.(*smithyhttp.Request), endpoint)
			if err != nil {
				return middleware.SerializeOutput{}, middleware.Metadata{}, &smithy.SerializationError{Err: err}
			}
			in.Request = req
			return next.HandleSerialize(ctx, in)
		}), middleware.After),
		awsmiddleware.AddClientRequestIDMiddleware(stack),
		awsmiddleware.AddSDKAgentKey(awsmiddleware.APIMetadata, strings.ReplaceAll(strings.ToLower(cl.Service.ID), " ", ""))(stack),
		stack.Finalize.Add(retry.NewAttemptMiddleware(c.retryer(cl), smithyhttp.RequestCloner), middleware.After),
		stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("Signing", func(
			ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
		) (middleware.FinalizeOutput, middleware.Metadata, error) {
			if err := c.sign(ctx, in.Request.(*smithyhttp.Request), cl, signRegion); err != nil {
				return middleware.FinalizeOutput{}, middleware.Metadata{}, &v4.SigningError{Err: err}
			}
			return next.HandleFinalize(ctx, in)
		}), middleware.After),
		awsmiddleware.AddRecordResponseTiming(stack),
		stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("OperationDeserializer", deserialize), middleware.Before),
	}
	for _, fn := range c.cfg.APIOptions {
		steps = append(steps, fn(stack))
	}
	for _, err := range steps {
		if err != nil {
			return nil, fmt.Errorf("building %s:%s: %w", cl.Service.Signing, cl.Op, err)
		}
	}
	out, _, err := middleware.DecorateHandler(smithyhttp.NewClientHandlerWithOptions(c.cfg.HTTPClient), stack).Handle(ctx, cl)
	if err != nil {
		return nil, &smithy.OperationError{ServiceID: cl.Service.ID, OperationName: cl.Op, Err: err}
	}
	return out.([]byte), nil
}

// fill writes the call into an HTTP request.
func (cl *Call) fill(req *smithyhttp.Request, endpoint *url.URL) (*smithyhttp.Request, error) {
	u := *endpoint
	req.Method = http.MethodPost
	contentType := cl.ContentType
	var err error
	switch cl.Service.Protocol {
	case catalogue.JSON10, catalogue.JSON11:
		contentType = "application/x-amz-" + string(cl.Service.Protocol)
		req.Header.Set("X-Amz-Target", cl.Service.Version+"."+cl.Op)
		cl.Body, err = jsonBody(cl.Fields)
	case catalogue.Query:
		contentType = "application/x-www-form-urlencoded"
		form := url.Values{"Action": {cl.Op}, "Version": {cl.Service.Version}}
		for k, v := range cl.Form {
			form[k] = v
		}
		cl.Body = []byte(form.Encode())
	case catalogue.RESTJSON:
		if cl.Fields != nil {
			contentType = "application/json"
			cl.Body, err = jsonBody(cl.Fields)
		}
	case catalogue.CBOR:
		contentType = "application/cbor"
		req.Header.Set("Accept", "application/cbor")
		req.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
		cl.Path = "/service/" + cl.Service.Version + "/operation/" + cl.Op
		cl.Body, err = cborBody(cl.Fields)
	}
	if err != nil {
		return nil, err
	}
	for k, v := range particular(cl.Service.ID, cl.Body) {
		req.Header.Set(k, v)
	}
	if cl.Method != "" {
		req.Method = cl.Method
	}
	if cl.Path != "" {
		// The path holds an ARN in escaped form; both forms are given, so that
		// neither net/url nor the signer escapes it again.
		plain, err := url.PathUnescape(cl.Path)
		if err != nil {
			return nil, err
		}
		u.RawPath = strings.TrimSuffix(u.EscapedPath(), "/") + cl.Path
		u.Path = strings.TrimSuffix(u.Path, "/") + plain
	} else if u.Path == "" {
		u.Path = "/"
	}
	u.RawQuery = cl.Query
	req.URL = &u
	for k, v := range cl.Header {
		req.Header[k] = v
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return req.SetStream(bytes.NewReader(cl.Body))
}

// jsonBody is an object as the SDK's clients write it: with <, > and & as they are.
func jsonBody(fields map[string]any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if fields == nil {
		fields = map[string]any{}
	}
	err := enc.Encode(fields)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// particular are headers that a service asks for beside its protocol's.
func particular(id string, body []byte) map[string]string {
	switch id {
	case "Glacier": // https://docs.aws.amazon.com/amazonglacier/latest/dev/api-common-request-headers.html
		h := map[string]string{"X-Amz-Glacier-Version": "2012-06-01"}
		if len(body) > 0 {
			sum := sha256.Sum256(body) // the tree's hash too, up to a megabyte
			h["X-Amz-Content-Sha256"] = hex.EncodeToString(sum[:])
			h["X-Amz-Sha256-Tree-Hash"] = h["X-Amz-Content-Sha256"]
		}
		return h
	case "SQS": // https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait
		return map[string]string{"X-Amzn-Query-Mode": "true"}
	case "API Gateway": // else its answers are HAL: https://docs.aws.amazon.com/apigateway/latest/api/API_GetTags.html
		return map[string]string{"Accept": "application/json"}
	}
	return nil
}

func (c *Caller) sign(ctx context.Context, req *smithyhttp.Request, cl Call, region string) error {
	provider := c.cfg.Credentials
	if c.creds != nil {
		provider = c.creds(cl.Account)
	}
	if provider == nil {
		return nil // as the SDK's clients do: sent unsigned, refused by AWS
	}
	creds, err := provider.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("retrieving credentials for account %s: %w", cl.Account, err)
	}
	// The body was set from cl.Body; it is read back here since a signature is
	// made anew for every attempt.
	body, err := io.ReadAll(req.GetStream())
	if err != nil {
		return err
	}
	if err := req.RewindStream(); err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	s3 := cl.Service.Signing == "s3"
	if s3 {
		// S3 wants the hash as a header, and its paths are signed as they are:
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
		req.Header.Set("X-Amz-Content-Sha256", hash)
	}
	return c.signer.SignHTTP(ctx, creds, req.Request, hash, cl.Service.Signing, region, time.Now(),
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = s3 })
}

// Endpoint is where a call goes: the endpoint that the configuration names, for
// the service or for all, else AWS's own; and the region that it is signed for.
func (c *Caller) Endpoint(ctx context.Context, cl Call) (*url.URL, string, error) {
	host, region := cl.Service.Endpoint(partitionOf(cl.ARN), cl.Region, cl.Account)
	base, err := c.base(ctx, cl.Service.ID)
	if err != nil {
		return nil, "", err
	}
	if base == "" {
		return &url.URL{Scheme: "https", Host: host}, region, nil
	}
	u, err := url.Parse(base)
	return u, region, err
}

// base is the configured endpoint of a service, empty without one. The order is
// the SDK's: AWS_ENDPOINT_URL_<SERVICE>, then AWS_ENDPOINT_URL
// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html).
func (c *Caller) base(ctx context.Context, id string) (string, error) {
	for _, src := range c.cfg.ConfigSources {
		if s, ok := src.(interface {
			GetIgnoreConfiguredEndpoints(context.Context) (bool, bool, error)
		}); ok {
			ignore, found, err := s.GetIgnoreConfiguredEndpoints(ctx)
			if err != nil {
				return "", err
			}
			if found && ignore {
				return aws.ToString(c.cfg.BaseEndpoint), nil
			}
		}
	}
	for _, src := range c.cfg.ConfigSources {
		if s, ok := src.(interface {
			GetServiceBaseEndpoint(context.Context, string) (string, bool, error)
		}); ok {
			u, found, err := s.GetServiceBaseEndpoint(ctx, id)
			if err != nil {
				return "", err
			}
			if found {
				return u, nil
			}
		}
	}
	return aws.ToString(c.cfg.BaseEndpoint), nil
}

// partitionOf is an ARN's partition.
func partitionOf(arn string) string {
	parts := strings.SplitN(arn, ":", 3)
	if len(parts) < 3 || parts[1] == "" {
		return "aws"
	}
	return parts[1]
}
