package integration

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"autotagger/internal/emulator"
)

// told is a kind that can be told in a few words. In its texts {name} is the
// new name, {region}, {account}, {vpc}, {subnet}, {other-subnet}, {group} and
// {role} are what they say, {.a.b} is what stands at that path of the create
// call's answer, {..a.b} of the first call's, and {arn} is the new resource's.
type told struct {
	cfn string
	// event is the event's source and name, of the samples in events/generated;
	// "#2" behind it means the second of that name.
	event string
	// call is a service, as it signs, and what is asked of it: "acm
	// CertificateManager.RequestCertificate", "backup POST /path" or "redshift
	// CreateCluster"; and in body an object, or a form.
	call, body string
	arn        string
	// sets is what the event gets: "path=value path=value".
	sets string
	// first is a call before, in the form "call body".
	first string
}

// The tags that a told kind is created with, in the forms that calls take, and
// as the generated samples have them.
var createdWith = map[string]string{"team": "sample"}

var tagForms = map[string]string{
	"{Pairs}": `[{"Key":"team","Value":"sample"}]`,
	"{pairs}": `[{"key":"team","value":"sample"}]`,
	"{map}":   `{"team":"sample"}`,
}

// regions are where services are, if not in Region.
var regions = map[string]string{
	"connect": "eu-west-2", "connect-campaigns": "eu-west-2", // moto has them in few regions
	"ce": "us-east-1", "cloudfront": "us-east-1", "iam": "us-east-1", "organizations": "us-east-1", "route53": "us-east-1", "shield": "us-east-1",
	"networkmanager": "us-west-2",
}

var placeholder = regexp.MustCompile(`\{(\.{0,2})([A-Za-z][A-Za-z0-9.-]*)\}`)

// kind is the kind that is told.
func (k told) kind() Kind {
	source, _, _ := strings.Cut(k.event, " ")
	tagged := strings.Contains(k.body, "=team&")
	for form := range tagForms {
		tagged = tagged || strings.Contains(k.body, form)
	}
	return Kind{Type: k.cfn, Sample: "generated/" + k.event, Create: func(a Account, name string) Made {
		a.Helper()
		values := map[string]string{"name": name, "region": Region, "account": emulator.Account}
		if in := regions[source]; in != "" {
			values["region"] = in
		}
		var first, answer replied
		fill := func(text string) string {
			for form, as := range tagForms {
				text = strings.ReplaceAll(text, form, as)
			}
			return placeholder.ReplaceAllStringFunc(text, func(found string) string {
				parts := placeholder.FindStringSubmatch(found)
				switch {
				case parts[1] == ".":
					return answer.at(parts[2])
				case parts[1] == "..":
					return first.at(parts[2])
				case values[parts[2]] == "":
					values[parts[2]] = a.prerequisite(parts[2], values)
				}
				return values[parts[2]]
			})
		}
		if k.first != "" {
			call, body, _ := strings.Cut(k.first, "  ")
			first = a.told(fill(call), fill(body))
		}
		answer = a.told(fill(k.call), fill(k.body))
		values["arn"] = fill(k.arn)
		m := Made{ARNs: []string{values["arn"]}, Values: map[string]any{}, Tags: map[string]string{}}
		if tagged {
			m.Tags = createdWith
		}
		for _, set := range strings.Fields(k.sets) {
			path, value, _ := strings.Cut(set, "=")
			m.Values[path] = fill(value)
		}
		return m
	}}
}

// prerequisite makes what other resources need.
func (a Account) prerequisite(what string, values map[string]string) string {
	a.Helper()
	if strings.HasSuffix(what, "subnet") || what == "group" {
		if values["vpc"] == "" {
			values["vpc"] = a.vpc()
		}
	}
	switch what {
	case "vpc":
		return a.vpc()
	case "subnet":
		return a.subnet(values["vpc"], "a")
	case "other-subnet":
		return a.subnet(values["vpc"], "b")
	case "group":
		return a.query("ec2", "CreateSecurityGroup", "GroupName", values["name"], "GroupDescription", "d", "VpcId", values["vpc"]).one("groupId")
	case "role":
		return "arn:aws:iam::" + emulator.Account + ":role/service"
	case "bucket":
		a.send("s3", http.MethodPut, "/of-"+values["name"], "", "", "<CreateBucketConfiguration><LocationConstraint>"+Region+"</LocationConstraint></CreateBucketConfiguration>")
		return "of-" + values["name"]
	}
	a.Fatalf("no one knows what {%s} is", what)
	return ""
}

