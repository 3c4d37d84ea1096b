// Command mutants removes one safety step of labnet at a time (a sync, a comparison,
// a limit, a lock, a check) and runs the tests that must notice:
//
//	go run ./mutants [-only PATTERN] [-random N [-seed TEXT]] [-timeout TIME]
//
// If these pass, it runs all that are in their folder. It prints a line for each step and
// fails if the tests of one passed without it. No
// file is changed: the compiler gets the mutated one by -overlay.
package main

import (
	"bytes"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A mutant is labnet without one step.
type mutant struct {
	step  string // what is removed
	file  string // in the repository
	old   string // what is there once
	new   string // what takes its place
	tests string // those that must fail: of file's folder, if no other is named, "TestA|TestB" or "./folder TestA"
}

// command returns the folder of the tests and a pattern of their names.
func (m mutant) command() (folder, pattern string) {
	folder, names, elsewhere := strings.Cut(m.tests, " ")
	if !elsewhere {
		folder, names = "./"+path.Dir(m.file), m.tests
	}
	return folder, "^(" + names + ")$"
}

// apply returns the text of the file without the step.
func (m mutant) apply(text []byte) ([]byte, error) {
	if n := bytes.Count(text, []byte(m.old)); n != 1 {
		return nil, fmt.Errorf("%s: %s: %q is there %d times instead of once", m.step, m.file, m.old, n)
	}
	return bytes.Replace(text, []byte(m.old), []byte(m.new), 1), nil
}

// An outcome is what became of a mutant.
type outcome string

const (
	killed   outcome = "killed"
	survived outcome = "SURVIVED"
	broken   outcome = "BROKEN" // it says nothing: it does not compile, or there are no such tests
)

func main() {
	root := flag.String("root", "..", "the repository")
	only := flag.String("only", "", "a pattern of steps and files")
	random := flag.Int("random", 0, "try so many that are chosen at random")
	seed := flag.String("seed", "", "choose the same for the same `TEXT`, such as a commit")
	timeout := flag.Duration("timeout", time.Minute, "how long the tests of one may take; to hang is to fail")
	flag.Parse()
	if *seed == "" {
		*seed = crand.Text()
	}
	if err := run(*root, *only, *random, *seed, *timeout); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(root, only string, random int, seed string, timeout time.Duration) error {
	chosen, err := choose(only, random, seed)
	if err != nil {
		return err
	}
	counts := map[outcome]int{}
	for _, m := range chosen {
		begun := time.Now()
		got, why, err := try(root, m, timeout)
		if err != nil {
			return err
		}
		counts[got]++
		fmt.Printf("%-8s %4.1f s  %s: %s\n", got, time.Since(begun).Seconds(), m.file, m.step)
		if got == broken {
			fmt.Println(why)
		}
	}
	fmt.Printf("%d killed, %d survived, %d broken\n", counts[killed], counts[survived], counts[broken])
	if counts[killed] != len(chosen) {
		return errors.New("a step is not tested")
	}
	return nil
}

// choose returns the mutants that a pattern names, or that number of them at random.
func choose(only string, random int, seed string) ([]mutant, error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return nil, err
	}
	var chosen []mutant
	for _, m := range mutants() {
		if pattern.MatchString(m.file + ": " + m.step) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("no step is called so")
	}
	if random > 0 {
		rand.New(rand.NewChaCha8(sha256.Sum256([]byte(seed)))).Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
		chosen = chosen[:min(random, len(chosen))]
	}
	return chosen, nil
}

// try runs the tests of one mutant.
func try(root string, m mutant, timeout time.Duration) (outcome, string, error) {
	file, err := filepath.Abs(filepath.Join(root, filepath.FromSlash(m.file)))
	if err != nil {
		return "", "", err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", "", err
	}
	if text, err = m.apply(text); err != nil {
		return broken, err.Error(), nil
	}
	tmp, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return "", "", err
	}
	defer os.RemoveAll(tmp)
	mutated, overlay := filepath.Join(tmp, "mutated.go"), filepath.Join(tmp, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{file: mutated}})
	if err == nil {
		err = errors.Join(os.WriteFile(mutated, text, 0o600), os.WriteFile(overlay, replace, 0o600))
	}
	if err != nil {
		return "", "", err
	}
	folder, names := m.command()
	got, why, err := test(root, overlay, folder, names, timeout)
	if got == survived { // others may notice, too, but take longer
		return test(root, overlay, folder, ".", allTime)
	}
	return got, why, err
}

// allTime is how long all tests of a folder may take.
const allTime = 10 * time.Minute

// test runs the tests of a folder that have names of a pattern.
func test(root, overlay, folder, names string, timeout time.Duration) (outcome, string, error) {
	cmd := exec.Command("go", "test", "-overlay", overlay, "-vet", "off", "-count", "1", "-failfast",
		"-timeout", timeout.String(), "-run", names, folder)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	switch {
	case bytes.Contains(out, []byte("[build failed]")), bytes.Contains(out, []byte("[setup failed]")), bytes.Contains(out, []byte("no tests to run")):
		return broken, string(out), nil
	case err == nil:
		return survived, "", nil
	}
	if _, failed := errors.AsType[*exec.ExitError](err); !failed {
		return "", "", err
	}
	return killed, "", nil
}

// mutants lists all.
func mutants() (all []mutant) {
	for _, some := range [][]mutant{ofDir, ofStorage, ofObjects, ofWire, ofAccess, ofWeb} {
		all = append(all, some...)
	}
	return all
}
