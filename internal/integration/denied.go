package integration

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"autotagger/internal/deployment"
)

// attempt is a call that no function may make.
type attempt struct {
	service, method, path, target string
	form                          string // of the query protocols
	in                            object // of the JSON ones
}

// attempts read, change and delete what is none of a function's business, and take
// tags away. S3 has no actions of its own for deleting a bucket's tags or cross-origin
// rules: who may put them may do that too.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketTagging.html
func attempts() []attempt {
	return []attempt{
		{service: "s3", method: http.MethodDelete, path: "/a-bucket"},
		{service: "s3", method: http.MethodGet, path: "/a-bucket/an-object"},
		{service: "s3", method: http.MethodPut, path: "/a-bucket/an-object"},
		{service: "s3", method: http.MethodPut, path: "/a-bucket?policy"},
		{service: "iam", form: "Action=CreateUser&UserName=mallory"},
		{service: "iam", form: "Action=CreateAccessKey&UserName=alice"},
		{service: "iam", form: "Action=PutRolePolicy&RoleName=r&PolicyName=p&PolicyDocument=%7B%7D"},
		{service: "iam", form: "Action=UntagRole&RoleName=r&TagKeys.member.1=creator"},
		{service: "iam", form: "Action=DeleteRole&RoleName=r"},
		{service: "sts", form: "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2FAdmin&RoleSessionName=s"},
		{service: "ec2", form: "Action=TerminateInstances&InstanceId.1=i-0123456789abcdef0"},
		{service: "ec2", form: "Action=DeleteTags&ResourceId.1=i-0123456789abcdef0"},
		{service: "sns", form: "Action=DeleteTopic&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A123456789012%3At"},
		{service: "dynamodb", target: "DynamoDB_20120810.DeleteTable", in: object{"TableName": "t"}},
		{service: "dynamodb", target: "DynamoDB_20120810.Scan", in: object{"TableName": "t"}},
		{service: "dynamodb", target: "DynamoDB_20120810.UntagResource", in: object{"ResourceArn": arn("dynamodb", "table/t"), "TagKeys": []string{"creator"}}},
		{service: "kms", target: "TrentService.ScheduleKeyDeletion", in: object{"KeyId": "k"}},
		{service: "kms", target: "TrentService.PutKeyPolicy", in: object{"KeyId": "k", "Policy": "{}"}},
		{service: "secretsmanager", target: "secretsmanager.GetSecretValue", in: object{"SecretId": "s"}},
		{service: "ssm", target: "AmazonSSM.PutParameter", in: object{"Name": "/autotagger/writing", "Value": "off", "Type": "String", "Overwrite": true}},
		{service: "logs", target: "Logs_20140328.DeleteLogGroup", in: object{"logGroupName": "g"}},
	}
}

// tableAttempts are calls that neither of the two may make on the ledger's table.
func tableAttempts() []attempt {
	const key = `{"id":{"S":"session/x"},"at":{"S":"x"}}`
	item := object{"TableName": deployment.Table, "Key": json.RawMessage(key)}
	return []attempt{
		{service: "dynamodb", target: "DynamoDB_20120810.DeleteItem", in: item},
		{service: "dynamodb", target: "DynamoDB_20120810.UpdateItem", in: item},
		{service: "dynamodb", target: "DynamoDB_20120810.DeleteTable", in: object{"TableName": deployment.Table}},
	}
}

// mayNot makes the calls as a role, and wants each of them refused for lack of a
// permission.
func (a Account) mayNot(role aws.Credentials, calls []attempt) {
	a.Helper()
	for _, c := range calls {
		body, contentType, method := c.form, "application/x-www-form-urlencoded", http.MethodPost
		switch {
		case c.in != nil:
			raw, err := json.Marshal(c.in)
			if err != nil {
				a.Fatal(err)
			}
			body, contentType = string(raw), "application/x-amz-json-1.1"
		case c.method != "":
			contentType, method = "", c.method
		case c.form != "":
			body += "&Version=" + map[string]string{"iam": "2010-05-08", "sts": "2011-06-15", "ec2": "2016-11-15", "sns": "2010-03-31"}[c.service]
		}
		name := strings.Join([]string{c.service, c.method, c.path, c.target, c.form}, " ")
		u, err := url.Parse(a.URL + "/" + strings.TrimPrefix(c.path, "/"))
		if err != nil {
			a.Fatal(err)
		}
		req, err := http.NewRequestWithContext(a.Context(), method, u.String(), strings.NewReader(body))
		if err != nil {
			a.Fatal(err)
		}
		if contentType != "" {
			req.Header.Set("Content-Type", contentType)
		}
		if c.target != "" {
			req.Header.Set("X-Amz-Target", c.target)
		}
		sum := sha256.Sum256([]byte(body))
		req.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
		if err := v4.NewSigner().SignHTTP(a.Context(), role, req, hex.EncodeToString(sum[:]), c.service, Region, time.Now(),
			func(o *v4.SignerOptions) { o.DisableURIPathEscaping = c.service == "s3" }); err != nil {
			a.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			a.Fatal(err)
		}
		out, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			a.Fatal(err)
		}
		text := string(out)
		refused := strings.Contains(text, "not authorized to perform") || strings.Contains(text, "UnauthorizedOperation") || strings.Contains(text, "Access Denied")
		if !refused {
			a.Errorf("%s is answered with %d: %.300s", strings.TrimSpace(name), resp.StatusCode, text)
		}
	}
}