// replied is an answer in JSON or XML.
type replied struct {
	a   Account
	raw []byte
}

// at is the text at a path, of which XML needs the last part alone.
func (r replied) at(path string) string {
	r.a.Helper()
	parts := strings.Split(path, ".")
	if strings.HasPrefix(strings.TrimSpace(string(r.raw)), "<") {
		return strings.TrimPrefix(answer{r.a, r.raw}.one(parts[len(parts)-1]), "/") // Route 53 has "/hostedzone/Z1"
	}
	var v any
	if err := json.Unmarshal(r.raw, &v); err != nil {
		r.a.Fatalf("%v: %s", err, r.raw)
	}
	for _, p := range parts {
		if list, ok := v.([]any); ok && len(list) > 0 {
			v = list[0]
		}
		o, _ := v.(object)
		v = o[p]
	}
	s, ok := v.(string)
	if !ok {
		r.a.Fatalf("no text at %s: %s", path, r.raw)
	}
	return s
}

// told sends a call as told has it.
func (a Account) told(call, body string) replied {
	a.Helper()
	service, what, _ := strings.Cut(call, " ")
	method, path, rest := strings.Cut(what, " ")
	switch {
	case rest && body == "":
		return replied{a, a.send(service, method, path, "", "", "")}
	case rest && strings.HasPrefix(body, "<"):
		return replied{a, a.send(service, method, path, "application/xml", "", body)}
	case rest:
		return replied{a, a.send(service, method, path, "application/json", "", body)}
	case strings.Contains(what, "."):
		return replied{a, a.send(service, http.MethodPost, "/", "application/x-amz-json-1.1", what, body)}
	}
	form, err := url.ParseQuery(body)
	if err != nil {
		a.Fatal(err)
	}
	var kv []string
	for key := range form {
		kv = append(kv, key, form.Get(key))
	}
	return replied{a, a.query(service, what, kv...).raw}
}

