package generate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"autotagger/internal/catalogue"
	"autotagger/internal/models"
)

// irregular are services whose tag calls a block of a data file can't say.
// Package apply has code for those with actions, in a file each.
var irregular = map[string]struct {
	actions []string // IAM's, of writing and reading
	why     string
}{
	"autoscaling": {[]string{"autoscaling:CreateOrUpdateTags", "autoscaling:DescribeTags"}, "each tag names its group, and says whether instances get it"},
	"cloudfront":  {[]string{"cloudfront:TagResource", "cloudfront:ListTagsForResource"}, "the body is XML"},
	"ec2":         {[]string{"ec2:CreateTags", "ec2:DescribeTags"}, "resources have ids, tags are read through a filter, many resources go in a call"},
	"elb":         {[]string{"elasticloadbalancing:AddTags", "elasticloadbalancing:DescribeTags"}, "load balancers have names, many go in a call"},
	"elbv2":       {[]string{"elasticloadbalancing:AddTags", "elasticloadbalancing:DescribeTags"}, "many resources go in a call"},
	"iam":         {nil, "each kind of resource has a pair of calls of its own"}, // with actions in the overrides
	"kms":         {[]string{"kms:TagResource", "kms:ListResourceTags", "kms:DescribeKey"}, "AWS's own keys are recognised, and refusals explained"},
	"route53":     {[]string{"route53:ChangeTagsForResource", "route53:ListTagsForResource"}, "a resource is a type and an id, and the body is XML"},
	"s3":          {[]string{"s3:TagResource", "s3:ListTagsForResource", "s3:GetBucketTagging", "s3:PutBucketTagging"}, "a put replaces all tags, so that S3 Control's TagResource is tried first"},
	"s3control":   {nil, "the account stands in a header"},
	"sqs":         {[]string{"sqs:TagQueue", "sqs:ListQueueTags"}, "a queue is named by its URL"},
	"ssm":         {[]string{"ssm:AddTagsToResource", "ssm:ListTagsForResource"}, "a resource is a type and an id"},

	"inspector": {nil, "SetTagsForResource replaces all tags"}, // https://docs.aws.amazon.com/inspector/v1/APIReference/API_SetTagsForResource.html
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonkeyspacesforapachecassandra.html
	"keyspaces": {nil, "IAM has no action that reads tags and nothing else"},
	"lightsail": {nil, "a resource is named by a name that its ARN doesn't have, and each kind has a read of its own"},
	// https://docs.aws.amazon.com/kinesisvideostreams/latest/dg/API_TagResource.html
	"kinesisvideo": {[]string{"kinesisvideo:TagStream", "kinesisvideo:ListTagsForStream", "kinesisvideo:TagResource", "kinesisvideo:ListTagsForResource"}, "streams and signaling channels have a pair of calls each"},
}

// ownCalls is tagCalls for the rows.
func ownCalls(s *models.Service, iam *models.IAMService) calls {
	c, permissions, _, why := tagCalls(s, iam)
	return calls{client: c, permissions: permissions, irregular: s.Name == "iam" || c == nil && permissions != nil, why: why}
}

