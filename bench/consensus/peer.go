package consensus

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
)

// measurePeer runs one round of a case in the other library's program, which is
// told the case by flags and answers with a Sample in JSON.
func (r *Run) measurePeer(ctx context.Context, c Case) (Sample, error) {
	s := Sample{Pressure: pressure()}
	cmd := exec.CommandContext(ctx, r.PeerProgram,
		"-members", fmt.Sprint(c.Members), "-storage", string(c.Storage), "-links", string(c.Links),
		"-depth", fmt.Sprint(c.Depth), "-value", fmt.Sprint(c.Value), "-dir", r.Dir,
		"-warm", r.Times.Warm.String(), "-round", r.Times.Round.String())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return s, fmt.Errorf("%s: %w: %s", r.PeerProgram, err, lastLine(stderr.String()))
	}
	before := s.Pressure
	if err := json.Unmarshal(stdout.Bytes(), &s); err != nil {
		return s, fmt.Errorf("%s: its answer: %w", r.PeerProgram, err)
	}
	s.Pressure = before
	if s.Operations <= 0 || s.Rate <= 0 {
		return s, fmt.Errorf("%s: nothing was committed", r.PeerProgram)
	}
	return s, s.plausible(c)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
