package catalogue

import (
	"fmt"
	"strings"
)

// Protocol is how a service's calls look on the wire.
// https://smithy.io/2.0/aws/protocols/index.html
type Protocol string

const (
	JSON10   Protocol = "json-1.0"  // POST /, X-Amz-Target, JSON 1.0
	JSON11   Protocol = "json-1.1"  // the same, JSON 1.1
	Query    Protocol = "query"     // POST /, form with Action and Version; XML back
	RESTJSON Protocol = "rest-json" // method and path; JSON
	RESTXML  Protocol = "rest-xml"  // method and path; XML
	CBOR     Protocol = "cbor"      // POST /service/…/operation/…; CBOR
)

// Service is what any call has to know of an AWS service, from its model in
// botocore.
type Service struct {
	ID       string // serviceId, also the key of AWS_ENDPOINT_URL_<ID>
	Protocol Protocol
	Version  string // json: the prefix of X-Amz-Target; query: the API's version; cbor: the service's name
	Signing  string // the name that requests are signed for
	// Endpoints are the hosts; without any it is <signing>.{region}.{suffix}.
	Endpoints []Endpoint
}

// Endpoint is a host of a service. Of several the one for the region counts,
// else the one for the partition, else the one for all.
type Endpoint struct {
	For    string // a partition or a region; "" for all
	Host   string // with {region}, {account}, {suffix} and {dual-suffix}
	Region string // to sign for; "" for the request's
}

func (e Endpoint) String() string {
	return strings.TrimSpace(strings.TrimSpace(e.For+" "+e.Host) + " " + e.Region)
}

func parseEndpoint(text string) (Endpoint, error) {
	words := strings.Fields(text)
	var e Endpoint
	// A host has dots; names of partitions and regions have none.
	if len(words) > 1 && !strings.Contains(words[0], ".") {
		e.For, words = words[0], words[1:]
	}
	if len(words) > 2 || !strings.Contains(words[0], ".") {
		return e, fmt.Errorf("%q is no endpoint: [partition or region] host [region to sign for]", text)
	}
	e.Host = words[0]
	if len(words) == 2 {
		e.Region = words[1]
	}
	return e, nil
}

// Endpoint returns the host that serves a region of a partition for an account,
// and the region that requests to it are signed for.
func (s *Service) Endpoint(partition, region, account string) (host, signing string) {
	e := Endpoint{Host: s.Signing + ".{region}.{suffix}"}
	best := -1
	for _, o := range s.Endpoints {
		rank := -1
		switch o.For {
		case "":
			rank = 0
		case partition:
			rank = 1
		case region:
			rank = 2
		}
		if rank > best {
			e, best = o, rank
		}
	}
	suffix, dual := Suffixes(partition)
	host = strings.NewReplacer("{region}", region, "{account}", account, "{suffix}", suffix, "{dual-suffix}", dual).Replace(e.Host)
	if e.Region != "" {
		region = e.Region
	}
	return host, region
}

// Suffixes returns the domain of a partition's endpoints, and that of those
// which speak IPv6 too, as botocore's partitions.json has them.
func Suffixes(partition string) (suffix, dual string) {
	switch partition {
	case "aws-cn":
		return "amazonaws.com.cn", "api.amazonwebservices.com.cn"
	case "aws-eusc":
		return "amazonaws.eu", "api.amazonwebservices.eu"
	case "aws-iso":
		return "c2s.ic.gov", "api.aws.ic.gov"
	case "aws-iso-b":
		return "sc2s.sgov.gov", "api.aws.scloud"
	case "aws-iso-e":
		return "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"
	case "aws-iso-f":
		return "csp.hci.ic.gov", "api.aws.hci.ic.gov"
	}
	return "amazonaws.com", "api.aws"
}