// given is what the models don't say of a member that names the resource: its
// documentation has it.
var given = map[string]map[string]string{
	"cloudhsmv2":           {"ResourceId": "{id}"},                          // https://docs.aws.amazon.com/cloudhsm/latest/APIReference/API_TagResource.html
	"cloudtrail":           {"ResourceId": "{arn}"},                         // https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AddTags.html
	"cur":                  {"ReportName": "{id}"},                          // https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_cur_TagResource.html
	"datapipeline":         {"pipelineId": "{id}"},                          // https://docs.aws.amazon.com/datapipeline/latest/APIReference/API_AddTags.html
	"dax":                  {"ResourceName": "{arn}"},                       // https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_dax_TagResource.html
	"docdb":                {"ResourceName": "{arn}"},                       // https://docs.aws.amazon.com/documentdb/latest/developerguide/API_AddTagsToResource.html
	"ds":                   {"ResourceId": "{id}"},                          // https://docs.aws.amazon.com/directoryservice/latest/devguide/API_AddTagsToResource.html
	"efs":                  {"ResourceId": "{id}"},                          // https://docs.aws.amazon.com/efs/latest/ug/API_TagResource.html
	"elasticache":          {"ResourceName": "{arn}"},                       // https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_AddTagsToResource.html
	"emr":                  {"ResourceId": "{id}", "ClusterId": "{id}"},     // https://docs.aws.amazon.com/emr/latest/APIReference/API_AddTags.html
	"firehose":             {"DeliveryStreamName": "{id}"},                  // https://docs.aws.amazon.com/firehose/latest/APIReference/API_TagDeliveryStream.html
	"glacier":              {"accountId": "{account}", "vaultName": "{id}"}, // https://docs.aws.amazon.com/amazonglacier/latest/dev/api-AddTagsToVault.html
	"neptune":              {"ResourceName": "{arn}"},                       // https://docs.aws.amazon.com/neptune/latest/apiref/API_AddTagsToResource.html
	"organizations":        {"ResourceId": "{id}"},                          // https://docs.aws.amazon.com/organizations/latest/APIReference/API_TagResource.html
	"rds":                  {"ResourceName": "{arn}"},                       // https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_AddTagsToResource.html
	"redshift":             {"ResourceName": "{arn}"},                       // https://docs.aws.amazon.com/redshift/latest/APIReference/API_CreateTags.html
	"s3files":              {"resourceId": "{id}"},                          // https://docs.aws.amazon.com/AmazonS3/latest/API/API_S3Files_TagResource.html
	"secretsmanager":       {"SecretId": "{arn}"},                           // https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_TagResource.html
	"workspaces":           {"ResourceId": "{id}"},                          // https://docs.aws.amazon.com/workspaces/latest/api/API_CreateTags.html
	"workspaces-instances": {"WorkspaceInstanceId": "{id}"},                 // https://docs.aws.amazon.com/workspaces-instances/latest/APIReference/API_TagResource.html
}

// readBy are reads that no name tells.
var readBy = map[string]string{
	"secretsmanager": "DescribeSecret",  // it has no list of tags
	"emr":            "DescribeCluster", // nor has EMR
	"datapipeline":   "DescribePipelines",
}

// The operations that write and read tags, the likeliest first.
var (
	tagWrites = []*regexp.Regexp{
		regexp.MustCompile(`^TagResource$`), regexp.MustCompile(`^AddTagsToResource$`), regexp.MustCompile(`^(Add|Create)Tags$`),
		regexp.MustCompile(`^Tag$`), regexp.MustCompile(`^UpdateTagsForResource$`),
		regexp.MustCompile(`^(Tag|AddTagsTo|UpdateTagsFor)[A-Z]\w+$`),
	}
	tagReads = []*regexp.Regexp{
		regexp.MustCompile(`^ListTags(ForResource|OfResource)?$`), regexp.MustCompile(`^ListResourceTags$`),
		regexp.MustCompile(`^(Describe|Get)Tags$`), regexp.MustCompile(`^ListTagsFor[A-Z]\w+$`), regexp.MustCompile(`^List[A-Z]\w+Tags$`),
	}
)

// tagCalls derives a service's own tag calls from its model, with the IAM
// actions that they take. Where it can't, ok is false and why says so; with
// permissions it is a service that package apply has code for. why may also say
// what is uncertain of calls that were found.
func tagCalls(s *models.Service, iam *models.IAMService) (c *catalogue.Calls, permissions []string, ok bool, why string) {
	if i, is := irregular[s.Name]; is {
		return nil, i.actions, false, "irregular: " + i.why
	}
	c = &catalogue.Calls{Name: s.Name, Service: catalogue.Service{ID: s.Metadata.ServiceID, Signing: s.Metadata.Signing()}}
	if why = setProtocol(c, s); why != "" {
		return nil, nil, false, why
	}
	write, writeWhy := find(s, tagWrites, c.Protocol, false)
	if write == nil {
		return nil, nil, false, writeWhy
	}
	reads := tagReads
	if name := readBy[s.Name]; name != "" {
		reads = []*regexp.Regexp{regexp.MustCompile("^" + name + "$")}
	}
	read, readWhy := find(s, reads, c.Protocol, true)
	if read == nil {
		return nil, nil, false, write.Op + " has no read beside it: " + readWhy
	}
	c.Write, c.Read = *write, *read
	var err error
	if c.Signing, c.Endpoints, err = endpoints(s, s.Operations[write.Op]); err != nil {
		return nil, nil, false, err.Error()
	}
	signing, hosts, err := endpoints(s, s.Operations[read.Op])
	if err != nil || signing != c.Signing || !slices.Equal(hosts, c.Endpoints) {
		return nil, nil, false, fmt.Sprintf("%s and %s go to different endpoints", write.Op, read.Op)
	}
	if c.IAM = c.Signing; iam != nil {
		c.IAM = iam.Prefix
	}
	permissions, why = tagActions(s, iam, write.Op, read.Op)
	return c, permissions, true, why
}

