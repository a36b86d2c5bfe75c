package scenario

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"drydock/chaos"
	"drydock/sim/dist"
)

// profileFile is what errors call a profile.
const profileFile = "profile"

// ProfileVersion is the version of the format of profiles.
const ProfileVersion = 1

// Profile is what was measured of a lab, for the simulator to take in place of its
// own assumptions: `drydock lab calibrate` writes it, `drydock run --profile` reads
// it. As with scenarios the structs are the file's format.
type Profile struct {
	Version  int    `json:"drydock-profile" doc:"the format's version" min:"1" max:"1"`
	Driver   string `json:"driver" doc:"the driver of the lab that was measured"`
	Machines int    `json:"machines" doc:"how many machines it had" min:"1" max:"64"`
	Host     string `json:"host,omitempty" doc:"the machine that it ran on"`
	Made     string `json:"made,omitempty" doc:"when it was measured, in RFC 3339"`
	// Pressure is told, not used: whoever reads the file should know.
	Pressure chaos.Probability `json:"pressure,omitempty" doc:"the share of the CPUs that others had meanwhile; above 20% the figures are the neighbours' as well" default:"0%"`

	Link    Spread `json:"link" doc:"what a message takes from one machine to another over a standing connection, beyond the delay that the lab was told to impose"`
	Request Spread `json:"request" doc:"one way between a client and a member: half the time of a request that the member answers by itself"`
	Fsync   Spread `json:"fsync" doc:"a write into the log's prepared file, and its sync"`
	Start   Spread `json:"start" doc:"from the start of a node's process that has lived before until it answers"`
	Boot    Spread `json:"boot" doc:"from switching on a machine that had lost its power until its node answers"`

	// File is where it was read from, Text what was read.
	File string `json:"-"`
	Text []byte `json:"-"`
}

// Spread is a distribution of times as it was measured, by its quantiles.
type Spread struct {
	Samples int           `json:"samples" doc:"how many were measured" min:"1" max:"100000000"`
	Least   time.Duration `json:"least" doc:"the shortest"`
	P10     time.Duration `json:"p10" doc:"a tenth took no longer"`
	P25     time.Duration `json:"p25" doc:"a quarter took no longer"`
	P50     time.Duration `json:"p50" doc:"half took no longer"`
	P75     time.Duration `json:"p75" doc:"three quarters took no longer"`
	P90     time.Duration `json:"p90" doc:"all but a tenth took no longer"`
	P99     time.Duration `json:"p99" doc:"all but a hundredth took no longer"`
	P999    time.Duration `json:"p999" doc:"all but a thousandth took no longer"`
	Most    time.Duration `json:"most" doc:"the longest"`
}

// quantile is a quantile of a spread with its name in the file.
type quantile struct {
	name  string
	share dist.Milli
	of    *time.Duration
}

func (s *Spread) quantiles() []quantile {
	return []quantile{
		{"least", 0, &s.Least},
		{"p10", 100, &s.P10},
		{"p25", 250, &s.P25},
		{"p50", 500, &s.P50},
		{"p75", 750, &s.P75},
		{"p90", 900, &s.P90},
		{"p99", 990, &s.P99},
		{"p999", 999, &s.P999},
		{"most", 1000, &s.Most},
	}
}

// SpreadOf sums up times, which must be in order and at least one.
func SpreadOf(sorted []time.Duration) Spread {
	s := Spread{Samples: len(sorted)}
	for _, q := range s.quantiles() {
		at := (len(sorted)*int(q.share) + 999) / 1000 // so many are no longer
		*q.of = sorted[min(max(at-1, 0), len(sorted)-1)]
	}
	return s
}

// Dist returns the spread as what the simulator draws from. Its errors match
// dist.ErrSpec; that of a profile that was parsed has none.
func (s *Spread) Dist() (dist.Dist, error) {
	var points []dist.Point
	for _, q := range s.quantiles() {
		points = append(points, dist.Point{Share: q.share, Delay: *q.of})
	}
	return dist.Table(points)
}

// Flag is how a call names the scenario's profile, with a space behind it; nothing
// if it has none.
func (p *Profile) Flag() string {
	if p == nil {
		return ""
	}
	return "--profile " + p.File + " "
}

// spreads are a profile's, by their keys.
func (p *Profile) spreads() map[string]*Spread {
	return map[string]*Spread{"link": &p.Link, "request": &p.Request, "fsync": &p.Fsync, "start": &p.Start, "boot": &p.Boot}
}

// ParseProfile reads a profile; file is its name in errors. The error is an *Errors.
func ParseProfile(file string, text []byte) (*Profile, error) {
	p := &Profile{File: file, Text: text}
	doc := Read(file, profileFile, text, p)
	if doc.Readable() && doc.Err() == nil {
		if _, err := time.Parse(time.RFC3339, p.Made); p.Made != "" && err != nil {
			doc.Fail("made", "such as 2026-11-22T18:30:00Z", "made: %q is no time", p.Made)
		}
		// any order: problems are sorted by where they are
		for key, s := range p.spreads() {
			list := s.quantiles()
			for i := 1; i < len(list); i++ {
				if was, is := list[i-1], list[i]; *is.of < *was.of {
					doc.Fail(key+"."+is.name, "quantiles don't fall", "%s: %s is %v, less than %s, %v", key, is.name, *is.of, was.name, *was.of)
				}
			}
		}
	}
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// Encode writes the profile as a file that reads back as the same profile.
func (p *Profile) Encode() []byte {
	var b strings.Builder
	b.WriteString("# What was measured of a lab, for the simulator: drydock run --profile THIS-FILE …\n")
	fmt.Fprintf(&b, "drydock-profile: %d\ndriver: %s\nmachines: %d\n", p.Version, quoted(p.Driver), p.Machines)
	if p.Host != "" {
		fmt.Fprintf(&b, "host: %s\n", quoted(p.Host))
	}
	if p.Made != "" {
		fmt.Fprintf(&b, "made: %s\n", quoted(p.Made))
	}
	fmt.Fprintf(&b, "pressure: %.4g%%\n", 100*float64(p.Pressure))
	for _, f := range fieldsOf(reflect.TypeFor[Profile]()) {
		s := p.spreads()[f.name]
		if s == nil {
			continue
		}
		fmt.Fprintf(&b, "# %s\n%s:\n  samples: %d\n", f.doc, f.name, s.Samples)
		for _, q := range s.quantiles() {
			fmt.Fprintf(&b, "  %s: %v\n", q.name, *q.of)
		}
	}
	return []byte(b.String())
}

// quoted writes a text as YAML's double quotes do.
func quoted(text string) string { return fmt.Sprintf("%q", text) }

// ProfileSchema returns the JSON schema of profiles, made from the same tags that
// the parser reads.
func ProfileSchema() *jsonschema.Schema {
	return SchemaOf(new(Profile), "Drydock profile", "What was measured of a lab, for the simulator.")
}
