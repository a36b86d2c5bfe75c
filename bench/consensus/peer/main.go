// Command peer does with github.com/hashicorp/raft and raft-wal what bench
// consensus does with members of Drydock: a number of proposers, each waiting for
// its answer, write to the leader of a cluster inside of this process. It is told
// the case by flags and answers with one JSON object.
//
// It is tuned as its users tune it: appends of up to 512 entries, a buffered queue
// of proposals, the log behind a cache, batches handed to the state machine, which
// is a plain map. No snapshot falls into a round.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options are the flags, named as those of bench consensus.
type options struct {
	members, depth, value int
	storage, links, dir   string
	warm, round           time.Duration
}

// run is the whole program but for the process around it; it returns the exit
// code.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, err)
		return 2
	}
	s, err := measure(o)
	if err == nil {
		err = json.NewEncoder(stdout).Encode(s)
	}
	if err != nil {
		fmt.Fprintln(stderr, "peer:", err)
		return 4
	}
	return 0
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("peer", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.members, "members", 3, "members of the cluster")
	f.IntVar(&o.depth, "depth", 64, "proposers")
	f.IntVar(&o.value, "value", 256, "bytes of a value")
	f.StringVar(&o.storage, "storage", "disk", "where members keep their logs: memory, disk")
	f.StringVar(&o.links, "links", "process", "how members reach each other: process, tcp")
	f.StringVar(&o.dir, "dir", "", "folder for the logs (default: the system's for temporary files)")
	f.DurationVar(&o.warm, "warm", 300*time.Millisecond, "what is thrown away at the start")
	f.DurationVar(&o.round, "round", time.Second, "how long is measured")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("peer: %q is no flag; see -help", f.Arg(0))
	case o.members < 1 || o.depth < 1 || o.value < 1:
		return nil, errors.New("peer: -members, -depth and -value must be at least 1")
	case o.storage != "memory" && o.storage != "disk":
		return nil, fmt.Errorf("peer: -storage %q, want memory or disk", o.storage)
	case o.links != "process" && o.links != "tcp":
		return nil, fmt.Errorf("peer: -links %q, want process or tcp", o.links)
	case o.round <= 0 || o.warm < 0:
		return nil, errors.New("peer: -round must be above 0, -warm not below it")
	}
	return o, nil
}
