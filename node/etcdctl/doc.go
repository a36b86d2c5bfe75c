// Package etcdctl is the command line client of the etcd v2 API: the commands, flags,
// forms of output and exit codes of etcdctl 3.4 with ETCDCTL_API=2, over package
// client.
//
// What the original prints was recorded, command by command, and is what the tests
// hold this one to (testdata/golden). `go test -record DIR`, with the folder of the
// original's programs, records again; `-against DIR` plays this one against the
// original's servers. It differs where that is friendlier, which the transcripts show
// by lines that begin with a plus:
//
//   - Help is in words of our own, with examples; an unknown command names what may
//     have been meant.
//   - An output form that is none is refused before anything is sent, with exit code
//     1. The original carries the command out, prints nothing of it and exits with 0.
//   - A flag on the command line beats the environment, also an older flag a newer
//     variable. Every global flag has a variable, ETCDCTL_ and its name. --password
//     is new.
//   - Endpoints may lack http:// and have spaces around them, and are tried in the
//     order given rather than in any.
//   - Flags are understood anywhere before "--". The original loses those that come
//     after another argument if a flag without a value came before that.
//   - ls is always sorted.
//   - The root is "/" in get's error, not "".
//   - exec-watch takes its key before "--" also if no flag comes first, and runs one
//     command at a time, in the order of events. The removal of a directory runs it
//     too.
//   - Passwords are asked for on stderr, and read from standard input without the
//     complaints of stty. user passwd takes name:password as user add does.
//   - Refusals for want of a login say so instead of giving a status code.
//   - A write that may have taken effect although no answer came is said to be one,
//     and sent to a second endpoint only if that can do no harm.
//   - All errors end in a newline.
//   - Arguments are looked at before the cluster is asked for its members.
//   - backup makes the data directory of a new cluster's only member; it refuses a
//     directory that exists, and the flags for a log elsewhere.
//
// Invariants: a command reaches the process through ui.Env alone, but for the
// environment that exec-watch hands on; nothing is sent when the call is wrong.
//
// Files: app.go (which command), table.go (all of them), flags.go, help.go,
// connect.go (endpoints, logins), keys.go, watch.go, member.go, auth.go, backup.go,
// output.go.
package etcdctl
