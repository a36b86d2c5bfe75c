package procs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"drydock/node/machine/guard"
	"drydock/node/runtime/lease"
	"drydock/node/runtime/supervisor"

	"drydock/vmlab/load"
)

// endAll ends what is left of the units of machines below a directory when their nodes
// are gone.
func endAll(parent string) {
	dirs, _ := filepath.Glob(filepath.Join(parent, "*"))
	for _, dir := range dirs {
		endUnits(dir)
	}
}

// endUnits ends a machine's, and has their guard end, which would wait for the lease.
func endUnits(dir string) {
	f, err := lease.Open(filepath.Join(dir, guard.LeaseFile))
	if err != nil {
		return // it has run none
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	// A unit that can't be killed is the system's to tell of.
	_ = supervisor.KillOrphans(ctx, filepath.Join(dir, guard.UnitsDir), nil)
	f.Begin(lease.None)
	_ = f.Close()
}

// Machine returns the id of a member's machine, once it has one.
func (c *Cluster) Machine(i int) (string, error) {
	text, err := os.ReadFile(filepath.Join(c.members[i].data, "machine-id"))
	return strings.TrimSpace(string(text)), err
}

// Put asks a member to have a unit launched.
func (c *Cluster) Put(ctx context.Context, i int, name string, options ...UnitOption) error {
	body, err := json.Marshal(map[string]any{"desiredState": "launched", "options": options})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, load.OpTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, c.URL(i)+"/fleet/v1/units/"+name, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(text))
	}
	return errors.Join(err, resp.Body.Close())
}

// UnitOption is a line of a unit file.
type UnitOption struct {
	Section string `json:"section"`
	Name    string `json:"name"`
	Value   string `json:"value"`
}

// Diary is what units have written of when they ran.
type Diary struct {
	dir string
}

// beatEvery is how often a unit that keeps a diary writes.
const beatEvery = 20 * time.Millisecond

// Unit is a unit that keeps a diary: its start and a beat every so often, each with
// the machine, its process and the time, and its end if it is asked to end.
func (d Diary) Unit(name string, more ...UnitOption) []UnitOption {
	escaped := strings.NewReplacer("$", "$$", "%", "%%", hereMachine, "%m").Replace(d.script(name))
	return append([]UnitOption{
		{"Service", "Type", "exec"},
		{"Service", "ExecStart", `/bin/sh -c "` + escaped + `"`},
	}, more...)
}

// hereMachine stands in a script where the machine's id comes to stand.
const hereMachine = "@machine@"

// script is what such a unit runs. A clock that is ended together with the unit has told
// no time, and then nothing is written.
func (d Diary) script(name string) string {
	write := func(what string) string {
		return "t=$(date +%s%N) && echo " + what + " " + hereMachine + " $$ $t >> " + d.file(name)
	}
	return "trap '" + write("end") + "; exit 0' TERM; " + write("start") + "; while :; do sleep " +
		strconv.FormatFloat(beatEvery.Seconds(), 'f', -1, 64) + "; " + write("beat") + "; done"
}

func (d Diary) file(name string) string { return filepath.Join(d.dir, name+".diary") }

// Page is one line of a diary.
type Page struct {
	What, Machine string
	Pid           int
	At            time.Time
}

// Read returns what a unit has written so far. The last line may not be whole yet.
func (d Diary) Read(name string) ([]Page, error) {
	text, err := os.ReadFile(d.file(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var pages []Page
	for _, line := range strings.SplitAfter(string(text), "\n") {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		var p Page
		var at int64
		if _, err := fmt.Sscan(line, &p.What, &p.Machine, &p.Pid, &at); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", d.file(name), line, err)
		}
		p.At = time.Unix(0, at)
		pages = append(pages, p)
	}
	return pages, nil
}

// Stretch is one process's time in a diary.
type Stretch struct {
	Machine    string
	Pid        int
	From, Last time.Time
}

// Stretches puts pages together by process, in the order of their beginnings.
func Stretches(pages []Page) []Stretch {
	var list []Stretch
	at := make(map[string]int)
	for _, p := range pages {
		key := fmt.Sprint(p.Machine, p.Pid)
		i, known := at[key]
		if !known {
			i = len(list)
			at[key] = i
			list = append(list, Stretch{Machine: p.Machine, Pid: p.Pid, From: p.At, Last: p.At})
		}
		if list[i].From.After(p.At) {
			list[i].From = p.At
		}
		if list[i].Last.Before(p.At) {
			list[i].Last = p.At
		}
	}
	return list
}

// Twice returns the first two stretches that overlap, and whether there are any.
func Twice(list []Stretch) (a, b Stretch, overlap bool) {
	for i := range list {
		for j := range list[:i] {
			if list[i].From.Before(list[j].Last) && list[j].From.Before(list[i].Last) {
				return list[j], list[i], true
			}
		}
	}
	return a, b, false
}
