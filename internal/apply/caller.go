package apply

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
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

// call is one request. form, fields and path are used as the protocol says.
type call struct {
	service              *catalogue.Service
	op                   string
	account, region, arn string
	form                 url.Values
	fields               map[string]any // of a JSON or CBOR body
	method, path, query  string         // path and query in escaped form
	contentType          string
	header               http.Header
	body                 []byte
}

// caller sends calls: the SDK's retries, signature, transport and errors, with
// no service client. A client costs some 0.7 ms at a Lambda's start and a
// megabyte or more for two operations of it.
type caller struct {
	cfg     aws.Config
	signer  *v4.Signer
	retryer aws.Retryer
	creds   func(account string) aws.CredentialsProvider // nil: cfg's
}

func newCaller(cfg aws.Config, creds func(account string) aws.CredentialsProvider) *caller {
	return &caller{cfg: cfg, signer: v4.NewSigner(), retryer: retryerOf(cfg), creds: creds}
}

// retryerOf is the retryer that the SDK's clients would build from cfg. On top
// of theirs it repeats writes that met another one at the same resource, which
// IAM and SNS ask for.
func retryerOf(cfg aws.Config) aws.Retryer {
	var r aws.Retryer
	if cfg.Retryer != nil {
		r = cfg.Retryer()
	} else if cfg.RetryMode == aws.RetryModeAdaptive {
		r = retry.NewAdaptiveMode()
	} else {
		r = retry.NewStandard()
	}
	if cfg.RetryMaxAttempts > 0 {
		r = retry.AddWithMaxAttempts(r, cfg.RetryMaxAttempts)
	}
	return retry.AddWithErrorCodes(r, "ConcurrentModification", "ConcurrentModificationException",
		"ConcurrentAccess", "ConcurrentAccessException")
}

// maxAnswer bounds what is read of an answer; tag lists are far smaller.
const maxAnswer = 8 << 20

