package shop

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// ec2 calls EC2 with a form and the SDK's signature. EC2's own client takes
// longer to compile than all the rest of a demonstration.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html
type ec2 struct{ cfg aws.Config }

func (e ec2) call(ctx context.Context, out any, action string, kv ...string) error {
	form := url.Values{"Action": {action}, "Version": {"2016-11-15"}}
	for i := 0; i < len(kv); i += 2 {
		form.Set(kv[i], kv[i+1])
	}
	body := form.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, *e.cfg.BaseEndpoint+"/", strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("calling %s: %w", action, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	credentials, err := e.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("calling %s: %w", action, err)
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(ctx, credentials, req, hex.EncodeToString(sum[:]), "ec2", e.cfg.Region, time.Now()); err != nil {
		return fmt.Errorf("signing %s: %w", action, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("calling %s: %w", action, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("calling %s: %w", action, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("calling %s: %s: %s", action, resp.Status, text)
	}
	if err := xml.Unmarshal(text, out); err != nil {
		return fmt.Errorf("reading the answer to %s: %w", action, err)
	}
	return nil
}

// run starts an instance. With it come a volume and, from some emulators, a
// network interface, which are tagged too; ids gets the ids of all.
func (e ec2) run(ctx context.Context, ids *string) (map[string]any, error) {
	var started struct {
		ID string `xml:"instancesSet>item>instanceId"`
	}
	if err := e.call(ctx, &started, "RunInstances", "ImageId", "ami-12c6146b", "MinCount", "1", "MaxCount", "1"); err != nil {
		return nil, err
	}
	var described struct {
		Volumes    []string `xml:"reservationSet>item>instancesSet>item>blockDeviceMapping>item>ebs>volumeId"`
		Interfaces []string `xml:"reservationSet>item>instancesSet>item>networkInterfaceSet>item>networkInterfaceId"`
	}
	if err := e.call(ctx, &described, "DescribeInstances", "InstanceId.1", started.ID); err != nil {
		return nil, err
	}
	const item = "responseElements.instancesSet.items.0."
	values := map[string]any{item + "instanceId": started.ID}
	all := []string{started.ID}
	for i, volume := range described.Volumes {
		all = append(all, volume)
		values[item+"blockDeviceMapping.items."+strconv.Itoa(i)+".ebs.volumeId"] = volume
	}
	interfaces := []any{}
	for _, eni := range described.Interfaces {
		all = append(all, eni)
		interfaces = append(interfaces, map[string]any{"networkInterfaceId": eni})
	}
	values[item+"networkInterfaceSet"] = map[string]any{"items": interfaces}
	if len(described.Volumes) == 0 {
		return nil, errors.New("running an instance: the emulator gave it no volume")
	}
	*ids = strings.Join(all, " ")
	return values, nil
}

// look reads the tags of all the ids, which have to be the same.
func (e ec2) look(ctx context.Context, ids string) (State, error) {
	var common tags
	for id := range strings.FieldsSeq(ids) {
		var described struct {
			Tags []struct {
				Key   string `xml:"key"`
				Value string `xml:"value"`
			} `xml:"tagSet>item"`
		}
		if err := e.call(ctx, &described, "DescribeTags", "Filter.1.Name", "resource-id", "Filter.1.Value.1", id); err != nil {
			return State{}, err
		}
		have := tags{}
		for _, t := range described.Tags {
			have[t.Key] = t.Value
		}
		if common != nil && !maps.Equal(common, have) {
			have = tags{"differing": tagText(common) + " / " + tagText(have)}
		}
		common = have
	}
	return State{Tags: common}, nil
}