// setProtocol chooses the protocol: CBOR only where there is nothing that a
// person can read.
func setProtocol(c *catalogue.Calls, s *models.Service) string {
	m := s.Metadata
	name := m.Protocol
	if name == "smithy-rpc-v2-cbor" && slices.Contains(m.Protocols, "json") {
		name = "json"
	}
	switch name {
	case "json":
		// CloudTrail's has a namespace before it, which the SDKs don't send.
		c.Protocol, c.Version = catalogue.Protocol("json-"+m.JSONVersion), m.TargetPrefix[strings.LastIndexByte(m.TargetPrefix, '.')+1:]
		if m.JSONVersion != "1.0" && m.JSONVersion != "1.1" || m.TargetPrefix == "" {
			return fmt.Sprintf("the model has the JSON version %q and the target prefix %q", m.JSONVersion, m.TargetPrefix)
		}
	case "query":
		c.Protocol, c.Version = catalogue.Query, m.APIVersion
	case "rest-json":
		c.Protocol = catalogue.RESTJSON
	case "smithy-rpc-v2-cbor":
		c.Protocol, c.Version = catalogue.CBOR, m.TargetPrefix
	default:
		return fmt.Sprintf("the protocol %s isn't provided for", name)
	}
	return ""
}

// find is the first operation of the names that is regular; why is what is odd
// about the others.
func find(s *models.Service, names []*regexp.Regexp, p catalogue.Protocol, reads bool) (*catalogue.Call, string) {
	var odd, seen []string
	for _, n := range names {
		for _, op := range s.Names() {
			if !n.MatchString(op) || slices.Contains(seen, op) {
				continue
			}
			seen = append(seen, op)
			c, err := callOf(s, s.Operations[op], p, reads)
			if err == nil {
				return c, ""
			}
			odd = append(odd, op+" "+err.Error())
		}
	}
	if odd == nil {
		return nil, "no call is named like one that reads or writes the tags of a resource"
	}
	return nil, strings.Join(odd, "; ")
}

// pageTokens are the names of tokens for the next page, of those that come with
// an answer and those that go with a request.
var pageTokens = regexp.MustCompile(`(?i)^(next_?(page_?)?token|next_?marker|marker|pagination_?token)$`)

