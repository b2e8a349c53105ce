package generate

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"autotagger/internal/models"
)

func TestZZ(t *testing.T) {
	aws, err := models.Read(context.Background(), "../../build/inputs")
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGenerator(aws)
	if err != nil {
		t.Fatal(err)
	}
	f, _ := os.Create("/tmp/calls.txt")
	defer f.Close()
	n := 0
	for _, s := range aws.Services {
		c, perm, ok, why := tagCalls(s, g.iamOf(s))
		if ok {
			n++
			var b strings.Builder
			c.Append(&b)
			fmt.Fprintf(f, "%s# %v %s\n\n", b.String(), perm, why)
			continue
		}
		tags := false
		for _, op := range s.Names() {
			if strings.Contains(op, "Tag") {
				tags = true
			}
		}
		fmt.Fprintln(f, "NOT", tags, s.Name, perm, why)
	}
	t.Log(n)
}
