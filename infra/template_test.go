package main

import (
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"autotagger/internal/catalogue"
	"autotagger/internal/policy"
)

func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// The account and region of the stack that most tests look at.
const (
	testAccount = "111122223333"
	testRegion  = "eu-west-1"
)

// testConfig writes five keys, declares cross-origin rules, and turns the calls
// of one service off.
const testConfig = `
catalogue: {disable: ["sqs:*"]}
tags: {creator: owner, cost-center: CostCenter, created-at: true, created-by-arn: true, created-via: made-with}
cors: {rules: [{allowed-methods: [GET], allowed-origins: ["*"]}]}
`

// template is a stack's template, as far as the tests look at it.
type template struct {
	Resources map[string]resource
	Outputs   map[string]struct{ Value any }
}

type resource struct {
	Type           string
	Properties     json.RawMessage
	DependsOn      []string
	DeletionPolicy string
}

// all returns the resources of a type by logical id, their properties decoded.
func all[T any](t *testing.T, tpl template, kind string) map[string]T {
	t.Helper()
	out := map[string]T{}
	for id, r := range tpl.Resources {
		if r.Type != kind {
			continue
		}
		var v T
		if err := json.Unmarshal(r.Properties, &v); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		out[id] = v
	}
	return out
}

// ref is what names another resource in a template: {"Ref": id} or
// {"Fn::GetAtt": [id, attribute]}.
type ref struct {
	Ref    string
	GetAtt []string `json:"Fn::GetAtt"`
}

func (r ref) id() string {
	if len(r.GetAtt) == 2 && r.GetAtt[1] == "Arn" {
		return r.GetAtt[0]
	}
	return r.Ref
}

// mainTemplate is the stack that most tests look at. Making one takes a second.
var mainTemplate = sync.OnceValues(func() (template, error) {
	return builtHub(testConfig, func(*Settings) {})
})

// builtHub makes the hub for a configuration, with stand-ins for the functions.
func builtHub(config string, change func(*Settings)) (template, error) {
	build, err := os.MkdirTemp("", "build-")
	if err != nil {
		return template{}, err
	}
	defer os.RemoveAll(build)
	if err := writeBootstraps(build); err != nil {
		return template{}, err
	}
	s, err := testSettings(config, build)
	if err != nil {
		return template{}, err
	}
	change(&s)
	tpl, _, err := makeHub(s)
	return tpl, err
}

func theTemplate(t *testing.T) template {
	t.Helper()
	tpl, err := mainTemplate()
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

// testSettings are those of one account, for a configuration.
func testSettings(config, build string) (Settings, error) {
	p, err := policy.Parse("test.yaml", []byte(config))
	return Settings{
		Policy: p, File: []byte(config), Build: build, Architecture: arm64, CallAs: "DELEGATED_ADMIN", LogDays: 545, Account: testAccount, Region: testRegion,
	}, err
}

// makeStack makes the hub for a configuration.
func makeStack(config, build string) (template, awscdk.Stack, error) {
	s, err := testSettings(config, build)
	if err != nil {
		return template{}, nil, err
	}
	return makeHub(s)
}

// makeHub makes the hub of a deployment.
func makeHub(s Settings) (template, awscdk.Stack, error) {
	stage, err := os.MkdirTemp("", "stage-")
	if err != nil {
		return template{}, nil, err
	}
	defer os.RemoveAll(stage)
	all, err := catalogue.Default().All()
	if err != nil {
		return template{}, nil, err
	}
	h, err := newHub(awscdk.NewApp(nil), s, s.Policy.RowsOn(all), stage)
	if err != nil {
		return template{}, nil, err
	}
	tpl, err := templateOf(h.stack)
	return tpl, h.stack, err
}

func templateOf(stack awscdk.Stack) (template, error) {
	text, err := json.Marshal(assertions.Template_FromStack(stack, nil).ToJSON())
	if err != nil {
		return template{}, err
	}
	var tpl template
	return tpl, json.Unmarshal(text, &tpl)
}

// bootstraps makes a build folder with stand-ins for the functions.
func bootstraps(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := writeBootstraps(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func writeBootstraps(dir string) error {
	for folder, machine := range map[string]elf.Machine{"arm64": elf.EM_AARCH64, "amd64": elf.EM_X86_64} {
		for _, name := range []string{"tagger", "cors", "ledger"} {
			if err := writeProgram(filepath.Join(dir, folder, name, bootstrap), machine); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeProgram writes the header of a Linux program, which is all that is
// looked at.
func writeProgram(path string, machine elf.Machine) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	h := elf.Header64{
		Ident:   [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:    uint16(elf.ET_EXEC),
		Machine: uint16(machine),
		Version: uint32(elf.EV_CURRENT),
	}
	h.Ehsize = uint16(binary.Size(h))
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := binary.Write(f, binary.LittleEndian, h); err != nil {
		return err
	}
	return f.Close()
}

// An organisation, and the bus of its hub in another account than the tests' own.
const (
	testOrganization = "o-a1b2c3d4e5"
	testHub          = "arn:aws:events:eu-central-1:222233334444:event-bus/autotagger"
)
