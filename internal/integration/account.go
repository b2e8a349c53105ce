package integration

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"autotagger/internal/emulator"
)

// Region is where everything but IAM is created.
const Region = "eu-west-1"

// Account is an account of the emulator, seen from a test.
type Account struct {
	testing.TB
	URL string
	// Key is an access key of the account; without one it is emulator.Account.
	Key string
}

// In returns another account, through a session in it.
func (a Account) In(account string) Account {
	a.Helper()
	session := a.query("sts", "AssumeRole", "RoleArn", "arn:aws:iam::"+account+":role/test", "RoleSessionName", "test")
	a.Key = session.one("AccessKeyId")
	return a
}

// arn is the ARN of something in Region.
func arn(service, resource string) string {
	return "arn:aws:" + service + ":" + Region + ":" + emulator.Account + ":" + resource
}

// try sends a request. The emulator knows service and region by the scope of
// the signature, which it doesn't check.
func (a Account) try(service, method, path, contentType, target, body string) (int, []byte) {
	a.Helper()
	req, err := http.NewRequest(method, a.URL+path, strings.NewReader(body))
	if err != nil {
		a.Fatal(err)
	}
	region := Region
	if in := regions[service]; in != "" {
		region = in
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+cmp.Or(a.Key, "testing")+"/20260101/"+region+"/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if target != "" {
		req.Header.Set("X-Amz-Target", target)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		a.Fatal(err)
	}
	return resp.StatusCode, out
}

func (a Account) send(service, method, path, contentType, target, body string) []byte {
	a.Helper()
	status, out := a.try(service, method, path, contentType, target, body)
	if status >= 300 {
		a.Fatalf("%s %s %s %s: %d: %s", service, method, path, target, status, out)
	}
	return out
}

type object = map[string]any

// json sends a call of an awsJson protocol: target is "Prefix.Operation".
func (a Account) json(service, target string, in object) object {
	a.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		a.Fatal(err)
	}
	return a.decode(a.send(service, http.MethodPost, "/", "application/x-amz-json-1.1", target, string(body)))
}

// rest sends a call of the restJson protocol.
func (a Account) rest(service, method, path string, in object) object {
	a.Helper()
	body := []byte(nil)
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			a.Fatal(err)
		}
	}
	return a.decode(a.send(service, method, path, "application/json", "", string(body)))
}

func (a Account) decode(raw []byte) object {
	a.Helper()
	out := object{}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &out); err != nil {
			a.Fatalf("%v: %s", err, raw)
		}
	}
	return out
}

// query sends a call of the query protocols: action is "Operation".
func (a Account) query(service, action string, kv ...string) answer {
	a.Helper()
	version := map[string]string{
		"iam": "2010-05-08", "sts": "2011-06-15", "ec2": "2016-11-15", "rds": "2014-10-31", "sns": "2010-03-31",
		"elasticloadbalancing": "2015-12-01", "cloudformation": "2010-05-15", "autoscaling": "2011-01-01", "elasticache": "2015-02-02",
		"elasticbeanstalk": "2010-12-01", "monitoring": "2010-08-01", "redshift": "2012-12-01",
	}[service]
	form := url.Values{"Action": {action}, "Version": {version}}
	for i := 0; i < len(kv); i += 2 {
		form.Set(kv[i], kv[i+1])
	}
	return answer{a, a.send(service, http.MethodPost, "/", "application/x-www-form-urlencoded", "", form.Encode())}
}

// answer is an answer in XML.
type answer struct {
	Account
	raw []byte
}

// all are the texts of all elements of the name.
func (x answer) all(name string) []string {
	x.Helper()
	var texts []string
	for d := xml.NewDecoder(bytes.NewReader(x.raw)); ; {
		tok, err := d.Token()
		if err == io.EOF {
			return texts
		}
		if err != nil {
			x.Fatalf("%v: %s", err, x.raw)
		}
		if s, ok := tok.(xml.StartElement); ok && s.Name.Local == name {
			var text string
			if err := d.DecodeElement(&text, &s); err != nil {
				x.Fatal(err)
			}
			texts = append(texts, text)
		}
	}
}

