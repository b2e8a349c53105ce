package apply

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
)

// own is how one service's own tag calls look: a row of data. Wire names are
// those of the service's model in botocore (service-2.json); the tag operations
// are documented under each service's API reference.
type own struct {
	service
	tag, list string // operations
	field     string // request field that names the resource; "" where the path does
	many      bool   // the field is a list and answers name each resource
	tags      string // field with the tags, the same in request and JSON answer
	pair      string // names of a tag's key and value, "Key Value"; "" for a map
	path      string // REST only: the path before the escaped ARN
	next      string // answer field with the next page's token; "" without pages
	marker    string // request field that takes it
	batch     int    // resources a call where many
	fold      bool   // tag keys differ in more than case
	// name is what goes into field, the ARN by default. Its error is a skip or
	// a bad.
	name func(*caller, target) (string, error)
}

// ownRows are the rows by the ARN's service, and by kind of resource below it
// where that matters ("iam user", "elasticloadbalancing classic").
func ownRows() map[string]*own {
	return map[string]*own{
		"lambda": {
			service: service{id: "Lambda", host: "lambda", signing: "lambda", protocol: restJSON},
			tag:     "TagResource", list: "ListTags", path: "/2017-03-31/tags/", tags: "Tags",
		},
		"dynamodb": {
			service: service{id: "DynamoDB", host: "dynamodb", signing: "dynamodb", protocol: awsJSON10, version: "DynamoDB_20120810"},
			tag:     "TagResource", list: "ListTagsOfResource", field: "ResourceArn", tags: "Tags", pair: "Key Value",
			next: "NextToken", marker: "NextToken",
		},
		"sqs": {
			service: service{id: "SQS", host: "sqs", signing: "sqs", protocol: awsJSON10, version: "AmazonSQS"},
			tag:     "TagQueue", list: "ListQueueTags", field: "QueueUrl", tags: "Tags", name: queueURL,
		},
		"sns": {
			service: service{id: "SNS", host: "sns", signing: "sns", protocol: query, version: "2010-03-31"},
			tag:     "TagResource", list: "ListTagsForResource", field: "ResourceArn", tags: "Tags.member", pair: "Key Value",
		},
		"logs": {
			service: service{id: "CloudWatch Logs", host: "logs", signing: "logs", protocol: awsJSON11, version: "Logs_20140328"},
			tag:     "TagResource", list: "ListTagsForResource", field: "resourceArn", tags: "tags", name: logGroupARN,
		},
		"rds": { // Neptune and DocumentDB too, whose ARNs are RDS's
			service: service{id: "RDS", host: "rds", signing: "rds", protocol: query, version: "2014-10-31"},
			tag:     "AddTagsToResource", list: "ListTagsForResource", field: "ResourceName", tags: "Tags.Tag", pair: "Key Value",
		},
		"ecr": {
			service: service{id: "ECR", host: "api.ecr", signing: "ecr", protocol: awsJSON11, version: "AmazonEC2ContainerRegistry_V20150921"},
			tag:     "TagResource", list: "ListTagsForResource", field: "resourceArn", tags: "tags", pair: "Key Value",
		},
		"ecs": {
			service: service{id: "ECS", host: "ecs", signing: "ecs", protocol: awsJSON11, version: "AmazonEC2ContainerServiceV20141113"},
			tag:     "TagResource", list: "ListTagsForResource", field: "resourceArn", tags: "tags", pair: "key value",
		},
		"eks": {
			service: service{id: "EKS", host: "eks", signing: "eks", protocol: restJSON},
			tag:     "TagResource", list: "ListTagsForResource", path: "/tags/", tags: "tags",
		},
		"elasticloadbalancing": {
			service: service{id: "Elastic Load Balancing v2", host: "elasticloadbalancing", signing: "elasticloadbalancing", protocol: query, version: "2015-12-01"},
			tag:     "AddTags", list: "DescribeTags", field: "ResourceArns.member", many: true, batch: 20, tags: "Tags.member", pair: "Key Value",
		},
		"elasticloadbalancing classic": {
			service: service{id: "Elastic Load Balancing", host: "elasticloadbalancing", signing: "elasticloadbalancing", protocol: query, version: "2012-06-01"},
			tag:     "AddTags", list: "DescribeTags", field: "LoadBalancerNames.member", many: true, batch: 20, tags: "Tags.member", pair: "Key Value",
			name: lastPart,
		},
		"secretsmanager": {
			service: service{id: "Secrets Manager", host: "secretsmanager", signing: "secretsmanager", protocol: awsJSON11, version: "secretsmanager"},
			tag:     "TagResource", list: "DescribeSecret", field: "SecretId", tags: "Tags", pair: "Key Value",
		},
		"states": {
			service: service{id: "SFN", host: "states", signing: "states", protocol: awsJSON10, version: "AWSStepFunctions"},
			tag:     "TagResource", list: "ListTagsForResource", field: "resourceArn", tags: "tags", pair: "key value",
		},

		// Neither DAX nor Storage Gateway is served by the tagging API.
		"dax": {
			service: service{id: "DAX", host: "dax", signing: "dax", protocol: awsJSON11, version: "AmazonDAXV3"},
			tag:     "TagResource", list: "ListTags", field: "ResourceName", tags: "Tags", pair: "Key Value",
			next: "NextToken", marker: "NextToken",
		},
		"storagegateway": {
			service: service{id: "Storage Gateway", host: "storagegateway", signing: "storagegateway", protocol: awsJSON11, version: "StorageGateway_20130630"},
			tag:     "AddTagsToResource", list: "ListTagsForResource", field: "ResourceARN", tags: "Tags", pair: "Key Value",
			next: "Marker", marker: "Marker",
		},

		"kms": {
			service: service{id: "KMS", host: "kms", signing: "kms", protocol: awsJSON11, version: "TrentService"},
			tag:     "TagResource", list: "ListResourceTags", field: "KeyId", tags: "Tags", pair: "TagKey TagValue",
			next: "NextMarker", marker: "Marker", name: customerKey,
		},

		"iam user":   iamRow("TagUser", "ListUserTags", "UserName", iamName, true),
		"iam role":   iamRow("TagRole", "ListRoleTags", "RoleName", iamName, true),
		"iam policy": iamRow("TagPolicy", "ListPolicyTags", "PolicyArn", customerPolicy, false),
		// GetInstanceProfile has the tags too, and emulators know it.
		"iam instance-profile":   iamRow("TagInstanceProfile", "GetInstanceProfile", "InstanceProfileName", iamName, false),
		"iam oidc-provider":      iamRow("TagOpenIDConnectProvider", "ListOpenIDConnectProviderTags", "OpenIDConnectProviderArn", nil, false),
		"iam saml-provider":      iamRow("TagSAMLProvider", "ListSAMLProviderTags", "SAMLProviderArn", nil, false),
		"iam server-certificate": iamRow("TagServerCertificate", "ListServerCertificateTags", "ServerCertificateName", iamName, false),
		"iam mfa":                iamRow("TagMFADevice", "ListMFADeviceTags", "SerialNumber", nil, false),
	}
}

