package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Probes are what a driver has tried, in order.
type Probes struct {
	List []Finding
	// failed says that something needed is missing: what is tried after it would fail
	// for the same reason.
	failed bool
}

// Try tries something that the driver needs, unless something before it is missing.
// Fix says how to get it.
func (p *Probes) Try(what, fix string, do func() (detail string, err error)) {
	if p.failed {
		return
	}
	began := time.Now()
	detail, err := do()
	f := Finding{What: what, OK: err == nil, Needed: true, Detail: detail}
	if err != nil {
		f.Detail, f.Fix = err.Error(), fix
		p.failed = true
	}
	f.Took = time.Since(began)
	p.List = append(p.List, f)
}

// Like tries something that is of use and not needed. Fix says how to get it.
func (p *Probes) Like(what, fix string, do func() (detail string, err error)) {
	if p.failed {
		return
	}
	began := time.Now()
	f := Finding{What: what}
	var err error
	if f.Detail, err = do(); err != nil {
		f.Detail, f.Fix = err.Error(), fix
	}
	f.OK, f.Took = err == nil, time.Since(began)
	p.List = append(p.List, f)
}

// bootPatience is how long a machine that is booted for a probe may take.
const bootPatience = 90 * time.Second

// probeLab is what a probe's lab is called.
const probeLab = "doctor"

// BootOne makes a lab of one machine, boots it until its node answers, and removes
// it. Images is the directory of images; "" if the driver takes none.
func BootOne(ctx context.Context, d Driver, images string) (detail string, err error) {
	binary, err := os.Executable()
	if err != nil {
		return "", err
	}
	lies := func(dir string) string { return filepath.Join(dir, "labs", probeLab) }
	scratch, err := NewScratch("drydock-doctor-"+d.Name()+"-", func(dir string) error {
		_, err := d.Reap(Site{Lab: probeLab, Dir: lies(dir)})
		return err
	})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, scratch.Close()) }()
	dir := scratch.Dir
	if images != "" {
		whole, err := filepath.Abs(images)
		if err != nil {
			return "", err
		}
		if err := os.Symlink(whole, filepath.Join(dir, "images")); err != nil {
			return "", err
		}
	}
	spec := Default(1)
	site := Site{Lab: probeLab, Dir: lies(dir), Binary: binary, Spec: spec, Machines: spec.MachineList(), Token: "doctor", JoinToken: "doctor"}
	m := &site.Machines[0]
	if err := os.MkdirAll(site.MachineDir(m.Name), 0o755); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, bootPatience)
	defer cancel()
	g, err := d.Open(ctx, site)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	began := time.Now()
	if err := g.Boot(ctx, m); err != nil {
		return "", err
	}
	if err := answers(ctx, g, m); err != nil {
		return "", err
	}
	return fmt.Sprintf("its node answered after %.1fs", time.Since(began).Seconds()), nil
}

// answers returns when a machine's node says that it is healthy.
func answers(ctx context.Context, g Ground, m *Machine) error {
	client := &http.Client{Transport: &http.Transport{DialContext: g.Dial, DisableKeepAlives: true}, Timeout: 2 * time.Second}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.ClientURL()+"/health", nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(resp.Status)
		}
		if g.Vitals(m.Name).Power == PowerOff {
			return fmt.Errorf("it has switched itself off: %s", g.Vitals(m.Name).Ended)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("its node has not answered: %w", err)
		}
	}
}
