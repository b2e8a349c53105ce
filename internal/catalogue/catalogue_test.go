package catalogue_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"autotagger/internal/catalogue"
)

func TestData(t *testing.T) {
	t.Parallel()
	rows, err := catalogue.Default().All()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		for _, res := range r.Resources {
			// A permission is of the service whose API tags, or of the tag API.
			for _, action := range res.Permissions {
				if prefix, _, _ := strings.Cut(action, ":"); prefix != "tag" && res.API != catalogue.APITagging && prefix != res.API {
					t.Errorf("%s: %s tags %s through %s", r.Event, action, res.ARN, res.API)
				}
			}
			if r.Off == "" && res.API != catalogue.APINone && len(res.Permissions) == 0 {
				t.Errorf("%s %s: tagging %s takes no permission", r.Source, r.Event, res.Type)
			}
		}
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	c := catalogue.Default()
	for call, want := range map[string]string{
		"s3.amazonaws.com CreateBucket":                 "AWS::S3::Bucket",
		"lambda.amazonaws.com CreateFunction20150331":   "AWS::Lambda::Function",
		"lambda.amazonaws.com CreateFunction20150331v2": "AWS::Lambda::Function",
		"lambda.amazonaws.com CreateFunction":           "AWS::Lambda::Function",
		"s3.amazonaws.com CreateBucket20150331":         "", // S3's names have no version
		"s3.amazonaws.com DeleteBucket":                 "",
		"../s3.amazonaws.com CreateBucket":              "",
		"nothing.amazonaws.com CreateBucket":            "",
	} {
		source, name, _ := strings.Cut(call, " ")
		got := ""
		r, err := c.Lookup(source, name)
		if err != nil {
			t.Fatal(err)
		}
		if r != nil {
			got = r.Resources[0].Type
		}
		if got != want {
			t.Errorf("%s creates %q, want %q", call, got, want)
		}
	}
}

func TestUndated(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"CreateFunction20150331":       "CreateFunction",
		"UpdateFunctionCode20150331v2": "UpdateFunctionCode",
		"CreateDistribution2020_05_31": "CreateDistribution",
		"CreateBucket":                 "CreateBucket",
		"20150331":                     "20150331",
		"CreateV2":                     "CreateV2",
		"":                             "",
	} {
		if got := catalogue.Undated(in); got != want {
			t.Errorf("%q is %q without its version, want %q", in, got, want)
		}
	}
}

func TestTemplateFits(t *testing.T) {
	t.Parallel()
	const (
		db      = "arn:{partition}:rds:{region}:{account}:db:{id}"
		user    = "arn:{partition}:iam::{account}:user{path}{id}"
		bucket  = "arn:{partition}:s3:::{id}"
		service = "arn:{partition}:ecs:{region}:{account}:service/{cluster}/{id}"
		image   = "arn:{partition}:ec2:{region}::image/{id}"
		stage   = "arn:{partition}:apigateway:{region}::/restapis/{api}/stages/{id}"
	)
	for _, c := range []struct {
		template catalogue.Template
		arn      string
		fits     bool
	}{
		{db, "arn:aws:rds:eu-west-1:111122223333:db:orders", true},
		{db, "arn:aws-us-gov:rds:us-gov-west-1:111122223333:db:orders", true},
		{db, "arn:aws:rds:eu-west-1:111122223333:cluster:orders", false},
		{db, "arn:aws:rds:eu-west-1:1111:db:orders", true}, // as in AWS's documentation
		{db, "arn:aws:rds:eu-west-1:acct:db:orders", false},
		{db, "arn:aws:rds::111122223333:db:orders", false},
		{db, "arn:aws:rds:eu-west-1:111122223333:db:", false},
		{db, "arn:aws:neptune:eu-west-1:111122223333:db:orders", false},
		{db, "arn:aws@@:rds:eu-west-1:111122223333:db:orders", false},
		{db, "arn:awsng:rds:eu-west-1:111122223333:db:orders", false},
		{db, "arn:gcp:rds:eu-west-1:111122223333:db:orders", false},
		{db, "aws:rds:eu-west-1:111122223333:db:orders", false},
		{user, "arn:aws:iam::111122223333:user/alice", true},
		{user, "arn:aws:iam::111122223333:user/dev/team/alice", true},
		{user, "arn:aws:iam::111122223333:role/alice", false},
		{user, "arn:aws:iam::aws:user/alice", false},
		{bucket, "arn:aws:s3:::pictures", true},
		{bucket, "arn:aws:s3:eu-west-1::pictures", false},
		{service, "arn:aws:ecs:eu-west-1:111122223333:service/main/web", true},
		{service, "arn:aws:ecs:eu-west-1:111122223333:service/web", false}, // the old form, without the cluster
		{image, "arn:aws:ec2:eu-west-1::image/ami-0a1b", true},
		{image, "arn:aws:ec2:eu-west-1:111122223333:image/ami-0a1b", false},
		{stage, "arn:aws:apigateway:eu-west-1::/restapis/a1/stages/prod", true},
		{stage, "arn:aws:apigateway:eu-west-1::/restapis/stages/prod", false},
	} {
		if got := c.template.Fits(c.arn); got != c.fits {
			t.Errorf("%s fits %s: %v", c.arn, c.template, got)
		}
	}
}

