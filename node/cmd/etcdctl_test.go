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

// TestEtcdctl: arguments come to the client as they were typed, flags and "--"
// included, and its exit code goes back.
func TestEtcdctl(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"action":"set","node":{"key":"/k","value":%q}}`, r.FormValue("value"))
	}))
	defer server.Close()
	for _, tc := range []struct {
		args   string
		code   int
		output string
	}{
		{"--no-sync -C URL set /k v", 0, "v\n"},
		{"--no-sync --endpoints URL set -- /k -v", 0, "-v\n"},
		{"--no-sync -C URL -o json set /k etcdctl", 0, `"value":"etcdctl"`},
		{"set", 1, "key required"},
		{"--help", 0, "GLOBAL OPTIONS"},
		{"help set", 0, "--swap-with-value"},
		{"nonsense", 3, "No help topic"},
	} {
		var out bytes.Buffer
		env := &ui.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Getenv: func(string) string { return "" }}
		root := &cobra.Command{Use: "drydock", SilenceUsage: true, SilenceErrors: true}
		root.PersistentFlags().StringVar(&env.Color, "color", "", "")
		root.AddCommand(cmd.Etcdctl(env))
		root.SetArgs(append([]string{"etcdctl"}, strings.Fields(strings.ReplaceAll(tc.args, "URL", server.URL))...))
		err := root.Execute()
		if ui.Code(err) != tc.code || !strings.Contains(out.String(), tc.output) {
			t.Errorf("%s: code %d, %v, printed %q", tc.args, ui.Code(err), err, out.String())
		}
	}
}
