package nspawn

import (
	"context"
	"os/exec"

	"drydock/vmlab/lab"
)

// Probe implements lab.Driver.
func (driver) Probe(context.Context) []lab.Finding {
	f := lab.Finding{What: "systemd-nspawn", Needed: true, Fix: "apt-get install systemd-container"}
	path, err := exec.LookPath("systemd-nspawn")
	if f.OK = err == nil; f.OK {
		f.Detail = path
	} else {
		f.Detail = err.Error()
	}
	return []lab.Finding{f}
}