// one is the text of the first element of the name.
func (x answer) one(name string) string {
	x.Helper()
	texts := x.all(name)
	if len(texts) == 0 {
		x.Fatalf("no <%s>: %s", name, x.raw)
	}
	return texts[0]
}

// tags are the pairs of Key and Value anywhere in the answer.
func (x answer) tags() map[string]string {
	x.Helper()
	tags, key, name := map[string]string{}, "", ""
	for d := xml.NewDecoder(bytes.NewReader(x.raw)); ; {
		tok, err := d.Token()
		if err == io.EOF {
			return tags
		}
		if err != nil {
			x.Fatalf("%v: %s", err, x.raw)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			name = strings.ToLower(tok.Name.Local)
		case xml.CharData:
			switch name {
			case "key":
				key = string(tok)
			case "value":
				tags[key] = string(tok)
			}
		case xml.EndElement:
			name = ""
		}
	}
}

// text digs a text out of an object.
func (a Account) text(o object, path ...string) string {
	a.Helper()
	var v any = o
	for _, p := range path {
		o, _ = v.(object)
		v = o[p]
	}
	s, ok := v.(string)
	if !ok {
		a.Fatalf("no text at %v: %v", path, o)
	}
	return s
}

// pairs are tags in a JSON answer: a map, or objects whose fields' names end in
// "key" and "value".
func (a Account) pairs(v any) map[string]string {
	a.Helper()
	tags := map[string]string{}
	switch v := v.(type) {
	case nil:
	case object:
		for k, e := range v {
			tags[k], _ = e.(string)
		}
	case []any:
		for _, e := range v {
			pair, _ := e.(object)
			key, value := "", ""
			for name, s := range pair {
				if strings.HasSuffix(strings.ToLower(name), "key") {
					key, _ = s.(string)
				} else {
					value, _ = s.(string)
				}
			}
			tags[key] = value
		}
	default:
		a.Fatalf("tags are a %T", v)
	}
	return tags
}

// Tags reads a resource's tags through its own service.
func (a Account) Tags(resource string) map[string]string {
	a.Helper()
	parts := strings.SplitN(resource, ":", 6)
	if len(parts) < 6 {
		a.Fatalf("%q is no ARN", resource)
	}
	kind, _, _ := strings.Cut(parts[5], "/")
	name := resource[strings.LastIndexAny(resource, ":/")+1:]
	switch parts[2] {
	case "s3":
		status, out := a.try("s3", http.MethodGet, "/"+name+"?tagging", "", "", "")
		if status == http.StatusNotFound && strings.Contains(string(out), "NoSuchTagSet") {
			return map[string]string{}
		}
		return answer{a, out}.tags()
	case "iam":
		list := map[string][2]string{
			"user": {"ListUserTags", "UserName"}, "role": {"ListRoleTags", "RoleName"}, "policy": {"ListPolicyTags", "PolicyArn"},
			"instance-profile": {"GetInstanceProfile", "InstanceProfileName"}, "oidc-provider": {"ListOpenIDConnectProviderTags", "OpenIDConnectProviderArn"},
		}[kind]
		if strings.HasSuffix(list[1], "Arn") {
			name = resource
		}
		return a.query("iam", list[0], list[1], name).tags()
	case "kms":
		return a.pairs(a.json("kms", "TrentService.ListResourceTags", object{"KeyId": name})["Tags"])
	case "ec2":
		return a.query("ec2", "DescribeTags", "Filter.1.Name", "resource-id", "Filter.1.Value.1", name).tags()
	case "lambda":
		return a.pairs(a.rest("lambda", http.MethodGet, "/2017-03-31/tags/"+url.QueryEscape(resource), nil)["Tags"])
	case "dynamodb":
		return a.pairs(a.json("dynamodb", "DynamoDB_20120810.ListTagsOfResource", object{"ResourceArn": resource})["Tags"])
	case "sqs":
		return a.pairs(a.json("sqs", "AmazonSQS.ListQueueTags", object{"QueueUrl": a.URL + "/" + emulator.Account + "/" + name})["Tags"])
	case "sns":
		return a.query("sns", "ListTagsForResource", "ResourceArn", resource).tags()
	case "logs":
		return a.pairs(a.json("logs", "Logs_20140328.ListTagsForResource", object{"resourceArn": resource})["tags"])
	case "rds":
		return a.query("rds", "ListTagsForResource", "ResourceName", resource).tags()
	case "ecr":
		return a.pairs(a.json("ecr", "AmazonEC2ContainerRegistry_V20150921.ListTagsForResource", object{"resourceArn": resource})["tags"])
	case "ecs":
		return a.pairs(a.json("ecs", "AmazonEC2ContainerServiceV20141113.ListTagsForResource", object{"resourceArn": resource})["tags"])
	case "eks":
		return a.pairs(a.rest("eks", http.MethodGet, "/tags/"+url.QueryEscape(resource), nil)["tags"])
	case "elasticloadbalancing":
		if kind == "loadbalancer" && strings.Count(parts[5], "/") == 1 {
			return a.query("elasticloadbalancing", "DescribeTags", "Version", classic, "LoadBalancerNames.member.1", name).tags()
		}
		return a.query("elasticloadbalancing", "DescribeTags", "ResourceArns.member.1", resource).tags()
	case "secretsmanager":
		return a.pairs(a.json("secretsmanager", "secretsmanager.DescribeSecret", object{"SecretId": resource})["Tags"])
	case "states":
		return a.pairs(a.json("states", "AWSStepFunctions.ListTagsForResource", object{"resourceArn": resource})["tags"])
	case "cloudformation":
		return a.query("cloudformation", "DescribeStacks", "StackName", resource).tags()
	}
	tags, ok := a.toldTags(resource)
	if !ok {
		a.Fatalf("reading the tags of %s: this account doesn't know how", resource)
	}
	return tags
}

