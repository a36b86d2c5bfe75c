package cmd_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"drydock/node/cmd"
	"drydock/node/ui"
)

// TestFleetctl: arguments come to the client as they were typed, flags included, and
// its exit code goes back.
func TestFleetctl(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"machines":[{"id":"11111111111111111111111111111111","primaryIP":"10.0.0.1"}]}`)
	}))
	defer server.Close()
	for _, tc := range []struct {
		args   string
		code   int
		output string
	}{
		{"--endpoint URL list-machines", 0, "11111111...\t10.0.0.1\t-\n"},
		{"-endpoint=URL list-m -l --no-legend", 0, "11111111111111111111111111111111\t"},
		{"--endpoint URL list-machines --fields x", 1, "Invalid key"},
		{"--version", 0, "fleetctl version v1.0.0"},
		{"help start", 0, "--block-attempts"},
		{"plan --help", 0, "preset"},
		{"nonsense", 2, "unknown subcommand"},
		{"__complete --endpoint URL drain 1", 0, "11111111111111111111111111111111\n:4\n"},
		{"__complete list-u", 0, "list-units\t"},
	} {
		var out bytes.Buffer
		env := &ui.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Getenv: func(string) string { return "" }}
		root := &cobra.Command{Use: "drydock", SilenceUsage: true, SilenceErrors: true}
		root.PersistentFlags().StringVar(&env.Color, "color", "", "")
		root.AddCommand(cmd.Fleetctl(env))
		root.SetOut(&out)
		args := append([]string{"fleetctl"}, strings.Fields(strings.ReplaceAll(tc.args, "URL", server.URL))...)
		if args[1] == "__complete" {
			args[0], args[1] = args[1], args[0]
		}
		root.SetArgs(args)
		err := root.Execute()
		if ui.Code(err) != tc.code || !strings.Contains(out.String(), tc.output) {
			t.Errorf("%s: code %d, %v, printed %q", tc.args, ui.Code(err), err, out.String())
		}
	}
}