// ownOf is the row that serves an ARN, nil without one.
func ownOf(rows map[string]*own, arn string) *own {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return nil
	}
	switch resource := parts[5]; parts[2] {
	case "elasticloadbalancing":
		// loadbalancer/app/name/id, …/net/…, …/gwy/… are of v2, as are target
		// groups and listeners; a classic one is loadbalancer/name
		// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancing.html).
		if strings.HasPrefix(resource, "loadbalancer/") && strings.Count(resource, "/") == 1 {
			return rows["elasticloadbalancing classic"]
		}
	case "iam":
		kind, _, _ := strings.Cut(resource, "/")
		return rows["iam "+kind]
	}
	return rows[parts[2]]
}

// Actions are the IAM actions that tagging a resource may need, reads included,
// sorted: what a policy for this package has to allow. api is as in Request. The
// operations called are named like their actions, in each service's namespace
// (https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html).
func Actions(api, arn string) []string {
	var out []string
	switch parts := strings.SplitN(arn, ":", 6); {
	case len(parts) < 6 || api == "none" || api == "":
		return nil
	case parts[2] == "s3":
		out = []string{"s3:GetBucketTagging", "s3:PutBucketTagging", "s3:TagResource"}
	case parts[2] == "ec2":
		out = []string{"ec2:CreateTags", "ec2:DescribeTags"}
	case parts[2] == "autoscaling":
		out = []string{"autoscaling:CreateOrUpdateTags", "autoscaling:DescribeTags"}
	default:
		if row := ownOf(ownRows(), arn); row != nil {
			out = []string{row.signing + ":" + row.list, row.signing + ":" + row.tag}
		}
		if parts[2] == "kms" {
			out = append(out, "kms:DescribeKey")
		}
	}
	if api == "tagging" {
		out = append(out, "tag:GetResources", "tag:TagResources")
	}
	sort.Strings(out)
	return out
}

