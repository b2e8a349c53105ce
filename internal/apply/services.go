package apply

import "autotagger/internal/catalogue"

// EC2 and IAM are services that the catalogue has no client of, for whoever asks them
// something else than tags.
func EC2() *catalogue.Service { return ec2Service() }

func IAM() (*catalogue.Service, error) {
	c, err := catalogue.ParseCalls(iamService + iamRows()["role"].calls)
	if err != nil {
		return nil, err
	}
	return &c.Service, nil
}
