package dist

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Kind names a family of distributions.
type Kind string

// The families. The mean of all but Uniform is Mean as long as Max cuts off
// little.
const (
	// Constant is always Mean.
	Constant Kind = "constant"
	// Uniform is anything from Min to Max alike.
	Uniform Kind = "uniform"
	// Exponential has the memoryless tail of independent arrivals; p99 is about
	// 4.6 times the mean.
	Exponential Kind = "exponential"
	// Lognormal is the shape of most measured latencies: a hump and a long
	// tail. Tail is the standard deviation of the logarithm, 0.001 to 3; at 1,
	// p99 is about 6 times the mean and 10 times the median.
	Lognormal Kind = "lognormal"
	// Pareto has a heavy tail, in which the rare delays are so long that they
	// dominate. Tail is the tail index (1 / alpha), 0.001 to 0.95; at 0.5, one
	// in 10,000 is longer than 50 times the mean.
	Pareto Kind = "pareto"
)

// Kinds lists the families in the order in which help prints them.
func Kinds() []Kind { return []Kind{Constant, Uniform, Exponential, Lognormal, Pareto} }

// MaxDelay is the longest delay that a Spec may ask for.
const MaxDelay = 24 * time.Hour

// ErrSpec is matched by every error of New and Parse.
var ErrSpec = errors.New("invalid delay")

// Spec is a distribution of delays as data.
type Spec struct {
	Kind Kind
	// Mean is the average before Max cuts the tail off, Min included. Uniform
	// has none of its own: its mean is midway between Min and Max.
	Mean time.Duration
	// Min is the least delay: the rest of the distribution stands on top of it.
	// Constant has none.
	Min time.Duration
	// Max is the greatest delay; draws beyond it are cut to it. Every kind but
	// Constant needs it.
	Max time.Duration
	// Tail says how heavy the tail of Lognormal and Pareto is, in thousandths;
	// more is heavier. The kinds say what it is.
	Tail Milli
	_    struct{}
}

// Dist is a checked distribution, ready to be drawn from. The zero value is a
// constant delay of zero.
type Dist struct {
	spec Spec
	// scale multiplies the drawn shape, in nanoseconds: the mean above Min for
	// Exponential, the median for Lognormal, the least value for Pareto.
	scale uint64
	// sigma is Lognormal's standard deviation of the base-2 logarithm, Q32.
	sigma uint64
	// table, unless empty, is all there is to it.
	table []Point
}

// New checks a spec. Its errors match ErrSpec and name the field.
func New(spec Spec) (Dist, error) {
	if err := spec.check(); err != nil {
		return Dist{}, fmt.Errorf("%w: %s: %w", ErrSpec, spec.Kind, err)
	}
	d := Dist{spec: spec, scale: uint64(spec.Mean - spec.Min)}
	tail := uint64(spec.Tail)
	switch spec.Kind {
	case Lognormal:
		d.sigma = mulShift(tail<<one/1000, log2e, one)
		// The mean is the median times e^(σ²/2).
		exponent := mulShift(d.sigma, tail<<one/2000, one)
		d.scale = scaleExp2(d.scale, -int64(exponent))
	case Pareto:
		// The mean is the least value divided by 1 - tail.
		d.scale = d.scale * (1000 - tail) / 1000
	}
	return d, nil
}

// Must is New for specs written in code; it panics on an error.
func Must(spec Spec) Dist {
	d, err := New(spec)
	if err != nil {
		panic(fmt.Sprintf("dist: %+v: %v", spec, err))
	}
	return d
}

// Spec returns what d was made of; a table has none.
func (d Dist) Spec() Spec { return d.spec }

// Sample draws a delay.
func (d Dist) Sample(r *rand.Rand) time.Duration {
	if len(d.table) > 0 {
		return d.fromTable(r)
	}
	var above uint64
	switch d.spec.Kind {
	case Uniform:
		above = mulHigh(r.Uint64(), uint64(d.spec.Max-d.spec.Min)+1)
	case Exponential:
		above = mulShift(d.scale, mulShift(negLog2(r.Uint64()), ln2, one), one)
	case Lognormal:
		z := normal(r)
		exponent := int64(mulShift(magnitude(z), d.sigma, one))
		if z < 0 {
			exponent = -exponent
		}
		above = scaleExp2(d.scale, exponent)
	case Pareto:
		// x = least * u^(-tail).
		above = scaleExp2(d.scale, int64(negLog2(r.Uint64())*uint64(d.spec.Tail)/1000))
	default:
		return d.spec.Mean
	}
	return d.spec.Min + time.Duration(min(above, uint64(d.spec.Max-d.spec.Min)))
}

// check says what is wrong with a spec.
func (s Spec) check() error {
	switch s.Kind {
	case Constant:
		if s.Min != 0 || s.Max != 0 {
			return errors.New("min and max have no meaning; mean is the delay")
		}
		if s.Mean < 0 || s.Mean > MaxDelay {
			return fmt.Errorf("mean is %v, must be 0 to %v", s.Mean, MaxDelay)
		}
		return s.checkTail(0, 0)
	case Uniform:
		if s.Mean != 0 {
			return errors.New("mean has no meaning; it is midway between min and max")
		}
		return errors.Join(s.checkRange(), s.checkTail(0, 0))
	case Exponential:
		return errors.Join(s.checkRange(), s.checkMean(), s.checkTail(0, 0))
	case Lognormal:
		return errors.Join(s.checkRange(), s.checkMean(), s.checkTail(1, 3000))
	case Pareto:
		return errors.Join(s.checkRange(), s.checkMean(), s.checkTail(1, 950))
	}
	return fmt.Errorf("unknown kind, must be one of %s", kindList())
}

func (s Spec) checkRange() error {
	if s.Min < 0 || s.Max <= 0 || s.Min > s.Max || s.Max > MaxDelay {
		return fmt.Errorf("min is %v and max is %v, must be 0 <= min <= max, 0 < max <= %v", s.Min, s.Max, MaxDelay)
	}
	return nil
}

func (s Spec) checkMean() error {
	if s.Mean <= s.Min || s.Mean > s.Max {
		return fmt.Errorf("mean is %v, must be above min (%v) and at most max (%v)", s.Mean, s.Min, s.Max)
	}
	return nil
}

func (s Spec) checkTail(least, most Milli) error {
	if most == 0 && s.Tail != 0 {
		return errors.New("tail has no meaning")
	}
	if s.Tail < least || s.Tail > most {
		return fmt.Errorf("tail is %v, must be %v to %v", s.Tail, least, most)
	}
	return nil
}

func kindList() string {
	names := make([]string, 0, len(Kinds()))
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}
