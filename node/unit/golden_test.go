package unit_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"drydock/node/unit"
)

// TestGolden shows whole files and what is made of them. A directive is "show
// NAME", with the text below it; its options are
//
//	text   the normalised text
//	fleet  what the scheduler is asked
//	run    what a machine is to do, and what the supervisor can't
//
// and what is wrong or does nothing is always shown.
func TestGolden(t *testing.T) {
	datadriven.Walk(t, "testdata/golden", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var b strings.Builder
			if d.Cmd != "show" || len(d.CmdArgs) == 0 {
				d.Fatalf(t, "want show NAME")
			}
			u, err := unit.Parse(d.CmdArgs[0].Key, []byte(d.Input))
			if err != nil {
				return fmt.Sprintf("error: %v\n", err)
			}
			fmt.Fprintf(&b, "%s %s %q\n", u.Name(), u.Hash().Short(), u.Description())
			for _, p := range u.Remarks() {
				fmt.Fprintf(&b, "remark: %v\n", p)
			}
			if err := u.Fleet().Validate(); err != nil {
				fmt.Fprintf(&b, "invalid: %v\n", err)
			}
			if d.HasArg("text") {
				b.WriteString(u.Text())
			}
			if d.HasArg("fleet") {
				show(&b, "", reflect.ValueOf(u.Fleet()))
			}
			if d.HasArg("run") {
				run(&b, u)
			}
			return b.String()
		})
	})
}

// run shows a unit's definition.
func run(b *strings.Builder, u *unit.Unit) {
	def, err := u.Define(unit.Facts{Hostname: "core1", MachineID: "148a18ff"})
	if err != nil {
		fmt.Fprintf(b, "error: %v\n", err)
		return
	}
	for _, p := range def.Remarks {
		fmt.Fprintf(b, "remark: %v\n", p)
	}
	for _, p := range def.Unsupported {
		fmt.Fprintf(b, "unsupported: %v\n", p)
	}
	def.Remarks, def.Unsupported = nil, nil
	show(b, "", reflect.ValueOf(*def))
}

// show writes what isn't zero in a value, one field a line.
func show(b *strings.Builder, name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() {
				show(b, strings.TrimPrefix(name+"."+v.Type().Field(i).Name, "."), f)
			}
		}
	case reflect.Pointer:
		show(b, name, v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			show(b, fmt.Sprintf("%s[%d]", name, i), v.Index(i))
		}
	case reflect.String:
		fmt.Fprintf(b, "%s %q\n", name, v)
	default:
		fmt.Fprintf(b, "%s %v\n", name, v)
	}
}
