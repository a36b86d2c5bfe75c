package unit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Op is how a condition compares.
type Op string

// The comparisons of MachineMetadata. Less and its like compare numbers.
const (
	Is      Op = "="
	IsNot   Op = "!="
	Less    Op = "<"
	AtMost  Op = "<="
	Greater Op = ">"
	AtLeast Op = ">="
)

// Condition is one demand on a machine's metadata.
type Condition struct {
	Key string
	Op  Op
	// Values has one value, but for Is, where any of them will do: fleet's "same
	// key OR".
	Values []string
}

// Holds says whether a machine's value meets the condition; has is false if the
// machine has no such key. Only IsNot holds without one.
func (c Condition) Holds(value string, has bool) bool {
	switch c.Op {
	case Is:
		return has && slices.Contains(c.Values, value)
	case IsNot:
		return !has || !slices.Contains(c.Values, value)
	}
	got, err := number(value)
	want, err2 := number(c.Values[0])
	if !has || err != nil || err2 != nil {
		return false
	}
	switch c.Op {
	case Less:
		return got < want
	case AtMost:
		return got <= want
	case Greater:
		return got > want
	}
	return got >= want
}

// String writes the condition as a unit file could; the values of Is are split
// by a bar.
func (c Condition) String() string { return c.Key + string(c.Op) + strings.Join(c.Values, "|") }

// number reads a metadata value that is compared by size. Infinities and the
// like are no numbers: nothing would be above them.
func number(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v-v != 0 {
		return 0, fmt.Errorf("%s is no number", quote(s))
	}
	return v, nil
}

// splitCondition takes a value of MachineMetadata apart at its first operator.
func splitCondition(s string) (key string, op Op, value string, ok bool) {
	for i := range len(s) {
		for _, op := range []Op{IsNot, AtMost, AtLeast, Is, Less, Greater} {
			if value, found := strings.CutPrefix(s[i:], string(op)); found {
				return s[:i], op, value, true
			}
		}
	}
	return "", "", "", false
}
