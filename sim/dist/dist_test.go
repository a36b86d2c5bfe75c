package dist

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const ms = time.Millisecond

func stream(seed byte) *rand.Rand { return rand.New(rand.NewChaCha8([32]byte{seed})) }

// TestSamplesArePinned holds on every architecture or the package has lost its
// point; it also fails when a change moves every recorded seed.
func TestSamplesArePinned(t *testing.T) {
	for _, tc := range []struct {
		spec string
		want []time.Duration
	}{
		{"constant mean=1ms", []time.Duration{ms, ms, ms}},
		{"uniform min=1ms max=5ms", []time.Duration{1436141, 2122226, 1818876}},
		{"exponential mean=1ms max=1s", []time.Duration{2216083, 1270979, 1586116}},
		{"lognormal mean=1ms min=200us max=1s tail=1", []time.Duration{1763300, 1624966, 1573422}},
		{"pareto mean=1ms min=200us max=1s tail=0.5", []time.Duration{1411368, 955178, 1084058}},
	} {
		spec, err := Parse(tc.spec)
		if err != nil {
			t.Fatal(err)
		}
		r := stream(1)
		var got []time.Duration
		for range tc.want {
			got = append(got, Must(spec).Sample(r))
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.spec, diff)
		}
	}
}

// TestShapes compares the mean and the quantiles of many samples with the
// textbook's, within the error of that many samples.
func TestShapes(t *testing.T) {
	const n = 200_000
	for _, tc := range []struct {
		spec string
		// mean, p50, p99 and p999 in milliseconds; within is relative.
		mean, p50, p99, p999, within float64
	}{
		{"uniform min=1ms max=5ms", 3, 3, 4.96, 4.996, 0.01},
		{"exponential mean=1ms max=1m", 1, math.Ln2, math.Log(100), math.Log(1000), 0.03},
		{"exponential mean=3ms min=1ms max=1m", 3, 1 + 2*math.Ln2, 1 + 2*math.Log(100), 1 + 2*math.Log(1000), 0.03},
		{"lognormal mean=1ms max=1m tail=1", 1, math.Exp(-0.5), math.Exp(2.3263 - 0.5), math.Exp(3.0902 - 0.5), 0.06},
		{"lognormal mean=1ms max=1m tail=0.25", 1, math.Exp(-0.03125), math.Exp(2.3263/4 - 0.03125), math.Exp(3.0902/4 - 0.03125), 0.03},
		{"pareto mean=1ms max=1m tail=0.25", 1, 0.75 * math.Pow(2, 0.25), 0.75 * math.Pow(100, 0.25), 0.75 * math.Pow(1000, 0.25), 0.04},
		{"pareto mean=1ms max=1m tail=0.5", 1, 0.5 * math.Sqrt2, 5, 0.5 * math.Sqrt(1000), 0.1},
	} {
		spec, err := Parse(tc.spec)
		if err != nil {
			t.Fatal(err)
		}
		d, r := Must(spec), stream(2)
		samples, sum := make([]time.Duration, n), 0.0
		for i := range samples {
			samples[i] = d.Sample(r)
			sum += float64(samples[i]) / float64(ms)
		}
		slices.Sort(samples)
		quantile := func(q float64) float64 { return float64(samples[int(q*n)]) / float64(ms) }
		for _, m := range []struct {
			name      string
			got, want float64
		}{
			{"mean", sum / n, tc.mean},
			{"p50", quantile(0.5), tc.p50},
			{"p99", quantile(0.99), tc.p99},
			{"p99.9", quantile(0.999), tc.p999},
		} {
			if math.Abs(m.got-m.want) > tc.within*m.want {
				t.Errorf("%s: %s is %.4fms, want %.4fms within %.0f%%", tc.spec, m.name, m.got, m.want, 100*tc.within)
			}
		}
	}
}

// TestSamplesStayInBounds also checks that a sample takes its kind's number of
// draws and no other.
func TestSamplesStayInBounds(t *testing.T) {
	draws := map[Kind]int{Constant: 0, Uniform: 1, Exponential: 1, Lognormal: normalDraws, Pareto: 1}
	rapid.Check(t, func(t *rapid.T) {
		spec := genSpec(t)
		d := Must(spec)
		src := &countingSource{values: rapid.SliceOfN(rapid.OneOf(rapid.Uint64(),
			rapid.SampledFrom([]uint64{0, 1, math.MaxUint64})), 6, 6).Draw(t, "draws")}
		got := d.Sample(rand.New(src))
		low, high := spec.Min, spec.Max
		if spec.Kind == Constant {
			low, high = spec.Mean, spec.Mean
		}
		if got < low || got > high {
			t.Fatalf("%s gave %v", spec, got)
		}
		if src.taken != draws[spec.Kind] {
			t.Fatalf("%s took %d draws, want %d", spec, src.taken, draws[spec.Kind])
		}
	})
}