// PutTags writes tags to a resource as someone else than the program.
func (a Account) PutTags(resource, key, value string) {
	a.Helper()
	name := resource[strings.LastIndexAny(resource, ":/")+1:]
	switch strings.SplitN(resource, ":", 6)[2] {
	case "s3":
		a.send("s3", http.MethodPut, "/"+name+"?tagging", "", "", "<Tagging><TagSet><Tag><Key>"+key+"</Key><Value>"+value+"</Value></Tag></TagSet></Tagging>")
	case "iam":
		a.query("iam", "TagRole", "RoleName", name, "Tags.member.1.Key", key, "Tags.member.1.Value", value)
	case "ec2":
		a.query("ec2", "CreateTags", "ResourceId.1", name, "Tag.1.Key", key, "Tag.1.Value", value)
	case "dynamodb":
		a.json("dynamodb", "DynamoDB_20120810.TagResource", object{"ResourceArn": resource, "Tags": []object{{"Key": key, "Value": value}}})
	case "sqs":
		a.json("sqs", "AmazonSQS.TagQueue", object{"QueueUrl": a.URL + "/" + emulator.Account + "/" + name, "Tags": object{key: value}})
	default:
		a.Fatalf("tagging %s: this account doesn't know how", resource)
	}
}

// CORS is a bucket's CORS configuration, empty without one.
func (a Account) CORS(bucket string) string {
	a.Helper()
	status, out := a.try("s3", http.MethodGet, "/"+strings.TrimPrefix(bucket, "arn:aws:s3:::")+"?cors", "", "", "")
	if status == http.StatusNotFound && strings.Contains(string(out), "NoSuchCORSConfiguration") {
		return ""
	}
	if status != http.StatusOK {
		a.Fatalf("reading the CORS of %s: %d: %s", bucket, status, out)
	}
	return string(out)
}

// PutCORS gives a bucket a CORS rule for an origin, as someone else than the
// program.
func (a Account) PutCORS(bucket, origin string) {
	a.Helper()
	a.send("s3", http.MethodPut, "/"+strings.TrimPrefix(bucket, "arn:aws:s3:::")+"?cors", "", "",
		"<CORSConfiguration><CORSRule><AllowedMethod>PUT</AllowedMethod><AllowedOrigin>"+origin+"</AllowedOrigin></CORSRule></CORSConfiguration>")
}