// callOf makes a call's line from its operation.
func callOf(s *models.Service, op *models.Operation, p catalogue.Protocol, reads bool) (*catalogue.Call, error) {
	c := &catalogue.Call{Op: op.Name}
	rest := p == catalogue.RESTJSON
	path := op.HTTP.RequestURI
	if rest {
		c.Method = op.HTTP.Method
	}
	in := s.Shape(op.Input)
	if in.Payload != "" {
		// The body is one member, whose own members are its fields.
		body := s.Shape(in.Members[in.Payload])
		if body.Type != "structure" {
			return nil, fmt.Errorf("has a body that is a %s", body.Type)
		}
		flat := &models.Shape{Members: map[string]*models.Ref{}, Required: append(slices.Clone(in.Required), body.Required...)}
		for n, m := range in.Members {
			if n != in.Payload {
				flat.Members[n] = m
			}
		}
		for n, m := range body.Members {
			flat.Members[n] = m
		}
		in = flat
	}
	token := ""
	if reads {
		var err error
		if c.Tags, c.Next, err = answerOf(s, op); err != nil {
			return nil, err
		}
		for _, n := range in.Names() {
			if pageTokens.MatchString(n) {
				token = n
			}
		}
		if token == "" {
			c.Next = ""
		}
	}
	var query []string
	named := false
	for _, n := range in.Names() {
		m := in.Members[n]
		wire, value := wireName(s, m, n, p), ""
		shape := s.Shape(m)
		tags, isTags := tagsOf(s, m, wire, p)
		switch {
		case !reads && isTags && !strings.Contains(strings.ToLower(n), "remove"):
			if c.Tags.Field != "" {
				return nil, fmt.Errorf("has tags in %s and %s", c.Tags.Field, wire)
			}
			if m.Location != "" {
				return nil, fmt.Errorf("has its tags in the %s", m.Location)
			}
			c.Tags = tags
			continue
		case n == token && c.Next != "":
			value = "{next}"
		case nameOf(s, n) != "" && shape.Type == "string" && (slices.Contains(in.Required, n) || !slices.ContainsFunc(in.Required, func(r string) bool { return nameOf(s, r) != "" })):
			value = nameOf(s, n)
			named = true
		case nameOf(s, strings.TrimSuffix(strings.TrimSuffix(n, "s"), "List")) != "" && shape.Type == "list" && s.Shape(shape.Member).Type == "string" && slices.Contains(in.Required, n):
			value = "[" + nameOf(s, strings.TrimSuffix(strings.TrimSuffix(n, "s"), "List")) + "]"
			named = true
			if p == catalogue.Query {
				return nil, fmt.Errorf("has a list in %s", n)
			}
		case slices.Contains(in.Required, n):
			return nil, fmt.Errorf("needs %s too", n)
		default:
			continue
		}
		switch m.Location {
		case "":
			c.Fields = append(c.Fields, catalogue.Field{Name: wire, Value: value})
		case "uri":
			if !strings.Contains(path, "{"+wire+"}") && !strings.Contains(path, "{"+wire+"+}") {
				return nil, fmt.Errorf("has no {%s} in its path %s", wire, path)
			}
			path = strings.ReplaceAll(path, "{"+wire+"}", value)
			path = strings.ReplaceAll(path, "{"+wire+"+}", strings.TrimSuffix(value, "}")+"+}")
		case "querystring":
			query = append(query, wire+"="+value)
		default:
			return nil, fmt.Errorf("has %s in the %s", n, m.Location)
		}
	}
	// What names the resource stands before what turns the page.
	slices.SortStableFunc(c.Fields, func(a, b catalogue.Field) int { return turns(a) - turns(b) })
	if !named {
		return nil, fmt.Errorf("has no field with the resource's ARN, but %s", strings.Join(in.Names(), ", "))
	}
	if c.Tags.Field == "" {
		return nil, fmt.Errorf("has no tags that are a map or pairs of strings")
	}
	if !rest {
		return c, nil
	}
	slices.SortStableFunc(query, func(a, b string) int { return strings.Count(a, "={next}") - strings.Count(b, "={next}") })
	if len(query) > 0 {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		path += sep + strings.Join(query, "&")
	}
	// Smithy has no path that ends in a slash, and so the SDKs send none:
	// https://smithy.io/2.0/spec/http-bindings.html#uri
	before, after, asks := strings.Cut(path, "?")
	c.Path = strings.TrimSuffix(before, "/")
	if asks {
		c.Path += "?" + after
	}
	return c, nil
}

func turns(f catalogue.Field) int { return strings.Count(f.Value, "{next}") }

// nameOf is what goes into a member that names the resource, "" for others.
func nameOf(s *models.Service, member string) string {
	if v := given[s.Name][member]; v != "" {
		return v
	}
	if low := strings.ToLower(member); low == "resource" || low == "arn" || strings.HasSuffix(low, "resourcearn") ||
		slices.Contains([]string{"CertificateAuthorityArn", "WorkloadArn", "ResourceARN"}, member) {
		return "{arn}"
	}
	return ""
}

// wireName is what a member is called in a request or an answer.
func wireName(s *models.Service, m *models.Ref, name string, p catalogue.Protocol) string {
	if m.LocationName != "" {
		name = m.LocationName
	}
	if list := s.Shape(m); p == catalogue.Query && list.Type == "list" {
		// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
		switch {
		case !list.Flattened && list.Member.LocationName != "":
			return name + "." + list.Member.LocationName
		case !list.Flattened:
			return name + ".member"
		case list.Member.LocationName != "":
			return list.Member.LocationName
		}
	}
	return name
}

