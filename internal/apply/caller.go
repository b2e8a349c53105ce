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
)

// protocol is how a service's calls look on the wire:
// https://smithy.io/2.0/aws/protocols/index.html
type protocol int

const (
	awsJSON10 protocol = iota // POST /, X-Amz-Target, JSON 1.0
	awsJSON11                 // the same, JSON 1.1
	query                     // POST /, form with Action and Version; XML back
	restJSON                  // method and path; JSON
	restXML                   // method and path; XML
)

// service is what a call has to know of an AWS service: a row of data from its
// model in botocore (service-2.json: serviceId, endpointPrefix, signingName,
// protocol, and apiVersion or targetPrefix).
type service struct {
	id       string   // serviceId, also the key of AWS_ENDPOINT_URL_<ID>
	host     string   // endpointPrefix
	signing  string   // signing name
	protocol protocol // ec2Query answers differ from query's only in the shape of errors
	version  string   // apiVersion of query, targetPrefix of awsJson
	account  bool     // the account is the host's first label (S3 Control)
	global   bool     // one endpoint a partition (IAM)
}

// call is one request. form, json and path are used as the protocol says.
type call struct {
	service                   *service
	op                        string
	account, region, arn      string
	form                      url.Values
	json                      any
	method, path, contentType string
	header                    http.Header
	body                      []byte
}

// caller sends calls: the SDK's retries, signature, transport and errors, with
// no service client. A client costs some 0.7 ms at a Lambda's start and a
// megabyte or more for two operations of it.
type caller struct {
	cfg     aws.Config
	signer  *v4.Signer
	retryer aws.Retryer
}

func newCaller(cfg aws.Config) *caller {
	return &caller{cfg: cfg, signer: v4.NewSigner(), retryer: retryerOf(cfg)}
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
	signRegion := cl.region
	if cl.service.global {
		signRegion = globalOf(partitionOf(cl.arn)).region
	}
	endpoint, err := c.endpoint(ctx, cl)
	if err != nil {
		return nil, fmt.Errorf("resolving the endpoint of %s: %w", cl.service.id, err)
	}
	stack := middleware.NewStack(cl.op, smithyhttp.NewStackRequest)
	steps := []error{
		stack.Initialize.Add(&awsmiddleware.RegisterServiceMetadata{
			ServiceID: cl.service.id, SigningName: cl.service.signing, Region: signRegion, OperationName: cl.op,
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
		awsmiddleware.AddSDKAgentKey(awsmiddleware.APIMetadata, strings.ReplaceAll(strings.ToLower(cl.service.id), " ", ""))(stack),
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
			return nil, fmt.Errorf("building %s:%s: %w", cl.service.signing, cl.op, err)
		}
	}
	out, _, err := middleware.DecorateHandler(smithyhttp.NewClientHandlerWithOptions(c.cfg.HTTPClient), stack).Handle(ctx, cl)
	if err != nil {
		return nil, &smithy.OperationError{ServiceID: cl.service.id, OperationName: cl.op, Err: err}
	}
	return out.([]byte), nil
}

// fill writes the call into an HTTP request.
func (cl *call) fill(req *smithyhttp.Request, endpoint *url.URL) (*smithyhttp.Request, error) {
	u := *endpoint
	req.Method = http.MethodPost
	contentType := cl.contentType
	switch cl.service.protocol {
	case awsJSON10, awsJSON11:
		contentType = "application/x-amz-json-1.0"
		if cl.service.protocol == awsJSON11 {
			contentType = "application/x-amz-json-1.1"
		}
		req.Header.Set("X-Amz-Target", cl.service.version+"."+cl.op)
		body, err := json.Marshal(cl.json)
		if err != nil {
			return nil, err
		}
		cl.body = body
	case query:
		contentType = "application/x-www-form-urlencoded"
		form := url.Values{"Action": {cl.op}, "Version": {cl.service.version}}
		for k, v := range cl.form {
			form[k] = v
		}
		cl.body = []byte(form.Encode())
	case restJSON:
		if cl.json != nil {
			contentType = "application/json"
			body, err := json.Marshal(cl.json)
			if err != nil {
				return nil, err
			}
			cl.body = body
		}
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
	req.URL = &u
	for k, v := range cl.header {
		req.Header[k] = v
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return req.SetStream(bytes.NewReader(cl.body))
}

func (c *caller) sign(ctx context.Context, req *smithyhttp.Request, cl call, region string) error {
	if c.cfg.Credentials == nil {
		return nil // as the SDK's clients do: sent unsigned, refused by AWS
	}
	creds, err := c.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("retrieving credentials: %w", err)
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
	s3 := cl.service.signing == "s3"
	if s3 {
		// S3 wants the hash as a header, and its paths are signed as they are:
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
		req.Header.Set("X-Amz-Content-Sha256", hash)
	}
	return c.signer.SignHTTP(ctx, creds, req.Request, hash, cl.service.signing, region, time.Now(),
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
// the service or for all, else AWS's own.
func (c *caller) endpoint(ctx context.Context, cl call) (*url.URL, error) {
	if base, err := c.base(ctx, cl.service.id); err != nil || base != "" {
		if err != nil {
			return nil, err
		}
		return url.Parse(base)
	}
	p := partitionOf(cl.arn)
	switch {
	case cl.service.global:
		return &url.URL{Scheme: "https", Host: globalOf(p).iam}, nil
	case cl.service.account:
		return &url.URL{Scheme: "https", Host: cl.account + "." + cl.service.host + "." + cl.region + "." + suffixOf(p)}, nil
	}
	return &url.URL{Scheme: "https", Host: cl.service.host + "." + cl.region + "." + suffixOf(p)}, nil
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

// suffixOf is a partition's DNS suffix, from botocore's endpoints.json.
func suffixOf(partition string) string {
	switch partition {
	case "aws-cn":
		return "amazonaws.com.cn"
	case "aws-eusc":
		return "amazonaws.eu"
	case "aws-iso":
		return "c2s.ic.gov"
	case "aws-iso-b":
		return "sc2s.sgov.gov"
	case "aws-iso-e":
		return "cloud.adc-e.uk"
	case "aws-iso-f":
		return "csp.hci.ic.gov"
	}
	return "amazonaws.com"
}

// globals is where a partition's one IAM endpoint is and what region signs for
// it: https://docs.aws.amazon.com/general/latest/gr/iam-service.html
type globals struct{ iam, region string }

func globalOf(partition string) globals {
	switch partition {
	case "aws-cn":
		return globals{"iam.cn-north-1.amazonaws.com.cn", "cn-north-1"}
	case "aws-us-gov":
		return globals{"iam.us-gov.amazonaws.com", "us-gov-west-1"}
	case "aws-eusc":
		return globals{"iam.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"}
	case "aws-iso":
		return globals{"iam.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"}
	case "aws-iso-b":
		return globals{"iam.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"}
	case "aws-iso-e":
		return globals{"iam.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"}
	case "aws-iso-f":
		return globals{"iam.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"}
	}
	return globals{"iam.amazonaws.com", "us-east-1"}
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
