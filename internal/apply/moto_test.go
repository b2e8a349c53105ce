package apply_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"autotagger/internal/apply"
	"autotagger/internal/awsapi"
	"autotagger/internal/emulator"
)

// Tests against moto create their resources and read the tags back with plain
// HTTP, so that a mistake in the code under test can't hide in its own mirror.

// unique is a name that nothing in the server has yet, of 32 characters at
// most: load balancers' limit.
func unique(prefix string) string {
	return fmt.Sprintf("%.24s-%d", strings.ReplaceAll(prefix, " ", "-"), shared.Number())
}

// shared is the one server of this package's tests.
var shared emulator.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	shared.Stop()
	os.Exit(code)
}

func server(t *testing.T) *emulator.Server {
	t.Helper()
	moto, err := shared.Server()
	if err != nil {
		t.Fatal(err)
	}
	return moto
}

const region = "us-east-1"

// send is one request to moto, which tells services apart by the scope of an
// otherwise unchecked signature.
func send(t *testing.T, service, method, path string, header map[string]string, body string) []byte {
	t.Helper()
	req, err := http.NewRequest(method, server(t).URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=testing/20260101/"+region+"/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode >= 300 {
		t.Fatalf("%s %s %s: %s: %s", service, method, path, resp.Status, out)
	}
	return out
}

// sendTo is sendQuery to another server than the shared one.
func sendTo(t *testing.T, base, service, action string, kv ...string) []byte {
	t.Helper()
	form := url.Values{"Action": {action}, "Version": {"2010-05-08"}}
	for i := 0; i < len(kv); i += 2 {
		form.Set(kv[i], kv[i+1])
	}
	req, err := http.NewRequest(http.MethodPost, base, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=testing/20260101/"+region+"/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s", action, resp.Status, out)
	}
	return out
}

type object = map[string]any

func sendJSON(t *testing.T, service, target string, in object) object {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, send(t, service, http.MethodPost, "/", map[string]string{
		"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1",
	}, string(body)))
}

func sendREST(t *testing.T, service, method, path string, in object) object {
	t.Helper()
	body := ""
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		body = string(raw)
	}
	return decode(t, send(t, service, method, path, map[string]string{"Content-Type": "application/json"}, body))
}

func decode(t *testing.T, raw []byte) object {
	t.Helper()
	out := object{}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &out); err != nil {
			t.Fatalf("%v: %s", err, raw)
		}
	}
	return out
}

func sendQuery(t *testing.T, service, version, action string, kv ...string) []byte {
	t.Helper()
	form := url.Values{"Action": {action}, "Version": {version}}
	for i := 0; i < len(kv); i += 2 {
		form.Set(kv[i], kv[i+1])
	}
	return send(t, service, http.MethodPost, "/", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, form.Encode())
}

// element is the text of the first XML element of the name.
func element(t *testing.T, raw []byte, name string) string {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(raw)); ; {
		tok, err := d.Token()
		if err != nil {
			t.Fatalf("no <%s>: %s", name, raw)
		}
		if s, ok := tok.(xml.StartElement); ok && s.Name.Local == name {
			var text string
			if err := d.DecodeElement(&text, &s); err != nil {
				t.Fatal(err)
			}
			return text
		}
	}
}