// do sends a call and returns the body of its answer. The error of a refused
// call is a smithy.APIError with AWS's code, whatever the protocol.
func (c *caller) do(ctx context.Context, cl call) ([]byte, error) {
	endpoint, signRegion, err := c.endpoint(ctx, cl)
	if err != nil {
		return nil, fmt.Errorf("resolving the endpoint of %s: %w", cl.service.ID, err)
	}
	stack := middleware.NewStack(cl.op, smithyhttp.NewStackRequest)
	steps := []error{
		stack.Initialize.Add(&awsmiddleware.RegisterServiceMetadata{
			ServiceID: cl.service.ID, SigningName: cl.service.Signing, Region: signRegion, OperationName: cl.op,
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
		awsmiddleware.AddSDKAgentKey(awsmiddleware.APIMetadata, strings.ReplaceAll(strings.ToLower(cl.service.ID), " ", ""))(stack),
		stack.Finalize.Add(retry.NewAttemptMiddleware(c.retryer, smithyhttp.RequestCloner), middleware.After),
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
			return nil, fmt.Errorf("building %s:%s: %w", cl.service.Signing, cl.op, err)
		}
	}
	out, _, err := middleware.DecorateHandler(smithyhttp.NewClientHandlerWithOptions(c.cfg.HTTPClient), stack).Handle(ctx, cl)
	if err != nil {
		return nil, &smithy.OperationError{ServiceID: cl.service.ID, OperationName: cl.op, Err: err}
	}
	return out.([]byte), nil
}

// fill writes the call into an HTTP request.
func (cl *call) fill(req *smithyhttp.Request, endpoint *url.URL) (*smithyhttp.Request, error) {
	u := *endpoint
	req.Method = http.MethodPost
	contentType := cl.contentType
	var err error
	switch cl.service.Protocol {
	case catalogue.JSON10, catalogue.JSON11:
		contentType = "application/x-amz-" + string(cl.service.Protocol)
		req.Header.Set("X-Amz-Target", cl.service.Version+"."+cl.op)
		cl.body, err = jsonBody(cl.fields)
	case catalogue.Query:
		contentType = "application/x-www-form-urlencoded"
		form := url.Values{"Action": {cl.op}, "Version": {cl.service.Version}}
		for k, v := range cl.form {
			form[k] = v
		}
		cl.body = []byte(form.Encode())
	case catalogue.RESTJSON:
		if cl.fields != nil {
			contentType = "application/json"
			cl.body, err = jsonBody(cl.fields)
		}
	case catalogue.CBOR:
		contentType = "application/cbor"
		req.Header.Set("Accept", "application/cbor")
		req.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
		cl.path = "/service/" + cl.service.Version + "/operation/" + cl.op
		cl.body, err = cborBody(cl.fields)
	}
	if err != nil {
		return nil, err
	}
	for k, v := range particular(cl.service.ID, cl.body) {
		req.Header.Set(k, v)
	}
	if cl.method != "" {
		req.Method = cl.method
	}
	if cl.path != "" {
		// The path holds an ARN in escaped form; both forms are given, so that
		// neither net/url nor the signer escapes it again.
		plain, err := url.PathUnescape(cl.path)
		if err != nil {
			return nil, err
		}
		u.RawPath = strings.TrimSuffix(u.EscapedPath(), "/") + cl.path
		u.Path = strings.TrimSuffix(u.Path, "/") + plain
	} else if u.Path == "" {
		u.Path = "/"
	}
	u.RawQuery = cl.query
	req.URL = &u
	for k, v := range cl.header {
		req.Header[k] = v
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return req.SetStream(bytes.NewReader(cl.body))
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

func (c *caller) sign(ctx context.Context, req *smithyhttp.Request, cl call, region string) error {
	provider := c.cfg.Credentials
	if c.creds != nil {
		provider = c.creds(cl.account)
	}
	if provider == nil {
		return nil // as the SDK's clients do: sent unsigned, refused by AWS
	}
	creds, err := provider.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("retrieving credentials for account %s: %w", cl.account, err)
	}
	// The body was set from cl.body; it is read back here since a signature is
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
	s3 := cl.service.Signing == "s3"
	if s3 {
		// S3 wants the hash as a header, and its paths are signed as they are:
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
		req.Header.Set("X-Amz-Content-Sha256", hash)
	}
	return c.signer.SignHTTP(ctx, creds, req.Request, hash, cl.service.Signing, region, time.Now(),
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = s3 })
}

// deserialize reads an answer whole and turns a refusal into an error.
func deserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	middleware.DeserializeOutput, middleware.Metadata, error,
) {
	out, md, err := next.HandleDeserialize(ctx, in)
	if err != nil {
		return out, md, err
	}
	resp, ok := out.RawResponse.(*smithyhttp.Response)
	if !ok {
		return out, md, fmt.Errorf("unknown transport type %T", out.RawResponse)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if cerr := resp.Body.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return out, md, &smithyhttp.ResponseError{Response: resp, Err: fmt.Errorf("reading the answer: %w", err)}
	}
	if resp.StatusCode < 200 || resp.StatusCode >= 300 {
		return out, md, &awshttp.ResponseError{
			RequestID: firstHeader(resp.Header, "X-Amzn-Requestid", "X-Amz-Request-Id"),
			ResponseError: &smithyhttp.ResponseError{
				Response: resp,
				Err:      apiError(resp.Header, body),
			},
		}
	}
	out.Result = body
	return out, md, nil
}

func firstHeader(h http.Header, names ...string) string {
	for _, n := range names {
		if v := h.Get(n); v != "" {
			return v
		}
	}
	return ""
}