// queueURL builds a queue's URL from its ARN:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
// With a custom endpoint the URL is on it, as an emulator's are.
func queueURL(c *caller, t target) (string, error) {
	parts := strings.SplitN(t.arn, ":", 6)
	if len(parts) < 6 || parts[5] == "" {
		return "", bad(WhyBadARN)
	}
	u, err := c.endpoint(context.Background(), call{service: &service{id: "SQS", host: "sqs"}, region: t.region, arn: t.arn})
	if err != nil {
		return "", fmt.Errorf("resolving the endpoint of SQS: %w", err)
	}
	return strings.TrimSuffix(u.String(), "/") + "/" + parts[4] + "/" + parts[5], nil
}

// logGroupARN leaves away the ":*" that CloudTrail and CloudFormation put
// behind a log group's ARN and TagResource refuses:
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TagResource.html
func logGroupARN(_ *caller, t target) (string, error) {
	return strings.TrimSuffix(t.arn, ":*"), nil
}

func lastPart(_ *caller, t target) (string, error) {
	name := t.arn[strings.LastIndexAny(t.arn, "/:")+1:]
	if name == "" {
		return "", bad(WhyBadARN)
	}
	return name, nil
}

// ownStore reads and writes tags through a service's own calls.
type ownStore struct {
	c   *caller
	row *own
}

func (s ownStore) read(ctx context.Context, ts []target) []found {
	out := make([]found, len(ts))
	names, good := s.names(ts, func(i int, err error) { out[i].err = err })
	if s.row.many {
		if len(good) > 0 {
			s.readMany(ctx, ts, names, good, out)
		}
		return out
	}
	for _, i := range good {
		out[i].tags, out[i].err = s.readOne(ctx, ts[i], names[i])
	}
	return out
}

// names are what the targets are called in calls, and the indices of those
// that have one.
func (s ownStore) names(ts []target, fail func(int, error)) (names []string, good []int) {
	names = make([]string, len(ts))
	for i, t := range ts {
		names[i] = t.arn
		if s.row.name != nil {
			var err error
			if names[i], err = s.row.name(s.c, t); err != nil {
				fail(i, err)
				continue
			}
		}
		good = append(good, i)
	}
	return names, good
}

func (s ownStore) readOne(ctx context.Context, t target, name string) (map[string]string, error) {
	tags, marker := map[string]string{}, ""
	// A resource has 50 tags at most, so that a handful of pages is plenty; the
	// bound holds against an endpoint that hands out tokens for ever.
	for range 20 {
		cl := s.call(s.row.list, t)
		switch s.row.protocol {
		case restJSON:
			cl.method = http.MethodGet
		case query:
			cl.form = url.Values{s.row.field: {name}}
			if marker != "" {
				cl.form.Set(s.row.marker, marker)
			}
		default:
			in := map[string]any{s.row.field: name}
			if marker != "" {
				in[s.row.marker] = marker
			}
			cl.json = in
		}
		body, err := s.c.do(ctx, cl)
		if err != nil {
			return nil, err
		}
		page, next, err := s.row.parse(body)
		if err != nil {
			return nil, fmt.Errorf("reading the tags of %s: %w", t.arn, err)
		}
		for k, v := range page {
			tags[k] = v
		}
		if s.row.next == "" || next == "" {
			return tags, nil
		}
		marker = next
	}
	return nil, fmt.Errorf("reading the tags of %s: pages without end", t.arn)
}

// readMany reads resources that one call describes together. One that isn't
// there fails the call for all, so it is looked for by halves.
func (s ownStore) readMany(ctx context.Context, ts []target, names []string, good []int, out []found) {
	cl := s.call(s.row.list, ts[good[0]])
	cl.form = url.Values{}
	for n, i := range good {
		cl.form.Set(s.row.field+"."+strconv.Itoa(n+1), names[i])
	}
	body, err := s.c.do(ctx, cl)
	if err != nil {
		if len(good) > 1 && blames(err) {
			s.readMany(ctx, ts, names, good[:len(good)/2], out)
			s.readMany(ctx, ts, names, good[len(good)/2:], out)
			return
		}
		for _, i := range good {
			out[i].err = err
		}
		return
	}
	var root node
	if err := xml.Unmarshal(body, &root); err != nil {
		for _, i := range good {
			out[i].err = fmt.Errorf("reading the tags of %s: %w", ts[i].arn, err)
		}
		return
	}
	described := map[string]map[string]string{}
	holder := root.holder("TagDescriptions")
	if holder == nil {
		holder = &node{}
	}
	for _, d := range holder.child("TagDescriptions").Nodes {
		name := d.text("ResourceArn") + d.text("LoadBalancerName") // one of them is there
		described[name] = pairs(&d)
	}
	for _, i := range good {
		if out[i].tags = described[names[i]]; out[i].tags == nil {
			out[i].tags = map[string]string{}
		}
	}
}

