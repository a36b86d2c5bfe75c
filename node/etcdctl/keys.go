package etcdctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"drydock/node/client"
)

var (
	errNoKey   = errors.New("key required")
	errNoValue = errors.New("value required")
)

// onKey connects and does one thing to the key that is the first argument. what
// gets a key that begins with a slash, and the answer to show.
func (inv *invocation) onKey(
	what func(ctx context.Context, key string) (*client.Response, error),
) (*client.Response, int) {
	if len(inv.args) == 0 {
		return nil, inv.fail(exitBadArgs, errNoKey)
	}
	if code := inv.connect(true); code != exitOK {
		return nil, code
	}
	ctx, cancel := inv.bounded()
	defer cancel()
	resp, err := what(ctx, inv.args[0])
	if err != nil {
		return nil, inv.fail(exitServer, err)
	}
	return resp, exitOK
}

// value is the second argument, or what standard input has.
func (inv *invocation) value() (string, error) {
	if len(inv.args) > 1 {
		return inv.args[1], nil
	}
	read, err := io.ReadAll(io.LimitReader(inv.env.Stdin, maxInputBytes+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the value from standard input: %w", err)
	case len(read) > maxInputBytes:
		return "", fmt.Errorf("the value on standard input is larger than %d MiB", maxInputBytes>>20)
	case len(read) == 0:
		return "", errNoValue
	}
	return string(read), nil
}

// onValue is onKey with a value, which is shown as it came to be.
func (inv *invocation) onValue(what func(ctx context.Context, key, value string) (*client.Response, error)) int {
	if len(inv.args) == 0 {
		return inv.fail(exitBadArgs, errNoKey)
	}
	// The password, if it is to be read from standard input, comes before the value.
	if code := inv.connect(true); code != exitOK {
		return code
	}
	value, err := inv.value()
	if err != nil {
		return inv.fail(exitBadArgs, err)
	}
	ctx, cancel := inv.bounded()
	defer cancel()
	resp, err := what(ctx, inv.args[0], value)
	if err != nil {
		return inv.fail(exitServer, err)
	}
	return inv.show(resp, false)
}

// ttl is bounded so that the product stays one; three hundred years are for ever.
func (inv *invocation) ttl() time.Duration {
	return time.Duration(min(inv.flags.number("ttl"), 9e9)) * time.Second
}

func runSet(inv *invocation) int {
	return inv.onValue(func(ctx context.Context, key, value string) (*client.Response, error) {
		return inv.client.Set(ctx, key, value, &client.SetOptions{
			TTL:       inv.ttl(),
			PrevValue: inv.flags.text("swap-with-value"),
			PrevIndex: uint64(inv.flags.number("swap-with-index")),
		})
	})
}

func runMk(inv *invocation) int {
	return inv.onValue(func(ctx context.Context, key, value string) (*client.Response, error) {
		if inv.flags.bool("in-order") {
			return inv.client.CreateInOrder(ctx, key, value, inv.ttl())
		}
		return inv.client.Create(ctx, key, value, inv.ttl())
	})
}

func runUpdate(inv *invocation) int {
	return inv.onValue(func(ctx context.Context, key, value string) (*client.Response, error) {
		return inv.client.Update(ctx, key, value, inv.ttl())
	})
}

func runGet(inv *invocation) int {
	resp, code := inv.onKey(func(ctx context.Context, key string) (*client.Response, error) {
		return inv.client.Get(ctx, key, &client.GetOptions{Sort: inv.flags.bool("sort"), Quorum: inv.flags.bool("quorum")})
	})
	if code != exitOK {
		return code
	}
	if resp.Node.Dir {
		fmt.Fprintf(inv.env.Stderr, "%s: is a directory\n", resp.Node.Key)
		return exitBadArgs
	}
	return inv.show(resp, false)
}

func runLs(inv *invocation) int {
	if len(inv.args) == 0 {
		inv.args = []string{"/"}
	}
	resp, code := inv.onKey(func(ctx context.Context, key string) (*client.Response, error) {
		return inv.client.Get(ctx, key, &client.GetOptions{
			Sort: inv.flags.bool("sort"), Recursive: inv.flags.bool("recursive"), Quorum: inv.flags.bool("quorum"),
		})
	})
	if code != exitOK {
		return code
	}
	if inv.global.text("output") == "simple" {
		inv.list(resp.Node, inv.flags.bool("p"))
		return exitOK
	}
	return inv.show(resp, false)
}

func runRm(inv *invocation) int {
	return inv.remove(&client.DeleteOptions{
		Dir: inv.flags.bool("dir"), Recursive: inv.flags.bool("recursive"),
		PrevValue: inv.flags.text("with-value"), PrevIndex: uint64(inv.flags.number("with-index")),
	})
}

func runRmdir(inv *invocation) int { return inv.remove(&client.DeleteOptions{Dir: true}) }

func (inv *invocation) remove(o *client.DeleteOptions) int {
	resp, code := inv.onKey(func(ctx context.Context, key string) (*client.Response, error) {
		return inv.client.Delete(ctx, key, o)
	})
	if code != exitOK {
		return code
	}
	return inv.show(resp, true)
}

func runMkdir(inv *invocation) int { return inv.directory(client.MustNotExist) }

func runSetdir(inv *invocation) int { return inv.directory(client.Whatever) }

func runUpdatedir(inv *invocation) int { return inv.directory(client.MustExist) }

func (inv *invocation) directory(p client.Presence) int {
	resp, code := inv.onKey(func(ctx context.Context, key string) (*client.Response, error) {
		return inv.client.Set(ctx, key, "", &client.SetOptions{Dir: true, TTL: inv.ttl(), PrevExist: p})
	})
	if code != exitOK {
		return code
	}
	if inv.global.text("output") == "simple" {
		return exitOK
	}
	return inv.show(resp, true)
}
