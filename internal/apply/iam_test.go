package apply_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"autotagger/internal/apply"
)

func iamARN(resource string) string { return "arn:aws:iam::" + account + ":" + resource }

// iamList is a List…Tags answer of one tag, with a marker to the next page.
func iamList(key, value, marker string) answer {
	page := ""
	if marker != "" {
		page = "<IsTruncated>true</IsTruncated><Marker>" + marker + "</Marker>"
	}
	return answer{Status: 200, Body: "<R><Result><Tags><member><Key>" + key + "</Key><Value>" + value + "</Value></member></Tags>" + page + "</Result></R>"}
}

// TestIAMCalls: each kind has its pair of operations and its own way of naming.
func TestIAMCalls(t *testing.T) {
	t.Parallel()
	for resource, want := range map[string]struct{ list, tag, field, id string }{
		"user/division/sub/alice":        {"ListUserTags", "TagUser", "UserName", "alice"},
		"role/deploy":                    {"ListRoleTags", "TagRole", "RoleName", "deploy"},
		"role/aws-service-role/x/AWSFor": {"ListRoleTags", "TagRole", "RoleName", "AWSFor"},
		"policy/p/read":                  {"ListPolicyTags", "TagPolicy", "PolicyArn", iamARN("policy/p/read")},
		"instance-profile/web":           {"GetInstanceProfile", "TagInstanceProfile", "InstanceProfileName", "web"},
		"oidc-provider/x.com/id/9":       {"ListOpenIDConnectProviderTags", "TagOpenIDConnectProvider", "OpenIDConnectProviderArn", iamARN("oidc-provider/x.com/id/9")},
		"saml-provider/okta":             {"ListSAMLProviderTags", "TagSAMLProvider", "SAMLProviderArn", iamARN("saml-provider/okta")},
		"server-certificate/c/cert":      {"ListServerCertificateTags", "TagServerCertificate", "ServerCertificateName", "cert"},
		"mfa/phone":                      {"ListMFADeviceTags", "TagMFADevice", "SerialNumber", iamARN("mfa/phone")},
	} {
		e := script(t, func(asked) answer { return answer{Status: 200, Body: "<R/>"} })
		r := request(iamARN(resource), "iam")
		r.Region = "eu-west-1" // IAM signs for its own region whatever is asked
		if got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{r})[0]; got.Outcome != apply.Tagged {
			t.Errorf("%s: %+v", resource, got)
		}
		all := e.all()
		if len(all) != 2 || all[0].Op != want.list || all[1].Op != want.tag {
			t.Errorf("%s: %+v", resource, all)
			continue
		}
		for _, a := range all {
			if a.Form.Get(want.field) != want.id || a.Service != "iam" || a.Region != "us-east-1" {
				t.Errorf("%s: %+v", resource, a)
			}
		}
		if f := all[1].Form; f.Get("Tags.member.1.Key") != "creator" || f.Get("Tags.member.1.Value") != "alice" {
			t.Errorf("%s: %v", resource, f)
		}
	}
}

// TestIAMCase: users' and roles' keys differ in more than case, other kinds'
// don't have to.
func TestIAMCase(t *testing.T) {
	t.Parallel()
	for resource, want := range map[string]apply.Outcome{
		"user/alice": apply.Unchanged, "role/deploy": apply.Unchanged, "policy/read": apply.Tagged,
	} {
		e := script(t, func(a asked) answer {
			if strings.HasPrefix(a.Op, "List") {
				return iamList("Creator", "bob", "")
			}
			return answer{Status: 200, Body: "<R/>"}
		})
		if got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{request(iamARN(resource), "iam")})[0]; got.Outcome != want {
			t.Errorf("%s: %+v, want %s", resource, got, want)
		}
	}
}

// TestIAMPages: a tag on the second page stands too.
func TestIAMPages(t *testing.T) {
	t.Parallel()
	e := script(t, func(a asked) answer {
		if a.Form.Get("Marker") == "" {
			return iamList("owner", "x", "next")
		}
		return iamList("creator", "bob", "")
	})
	if got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{request(iamARN("user/alice"), "iam")})[0]; got.Outcome != apply.Unchanged || len(e.all()) != 2 {
		t.Errorf("%+v after %d calls", got, len(e.all()))
	}
}

// TestIAMConcurrent: another writer at the same user is waited out.
func TestIAMConcurrent(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	e := script(t, func(a asked) answer {
		if a.Op == "TagUser" && tries.Add(1) < 3 {
			return refuseXML(409, "ConcurrentModification")
		}
		return answer{Status: 200, Body: "<R/>"}
	})
	if got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{request(iamARN("user/alice"), "iam")})[0]; got.Outcome != apply.Tagged || tries.Load() != 3 {
		t.Errorf("%+v after %d tries", got, tries.Load())
	}
}

// TestIAMRefusals: AWS's own policies are never touched, and errors have codes.
func TestIAMRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		arn, code string
		status    int
		want      apply.Outcome
		why       string
	}{
		{"arn:aws:iam::aws:policy/ReadOnlyAccess", "", 200, apply.Skipped, apply.WhyManaged},
		{iamARN("user/"), "", 200, apply.Failed, apply.WhyBadARN},
		{iamARN("user/new"), "NoSuchEntity", 404, apply.Retry, "NoSuchEntity"},
		{iamARN("user/alice"), "AccessDenied", 403, apply.Denied, "AccessDenied"},
		{iamARN("user/alice"), "LimitExceeded", 409, apply.Failed, "LimitExceeded"},
		{iamARN("user/alice"), "InvalidInput", 400, apply.Failed, "InvalidInput"},
		{iamARN("user/alice"), "ServiceFailure", 500, apply.Retry, "ServiceFailure"},
	} {
		e := script(t, func(a asked) answer {
			if strings.HasPrefix(a.Op, "Tag") {
				return refuseXML(c.status, c.code)
			}
			return answer{Status: 200, Body: "<R/>"}
		})
		if got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{request(c.arn, "iam")})[0]; got.Outcome != c.want || got.Why != c.why {
			t.Errorf("%s, %s: %+v", c.arn, c.code, got)
		}
		if c.code == "" && len(e.all()) != 0 {
			t.Errorf("%s: %d calls", c.arn, len(e.all()))
		}
	}
}