// tagsOf tells tags from other members: a map of strings, or a list of pairs.
func tagsOf(s *models.Service, m *models.Ref, wire string, p catalogue.Protocol) (catalogue.Tags, bool) {
	t := catalogue.Tags{Field: wire}
	if !strings.Contains(strings.ToLower(wire), "tag") {
		return t, false
	}
	switch shape := s.Shape(m); shape.Type {
	case "map":
		return t, p != catalogue.Query && s.Shape(shape.Key).Type == "string" && s.Shape(shape.Value).Type == "string"
	case "list":
		pair := s.Shape(shape.Member)
		for _, n := range pair.Names() {
			switch low := strings.ToLower(n); {
			case strings.HasSuffix(low, "arn") && !slices.Contains(pair.Required, n):
				// DMS names the resource in the tags of answers.
			case s.Shape(pair.Members[n]).Type != "string":
				return t, false
			case strings.HasSuffix(low, "key") && t.Key == "":
				t.Key = wireName(s, pair.Members[n], n, p)
			case strings.HasSuffix(low, "value") && t.Value == "":
				t.Value = wireName(s, pair.Members[n], n, p)
			default:
				return t, false
			}
		}
		return t, t.Key != "" && t.Value != ""
	}
	return t, false
}

// answerOf finds the tags in an answer, and the next page's token.
func answerOf(s *models.Service, op *models.Operation) (catalogue.Tags, string, error) {
	out := s.Shape(op.Output)
	if out.Payload != "" {
		out = s.Shape(out.Members[out.Payload])
	}
	var all []catalogue.Tags
	var walk func(sh *models.Shape, way string, depth int)
	walk = func(sh *models.Shape, way string, depth int) {
		for _, n := range sh.Names() {
			m := sh.Members[n]
			wire := way + wireName(s, m, n, "")
			inner := s.Shape(m)
			if inner.Type == "list" {
				inner = s.Shape(inner.Member)
			}
			// Names in answers are the same in every protocol but for lists of
			// XML, whose elements are looked through.
			if t, is := tagsOf(s, m, wireName(s, m, n, ""), catalogue.JSON11); is {
				t.Field = wire
				all = append(all, t)
			} else if pair, is := onePair(s, n, m); is {
				pair.Field = wire
				all = append(all, pair)
			} else if inner.Type == "structure" && depth > 0 {
				walk(inner, wire+".", depth-1)
			}
		}
	}
	for depth := 0; depth <= 2 && all == nil; depth++ {
		walk(out, "", depth)
	}
	if len(all) != 1 {
		return catalogue.Tags{}, "", fmt.Errorf("answers with %d sets of tags", len(all))
	}
	token := ""
	for _, n := range out.Names() {
		if pageTokens.MatchString(n) && s.Shape(out.Members[n]).Type == "string" {
			token = wireName(s, out.Members[n], n, "")
		}
	}
	return all[0], token, nil
}

// onePair is a tag that stands alone, in a list of resources with one each.
func onePair(s *models.Service, name string, m *models.Ref) (catalogue.Tags, bool) {
	if s.Shape(m).Type != "structure" {
		return catalogue.Tags{}, false
	}
	alone := &models.Service{Shapes: map[string]*models.Shape{"list": {Type: "list", Member: m}}}
	for n, sh := range s.Shapes {
		alone.Shapes[n] = sh
	}
	return tagsOf(alone, &models.Ref{Shape: "list", LocationName: name}, name, catalogue.JSON11)
}

// tagActions are the IAM actions of operations, which are named like them.
func tagActions(s *models.Service, iam *models.IAMService, ops ...string) (actions []string, why string) {
	prefix := s.Metadata.Signing()
	if iam != nil {
		prefix = iam.Prefix
	}
	var unknown []string
	for _, op := range ops {
		if own, is := actionsBy[s.Name+" "+op]; is {
			actions = append(actions, own...)
			continue
		}
		name := op
		if iam == nil || iam.Actions[strings.ToLower(op)] == nil {
			unknown = append(unknown, op)
		} else {
			name = iam.Actions[strings.ToLower(op)].Name
		}
		actions = append(actions, prefix+":"+name)
	}
	if unknown != nil {
		why = "IAM's reference doesn't know " + strings.Join(unknown, ", ") + " of " + prefix
	}
	return actions, why
}

// actionsBy are the actions of operations that IAM calls otherwise.
var actionsBy = map[string][]string{
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-iam-policy.html
	"apigateway TagResource":   {"apigateway:PUT"},
	"apigateway GetTags":       {"apigateway:GET"},
	"apigatewayv2 TagResource": {"apigateway:POST"},
	"apigatewayv2 GetTags":     {"apigateway:GET"},
}
