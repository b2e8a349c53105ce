package models

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"strings"
	"testing"
)

// wheel packs files as a wheel; those whose names end in .gz are compressed.
func wheel(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, text := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		data := []byte(text)
		if strings.HasSuffix(name, ".gz") {
			data = zipped(t, data)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	g := gzip.NewWriter(&out)
	if _, err := g.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// pack packs files as npm does.
func pack(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var tarred bytes.Buffer
	w := tar.NewWriter(&tarred)
	for name, data := range files {
		if err := w.WriteHeader(&tar.Header{Name: "package/" + name, Size: int64(len(data)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return zipped(t, tarred.Bytes())
}

const (
	model = `{"metadata": {"serviceId": "Svc", "endpointPrefix": "svc", "protocol": "json"}, "operations": {"CreateX": {"http": {"method": "POST"},
		"input": {"shape": "In"}}}, "shapes": {"In": {"type": "structure", "members": {"Name": {"shape": "Text"}}}, "Text": {"type": "string"}}}`
	partitions = `{"partitions": [{"id": "aws"}, {"id": "aws-cn"}, {"id": "aws-us-gov"}]}`
)

// TestBotocore: the newest version of each model is read, an old wheel gives only
// what has ended, and what isn't as expected is named.
func TestBotocore(t *testing.T) {
	t.Parallel()
	a := &AWS{}
	err := a.readBotocore(wheel(t, map[string]string{
		"botocore/data/partitions.json":                   partitions,
		"botocore/data/svc/2010-01-01/service-2.json.gz":  `{"metadata": {}}`,
		"botocore/data/svc/2020-01-01/service-2.json.gz":  model,
		"botocore/data/svc/2020-01-01/examples-1.json":    `{"examples": {"CreateX": [{"input": {"Name": "n"}, "output": {"Arn": "a"}}]}}`,
		"botocore/data/svc/2020-01-01/paginators-1.json":  `{}`,
		"botocore/other/svc/2020-01-01/service-2.json.gz": `broken`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Services) != 1 || a.Services[0].Version != "2020-01-01" || a.Services[0].Ended || a.Services[0].Examples["CreateX"][0].Output["Arn"] != "a" {
		t.Fatalf("%+v", a.Services)
	}
	if names := a.Services[0].Shape(a.Services[0].Operations["CreateX"].Input).Names(); len(names) != 1 || names[0] != "Name" {
		t.Errorf("the members %v", names)
	}
	if err := a.readBotocore(wheel(t, map[string]string{
		"botocore/data/partitions.json":                partitions,
		"botocore/data/svc/2015-01-01/service-2.json":  `broken, but the first wheel has it`,
		"botocore/data/gone/2015-01-01/service-2.json": model,
	})); err != nil || len(a.Services) != 2 || !a.Services[0].Ended || a.Services[0].Name != "gone" {
		t.Errorf("%v: %+v", err, a.Services)
	}
	for text, want := range map[string]string{
		`{`:  "unexpected EOF",
		`{}`: "lacks its serviceId",
		strings.Replace(model, `"json"`, `"telegraph"`, 1):                  `protocol "telegraph" is not known`,
		strings.Replace(model, `"type": "string"`, `"type": "hologram"`, 1): `unknown type "hologram"`,
		strings.Replace(model, `"shape": "In"`, `"shape": "Lost"`, 1):       "refers to Lost",
	} {
		err := (&AWS{}).readBotocore(wheel(t, map[string]string{
			"botocore/data/partitions.json":                  partitions,
			"botocore/data/svc/2020-01-01/service-2.json.gz": text,
		}))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "svc/2020-01-01") {
			t.Errorf("%v, want %q of svc/2020-01-01", err, want)
		}
	}
}

// TestPacks: IAM's and CloudFormation's data are read from their packages.
func TestPacks(t *testing.T) {
	t.Parallel()
	a := &AWS{IAM: map[string]*IAMService{}, Types: map[string]*Type{}}
	if err := a.readIAM(pack(t, map[string][]byte{
		"data/actions/svc.json":       []byte(`{"createx": {"name": "CreateX", "resourceTypes": [{"name": "x", "conditionKeys": ["aws:RequestTag/${TagKey}"]}]}}`),
		"data/resourceTypes/svc.json": []byte(`{"x": {"key": "x", "arn": "arn:x", "conditionKeys": ["aws:ResourceTag/${TagKey}"]}}`),
		"data/services.json":          []byte(`[]`),
	})); err != nil {
		t.Fatal(err)
	}
	if s := a.IAM["svc"]; s == nil || !s.Actions["createx"].HasKey("aws:RequestTag/") || s.Actions["createx"].HasKey("aws:TagKeys") || !s.Types["x"].Taggable() {
		t.Errorf("%+v", s)
	}
	db, err := json.Marshal(map[string]any{"schema": map[string]any{"resource": map[string]any{"entities": []any{
		map[string]any{"cloudFormationType": "AWS::Svc::X", "tagInformation": map[string]any{"tagPropertyName": "Tags"}},
		map[string]any{"cloudFormationType": "AWS::Svc::Y"},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.readTypes(pack(t, map[string][]byte{"db.json.gz": zipped(t, db)})); err != nil {
		t.Fatal(err)
	}
	if !a.Types["AWS::Svc::X"].Taggable() || a.Types["AWS::Svc::Y"].Taggable() {
		t.Errorf("%+v", a.Types)
	}
	if err := a.readTypes(pack(t, map[string][]byte{"README.md": nil})); err == nil || !strings.Contains(err.Error(), "no db.json.gz") {
		t.Errorf("%v", err)
	}
}

// TestInputs: the lock names a version and a hash of each input.
func TestInputs(t *testing.T) {
	t.Parallel()
	all, err := Inputs()
	if err != nil || len(all) < 4 {
		t.Fatalf("%d inputs: %v", len(all), err)
	}
	for _, in := range all {
		if len(in.SHA256) != 64 || in.Version == "" {
			t.Errorf("%+v", in)
		}
	}
}