// xmlTags are the Key/Value siblings anywhere in an answer.
func xmlTags(t *testing.T, raw []byte) map[string]string {
	t.Helper()
	tags, key, name := map[string]string{}, "", ""
	for d := xml.NewDecoder(bytes.NewReader(raw)); ; {
		tok, err := d.Token()
		if err == io.EOF {
			return tags
		}
		if err != nil {
			t.Fatalf("%v: %s", err, raw)
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

// listTags are tags in a JSON answer: a map, or pairs whose names end in "key"
// and "value".
func listTags(t *testing.T, v any) map[string]string {
	t.Helper()
	tags := map[string]string{}
	switch v := v.(type) {
	case nil:
	case map[string]any:
		for k, e := range v {
			tags[k] = e.(string)
		}
	case []any:
		for _, e := range v {
			key, value := "", ""
			for name, s := range e.(map[string]any) {
				if strings.HasSuffix(strings.ToLower(name), "key") {
					key = s.(string)
				} else {
					value = s.(string)
				}
			}
			tags[key] = value
		}
	default:
		t.Fatalf("tags are a %T", v)
	}
	return tags
}

// account is moto's.
const account = emulator.Account

func arnOf(service, resource string) string {
	return "arn:aws:" + service + ":" + region + ":" + account + ":" + resource
}

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

func role(t *testing.T, name string) string {
	t.Helper()
	return element(t, sendQuery(t, "iam", "2010-05-08", "CreateRole", "RoleName", name, "Path", "/team/", "AssumeRolePolicyDocument", trust,
		"Tags.member.1.Key", "owner", "Tags.member.1.Value", "x"), "Arn")
}

func vpc(t *testing.T) string {
	t.Helper()
	return element(t, sendQuery(t, "ec2", "2016-11-15", "CreateVpc", "CidrBlock", "10.0.0.0/16"), "vpcId")
}

func subnet(t *testing.T, vpc, zone, cidr string) string {
	t.Helper()
	return element(t, sendQuery(t, "ec2", "2016-11-15", "CreateSubnet", "VpcId", vpc, "CidrBlock", cidr, "AvailabilityZone", zone), "subnetId")
}

// owned gives an EC2 resource the tag owner=x and returns its ARN.
func owned(t *testing.T, kind, id string) string {
	t.Helper()
	sendQuery(t, "ec2", "2016-11-15", "CreateTags", "ResourceId.1", id, "Tag.1.Key", "owner", "Tag.1.Value", "x")
	return arnOf("ec2", kind+"/"+id)
}

func ec2Tags(t *testing.T, arn string) map[string]string {
	t.Helper()
	id := arn[strings.LastIndex(arn, "/")+1:]
	return xmlTags(t, sendQuery(t, "ec2", "2016-11-15", "DescribeTags", "Filter.1.Name", "resource-id", "Filter.1.Value.1", id))
}

// kind is one type of resource: how to create one that carries owner=x, and
// how its own service shows its tags.
type kind struct {
	name string
	apis []string
	make func(t *testing.T, name string) (arn string)
	tags func(t *testing.T, arn string) map[string]string
}

func jsonKind(service, prefix, create string, in func(name string) object, arn func(object) string, list, field string, tags string) kind {
	return kind{
		name: service, apis: []string{service, "tagging"},
		make: func(t *testing.T, name string) string { return arn(sendJSON(t, service, prefix+create, in(name))) },
		tags: func(t *testing.T, arn string) map[string]string {
			return listTags(t, sendJSON(t, service, prefix+list, object{field: arn})[tags])
		},
	}
}

func iamKind(name, create string, in func(name string) []string, list, field string, byName bool, element_ string) kind {
	return kind{
		name: "iam " + name, apis: []string{"iam"},
		make: func(t *testing.T, name string) string {
			in := append(in(name), "Tags.member.1.Key", "owner", "Tags.member.1.Value", "x")
			return element(t, sendQuery(t, "iam", "2010-05-08", create, in...), element_)
		},
		tags: func(t *testing.T, arn string) map[string]string {
			id := arn
			if byName {
				id = arn[strings.LastIndex(arn, "/")+1:]
			}
			return xmlTags(t, sendQuery(t, "iam", "2010-05-08", list, field, id))
		},
	}
}

func dig(o object, path ...string) string {
	for _, p := range path[:len(path)-1] {
		o = o[p].(object)
	}
	return o[path[len(path)-1]].(string)
}

var pairX = []object{{"Key": "owner", "Value": "x"}}

func kinds() []kind {
	ec2 := func(name string, make func(t *testing.T) string) kind {
		return kind{
			name: "ec2 " + name, apis: []string{"ec2"}, tags: ec2Tags,
			make: func(t *testing.T, _ string) string { return owned(t, name, make(t)) },
		}
	}
	const v = "2016-11-15"
	return []kind{
		{
			name: "s3", apis: []string{"s3"},
			make: func(t *testing.T, name string) string {
				send(t, "s3", http.MethodPut, "/"+name, nil, "")
				send(t, "s3", http.MethodPut, "/"+name+"?tagging", nil, `<Tagging><TagSet><Tag><Key>owner</Key><Value>x</Value></Tag></TagSet></Tagging>`)
				return "arn:aws:s3:::" + name
			},
			tags: func(t *testing.T, arn string) map[string]string {
				return xmlTags(t, send(t, "s3", http.MethodGet, "/"+strings.TrimPrefix(arn, "arn:aws:s3:::")+"?tagging", nil, ""))
			},
		},
		iamKind("user", "CreateUser", func(n string) []string { return []string{"UserName", n, "Path", "/a/b/"} }, "ListUserTags", "UserName", true, "Arn"),
		{
			name: "iam role", apis: []string{"iam"}, make: role,
			tags: func(t *testing.T, arn string) map[string]string {
				return xmlTags(t, sendQuery(t, "iam", "2010-05-08", "ListRoleTags", "RoleName", arn[strings.LastIndex(arn, "/")+1:]))
			},
		},
		iamKind("policy", "CreatePolicy", func(n string) []string {
			return []string{"PolicyName", n, "Path", "/p/", "PolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`}
		}, "ListPolicyTags", "PolicyArn", false, "Arn"),
		{
			// moto has no ListInstanceProfileTags.
			name: "iam instance profile", apis: []string{"iam"},
			make: func(t *testing.T, name string) string {
				arn := element(t, sendQuery(t, "iam", "2010-05-08", "CreateInstanceProfile", "InstanceProfileName", name), "Arn")
				sendQuery(t, "iam", "2010-05-08", "TagInstanceProfile", "InstanceProfileName", name, "Tags.member.1.Key", "owner", "Tags.member.1.Value", "x")
				return arn
			},
			tags: func(t *testing.T, arn string) map[string]string {
				return xmlTags(t, sendQuery(t, "iam", "2010-05-08", "GetInstanceProfile", "InstanceProfileName", arn[strings.LastIndex(arn, "/")+1:]))
			},
		},
		iamKind("oidc provider", "CreateOpenIDConnectProvider", func(n string) []string {
			return []string{"Url", "https://" + n + ".example.com/path", "ThumbprintList.member.1", strings.Repeat("a", 40)}
		}, "ListOpenIDConnectProviderTags", "OpenIDConnectProviderArn", false, "OpenIDConnectProviderArn"),
		jsonKind("kms", "TrentService.", "CreateKey", func(string) object {
			return object{"Tags": []object{{"TagKey": "owner", "TagValue": "x"}}}
		}, func(o object) string { return dig(o, "KeyMetadata", "Arn") }, "ListResourceTags", "KeyId", "Tags").only("kms"),
		ec2("vpc", vpc),
		ec2("subnet", func(t *testing.T) string { return subnet(t, vpc(t), region+"a", "10.0.1.0/24") }),
		ec2("security-group", func(t *testing.T) string {
			return element(t, sendQuery(t, "ec2", v, "CreateSecurityGroup", "GroupName", "g"+fmt.Sprint(time.Now().UnixNano()), "GroupDescription", "d", "VpcId", vpc(t)), "groupId")
		}),
		ec2("volume", func(t *testing.T) string {
			return element(t, sendQuery(t, "ec2", v, "CreateVolume", "Size", "1", "AvailabilityZone", region+"a"), "volumeId")
		}),
		ec2("snapshot", func(t *testing.T) string {
			vol := element(t, sendQuery(t, "ec2", v, "CreateVolume", "Size", "1", "AvailabilityZone", region+"a"), "volumeId")
			return element(t, sendQuery(t, "ec2", v, "CreateSnapshot", "VolumeId", vol), "snapshotId")
		}),
		ec2("instance", func(t *testing.T) string {
			return element(t, sendQuery(t, "ec2", v, "RunInstances", "ImageId", "ami-12c6146b", "MinCount", "1", "MaxCount", "1"), "instanceId")
		}),
		{
			name: "lambda", apis: []string{"lambda", "tagging"},
			make: func(t *testing.T, name string) string {
				var buf bytes.Buffer
				z := zip.NewWriter(&buf)
				f, err := z.Create("index.py")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := f.Write([]byte("def handler(e, c): pass")); err != nil {
					t.Fatal(err)
				}
				if err := z.Close(); err != nil {
					t.Fatal(err)
				}
				return dig(sendREST(t, "lambda", http.MethodPost, "/2015-03-31/functions", object{
					"FunctionName": name, "Role": role(t, "r-"+name), "Runtime": "python3.12", "Handler": "index.handler",
					"Code": object{"ZipFile": base64.StdEncoding.EncodeToString(buf.Bytes())}, "Tags": object{"owner": "x"},
				}), "FunctionArn")
			},
			tags: func(t *testing.T, arn string) map[string]string {
				return listTags(t, sendREST(t, "lambda", http.MethodGet, "/2017-03-31/tags/"+url.QueryEscape(arn), nil)["Tags"])
			},
		},
		jsonKind("dynamodb", "DynamoDB_20120810.", "CreateTable", func(n string) object {
			return object{
				"TableName": n, "KeySchema": []object{{"AttributeName": "id", "KeyType": "HASH"}}, "BillingMode": "PAY_PER_REQUEST",
				"AttributeDefinitions": []object{{"AttributeName": "id", "AttributeType": "S"}}, "Tags": pairX,
			}
		}, func(o object) string { return dig(o, "TableDescription", "TableArn") }, "ListTagsOfResource", "ResourceArn", "Tags"),
		{
			name: "sqs", apis: []string{"sqs", "tagging"},
			make: func(t *testing.T, name string) string {
				sendJSON(t, "sqs", "AmazonSQS.CreateQueue", object{"QueueName": name, "tags": object{"owner": "x"}})
				return arnOf("sqs", name)
			},
			tags: func(t *testing.T, arn string) map[string]string {
				name := arn[strings.LastIndex(arn, ":")+1:]
				return listTags(t, sendJSON(t, "sqs", "AmazonSQS.ListQueueTags", object{"QueueUrl": server(t).URL + "/" + account + "/" + name})["Tags"])
			},
		},
		{
			name: "sns", apis: []string{"sns", "tagging"},
			make: func(t *testing.T, name string) string {
				return element(t, sendQuery(t, "sns", "2010-03-31", "CreateTopic", "Name", name, "Tags.member.1.Key", "owner", "Tags.member.1.Value", "x"), "TopicArn")
			},
			tags: func(t *testing.T, arn string) map[string]string {
				return xmlTags(t, sendQuery(t, "sns", "2010-03-31", "ListTagsForResource", "ResourceArn", arn))
			},
		},
		{
			name: "logs", apis: []string{"logs", "tagging"},
			make: func(t *testing.T, name string) string {
				sendJSON(t, "logs", "Logs_20140328.CreateLogGroup", object{"logGroupName": "/x/" + name, "tags": object{"owner": "x"}})
				return arnOf("logs", "log-group:/x/"+name)
			},
			tags: func(t *testing.T, arn string) map[string]string {
				return listTags(t, sendJSON(t, "logs", "Logs_20140328.ListTagsForResource", object{"resourceArn": arn})["tags"])
			},
		},
		{
			name: "rds", apis: []string{"rds", "tagging"},
			make: func(t *testing.T, name string) string {
				return element(t, sendQuery(t, "rds", "2014-10-31", "CreateDBInstance", "DBInstanceIdentifier", name, "DBInstanceClass", "db.t3.micro",
					"Engine", "postgres", "MasterUsername", "u", "MasterUserPassword", "password", "AllocatedStorage", "20",
					"Tags.Tag.1.Key", "owner", "Tags.Tag.1.Value", "x"), "DBInstanceArn")
			},
			tags: func(t *testing.T, arn string) map[string]string {
				return xmlTags(t, sendQuery(t, "rds", "2014-10-31", "ListTagsForResource", "ResourceName", arn))
			},
		},
		jsonKind("ecr", "AmazonEC2ContainerRegistry_V20150921.", "CreateRepository", func(n string) object {
			return object{"repositoryName": "team/" + n, "tags": pairX}
		}, func(o object) string { return dig(o, "repository", "repositoryArn") }, "ListTagsForResource", "resourceArn", "tags"),
		jsonKind("ecs", "AmazonEC2ContainerServiceV20141113.", "CreateCluster", func(n string) object {
			return object{"clusterName": n, "tags": []object{{"key": "owner", "value": "x"}}}
		}, func(o object) string { return dig(o, "cluster", "clusterArn") }, "ListTagsForResource", "resourceArn", "tags"),
		{
			name: "eks", apis: []string{"eks", "tagging"},
			make: func(t *testing.T, name string) string {
				return dig(sendREST(t, "eks", http.MethodPost, "/clusters", object{
					"name": name, "roleArn": "arn:aws:iam::" + account + ":role/eks", "resourcesVpcConfig": object{}, "tags": object{"owner": "x"},
				}), "cluster", "arn")
			},
			tags: func(t *testing.T, arn string) map[string]string {
				return listTags(t, sendREST(t, "eks", http.MethodGet, "/tags/"+url.QueryEscape(arn), nil)["tags"])
			},
		},
		{
			name: "elb v2", apis: []string{"elasticloadbalancing", "tagging"},
			make: func(t *testing.T, name string) string {
				v := vpc(t)
				return element(t, sendQuery(t, "elasticloadbalancing", "2015-12-01", "CreateLoadBalancer", "Name", name,
					"Subnets.member.1", subnet(t, v, region+"a", "10.0.1.0/24"), "Subnets.member.2", subnet(t, v, region+"b", "10.0.2.0/24"),
					"Tags.member.1.Key", "owner", "Tags.member.1.Value", "x"), "LoadBalancerArn")
			},
			tags: func(t *testing.T, arn string) map[string]string {
				return xmlTags(t, sendQuery(t, "elasticloadbalancing", "2015-12-01", "DescribeTags", "ResourceArns.member.1", arn))
			},
		},
		{
			name: "elb classic", apis: []string{"elasticloadbalancing", "tagging"},
			make: func(t *testing.T, name string) string {
				sendQuery(t, "elasticloadbalancing", "2012-06-01", "CreateLoadBalancer", "LoadBalancerName", name, "AvailabilityZones.member.1", region+"a",
					"Listeners.member.1.Protocol", "tcp", "Listeners.member.1.LoadBalancerPort", "80", "Listeners.member.1.InstancePort", "80",
					"Tags.member.1.Key", "owner", "Tags.member.1.Value", "x")
				return arnOf("elasticloadbalancing", "loadbalancer/"+name)
			},
			tags: func(t *testing.T, arn string) map[string]string {
				return xmlTags(t, sendQuery(t, "elasticloadbalancing", "2012-06-01", "DescribeTags", "LoadBalancerNames.member.1", arn[strings.LastIndex(arn, "/")+1:]))
			},
		},
		{
			name: "auto scaling group", apis: []string{"autoscaling", "tagging"},
			make: func(t *testing.T, name string) string {
				const v = "2011-01-01"
				sendQuery(t, "autoscaling", v, "CreateLaunchConfiguration", "LaunchConfigurationName", name, "ImageId", "ami-12c6146b", "InstanceType", "t3.micro")
				sendQuery(t, "autoscaling", v, "CreateAutoScalingGroup", "AutoScalingGroupName", name, "LaunchConfigurationName", name,
					"MinSize", "0", "MaxSize", "0", "AvailabilityZones.member.1", region+"a", "Tags.member.1.Key", "owner", "Tags.member.1.Value", "x",
					"Tags.member.1.ResourceId", name, "Tags.member.1.ResourceType", "auto-scaling-group", "Tags.member.1.PropagateAtLaunch", "true")
				return element(t, sendQuery(t, "autoscaling", v, "DescribeAutoScalingGroups", "AutoScalingGroupNames.member.1", name), "AutoScalingGroupARN")
			},
			tags: func(t *testing.T, arn string) map[string]string {
				return xmlTags(t, sendQuery(t, "autoscaling", "2011-01-01", "DescribeTags", "Filters.member.1.Name", "auto-scaling-group",
					"Filters.member.1.Values.member.1", arn[strings.LastIndex(arn, "/")+1:]))
			},
		},
		{
			name: "dax", apis: []string{"dax", "tagging"},
			make: func(t *testing.T, name string) string {
				return dig(sendJSON(t, "dax", "AmazonDAXV3.CreateCluster", object{
					"ClusterName": name, "NodeType": "dax.t3.small", "ReplicationFactor": 1, "IamRoleArn": "arn:aws:iam::" + account + ":role/dax", "Tags": pairX,
				}), "Cluster", "ClusterArn")
			},
			tags: func(t *testing.T, arn string) map[string]string {
				return listTags(t, sendJSON(t, "dax", "AmazonDAXV3.ListTags", object{"ResourceName": arn})["Tags"])
			},
		},
		jsonKind("secretsmanager", "secretsmanager.", "CreateSecret", func(n string) object {
			return object{"Name": n, "SecretString": "s", "ClientRequestToken": strings.Repeat("t", 32), "Tags": pairX}
		}, func(o object) string { return dig(o, "ARN") }, "DescribeSecret", "SecretId", "Tags"),
		jsonKind("states", "AWSStepFunctions.", "CreateStateMachine", func(n string) object {
			return object{
				"name": n, "roleArn": "arn:aws:iam::" + account + ":role/sfn", "definition": `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`,
				"tags": []object{{"key": "owner", "value": "x"}},
			}
		}, func(o object) string { return dig(o, "stateMachineArn") }, "ListTagsForResource", "resourceArn", "tags"),
	}
}

func (k kind) only(api string) kind { k.apis = []string{api}; return k }

// calls counts what an Applier sent.
type calls struct {
	mu  sync.Mutex
	all []awsapi.Attempt
}

func (c *calls) add(call awsapi.Attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, call)
}

func (c *calls) take() []awsapi.Attempt {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.all
	c.all = nil
	return all
}

func written(cs []awsapi.Attempt) (n int) {
	for _, c := range cs {
		if c.Write {
			n++
		}
	}
	return n
}

// TestKinds creates a resource of every kind with a tag of its own, tags it by
// every way that leads to it, and looks at it through its service.
func TestKinds(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		for _, api := range k.apis {
			t.Run(k.name+" by "+api, func(t *testing.T) {
				t.Parallel()
				arn := k.make(t, unique("k-"+k.name+"-"+api))
				if got := k.tags(t, arn); got["owner"] != "x" || len(got) != 1 {
					t.Fatalf("the new %s %s has the tags %v", k.name, arn, got)
				}
				var sent calls
				a := apply.New(server(t).Config(), apply.Options{OnCall: sent.add})
				req := apply.Request{
					ARN: arn, API: api, Calls: callsOf(arn), Account: account, Region: region, Upsert: true,
					Tags: map[string]string{"owner": "intruder", "creator": "alice@example.com", "cost-center": "12 34/5"},
				}
				got := a.Tag(t.Context(), []apply.Request{req})[0]
				want := map[string]string{"creator": "alice@example.com", "cost-center": "12 34/5"}
				if got.Outcome != apply.Tagged || !maps.Equal(got.Written, want) {
					t.Fatalf("tagging %s: %+v, calls %+v", arn, got, sent.take())
				}
				want["owner"] = "x"
				if tags := k.tags(t, arn); !maps.Equal(tags, want) {
					t.Errorf("%s now has %v, want %v", arn, tags, want)
				}
				sent.take()
				if got := a.Tag(t.Context(), []apply.Request{req})[0]; got.Outcome != apply.Unchanged || got.Written != nil {
					t.Errorf("tagging %s again: %+v", arn, got)
				}
				if cs := sent.take(); written(cs) != 0 {
					t.Errorf("tagging %s again wrote: %+v", arn, cs)
				}
			})
		}
	}
}
