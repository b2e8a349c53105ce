package policy

import (
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
)

// CORS is the cross-origin configuration that a new general purpose bucket
// gets where it has none.
type CORS struct {
	// Declared says that the configuration has a cors key. A deployment has to
	// say what it wants: opening buckets to browsers is not to happen because
	// a key was forgotten.
	Declared bool
	// Off puts nothing on any bucket.
	Off   bool
	Rules []CORSRule
	// Exclude are globs over names of buckets that get nothing: the
	// operator's, and those of services and tools.
	Exclude []string
}

// CORSRule is one rule as S3 takes it:
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CORSRule.html
//
// There is no field for credentials because S3 has no switch for them. AWS
// documents no more than that; as observed, S3 answers the origin "*" with
// Access-Control-Allow-Origin: * and without credentials, and any other origin
// that matches, wildcards too, with that origin itself and
// Access-Control-Allow-Credentials: true. So "https://*" is more open than
// "*", and [Parse] refuses it.
type CORSRule struct {
	// ID names the rule, at most 255 characters; may be empty.
	ID string
	// AllowedMethods are of GET, HEAD, PUT, POST and DELETE.
	AllowedMethods []string
	// AllowedOrigins hold at most one * each.
	AllowedOrigins []string
	// AllowedHeaders are what a preflight may ask for, at most one * each.
	AllowedHeaders []string
	// ExposeHeaders are what scripts may read of the answer; S3 takes no * here.
	ExposeHeaders []string
	// MaxAgeSeconds is how long a browser may remember a preflight's answer; 0
	// leaves it out, and browsers choose.
	MaxAgeSeconds int
}

// maxCORSBytes is the limit on a bucket's configuration, as XML:
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html
const maxCORSBytes = 64 << 10

// CORSFor is the rules for a new bucket, a copy the caller may keep. It is
// false where cross-origin rules are off or the bucket is excluded, by the
// cors key's list or as a resource's name.
func (p *Policy) CORSFor(bucket string) ([]CORSRule, bool) {
	if p.CORS.Off || len(p.CORS.Rules) == 0 || anyOf(p.CORS.Exclude, bucket) || anyOf(p.Exclude.Names, bucket) {
		return nil, false
	}
	rules := slices.Clone(p.CORS.Rules)
	for i, r := range rules {
		rules[i].AllowedMethods = slices.Clone(r.AllowedMethods)
		rules[i].AllowedOrigins = slices.Clone(r.AllowedOrigins)
		rules[i].AllowedHeaders = slices.Clone(r.AllowedHeaders)
		rules[i].ExposeHeaders = slices.Clone(r.ExposeHeaders)
	}
	return rules, true
}

func defaultRules() []CORSRule {
	return []CORSRule{{
		AllowedMethods: []string{"GET", "HEAD"},
		AllowedOrigins: []string{"*"},
		MaxAgeSeconds:  3000,
	}}
}

// serviceBuckets are the names that AWS services and deployment tools give to
// buckets they make for themselves. No page of anyone's is meant to read them.
// Names that people merely tend to choose, such as my-terraform-state, are not
// here: what a person named, a person excludes.
func serviceBuckets() []string {
	return []string{
		// CDK bootstrap: https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-customizing.html
		"cdk-*-assets-*", "cdktoolkit-stagingbucket-*",
		// CloudFormation's console: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-console-create-stack.html
		"cf-templates-*",
		// SAM: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-cli-command-reference-sam-deploy.html
		"aws-sam-cli-managed-default-*",
		// Serverless Framework, up to v3 (the name is cut at different lengths
		// after the stack's name) and v4.
		"*-serverlessdeploymentbuck*", "serverless-framework-deployments-*",
		// Amplify: https://docs.amplify.aws/gen1/javascript/tools/cli/project/override/
		"amplify-*-deployment",
		// Elastic Beanstalk: https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/AWSHowTo.S3.html
		"elasticbeanstalk-*",
		// CodePipeline: https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts.html
		"codepipeline-*",
		// CloudTrail, WAF, Control Tower and others write aws-<service>-logs-…;
		// EMR aws-logs-<account>-<region>:
		// https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-debugging.html
		"aws-*-logs-*", "aws-logs-*",
		// Config's console: https://docs.aws.amazon.com/config/latest/developerguide/gs-console.html
		"config-bucket-*",
		// Athena: https://docs.aws.amazon.com/athena/latest/ug/querying.html
		"aws-athena-query-results-*",
		// Glue: https://docs.aws.amazon.com/glue/latest/dg/create-service-policy.html
		"aws-glue-*",
		// SageMaker's default bucket ends in the account's twelve digits; its
		// managed policy invites people to name their own sagemaker-… too.
		// https://docs.aws.amazon.com/sagemaker/latest/dg/security-iam-awsmanpol.html
		"sagemaker-*-????????????", "sagemaker-studio-*",
		// Security Lake: https://docs.aws.amazon.com/security-lake/latest/userguide/what-is-security-lake.html
		"aws-security-data-lake-*",
		// Systems Manager's diagnosis: https://docs.aws.amazon.com/systems-manager/latest/userguide/systems-manager-diagnose-and-remediate.html
		"do-not-delete-ssm-*",
		// Directory and table buckets, which have no CORS configuration:
		// https://docs.aws.amazon.com/AmazonS3/latest/userguide/directory-bucket-naming-rules.html
		"*--x-s3", "*--table-s3",
	}
}

// openToAnyone reports whether anyone can own an origin that the pattern
// matches, so that the rule names nobody. With a wildcard, an origin is
// somebody's only if the end of its host is fixed at two labels or more
// (https://*.example.com), or if only the scheme or the port is left open. The
// prefix doesn't help: https://example.com* matches example.com.evil.example.
func openToAnyone(origin string) bool {
	before, after, wild := strings.Cut(origin, "*")
	if !wild {
		return false
	}
	if strings.Contains(after, "://") {
		return false // http*://example.com
	}
	if _, host, ok := strings.Cut(before, "://"); ok && len(host) > 1 && strings.HasSuffix(host, ":") && isDigits(after) {
		return false // http://localhost:*
	}
	host, _, _ := strings.Cut(after, ":")
	return !strings.HasPrefix(host, ".") || strings.Count(strings.Trim(host, "."), ".") < 1
}

func isDigits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// corsBytes is the size of the rules as the XML that S3 is sent.
func corsBytes(rules []CORSRule) int {
	const document = len(`<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></CORSConfiguration>`)
	size := document
	for _, r := range rules {
		size += len("<CORSRule></CORSRule>")
		size += element("ID", r.ID)
		size += element("AllowedMethod", r.AllowedMethods...)
		size += element("AllowedOrigin", r.AllowedOrigins...)
		size += element("AllowedHeader", r.AllowedHeaders...)
		size += element("ExposeHeader", r.ExposeHeaders...)
		size += element("MaxAgeSeconds", strconv.Itoa(r.MaxAgeSeconds))
	}
	return size
}

func element(name string, values ...string) int {
	size := 0
	for _, v := range values {
		var b strings.Builder
		// Writing to a Builder can't fail.
		_ = xml.EscapeText(&b, []byte(v))
		size += len("<></>") + 2*len(name) + b.Len()
	}
	return size
}