// reads say how a service lets tags be read: a call as told has it, and where
// the answer has them. The key is the ARN's service, with the kind of resource
// where that matters.
var reads = map[string][3]string{
	"acm-pca":               {"acm-pca ACMPrivateCA.ListTags", `{"CertificateAuthorityArn":"{arn}"}`, "Tags"},
	"aoss":                  {"aoss OpenSearchServerless.ListTagsForResource", `{"resourceArn":"{arn}"}`, "tags"},
	"apigateway apis":       {"apigateway GET /v2/tags/{arn}", "", "tags"},
	"apigateway vpclinks":   {"apigateway GET /v2/tags/{arn}", "", "tags"},
	"appconfig":             {"appconfig GET /tags/{arn}", "", "Tags"},
	"appmesh":               {"appmesh GET /v20190125/tags?resourceArn={arn}", "", "tags"},
	"appsync":               {"appsync GET /v1/tags/{arn}", "", "tags"},
	"aps":                   {"aps GET /tags/{arn}", "", "tags"},
	"athena":                {"athena AmazonAthena.ListTagsForResource", `{"ResourceARN":"{arn}"}`, "Tags"},
	"autoscaling":           {"autoscaling DescribeTags", "Filters.member.1.Name=auto-scaling-group&Filters.member.1.Values.member.1={id}", ""},
	"backup":                {"backup GET /tags/{arn}/", "", "Tags"},
	"batch":                 {"batch GET /v1/tags/{arn}", "", "tags"},
	"bedrock":               {"bedrock GET /tags/{arn}", "", "tags"},
	"ce":                    {"ce AWSInsightsIndexService.ListTagsForResource", `{"ResourceArn":"{arn}"}`, "ResourceTags"},
	"clouddirectory":        {"clouddirectory POST /amazonclouddirectory/2017-01-11/tags", `{"ResourceArn":"{arn}"}`, "Tags"},
	"cloudfront":            {"cloudfront GET /2020-05-31/tagging?Resource={arn}", "", ""},
	"cloudhsm":              {"cloudhsm BaldrApiService.ListTags", `{"ResourceId":"{id}"}`, "TagList"},
	"cloudtrail":            {"cloudtrail CloudTrail_20131101.ListTags", `{"ResourceIdList":["{arn}"]}`, "ResourceTagList.TagsList"},
	"cloudwatch":            {"monitoring ListTagsForResource", "ResourceARN={arn}", ""},
	"codedeploy":            {"codedeploy CodeDeploy_20141006.ListTagsForResource", `{"ResourceArn":"{arn}"}`, "Tags"},
	"codepipeline":          {"codepipeline CodePipeline_20150709.ListTagsForResource", `{"resourceArn":"{arn}"}`, "tags"},
	"comprehend":            {"comprehend Comprehend_20171127.ListTagsForResource", `{"ResourceArn":"{arn}"}`, "Tags"},
	"connect":               {"connect GET /tags/{arn}", "", "tags"},
	"connect-campaigns":     {"connect-campaigns GET /tags/{arn}", "", "tags"},
	"dax":                   {"dax AmazonDAXV3.ListTags", `{"ResourceName":"{arn}"}`, "Tags"},
	"directconnect":         {"directconnect OvertureService.DescribeTags", `{"resourceArns":["{arn}"]}`, "resourceTags.tags"},
	"ds":                    {"ds DirectoryService_20150416.ListTagsForResource", `{"ResourceId":"{id}"}`, "Tags"},
	"elasticache":           {"elasticache ListTagsForResource", "ResourceName={arn}", ""},
	"elasticbeanstalk":      {"elasticbeanstalk ListTagsForResource", "ResourceArn={arn}", ""},
	"elasticfilesystem":     {"elasticfilesystem GET /2015-02-01/resource-tags/{id}", "", "Tags"},
	"elasticmapreduce":      {"elasticmapreduce ElasticMapReduce.DescribeCluster", `{"ClusterId":"{id}"}`, "Cluster.Tags"},
	"es":                    {"es GET /2021-01-01/tags?arn={arn}", "", "TagList"},
	"events":                {"events AWSEvents.ListTagsForResource", `{"ResourceARN":"{arn}"}`, "Tags"},
	"firehose":              {"firehose Firehose_20150804.ListTagsForDeliveryStream", `{"DeliveryStreamName":"{id}"}`, "Tags"},
	"fis":                   {"fis GET /tags/{arn}", "", "tags"},
	"fsx":                   {"fsx AWSSimbaAPIService_v20180301.ListTagsForResource", `{"ResourceARN":"{arn}"}`, "Tags"},
	"glue":                  {"glue AWSGlue.GetTags", `{"ResourceArn":"{arn}"}`, "Tags"},
	"inspector2":            {"inspector2 GET /tags/{arn}", "", "tags"},
	"kafka":                 {"kafka GET /v1/tags/{arn}", "", "tags"},
	"kinesis":               {"kinesis Kinesis_20131202.ListTagsForResource", `{"ResourceARN":"{arn}"}`, "Tags"},
	"kinesisanalytics":      {"kinesisanalytics KinesisAnalytics_20180523.ListTagsForResource", `{"ResourceARN":"{arn}"}`, "Tags"},
	"lex":                   {"lex GET /tags/{arn}", "", "tags"},
	"mediaconnect":          {"mediaconnect GET /tags/{arn}", "", "tags"},
	"memorydb":              {"memorydb AmazonMemoryDB.ListTags", `{"ResourceArn":"{arn}"}`, "TagList"},
	"mobiletargeting":       {"mobiletargeting GET /v1/tags/{arn}", "", "tags"},
	"mq":                    {"mq GET /v1/tags/{arn}", "", "tags"},
	"networkmanager":        {"networkmanager GET /tags/{arn}", "", "TagList"},
	"organizations":         {"organizations AWSOrganizationsV20161128.ListTagsForResource", `{"ResourceId":"{id}"}`, "Tags"},
	"pipes":                 {"pipes GET /tags/{arn}", "", "tags"},
	"quicksight":            {"quicksight GET /resources/{arn}/tags", "", "Tags"},
	"redshift":              {"redshift DescribeTags", "ResourceName={arn}", ""},
	"resiliencehub":         {"resiliencehub GET /tags/{arn}", "", "tags"},
	"resource-groups":       {"resource-groups GET /resources/{arn}/tags", "", "Tags"},
	"route53 hostedzone":    {"route53 GET /2013-04-01/tags/hostedzone/{id}", "", ""},
	"route53 healthcheck":   {"route53 GET /2013-04-01/tags/healthcheck/{id}", "", ""},
	"route53resolver":       {"route53resolver Route53Resolver.ListTagsForResource", `{"ResourceArn":"{arn}"}`, "Tags"},
	"sagemaker":             {"sagemaker SageMaker.ListTags", `{"ResourceArn":"{arn}"}`, "Tags"},
	"scheduler":             {"scheduler GET /tags/{arn}", "", "Tags"},
	"servicediscovery":      {"servicediscovery Route53AutoNaming_v20170314.ListTagsForResource", `{"ResourceARN":"{arn}"}`, "Tags"},
	"ses":                   {"ses GET /v2/email/tags?ResourceArn={arn}", "", "Tags"},
	"shield":                {"shield AWSShield_20160616.ListTagsForResource", `{"ResourceARN":"{arn}"}`, "Tags"},
	"ssm document":          {"ssm AmazonSSM.ListTagsForResource", `{"ResourceType":"Document","ResourceId":"{id}"}`, "TagList"},
	"ssm parameter":         {"ssm AmazonSSM.ListTagsForResource", `{"ResourceType":"Parameter","ResourceId":"{id}"}`, "TagList"},
	"ssm maintenancewindow": {"ssm AmazonSSM.ListTagsForResource", `{"ResourceType":"MaintenanceWindow","ResourceId":"{id}"}`, "TagList"},
	"ssm patchbaseline":     {"ssm AmazonSSM.ListTagsForResource", `{"ResourceType":"PatchBaseline","ResourceId":"{id}"}`, "TagList"},
	"swf":                   {"swf SimpleWorkflowService.ListTagsForResource", `{"resourceArn":"{arn}"}`, "tags"},
	"timestream":            {"timestream Timestream_20181101.ListTagsForResource", `{"ResourceARN":"{arn}"}`, "Tags"},
	"timestream-influxdb":   {"timestream-influxdb AmazonTimestreamInfluxDB.ListTagsForResource", `{"resourceArn":"{arn}"}`, "tags"},
	"vpc-lattice":           {"vpc-lattice GET /tags/{arn}", "", "tags"},
	"wafv2":                 {"wafv2 AWSWAF_20190729.ListTagsForResource", `{"ResourceARN":"{arn}"}`, "TagInfoForResource.TagList"},
	"workspaces":            {"workspaces WorkspacesService.DescribeTags", `{"ResourceId":"{id}"}`, "TagList"},
	"workspaces-web":        {"workspaces-web GET /tags/{arn}", "", "tags"},
}

// toldTags reads tags as reads say.
func (a Account) toldTags(arn string) (map[string]string, bool) {
	a.Helper()
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		a.Fatalf("%q is no ARN", arn)
	}
	kind, _, _ := strings.Cut(strings.TrimPrefix(parts[5], "/"), "/")
	read, ok := reads[parts[2]+" "+kind]
	if !ok {
		if read, ok = reads[parts[2]]; !ok {
			return nil, false
		}
	}
	id := arn[strings.LastIndexAny(arn, ":/")+1:]
	escaped := url.PathEscape(arn)
	r := a.told(strings.NewReplacer("{arn}", strings.ReplaceAll(escaped, ":", "%3A"), "{id}", id).Replace(read[0]),
		strings.NewReplacer("{arn}", arn, "{id}", id).Replace(read[1]))
	if strings.HasPrefix(strings.TrimSpace(string(r.raw)), "<") {
		return answer{a, r.raw}.tags(), true
	}
	var v any = a.decode(r.raw)
	for _, p := range strings.Split(read[2], ".") {
		if list, ok := v.([]any); ok && len(list) > 0 {
			v = list[0]
		}
		o, _ := v.(object)
		v = o[p]
	}
	return a.pairs(v), true
}
