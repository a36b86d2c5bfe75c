package keys

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestDecodeCommandRefuses(t *testing.T) {
	good := Command{Kind: Set, Path: "/a", Value: "v", HasTTL: true, TTL: 300}
	encoded := good.AppendBinary(nil)
	if c, err := DecodeCommand(encoded); err != nil || c != good {
		t.Fatalf("%+v, %v", c, err)
	}
	of := func(c Command) []byte { return c.AppendBinary(nil) }
	at := func(i int, v byte) []byte {
		b := bytes.Clone(encoded)
		b[i] = v
		return b
	}
	for name, tc := range map[string]struct {
		in   []byte
		want string
	}{
		"nothing":              {nil, "too short"},
		"kind zero":            {of(Command{Path: "/a"}), "unknown kind 0"},
		"kind beyond":          {of(Command{Kind: kindEnd, Path: "/a"}), "unknown kind"},
		"flags":                {at(1, 0x80|flagTTL), "unknown flags 0x88"},
		"a byte too many":      {append(bytes.Clone(encoded), 0), "1 bytes too many"},
		"long-winded number":   {append(bytes.Clone(encoded[:len(encoded)-1]), 0x82, 0x00), "bad number"},
		"path longer than all": {at(2, 120), "120 bytes"},
		"long path":            {of(Command{Kind: Set, Path: "/" + strings.Repeat("p", MaxPathBytes)}), "limit 8192"},
		"long value":           {of(Command{Kind: Set, Path: "/a", Value: strings.Repeat("v", MaxValueBytes+1)}), "limit 10485760"},
		"no path":              {of(Command{Kind: Set}), "not clean"},
		"relative path":        {of(Command{Kind: Set, Path: "a"}), "not clean"},
		"slash at the end":     {of(Command{Kind: Set, Path: "/a/"}), "not clean"},
		"double slash":         {of(Command{Kind: Set, Path: "/a//b"}), "not clean"},
		"dots":                 {of(Command{Kind: Set, Path: "/a/../b"}), "not clean"},
		"dot":                  {of(Command{Kind: Set, Path: "/."}), "not clean"},
		"expiry of a path":     {of(Command{Kind: Expire, Path: "/a"}), "with arguments"},
	} {
		_, err := DecodeCommand(tc.in)
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, not %q", name, err, tc.want)
		}
	}
	for cut := range encoded {
		if _, err := DecodeCommand(encoded[:cut]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

func TestApplyPanicsOnWhatDecodeRefuses(t *testing.T) {
	for _, c := range []Command{
		{}, {Kind: Set, Path: "/a/"}, {Kind: Expire, Value: "v"}, {Kind: Set, Path: "/a", TTL: 1},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v was applied", c)
				}
			}()
			New().Apply(&c, Stamp{})
		}()
	}
}

func TestErrorsAreWhatClientsKnow(t *testing.T) {
	for _, tc := range []struct {
		code, status int
		message      string
	}{
		{100, 404, "Key not found"},
		{101, 412, "Compare failed"},
		{102, 403, "Not a file"},
		{104, 400, "Not a directory"},
		{105, 412, "Key already exists"},
		{107, 400, "Root is read only"},
		{108, 403, "Directory not empty"},
		{110, 401, "The request requires user authentication"},
		{201, 400, "PrevValue is Required in POST form"},
		{202, 400, "The given TTL in POST form is not a number"},
		{203, 400, "The given index in POST form is not a number"},
		{209, 400, "Invalid field"},
		{210, 400, "Invalid POST form"},
		{211, 400, "Value provided on refresh"},
		{212, 400, "A TTL must be provided on refresh"},
		{300, 500, "Raft Internal Error"},
		{401, 400, "The event in requested index is outdated and cleared"},
		{999, 400, "Unknown error"},
	} {
		e := &Error{Code: tc.code, Cause: "/k", Index: 7}
		if e.Status() != tc.status || e.Message() != tc.message {
			t.Errorf("%d: %d %q, not %d %q", tc.code, e.Status(), e.Message(), tc.status, tc.message)
		}
	}
	e := &Error{Code: 100, Cause: "/k", Index: 7}
	if got := e.Error(); got != "100: Key not found (/k) [7]" {
		t.Error(got)
	}
}

func FuzzDecodeCommand(f *testing.F) {
	for _, c := range []Command{
		{Kind: Set, Path: "/a/b", Value: "v"},
		{Kind: CompareAndSwap, Path: "/a", PrevValue: "p", PrevIndex: 1 << 60, HasTTL: true, TTL: 3},
		{Kind: Delete, Path: "/", Dir: true, Recursive: true},
		{Kind: Expire},
	} {
		f.Add(c.AppendBinary(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeCommand(b)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%v does not match ErrCorrupt", err)
			}
			return
		}
		if again := c.AppendBinary(nil); !bytes.Equal(again, b) {
			t.Fatalf("%+v has two encodings: %x and %x", c, b, again)
		}
		s := New()
		s.Apply(&c, Stamp{Cluster: 1})
		if s.Digest() != s.Recompute() {
			t.Fatalf("digest differs after %+v", c)
		}
	})
}