// apiError reads the code and message of a refusal. JSON protocols have the
// code in a header or in the body's __type or code, with or without a
// namespace; XML ones in an element Code beside Message, nested differently by
// query, ec2Query and restXml.
func apiError(h http.Header, body []byte) *smithy.GenericAPIError {
	e := &smithy.GenericAPIError{Code: bareCode(h.Get("X-Amzn-Errortype"))}
	trimmed := bytes.TrimSpace(body)
	if bytes.HasPrefix(trimmed, []byte("<")) {
		var n node
		if xml.Unmarshal(trimmed, &n) == nil {
			if holder := n.holder("Code"); holder != nil {
				if e.Code == "" {
					e.Code = bareCode(holder.text("Code"))
				}
				e.Message = holder.text("Message")
			}
		}
	} else if strings.HasPrefix(h.Get("Content-Type"), "application/cbor") {
		if b, err := fromCBOR(body); err == nil && e.Code == "" {
			code, _ := b["__type"].(string)
			e.Code = bareCode(code)
			e.Message, _ = b["message"].(string)
		}
	} else {
		// Keys match whatever their case: "message" and "Message" are both used.
		var b struct {
			Type    string `json:"__type"`
			Code    any    `json:"code"` // a number in some
			Message string `json:"message"`
		}
		if json.Unmarshal(trimmed, &b) == nil {
			code, _ := b.Code.(string)
			for _, v := range []string{code, b.Type} {
				if e.Code == "" {
					e.Code = bareCode(v)
				}
			}
			e.Message = b.Message
		}
	}
	if e.Code == "" {
		e.Code = unknownCode
	}
	return e
}

// node is an XML element read without a schema.
type node struct {
	XMLName xml.Name
	Text    string `xml:",chardata"`
	Nodes   []node `xml:",any"`
}

// holder is the first element, outermost first, that has a child of the name.
func (n *node) holder(name string) *node {
	for level := []*node{n}; len(level) > 0; {
		var deeper []*node
		for _, m := range level {
			for i := range m.Nodes {
				if m.Nodes[i].XMLName.Local == name {
					return m
				}
				deeper = append(deeper, &m.Nodes[i])
			}
		}
		level = deeper
	}
	return nil
}

// text is the text of the child of the name.
func (n *node) text(name string) string {
	for i := range n.Nodes {
		if n.Nodes[i].XMLName.Local == name {
			return strings.TrimSpace(n.Nodes[i].Text)
		}
	}
	return ""
}

// child is the child of the name, or an empty element.
func (n *node) child(name string) *node {
	for i := range n.Nodes {
		if n.Nodes[i].XMLName.Local == name {
			return &n.Nodes[i]
		}
	}
	return &node{}
}

// endpoint is where a call goes: the endpoint that the configuration names, for
// the service or for all, else AWS's own; and the region that it is signed for.
func (c *caller) endpoint(ctx context.Context, cl call) (*url.URL, string, error) {
	host, region := cl.service.Endpoint(partitionOf(cl.arn), cl.region, cl.account)
	base, err := c.base(ctx, cl.service.ID)
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
func (c *caller) base(ctx context.Context, id string) (string, error) {
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

// Calls of a resource's account are told so to OnCall by the context: an
// endpoint doesn't show it.
type accountKey struct{}

func withAccount(ctx context.Context, account string) context.Context {
	return context.WithValue(ctx, accountKey{}, account)
}

// observe tells onCall of every attempt of any client. It stands outermost of
// the deserialize step, inside the retries, where an answer's error is known.
func observe(onCall func(Call), now func() time.Time) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("autotagger:Observe", func(
			ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
		) (middleware.DeserializeOutput, middleware.Metadata, error) {
			start := now()
			out, md, err := next.HandleDeserialize(ctx, in)
			account, _ := ctx.Value(accountKey{}).(string)
			op := awsmiddleware.GetOperationName(ctx)
			code := ""
			if err != nil {
				if code = codeOf(err); code == "" {
					code = "transport"
				}
			}
			onCall(Call{
				Service: awsmiddleware.GetServiceID(ctx), Operation: op,
				Account: account, Region: awsmiddleware.GetRegion(ctx),
				ErrorCode: code, Throttled: err != nil && throttled(err),
				Write: writes(op), Took: now().Sub(start),
			})
			return out, md, err
		}), middleware.Before)
	}
}

// writes says whether an operation changes anything, by its verb.
func writes(op string) bool {
	for _, verb := range []string{"Get", "List", "Describe", "Head"} {
		if strings.HasPrefix(op, verb) {
			return false
		}
	}
	return true
}