// FuzzTemplateFits: what a template makes fits it.
func FuzzTemplateFits(f *testing.F) {
	f.Add("/a/", "b")
	f.Add("/", "a/b")
	f.Fuzz(func(t *testing.T, path, id string) {
		for _, template := range []catalogue.Template{"arn:{partition}:iam::{account}:user{path}{id}", "arn:{partition}:x:{region}:{account}:{path}/and/{id}/end"} {
			arn, ok := template.Expand(func(name string) string {
				return map[string]string{"partition": "aws", "region": "eu-west-1", "account": "111122223333", "path": path, "id": id}[name]
			})
			if ok != (path != "" && id != "") || ok && !template.Fits(arn) {
				t.Errorf("%s made %q, %v", template, arn, ok)
			}
		}
	})
}

func TestFaultsAreNamed(t *testing.T) {
	t.Parallel()
	const head = "source: x.amazonaws.com\napi: tagging\npermissions: x:Tag\n\n"
	const row = "event: CreateA\nevidence: e\ntype: A\narn: arn:{partition}:x:{region}:{account}:a/{id}\nfrom: request.a\n"
	for data, want := range map[string]string{
		"":                                                         "no source",
		head + "event: CreateA\n":                                  "needs either a type or an untaggable",
		head + row + "\n" + row:                                    "stands behind",
		head + "type: A\n" + row:                                   "type stands before the first event",
		head + "untaggable: it is\n" + row:                         "untaggable stands before the first event",
		head + row + "from: request.a[b=c].d\n":                    "where [] or [name!=text] belongs",
		head + row + "from: request.a[]b\n":                        "behind a bracket",
		head + row + "from: request.a[\n":                          "where [] or [name!=text] belongs",
		head + row + "from: request..a\n":                          "has the name \"\"",
		head + row + "from: request\n":                             "has the name \"\"",
		head + "colour: red\n" + row:                               `x.txt:5: there is no field "colour"`,
		head + "nonsense\n" + row:                                  "is no field: value",
		head + row + "from: a.b\n":                                 "begins with neither request nor response",
		head + row + "from: upper(request.a)\n":                    `the function "upper"`,
		head + row + "from: name=request.a\n":                      "has no {name}",
		head + row + "type: B\n":                                   "B needs arn, from and api",
		head + strings.Replace(row, "evidence: e\n", "", 1):        "no evidence",
		head + strings.Replace(row, "arn: arn:", "arn: a", 1):      "is no ARN",
		strings.Replace(head, "permissions: x:Tag\n", "", 1) + row: "needs permissions",
		strings.Replace(head, "source: x.", "source: y.", 1) + row: "x.txt holds y.amazonaws.com",
	} {
		_, err := catalogue.New(fstest.MapFS{"x.txt": {Data: []byte(data)}}).Lookup("x.amazonaws.com", "CreateA")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q:\n%v\nwant it to say %q", data, err, want)
		}
	}
}

// BenchmarkLookupFirst is what the first event of the largest source pays.
func BenchmarkLookupFirst(b *testing.B) {
	for b.Loop() {
		if r, err := catalogue.Default().Lookup("ec2.amazonaws.com", "RunInstances"); r == nil || err != nil {
			b.Fatal(r, err)
		}
	}
}
