package dashboard

import (
	"net/url"
	"testing"

	"drydock/node/api"
	"drydock/node/keys"
)

// FuzzForm holds that whatever a form says, a key's value is overwritten or
// deleted only on the condition that it is what the reader was shown.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		"op=save&index=3&value=x&ttl=5&form=hex", "op=create&kind=key&name=a/b&value=v", "op=create&kind=inorder", "op=ttl&ttl=3",
		"op=delete&index=9", "op=delete&dir=true&recursive=true", "op=create&kind=dir&name=../x", "op=save&index=18446744073709551616",
	} {
		f.Add("/d", seed)
	}
	f.Fuzz(func(t *testing.T, key, body string) {
		form, err := url.ParseQuery(body)
		if err != nil || !keys.IsClean(key) {
			return
		}
		c, refused := readChange(key, form)
		if (c == nil) == (refused == nil) && refused == nil {
			t.Fatal("neither a change nor a problem")
		}
		if refused != nil {
			return
		}
		d := &dashboard{}
		call, refused := d.call(nil, c.method, c.key, c.params)
		if refused != nil {
			return
		}
		if call.Kind != api.Write || !keys.IsClean(call.Path) {
			t.Fatalf("%+v", call)
		}
		w := &call.Write
		switch w.Kind {
		case keys.Create, keys.CreateInOrder:
		case keys.CompareAndSwap, keys.CompareAndDelete:
			if w.PrevIndex == 0 {
				t.Fatalf("no condition: %+v", w)
			}
		case keys.Update:
			if !w.Refresh {
				t.Fatalf("writes without a condition: %+v", w)
			}
		case keys.Delete:
			if !w.Dir {
				t.Fatalf("deletes without a condition: %+v", w)
			}
		default:
			t.Fatalf("%v", w.Kind)
		}
	})
}
