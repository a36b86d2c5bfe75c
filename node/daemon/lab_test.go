package daemon

import (
	"errors"
	"strings"
	"testing"

	"drydock/node/labcontrol"
)

// TestLabControlIsRefused: in no other run than a lab's, and by no worker, who would take
// no notice of it.
func TestLabControlIsRefused(t *testing.T) {
	lab := map[string]string{labcontrol.Environment: "n1"}
	for _, c := range []struct {
		cfg  Config
		env  map[string]string
		want error
	}{
		{Config{}, nil, nil},
		{Config{LabControl: "/run/lab.sock"}, lab, nil},
		{Config{LabControl: "/run/lab.sock"}, nil, labcontrol.ErrNoLab},
		{Config{LabControl: "/run/lab.sock", Join: "http://n1:2380"}, nil, labcontrol.ErrNoLab},
		{Config{LabControl: "/run/lab.sock", Join: "http://n1:2380"}, lab, errWorker},
	} {
		err := c.cfg.checkLab(func(name string) string { return c.env[name] })
		if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), "lab-control") {
			t.Errorf("%+v in %v: %v, want %v", c.cfg, c.env, err, c.want)
		}
	}
}