func (s ownStore) write(ctx context.Context, ts []target, tags map[string]string) []error {
	errs := make([]error, len(ts))
	names, good := s.names(ts, func(i int, err error) { errs[i] = err })
	if s.row.many {
		if len(good) > 0 {
			s.writeMany(ctx, ts, names, good, tags, errs)
		}
		return errs
	}
	for _, i := range good {
		cl := s.call(s.row.tag, ts[i])
		switch s.row.protocol {
		case query:
			cl.form = url.Values{s.row.field: {names[i]}}
			s.row.addTags(cl.form, tags)
		default:
			in := map[string]any{s.row.tags: s.row.tagsJSON(tags)}
			if s.row.field != "" {
				in[s.row.field] = names[i]
			}
			cl.json = in
		}
		_, errs[i] = s.c.do(ctx, cl)
	}
	return errs
}

func (s ownStore) writeMany(ctx context.Context, ts []target, names []string, good []int, tags map[string]string, errs []error) {
	cl := s.call(s.row.tag, ts[good[0]])
	cl.form = url.Values{}
	for n, i := range good {
		cl.form.Set(s.row.field+"."+strconv.Itoa(n+1), names[i])
	}
	s.row.addTags(cl.form, tags)
	_, err := s.c.do(ctx, cl)
	if err != nil && len(good) > 1 && blames(err) {
		s.writeMany(ctx, ts, names, good[:len(good)/2], tags, errs)
		s.writeMany(ctx, ts, names, good[len(good)/2:], tags, errs)
		return
	}
	for _, i := range good {
		errs[i] = err
	}
}

// call is a call of the row about a target, still without its content.
func (s ownStore) call(op string, t target) call {
	cl := call{service: &s.row.service, op: op, account: t.account, region: t.region, arn: t.arn}
	if s.row.protocol == restJSON {
		cl.path = s.row.path + escapeLabel(t.arn)
	}
	return cl
}

// escapeLabel escapes a value for one segment of a REST path, slashes and
// colons included, as the SDK's REST protocols do.
func escapeLabel(v string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(v), "+", "%20"), "%7E", "~")
}

// addTags writes tags into a query form, in the order of their keys so that
// equal requests are equal on the wire.
func (r *own) addTags(form url.Values, tags map[string]string) {
	k, v, _ := strings.Cut(r.pair, " ")
	for n, key := range sortedKeys(tags) {
		prefix := r.tags + "." + strconv.Itoa(n+1) + "."
		form.Set(prefix+k, key)
		form.Set(prefix+v, tags[key])
	}
}

// tagsJSON is the tags as the row has them in JSON: a map, or a list of pairs.
func (r *own) tagsJSON(tags map[string]string) any {
	if r.pair == "" {
		return tags
	}
	k, v, _ := strings.Cut(r.pair, " ")
	list := make([]map[string]string, 0, len(tags))
	for _, key := range sortedKeys(tags) {
		list = append(list, map[string]string{k: key, v: tags[key]})
	}
	return list
}

// parse reads the answer of the row's list operation: tags, and the token of
// the next page if there is one.
func (r *own) parse(body []byte) (tags map[string]string, next string, err error) {
	if r.protocol == query {
		var root node
		if err := xml.Unmarshal(body, &root); err != nil {
			return nil, "", err
		}
		if r.next != "" {
			if h := root.holder(r.next); h != nil {
				next = h.text(r.next)
			}
		}
		return pairs(&root), next, nil
	}
	tags = map[string]string{}
	if len(body) == 0 {
		return tags, "", nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return nil, "", err
	}
	if raw, ok := fields[r.next]; ok && r.next != "" {
		if err := json.Unmarshal(raw, &next); err != nil {
			return nil, "", err
		}
	}
	raw, ok := fields[r.tags]
	if !ok {
		return tags, next, nil
	}
	if r.pair == "" {
		return tags, next, json.Unmarshal(raw, &tags)
	}
	var list []map[string]string
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, "", err
	}
	k, v, _ := strings.Cut(r.pair, " ")
	for _, t := range list {
		tags[t[k]] = t[v]
	}
	return tags, next, nil
}

// pairs are the tags in an XML answer: every element with a Key and a Value.
func pairs(n *node) map[string]string {
	tags := map[string]string{}
	var walk func(*node)
	walk = func(n *node) {
		key, value, isTag := "", "", false
		for i := range n.Nodes {
			switch c := &n.Nodes[i]; c.XMLName.Local {
			case "Key", "key":
				key, isTag = c.Text, true
			case "Value", "value":
				value = c.Text
			case "Roles": // of an instance profile, whose tags are not its own
			default:
				walk(c)
			}
		}
		if isTag {
			tags[key] = value
		}
	}
	walk(n)
	return tags
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
