package emulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// MotoVersion and MinistackVersion are the releases that are installed. Tests
// rely on what they emulate.
const (
	MotoVersion      = "5.2.1"
	MinistackVersion = "1.5.33"
)

func moto() distribution {
	return distribution{requirement: "moto[server]==" + MotoVersion, program: "moto_server", onPath: true, proof: "bin/moto_server"}
}

func ministack() distribution {
	return distribution{
		requirement: "ministack==" + MinistackVersion, program: "python",
		proof: "lib/python3*/site-packages/ministack-" + MinistackVersion + ".dist-info",
	}
}

// distribution is a Python package in the project's .venv.
type distribution struct {
	requirement string
	program     string // the one to run
	onPath      bool   // the one on PATH will do
	proof       string // a pattern of what is there once it is installed
}

// find is the program's path, installed if it has to be.
func (d distribution) find(ctx context.Context) (string, error) {
	if d.onPath {
		if bin, err := exec.LookPath(d.program); err == nil {
			return bin, nil
		}
	}
	root, err := ProjectRoot()
	if err != nil {
		return "", err
	}
	venv := filepath.Join(root, ".venv")
	bin := filepath.Join(venv, "bin", d.program)
	if d.installed(venv) {
		return bin, nil
	}
	return bin, d.install(ctx, root, venv)
}

func (d distribution) installed(venv string) bool {
	// The pattern is one above, and good.
	there, _ := filepath.Glob(filepath.Join(venv, d.proof))
	return len(there) > 0
}

// ProjectRoot is the folder with go.mod, above the working directory: tests run
// in their package's.
func ProjectRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the project's root: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("finding the project's root: no go.mod above the working directory")
		}
		dir = parent
	}
}

// install puts the package into the project's .venv. Packages of Go are tested
// at the same time, so that the first one installs and the others wait: go.mod
// serves as the lock, since it is there and nobody else locks it.
func (d distribution) install(ctx context.Context, root, venv string) error {
	lock, err := os.Open(filepath.Join(root, "go.mod"))
	if err != nil {
		return fmt.Errorf("installing %s: %w", d.requirement, err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("installing %s: %w", d.requirement, err)
	}
	if d.installed(venv) {
		return nil
	}
	for _, args := range [][]string{
		{"python3", "-m", "venv", venv},
		{filepath.Join(venv, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", d.requirement},
	} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("installing %s: %s: %w: %s", d.requirement, args[0], err, bytes.TrimSpace(out))
		}
	}
	return nil
}
