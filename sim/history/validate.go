package history

import (
	"cmp"
	"slices"
)

// add checks one operation by itself and takes it in.
func (d *decoder) add(op Op, seen map[string]bool) error {
	if len(d.ops) >= opsMax {
		return d.fault("", "more than %d operations", opsMax)
	}
	if !seen["id"] {
		op.ID = len(d.ops) + 1
	}
	if !seen["status"] {
		op.Status = OK
	}
	switch {
	case op.ID <= 0:
		return d.fault("id", "must be above 0, not %d", op.ID)
	case op.Client == "":
		return d.fault("client", "is missing")
	case !seen["op"]:
		return d.fault("op", "is missing")
	case !op.Kind.Known():
		return d.fault("op", "%q is no kind of operation", op.Kind)
	case !seen["call"]:
		return d.fault("call", "is missing")
	case op.Call < 0:
		return d.fault("call", "must not be negative, is %d", op.Call)
	case op.Status != OK && op.Status != Refused && op.Status != Unknown:
		return d.fault("status", `must be "ok", "refused" or "unknown", not %q`, op.Status)
	}
	if line, twice := d.ids[op.ID]; twice {
		return d.fault("id", "%d was used on line %d", op.ID, line)
	}
	if err := d.checkEnd(&op, seen); err != nil {
		return err
	}
	d.ids[op.ID] = d.at
	d.ops = append(d.ops, op)
	d.lines = append(d.lines, d.at)
	return nil
}

func (d *decoder) checkEnd(op *Op, seen map[string]bool) error {
	open := op.Status == Unknown
	switch {
	case !seen["return"] && !open:
		return d.fault("return", "is missing; only an unknown operation has none")
	case op.Return < op.Call && !(open && op.Return == 0):
		return d.fault("return", "%d is before the call at %d", op.Return, op.Call)
	case op.Code < 0:
		return d.fault("code", "must not be negative, is %d", op.Code)
	case op.Stale && !op.Kind.Reads():
		return d.fault("stale", "only a read can be stale, not %s", op.Kind)
	case op.Items != nil && op.Kind != List && op.Kind != Get:
		return d.fault("items", "only a list has items, not %s", op.Kind)
	case op.Settled != "" && op.Settled != SettledNever && op.Settled != SettledApplied:
		return d.fault("settled", `must be "never" or "applied", not %q`, op.Settled)
	case op.Settled != "" && !open:
		return d.fault("settled", "only an unknown operation can be settled, this is %s", op.Status)
	case op.SettledRevision != 0 && op.Settled != SettledApplied:
		return d.fault("settledRevision", `only with "settled":"applied"`)
	}
	return nil
}

// finish checks the operations together: a client waits for its answer before
// it asks again. An unknown operation ends, for its client, with the next call.
func (d *decoder) finish() error {
	if d.opt.Overlap {
		return nil
	}
	order := make([]int, len(d.ops))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(d.ops[a].Call, d.ops[b].Call), cmp.Compare(d.ops[a].Return, d.ops[b].Return))
	})
	last := map[string]int{}
	for _, i := range order {
		op := &d.ops[i]
		if j, ok := last[op.Client]; ok && d.ops[j].Return > op.Call {
			d.at = d.lines[i]
			return d.fault("client", "%s asks at %d while its operation of line %d is open until %d",
				op.Client, op.Call, d.lines[j], d.ops[j].Return)
		}
		if op.Status != Unknown {
			last[op.Client] = i
		}
	}
	return nil
}
