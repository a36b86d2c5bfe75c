package calibrate

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"drydock/vmlab/calibrate/probe"
	"drydock/vmlab/lab"
)

// The arguments of `drydock lab probe`, which does a probe on the machine it is on.
const (
	ProbeAnswer = "answer" // ADDRESS
	ProbeAsk    = "ask"    // ADDRESS COUNT BYTES EVERY
	ProbeSync   = "sync"   // DIRECTORY COUNT EVERY
)

// listening is what an answerer says when it can be asked.
const listening = "listening"

// maxOutput bounds what a probe may write.
const maxOutput = 16 << 20

// run runs a command on a machine, and hands its output to a function while it lasts.
func (l *labOf) run(ctx context.Context, machine string, args []string, output func(io.Reader) error) error {
	a, err := l.ground.Access(machine)
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	read := make(chan error, 1)
	go func() { read <- output(io.LimitReader(r, maxOutput)) }()
	code, err := l.o.Driver.Exec(ctx, a, lab.Command{
		Args: append([]string{"drydock", "lab", "probe"}, args...), Stdout: w, Stderr: w, Program: l.o.Binary,
	})
	if err == nil && code != 0 {
		err = fmt.Errorf("%s: a probe (%s) has failed with status %d", machine, strings.Join(args, " "), code)
	}
	err = errors.Join(err, w.Close(), <-read, r.Close())
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// into reads a value from a probe's output. What is no value is its complaint.
func into(v any) func(io.Reader) error {
	return func(r io.Reader) error {
		text, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, v); err != nil {
			return fmt.Errorf("a probe says: %s", strings.TrimSpace(string(text)))
		}
		return nil
	}
}

// ways measures the links between two machines, there and back.
func (l *labOf) ways(ctx context.Context, from, to *lab.Machine) (*probe.Ways, error) {
	address := fmt.Sprintf("%s:%d", to.Address, probePort)
	ready, ended := make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		ended <- l.run(ctx, to.Name, []string{ProbeAnswer, address}, func(r io.Reader) error {
			lines := bufio.NewScanner(r)
			if lines.Scan() && lines.Text() == listening {
				close(ready)
			}
			_, err := io.Copy(io.Discard, r)
			return errors.Join(lines.Err(), err)
		})
	}()
	select {
	case err := <-ended:
		return nil, fmt.Errorf("%s: the answering probe has ended: %w", to.Name, err)
	case <-ready:
	}
	var w probe.Ways
	err := l.run(ctx, from.Name, []string{ProbeAsk, address, strconv.Itoa(l.o.Messages), strconv.Itoa(messageBytes), messageEvery.String()}, into(&w))
	if err != nil {
		cancel() // nobody will ask any more
		<-ended
		return nil, err
	}
	return &w, <-ended
}

// syncs measures a machine's disk, where its node has its data.
func (l *labOf) syncs(ctx context.Context, m *lab.Machine) ([]time.Duration, error) {
	var times []time.Duration
	err := l.run(ctx, m.Name, []string{ProbeSync, lab.GuestData, strconv.Itoa(l.o.Syncs), syncEvery.String()}, into(&times))
	return times, err
}
