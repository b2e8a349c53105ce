package models

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
)

// Type is a CloudFormation resource type.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-template-resource-type-ref.html
type Type struct {
	Name              string                            `json:"cloudFormationType"`
	ARN               string                            `json:"arnTemplate"` // with ${Partition}, ${Region}, ${Account}; "" where unknown
	PrimaryIdentifier []string                          // names of properties and attributes
	Tags              *struct{ TagPropertyName string } `json:"tagInformation"`
}

// Taggable reports whether the type takes tags.
func (t *Type) Taggable() bool { return t.Tags != nil }

// readTypes reads db.json.gz.
func (a *AWS) readTypes(pack []byte) error {
	found := false
	err := eachFile(pack, func(name string, data []byte) error {
		if name != "db.json.gz" {
			return nil
		}
		found = true
		g, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return err
		}
		var db struct {
			Schema struct{ Resource struct{ Entities []*Type } }
		}
		if err := json.NewDecoder(g).Decode(&db); err != nil {
			return err
		}
		for _, t := range db.Schema.Resource.Entities {
			a.Types[t.Name] = t
		}
		return nil
	})
	if err == nil && !found {
		return fmt.Errorf("it holds no db.json.gz")
	}
	return err
}
