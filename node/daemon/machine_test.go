package daemon

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drydock/node/machine/tether"
	"drydock/node/ui"
)

// loop is a unit that writes down that it starts, goes on, and ends.
func loop(file string) string {
	return `{"desiredState":"launched","options":[{"section":"Service","name":"ExecStart","value":"/bin/sh -c 'trap \"echo end >> ` + file +
		`; exit 0\" TERM; echo start >> ` + file + `; while :; do sleep 0.05; done'"}]}`
}

func said(file string) string {
	text, _ := os.ReadFile(file)
	return strings.Join(strings.Fields(string(text)), " ")
}

// TestAMemberRunsUnits has one run a unit, and end it in good order with itself.
func TestAMemberRunsUnits(t *testing.T) {
	p := newPlace(t, "one")
	file := filepath.Join(t.TempDir(), "said")
	r := p.mustStart(t, map[string]string{"fleet": "true", "metadata": "disk=ssd", "fleet-socket": "none", "public-ip": "192.0.2.7"})
	do := fleetClient(t, p.clientURL(), "")
	eventually(t, "the unit is taken", func() bool {
		status, _ := do("PUT", "/fleet/v1/units/loop.service", loop(file))
		return status == 201 || status == 204
	})
	eventually(t, "it runs", func() bool { return said(file) == "start" })
	eventually(t, "its state is known", func() bool {
		_, body := do("GET", "/fleet/v1/state", "")
		return strings.Contains(body, `"systemdSubState":"running"`)
	})
	_, machines := do("GET", "/fleet/v1/machines", "")
	id := r.m.machine.MachineID()
	if !tether.IsID(id) || !strings.Contains(machines, id) || !strings.Contains(machines, `"disk":"ssd"`) || !strings.Contains(machines, "192.0.2.7") {
		t.Errorf("machine %s: %s", id, machines)
	}
	if s, err := r.m.machine.State("loop.service"); err != nil || s.MainPID == 0 {
		t.Errorf("%+v, %v", s, err)
	}
	r.stop()
	if got := said(file); got != "start end" {
		t.Errorf("after the node's end it said %q", got)
	}
	// The next life is the same machine, and runs what is still wanted.
	p.reopen(t)
	r = p.mustStart(t, map[string]string{"fleet": "true", "fleet-socket": "none"})
	if again := r.m.machine.MachineID(); again != id {
		t.Errorf("it was machine %s and is %s", id, again)
	}
	eventually(t, "it runs again", func() bool { return said(file) == "start end start" })
}

// TestAWorkerRunsUnits has a worker run one beside a member that runs none.
func TestAWorkerRunsUnits(t *testing.T) {
	p := newPlace(t, "one")
	token := map[string]string{"join-token": "secret", "fleet": "false", "fleet-socket": "none"}
	r := p.mustStart(t, token)
	if r.m.machine != nil {
		t.Error("a machine, though it is to be none")
	}
	dir, file := tempDir(t), filepath.Join(t.TempDir(), "said")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	_ = l.Close()
	cfg, err := Load(map[string]string{
		"name": "w", "data-dir": dir, "run-dir": filepath.Join(dir, "run"), "join": p.clientURL(), "join-token": "secret",
		"listen-client-urls": url, "fleet-socket": "none", "log-level": "warn",
	}, env())
	if err != nil {
		t.Fatal(err)
	}
	var banner bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	over := make(chan error, 1)
	go func() {
		over <- Run(ctx, cfg, &ui.Env{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &banner, Getenv: env()})
	}()
	do := fleetClient(t, p.clientURL(), "")
	eventually(t, "the unit is taken", func() bool {
		status, _ := do("PUT", "/fleet/v1/units/loop.service", loop(file))
		return status == 201 || status == 204
	})
	eventually(t, "it runs", func() bool { return said(file) == "start" })
	stop()
	select {
	case err := <-over:
		if err != nil {
			t.Errorf("%v\n%s", err, banner.String())
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it doesn't stop")
	}
	if got := said(file); got != "start end" {
		t.Errorf("after the worker's end it said %q", got)
	}
	eventually(t, "the machine is gone", func() bool {
		_, body := do("GET", "/fleet/v1/machines", "")
		return !strings.Contains(body, "primaryIP")
	})
}

// TestAMachineThatCannotBe says why a node doesn't start.
func TestAMachineThatCannotBe(t *testing.T) {
	p := newPlace(t, "one")
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "machine-id"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := p.start(t, map[string]string{"fleet": "true"}); err == nil || !strings.Contains(fmt.Sprint(err), "machine-id") || !strings.Contains(err.Error(), "--fleet=false") {
		t.Errorf("%v, %v", r, err)
	}
}
