package client

import (
	"encoding/json"
	"net/http"
	"testing"
)

// FuzzDecodeResponse: an answer gives a response with a node or an error, never
// both and never neither, and what it gives can be written as JSON again.
func FuzzDecodeResponse(f *testing.F) {
	f.Add(200, "7", []byte(`{"action":"get","node":{"key":"/k","value":"v"}}`))
	f.Add(404, "", []byte(`{"errorCode":100,"message":"m","cause":"c","index":1}`))
	f.Add(201, "x", []byte(`{"node":{"nodes":[null]}}`))
	f.Add(500, "", []byte("<html>"))
	f.Fuzz(func(t *testing.T, status int, index string, body []byte) {
		resp, err := decodeResponse(status, http.Header{"X-Etcd-Index": {index}}, body)
		if (resp == nil) == (err == nil) {
			t.Fatalf("%+v, %v", resp, err)
		}
		if err != nil {
			return
		}
		if resp.Node == nil {
			t.Fatal("no node")
		}
		if _, err := json.Marshal(resp); err != nil {
			t.Fatal(err)
		}
	})
}
