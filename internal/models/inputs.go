package models

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed inputs.lock
var lock string

// Input is one line of inputs.lock.
type Input struct{ Client, Package, Version, SHA256 string }

// Inputs returns the lines of inputs.lock.
func Inputs() ([]Input, error) {
	var all []Input
	for n, line := range strings.Split(lock, "\n") {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0] == "#":
		case len(f) < 3 || len(f) > 4 || f[0] != "pip" && f[0] != "npm":
			return nil, fmt.Errorf("reading inputs.lock:%d: %q is not: pip or npm, package, version, SHA-256", n+1, line)
		default:
			f = append(f, "")
			all = append(all, Input{f[0], f[1], f[2], f[3]})
		}
	}
	return all, nil
}

// fetch returns the file of an input, from the cache folder or by its client.
func (in Input) fetch(ctx context.Context, cache string) ([]byte, error) {
	dir := filepath.Join(cache, strings.NewReplacer("/", "-", "@", "").Replace(in.Package)+"-"+in.Version)
	names, _ := filepath.Glob(filepath.Join(dir, "*")) // fails for an invalid pattern only
	if len(names) == 0 {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		commands := [][]string{{"npm", "pack", "--silent", "--pack-destination", dir, in.Package + "@" + in.Version}}
		if in.Client == "pip" {
			// Python may be there without pip, but makes environments that have it.
			venv := filepath.Join(cache, "venv")
			commands = [][]string{
				{"python3", "-m", "venv", venv},
				{filepath.Join(venv, "bin", "pip"), "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", dir, in.Package + "==" + in.Version},
			}
		}
		for _, args := range commands {
			if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
				return nil, fmt.Errorf("fetching %s %s: %s: %w\n%s", in.Package, in.Version, strings.Join(args, " "), err, out)
			}
		}
		names, _ = filepath.Glob(filepath.Join(dir, "*"))
	}
	if len(names) != 1 {
		return nil, fmt.Errorf("%s holds %d files; one is wanted: empty the folder and try again", dir, len(names))
	}
	data, err := os.ReadFile(names[0])
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); got != in.SHA256 {
		return nil, fmt.Errorf("%s %s has SHA-256 %s, inputs.lock says %q", in.Package, in.Version, got, in.SHA256)
	}
	return data, nil
}

// AWS is everything that was read.
type AWS struct {
	Services []*Service // sorted by name
	IAM      map[string]*IAMService
	Types    map[string]*Type // by CloudFormation type name
}

// Read fetches what is missing in the cache folder and reads it all. Its error
// names each file that isn't as expected: nothing is left out in silence.
func Read(ctx context.Context, cache string) (*AWS, error) {
	inputs, err := Inputs()
	if err != nil {
		return nil, err
	}
	a := &AWS{IAM: map[string]*IAMService{}, Types: map[string]*Type{}}
	var faults []error
	for _, in := range inputs {
		data, err := in.fetch(ctx, cache)
		if err == nil {
			switch in.Package {
			case "botocore":
				err = a.readBotocore(data)
			case iamPackage:
				err = a.readIAM(data)
			case "@aws-cdk/aws-service-spec":
				err = a.readTypes(data)
			default:
				err = errors.New("there is no reader for it")
			}
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("reading %s %s: %w", in.Package, in.Version, err))
		}
	}
	if len(faults) == 0 && (len(a.Services) < 300 || len(a.IAM) < 300 || len(a.Types) < 1000) {
		faults = append(faults, fmt.Errorf("reading the inputs: %d services, %d of IAM's, %d types: too few, a package has changed its form", len(a.Services), len(a.IAM), len(a.Types)))
	}
	return a, errors.Join(faults...)
}

// readBotocore reads the newest version of every service's model from the wheel.
// Of a second wheel, an older one, it takes the services that the first lacks.
func (a *AWS) readBotocore(wheel []byte) error {
	z, err := zip.NewReader(bytes.NewReader(wheel), int64(len(wheel)))
	if err != nil {
		return err
	}
	newest := map[string]string{}
	files := map[string]*zip.File{}
	var partitions *zip.File
	for _, f := range z.File {
		parts := strings.Split(f.Name, "/")
		if f.Name == "botocore/data/partitions.json" {
			partitions = f
		}
		if len(parts) != 5 || parts[1] != "data" {
			continue
		}
		files[f.Name] = f
		if strings.TrimSuffix(parts[4], ".gz") == "service-2.json" {
			newest[parts[2]] = max(newest[parts[2]], parts[3])
		}
	}
	all, err := readPartitions(partitions)
	if err != nil {
		return fmt.Errorf("botocore/data/partitions.json: %w", err)
	}
	var faults []error
	ended := len(a.Services) > 0
	for name, version := range newest {
		if slices.ContainsFunc(a.Services, func(s *Service) bool { return s.Name == name }) {
			continue
		}
		s := &Service{Name: name, Version: version, Partitions: all, Ended: ended}
		folder := "botocore/data/" + name + "/" + version + "/"
		model := files[folder+"service-2.json.gz"]
		if model == nil {
			model = files[folder+"service-2.json"]
		}
		err := readJSON(model, s)
		if err == nil && files[folder+"endpoint-rule-set-1.json.gz"] != nil {
			err = readJSON(files[folder+"endpoint-rule-set-1.json.gz"], &s.Rules)
		}
		if f := files[folder+"examples-1.json"]; err == nil && f != nil {
			var file struct{ Examples map[string][]Example }
			err = readJSON(f, &file)
			s.Examples = file.Examples
		}
		if err == nil {
			err = s.check()
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", folder, err))
			continue
		}
		a.Services = append(a.Services, s)
	}
	slices.SortFunc(a.Services, func(x, y *Service) int { return cmp.Compare(x.Name, y.Name) })
	return errors.Join(faults...)
}

func readPartitions(f *zip.File) ([]Partition, error) {
	if f == nil {
		return nil, errors.New("it isn't there")
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var data struct{ Partitions []Partition }
	if err := json.NewDecoder(r).Decode(&data); err != nil {
		return nil, err
	}
	if len(data.Partitions) < 3 {
		return nil, fmt.Errorf("it has %d partitions", len(data.Partitions))
	}
	return data.Partitions, nil
}

// readJSON reads a file that may be compressed once more.
func readJSON(f *zip.File, into any) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	if !strings.HasSuffix(f.Name, ".gz") {
		return json.NewDecoder(r).Decode(into)
	}
	g, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	return json.NewDecoder(g).Decode(into)
}

// eachFile calls f for every file of a packed npm package.
func eachFile(pack []byte, f func(name string, data []byte) error) error {
	g, err := gzip.NewReader(bytes.NewReader(pack))
	if err != nil {
		return err
	}
	t := tar.NewReader(g)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return err
		}
		if err := f(strings.TrimPrefix(h.Name, "package/"), data); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}
