package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	bootstrap  = "bootstrap"       // what the runtime starts
	configFile = "autotagger.yaml" // its configuration, beside it
)

// makeAsset lays out a function's code in a folder of its own under stage: the
// bootstrap from the build folder and, if there is one, the configuration. The build folder
// itself isn't touched, so that it holds nothing but what the build made.
// It returns the folder.
func makeAsset(stage string, s Settings, function string) (string, error) {
	machine, folder := elf.EM_AARCH64, "arm64"
	if s.Architecture == x86_64 {
		machine, folder = elf.EM_X86_64, "amd64" // as Go names it
	}
	from := filepath.Join(s.Build, folder, function, bootstrap)
	if err := checkBootstrap(from, machine, s.Architecture); err != nil {
		return "", err
	}
	code, err := os.ReadFile(from)
	if err != nil {
		return "", fmt.Errorf("reading the function: %w", err)
	}
	dir := filepath.Join(stage, function)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the asset of %s: %w", function, err)
	}
	// Lambda runs the function as another user, so that everyone must be able
	// to read, whatever the umask says.
	// https://docs.aws.amazon.com/lambda/latest/dg/configuration-function-zip.html
	err = write(filepath.Join(dir, bootstrap), code, 0o755)
	if s.File != nil {
		err = errors.Join(err, write(filepath.Join(dir, configFile), s.File, 0o644))
	}
	return dir, err
}

func write(path string, data []byte, mode fs.FileMode) error {
	if err := os.WriteFile(path, data, mode); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

// checkBootstrap refuses what would only fail once it runs on Lambda.
func checkBootstrap(path string, machine elf.Machine, architecture string) error {
	const remedy = "run make functions"
	f, err := elf.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing: %s", path, remedy)
	}
	if err != nil {
		return fmt.Errorf("%s is no Linux program (%w): %s", path, err, remedy)
	}
	defer f.Close()
	if f.Machine != machine {
		return fmt.Errorf("%s is built for %v, the function runs on %s: %s", path, f.Machine, architecture, remedy)
	}
	return nil
}
