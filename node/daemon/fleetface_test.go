package daemon

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drydock/node/fleetapi"
)

// fleetClient makes requests of the fleet API, at a Unix socket if path isn't empty.
func fleetClient(t *testing.T, base, path string) func(method, target, body string) (int, string) {
	transport := &http.Transport{}
	if path != "" {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
	}
	t.Cleanup(transport.CloseIdleConnections)
	return func(method, target, body string) (int, string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, method, base+target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
}

const trueUnit = `{"desiredState":"inactive","options":[{"section":"Service","name":"ExecStart","value":"/bin/true"}]}`

// TestFleetFaces asks a real member at both of the fleet API's faces.
func TestFleetFaces(t *testing.T) {
	dir, err := os.MkdirTemp("", "fleet") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	sock := filepath.Join(dir, "s")
	r, err := newPlace(t, "one").start(t, map[string]string{"fleet-socket": sock})
	if err != nil {
		t.Fatal(err)
	}
	byPort, bySocket := fleetClient(t, r.clientURL(), ""), fleetClient(t, "http://fleet", sock)
	eventually(t, "a unit is made", func() bool {
		status, text := byPort("PUT", "/fleet/v1/units/a.service", trueUnit)
		if status != 201 && status != 503 {
			t.Fatalf("%d %s", status, text)
		}
		return status == 201
	})
	const unit = `{"currentState":"inactive","desiredState":"inactive","name":"a.service","options":[{"name":"ExecStart","section":"Service","value":"/bin/true"}]}`
	for name, ask := range map[string]func(string, string, string) (int, string){"port": byPort, "socket": bySocket} {
		for _, prefix := range []string{fleetapi.Prefix, fleetapi.Alpha} {
			if status, text := ask("GET", prefix+"/units", ""); status != 200 || text != `{"units":[`+unit+`]}` {
				t.Errorf("%s: %d %s", name, status, text)
			}
		}
		if status, text := ask("GET", "/fleet/v1", ""); status != 405 || text != string(fleetapi.Fail(405, "").Body) {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if status, text := bySocket("GET", "/", ""); status != 405 || text != string(fleetapi.Fail(405, "").Body) {
		t.Errorf("%d %s", status, text)
	}
	if status, _ := byPort("GET", "/v2/keys/", ""); status != 200 {
		t.Errorf("the keyspace answers %d", status)
	}

	// With users, the port is for root, and the socket for who may open it.
	if status, text := byPort("PUT", "/v2/auth/users/root", `{"user":"root","password":"secret"}`); status != 201 {
		t.Fatalf("%d %s", status, text)
	}
	if status, text := byPort("PUT", "/v2/auth/enable", ""); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	if status, text := byPort("GET", "/fleet/v1/units", ""); status != 401 || !strings.Contains(text, "role root") {
		t.Errorf("%d %s", status, text)
	}
	if status, text := bySocket("DELETE", "/fleet/v1/units/a.service", ""); status != 204 {
		t.Errorf("%d %s", status, text)
	}
	r.stop()
	if _, err := os.Stat(sock); err == nil {
		t.Error("the socket is still there")
	}
}

func TestFleetSocket(t *testing.T) {
	p := newPlace(t, "one")
	if _, err := p.start(t, map[string]string{"fleet-socket": p.dir}); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "--fleet-socket") {
		t.Errorf("a directory: %v", err)
	}
	l, err := listenFleet(t.Context(), &Config{FleetSocket: "none"}, nil, nil)
	if l != nil || err != nil {
		t.Errorf("none: %v, %v", l, err)
	}
	held := map[string]net.Listener{"/run/fleet.sock": p.client}
	if l, err = listenFleet(t.Context(), &Config{FleetSocket: "/run/fleet.sock"}, held, nil); l != p.client || err != nil || len(held) > 0 {
		t.Errorf("systemd's: %v, %v", l, err)
	}
}
