package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"
)

// MaxSocketPath is the length of the longest path that a Unix socket can have
// everywhere.
const MaxSocketPath = 100

// ErrSocket is matched when there can be no socket at a path.
var ErrSocket = errors.New("fleet socket")

// Listen makes a Unix socket for the API, which its owner and group may open. One
// that nobody listens to any more is replaced; anything else at the path is an
// error that matches ErrSocket.
func Listen(ctx context.Context, path string) (net.Listener, error) {
	if len(path) > MaxSocketPath {
		return nil, fmt.Errorf("%w: the path %s has %d bytes, at most %d", ErrSocket, path, len(path), MaxSocketPath)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrSocket, err)
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("%w: %s is there and isn't a socket", ErrSocket, path)
	default:
		if err := replace(ctx, path); err != nil {
			return nil, err
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSocket, err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrSocket, err), l.Close())
	}
	return l, nil
}

// replace removes a socket that an earlier process has left.
func replace(ctx context.Context, path string) error {
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		return errors.Join(fmt.Errorf("%w: another process listens at %s", ErrSocket, path), c.Close())
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("%w: %w", ErrSocket, err)
	}
	return nil
}
