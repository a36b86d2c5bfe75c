package chaos

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Describe writes a step on a line, the way that files do: its fault with the
// parameters that are not their defaults, and how long it lasts. For people.
func (s Step) Describe() string {
	v := reflect.ValueOf(s.Fault).Elem()
	var params []string
	for _, f := range reflect.VisibleFields(v.Type()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		one := v.FieldByIndex(f.Index)
		standard := f.Tag.Get("default")
		if name == "" || f.Anonymous || (one.IsZero() && (standard == "" || one.Kind() != reflect.Bool)) {
			continue
		}
		if text := plain(one); text != standard {
			params = append(params, name+": "+text)
		}
	}
	text := string(s.Fault.Kind())
	if len(params) > 0 {
		text += " {" + strings.Join(params, ", ") + "}"
	}
	if s.For > 0 {
		text += " for " + s.For.String()
	}
	return text
}

// plain writes one value of a parameter.
func plain(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return x.String()
	case Probability:
		return x.String()
	case Selectors:
		if len(x) == 1 {
			return string(x[0])
		}
		return "[" + x.String() + "]"
	case []string:
		return "[" + strings.Join(x, ", ") + "]"
	}
	return fmt.Sprint(v.Interface())
}
