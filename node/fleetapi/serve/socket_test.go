package serve_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drydock/node/fleetapi/serve"
)

func TestListen(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "s")
	ctx := context.Background()
	l, err := serve.Listen(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v", info, err)
	}
	if _, err := serve.Listen(ctx, path); !errors.Is(err, serve.ErrSocket) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a socket in use: %v", err)
	}
	// What a killed process leaves behind is in nobody's way.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, err = serve.Listen(ctx, path)
	if err != nil {
		t.Fatalf("a socket that was left behind: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for want, bad := range map[string]string{
		"at most 100":    filepath.Join(dir, strings.Repeat("x", 100)),
		"isn't a socket": dir,
		"no such file":   filepath.Join(dir, "none", "s"),
	} {
		if _, err := serve.Listen(ctx, bad); !errors.Is(err, serve.ErrSocket) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
