package legacy

import (
	"encoding/json"
	"net/url"
	"testing"

	"drydock/node/keys"
)

func FuzzV1Write(f *testing.F) {
	f.Add("/k", "value=1&ttl=10")
	f.Add("/d/k", "value=1&prevValue=")
	f.Add("/k", "value=1&prevValue=0")
	f.Add("/k", "ttl=-1")
	f.Fuzz(func(t *testing.T, key, body string) {
		form, err := url.ParseQuery(body)
		if err != nil || !keys.IsClean(key) || len(key) > keys.MaxPathBytes {
			return
		}
		c, refusal := v1Write(key, form)
		if refusal != nil {
			if refusal.status != 400 || refusal.Message == "" {
				t.Fatalf("%+v", refusal)
			}
			return
		}
		if _, err := keys.DecodeCommand(c.AppendBinary(nil)); err != nil {
			t.Fatalf("%+v can't be applied: %v", c, err)
		}
	})
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"activeSize":5,"removeDelay":0.5}`))
	f.Add([]byte(`{"syncInterval":"x"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c := defaultConfig
		if err := c.merge(body); err != nil {
			return
		}
		if c.ActiveSize < 3 || c.RemoveDelay < 2 || c.SyncInterval < 1 {
			t.Fatalf("%+v", c)
		}
		if _, err := json.Marshal(c); err != nil {
			t.Fatal(err)
		}
	})
}
