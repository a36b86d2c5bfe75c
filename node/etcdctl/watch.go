package etcdctl

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"drydock/node/client"
)

// watcher connects and begins to watch; a nil watcher comes with an exit code.
func (inv *invocation) watcher(key string) (*client.Watcher, int) {
	if code := inv.connect(true); code != exitOK {
		return nil, code
	}
	return inv.client.Watcher(key, &client.WatchOptions{
		AfterIndex: uint64(inv.flags.number("after-index")), Recursive: inv.flags.bool("recursive"),
	}), exitOK
}

// over ends a watch: being interrupted is how one that runs for ever should end.
func (inv *invocation) over(err error) int {
	if inv.interrupted(err) {
		return exitOK
	}
	return inv.fail(exitServer, err)
}

func runWatch(inv *invocation) int {
	if len(inv.args) == 0 {
		return inv.fail(exitBadArgs, errNoKey)
	}
	w, code := inv.watcher(inv.args[0])
	if code != exitOK {
		return code
	}
	for {
		ev, err := w.Next(inv.ctx)
		if err != nil {
			return inv.over(err)
		}
		if ev.Node.Dir {
			continue
		}
		if inv.flags.bool("recursive") {
			fmt.Fprintf(inv.env.Stdout, "[%s] %s\n", ev.Action, ev.Node.Key)
		}
		if code := inv.show(ev, false); code != exitOK || !inv.flags.bool("forever") {
			return code
		}
	}
}

// keyAndCommand tells the key from the command line to run. What stands before "--"
// is the key. Without it the key comes first or last: help has always said the one
// and the program done the other, so what looks like a key decides, and the last of
// two that do.
func keyAndCommand(args []string) (key string, line []string, err error) {
	if i := slices.Index(args, "--"); i == 1 {
		key, line = args[0], args[2:]
	} else if n := len(args) - 1; n > 0 && i < 0 {
		key, line = args[n], args[:n]
		if strings.HasPrefix(args[0], "/") && !strings.HasPrefix(args[n], "/") {
			key, line = args[0], args[1:]
		}
	}
	if len(line) == 0 {
		return "", nil, errors.New("key and command to exec required")
	}
	return key, line, nil
}

func runExecWatch(inv *invocation) int {
	key, line, err := keyAndCommand(inv.args)
	if err != nil {
		return inv.fail(exitBadArgs, err)
	}
	w, code := inv.watcher(key)
	if code != exitOK {
		return code
	}
	for {
		ev, err := w.Next(inv.ctx)
		if err != nil {
			return inv.over(err)
		}
		if ev.Node.Dir && ev.Action != "delete" && ev.Action != "expire" {
			continue
		}
		cmd := exec.CommandContext(inv.ctx, line[0], line[1:]...)
		cmd.Env = append(os.Environ(), eventEnv(ev)...)
		cmd.Stdout, cmd.Stderr = inv.env.Stdout, inv.env.Stderr
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = 5 * time.Second
		if err := cmd.Start(); err != nil {
			fmt.Fprintln(inv.env.Stderr, err)
			return exitBadArgs
		}
		// What the command makes of the event is its own affair; the next one is
		// handed to it all the same.
		_ = cmd.Wait()
	}
}

// eventEnv tells a command of an event.
func eventEnv(ev *client.Response) []string {
	return []string{
		"ETCD_WATCH_ACTION=" + ev.Action,
		"ETCD_WATCH_KEY=" + ev.Node.Key,
		fmt.Sprintf("ETCD_WATCH_MODIFIED_INDEX=%d", ev.Node.ModifiedIndex),
		"ETCD_WATCH_VALUE=" + ev.Node.Value,
	}
}
