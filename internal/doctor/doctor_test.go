package doctor_test

import (
	"testing"

	"autotagger/internal/doctor"
)

// TestDeployed: of a deployment that has everything, everything is found.
func TestDeployed(t *testing.T) {
	t.Parallel()
	findings := deployed(t).examine(doctor.Options{})
	if !doctor.Healthy(findings) {
		t.Error("something is wrong:\n" + text(findings))
	}
	for _, check := range []string{"configuration", "credentials", "stack", "trail", "bootstrap", "rules", "regions", "events", "queues", "functions", "writing", "permissions", "scp", "cost-tags"} {
		some := of(findings, check)
		if len(some) == 0 {
			t.Errorf("nothing was found of %s", check)
		}
		for _, f := range some {
			if f.Status != doctor.OK && check != "regions" {
				t.Errorf("%+v", f)
			}
		}
	}
	want(t, findings, "rules", doctor.OK, "eu-west-1 default", "2 rules", "")
	want(t, findings, "rules", doctor.OK, "eu-west-1 autotagger", "1 rules", "")
	want(t, findings, "terraform", doctor.Info, "", "", `ignore_tags { keys = ["cost-center", "creator"] }`)
	want(t, findings, "regions", doctor.Info, "", "no rules in eu-north-1", "the context regions")
}
