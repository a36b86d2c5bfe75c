package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestRunMeasures(t *testing.T) {
	for _, links := range []string{"process", "tcp"} {
		for _, storage := range []string{"memory", "disk"} {
			var out, errs bytes.Buffer
			args := []string{"-links", links, "-storage", storage, "-depth", "8", "-dir", t.TempDir(), "-warm", "10ms", "-round", "200ms"}
			if code := run(args, &out, &errs); code != 0 {
				t.Fatalf("%s, %s: exit %d: %s", links, storage, code, errs.String())
			}
			var s sample
			if err := json.Unmarshal(out.Bytes(), &s); err != nil {
				t.Fatal(err)
			}
			// A majority of two syncs for at most eight commands.
			if s.Operations < 1 || s.Rate <= 0 || s.CPU <= 0 || s.P50 <= 0 || s.P999 < s.P50 || s.Syncs < 2.0/8/2 {
				t.Errorf("%s, %s: %+v", links, storage, s)
			}
		}
	}
}

func TestRunRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"-members 0":   "at least 1",
		"-depth 0":     "at least 1",
		"-storage ram": "memory or disk",
		"-links udp":   "process or tcp",
		"-round 0s":    "above 0",
		"extra":        "is no flag",
		"-nonsense":    "not defined",
	} {
		var out, errs bytes.Buffer
		if code := run(strings.Fields(args), &out, &errs); code != 2 || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: exit %d, %q, want %q", args, code, errs.String(), want)
		}
	}
	if code := run([]string{"-dir", "/nowhere/at/all", "-storage", "disk"}, &bytes.Buffer{}, &bytes.Buffer{}); code != 4 {
		t.Errorf("a directory that isn't there: exit %d", code)
	}
}
