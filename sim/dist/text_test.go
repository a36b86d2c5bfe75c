package dist

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestParseReadsWhatStringWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := genSpec(t)
		got, err := Parse(spec.String())
		if err != nil {
			t.Fatalf("%q: %v", spec, err)
		}
		if diff := cmp.Diff(spec, got, cmpopts.IgnoreUnexported(Spec{})); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", spec, diff)
		}
	})
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", " ", "gauss mean=1ms", "mean=1ms", "constant 1ms", "constant mean", "constant mean=",
		"constant mean=1", "constant mean=-1ms", "constant mean=1ms mean=1ms", "constant size=1ms",
		"pareto mean=1ms max=1s tail=0.1234", "pareto mean=1ms max=1s tail=.5",
		"pareto mean=1ms max=1s tail=-0.5", "pareto mean=1ms max=1s tail=1e1",
		"pareto mean=1ms max=1s tail=99999999999999999999", "pareto mean=1ms max=1s",
	} {
		if spec, err := Parse(text); !errors.Is(err, ErrSpec) {
			t.Errorf("%q was read as %q with error %v, want one that matches ErrSpec", text, spec, err)
		}
	}
}

func TestMilli(t *testing.T) {
	for text, want := range map[string]Milli{"0": 0, "1": 1000, "0.5": 500, "1.25": 1250, "0.001": 1, "10": 10000} {
		got, err := ParseMilli(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%q was read as %d (%v) and written as %q", text, got, err, got)
		}
	}
	if got := Milli(-1500).String(); got != "-1.5" {
		t.Errorf("-1500 was written as %q", got)
	}
	for _, text := range []string{"", ".", "1.", ".1", "+1", "-1", "1,5", "0.0001", "1000001"} {
		if got, err := ParseMilli(text); !errors.Is(err, ErrSpec) {
			t.Errorf("%q was read as %v with error %v", text, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("constant mean=1ms")
	f.Add("uniform min=1ms max=5ms")
	f.Add("pareto mean=2ms min=200us max=1s tail=0.5")
	f.Fuzz(func(t *testing.T, text string) {
		spec, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrSpec) {
				t.Fatalf("%q: error %v does not match ErrSpec", text, err)
			}
			return
		}
		again, err := Parse(spec.String())
		if err != nil || again != spec {
			t.Fatalf("%q was read as %+v, which reads back as %+v (%v)", text, spec, again, err)
		}
		d := Must(spec).Sample(stream(1))
		if d < 0 || d > MaxDelay {
			t.Fatalf("%q gave %v", text, d)
		}
	})
}
