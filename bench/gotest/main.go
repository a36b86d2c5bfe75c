// Command gotest runs `go test` and says at its end which tests were skipped, and why:
// a suite that was left out for want of a package or of root should not pass for one
// that has passed.
//
//	go run ./bench/gotest -timeout 30m ./node/... -- -p 1 ./vmlab/...
//
// Each list of arguments is one call of go test, one after another; two dashes set them
// apart. What is printed is what go test prints without -v. The exit status is 0 if all
// calls' were.
//
// Tests of real processes depend on real time, and on what else a computer does. AGAIN in
// the environment names packages of such tests: those that fail there are run once more,
// alone, and if they pass the end says which they were. A test that panics, ends its
// process, runs out of time or has a data race has failed for good, as has any other
// package's: a simulation that passes at times is a bug.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	may := os.Getenv(againEnv)
	_ = os.Unsetenv(againEnv) // tests that run this program mean themselves
	code := run(ctx, os.Args[1:], strings.Fields(may), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run makes the calls and returns the first exit status that is not 0. May are the
// packages whose tests may fail once.
func run(ctx context.Context, args, may []string, out, fault io.Writer) int {
	s := newSummary(out)
	code := 0
	for _, call := range calls(args) {
		s.failed = nil
		got := goTest(ctx, s, call, fault)
		if got != 0 && ctx.Err() == nil && again(ctx, s, call, may, fault) {
			got = 0
		}
		if code == 0 {
			code = got
		}
		if ctx.Err() != nil {
			break
		}
	}
	s.lucky()
	s.skips()
	return code
}

// calls are the lists of arguments between double dashes.
func calls(args []string) (list [][]string) {
	for {
		at := slices.Index(args, "--")
		if at < 0 {
			return append(list, args)
		}
		list, args = append(list, args[:at]), args[at+1:]
	}
}

// goTest makes one call, and returns its exit status.
func goTest(ctx context.Context, s *summary, args []string, fault io.Writer) int {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = fault
	events, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		err = errors.Join(s.read(bufio.NewReader(events)), cmd.Wait())
	}
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1)
	}
	if err != nil {
		_, _ = fmt.Fprintln(fault, "gotest:", err)
		return 1
	}
	return 0
}