type countingSource struct {
	values []uint64
	taken  int
}

func (s *countingSource) Uint64() uint64 {
	s.taken++
	return s.values[(s.taken-1)%len(s.values)]
}

func genSpec(t *rapid.T) Spec {
	duration := func(name string, low, high time.Duration) time.Duration {
		return time.Duration(rapid.Int64Range(int64(low), int64(high)).Draw(t, name))
	}
	spec := Spec{Kind: rapid.SampledFrom(Kinds()).Draw(t, "kind")}
	if spec.Kind == Constant {
		spec.Mean = duration("mean", 0, MaxDelay)
		return spec
	}
	spec.Max = duration("max", 1, MaxDelay)
	spec.Min = duration("min", 0, spec.Max-1)
	if spec.Kind != Uniform {
		spec.Mean = duration("mean", spec.Min+1, spec.Max)
	}
	switch spec.Kind {
	case Lognormal:
		spec.Tail = Milli(rapid.Int64Range(1, 3000).Draw(t, "tail"))
	case Pareto:
		spec.Tail = Milli(rapid.Int64Range(1, 950).Draw(t, "tail"))
	}
	return spec
}

func TestZeroDistIsNoDelay(t *testing.T) {
	if got := (Dist{}).Sample(stream(1)); got != 0 {
		t.Errorf("got %v, want 0", got)
	}
}

func TestBadSpecs(t *testing.T) {
	for name, spec := range map[string]Spec{
		"no kind":                  {},
		"unknown kind":             {Kind: "normal", Mean: ms},
		"constant, negative":       {Kind: Constant, Mean: -1},
		"constant, too long":       {Kind: Constant, Mean: MaxDelay + 1},
		"constant with max":        {Kind: Constant, Mean: ms, Max: ms},
		"constant with min":        {Kind: Constant, Mean: ms, Min: 1},
		"constant with tail":       {Kind: Constant, Mean: ms, Tail: 1},
		"uniform with mean":        {Kind: Uniform, Mean: ms, Max: 2 * ms},
		"uniform without max":      {Kind: Uniform, Min: ms},
		"uniform, min above max":   {Kind: Uniform, Min: 3 * ms, Max: 2 * ms},
		"uniform, negative":        {Kind: Uniform, Min: -1, Max: ms},
		"uniform, too long":        {Kind: Uniform, Max: MaxDelay + 1},
		"exponential without max":  {Kind: Exponential, Mean: ms},
		"exponential without mean": {Kind: Exponential, Max: ms},
		"exponential, mean is min": {Kind: Exponential, Min: ms, Mean: ms, Max: 2 * ms},
		"exponential, mean > max":  {Kind: Exponential, Mean: 2 * ms, Max: ms},
		"exponential with tail":    {Kind: Exponential, Mean: ms, Max: 2 * ms, Tail: 1},
		"lognormal without tail":   {Kind: Lognormal, Mean: ms, Max: 2 * ms},
		"lognormal, tail too long": {Kind: Lognormal, Mean: ms, Max: 2 * ms, Tail: 3001},
		"pareto without a mean":    {Kind: Pareto, Mean: ms, Max: 2 * ms, Tail: 951},
		"pareto, negative tail":    {Kind: Pareto, Mean: ms, Max: 2 * ms, Tail: -1},
	} {
		if _, err := New(spec); !errors.Is(err, ErrSpec) {
			t.Errorf("%s: error %v, want one that matches ErrSpec", name, err)
		}
	}
}

func BenchmarkSample(b *testing.B) {
	for _, text := range []string{
		"uniform max=5ms", "exponential mean=1ms max=1s",
		"lognormal mean=1ms max=1s tail=1", "pareto mean=1ms max=1s tail=0.5",
	} {
		spec, err := Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(spec.Kind), func(b *testing.B) {
			d, r := Must(spec), stream(1)
			for b.Loop() {
				d.Sample(r)
			}
		})
	}
}
