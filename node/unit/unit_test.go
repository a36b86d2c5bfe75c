package unit_test

import (
	"testing"

	"drydock/node/unit"
)

// TestHash compares with what fleet's documentation shows for its example.
func TestHash(t *testing.T) {
	const hello = "[Unit]\nDescription=Hello World\n\n[Service]\n" +
		"ExecStart=/bin/bash -c \"while true; do echo \\\"Hello, world\\\"; sleep 1; done\"\n"
	for _, text := range []string{hello, "# a comment\n" + hello, hello + "[Unit]\n\n"} {
		u, err := unit.Parse("hello.service", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := u.Hash().Short(); got != "e55c0ae" {
			t.Errorf("%q: %s", text, got)
		}
	}
}
