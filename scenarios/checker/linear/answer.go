package linear

import (
	"fmt"

	"drydock/sim/history"
)

// differs says how an answered operation differs from what the store must
// answer, or "" if it does not. Numbers that either side does not know (0)
// agree with everything.
func differs(op *history.Op, want answer) string {
	if op.Code != want.code {
		return fmt.Sprintf("must be %s", wantText(want))
	}
	if op.Code != 0 {
		return ""
	}
	if op.Kind.Reads() {
		if why := readDiffers(op, want); why != "" {
			return why
		}
	} else if op.Out != nil && (want.value == nil || *want.value != *op.Out) {
		return fmt.Sprintf("answers %q as the previous value; it was %s", *op.Out, valueText(want.value))
	} else if op.Fresh && want.value != nil {
		return fmt.Sprintf("answers that nothing was there before; it was %s", valueText(want.value))
	}
	if !agree(op.Modified, want.modified) {
		return fmt.Sprintf("modified index %d must be %d", op.Modified, want.modified)
	}
	if !agree(op.Created, want.created) {
		return fmt.Sprintf("created index %d must be %d", op.Created, want.created)
	}
	return ""
}

func agree(a, b uint64) bool { return a == 0 || b == 0 || a == b }

func readDiffers(op *history.Op, want answer) string {
	if !want.dir {
		if op.Out == nil || *op.Out != *want.value {
			return "must be " + wantText(want)
		}
		return ""
	}
	if op.Out != nil {
		return "must be " + wantText(want)
	}
	if op.Kind != history.List && op.Items == nil {
		return "" // a get that kept no listing
	}
	for i := range max(len(op.Items), len(want.items)) {
		switch {
		case i >= len(op.Items):
			return fmt.Sprintf("must also list %q (%s)", want.items[i].value, want.items[i].key)
		case i >= len(want.items):
			return fmt.Sprintf("must not list %q (%s)", op.Items[i].Value, op.Items[i].Key)
		}
		got, must := &op.Items[i], &want.items[i]
		if clean(got.Key) != must.key || got.Value != must.value || !agree(got.Created, must.created) {
			return fmt.Sprintf("item %d must be %q (%s, created %d)", i+1, must.value, must.key, must.created)
		}
	}
	return ""
}

func wantText(want answer) string {
	switch {
	case want.changed:
		return "a success"
	case want.code != 0:
		return fmt.Sprintf("code %d", want.code)
	case want.dir:
		return fmt.Sprintf("a directory of %d", len(want.items))
	case want.value != nil:
		return fmt.Sprintf("%q", *want.value)
	}
	return "an answer"
}

func valueText(v *string) string {
	if v == nil {
		return "none"
	}
	return fmt.Sprintf("%q", *v)
}
