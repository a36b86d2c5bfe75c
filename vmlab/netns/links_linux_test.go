package netns

import (
	"drydock/vmlab/lab"
	"drydock/vmlab/wire/fabric"
)

// oneWay cuts what reaches core-01: neither end hears of the other over it, since
// answers are needed, while a datagram the other way does arrive; who is not concerned
// goes on. It holds over a reboot, and ends when it is healed.
func (tw *town) oneWay(links lab.Links) {
	t := tw.t
	t.Helper()
	ids, err := links.ImpairAll([]fabric.Rule{{Name: "deaf", Pairs: []fabric.Pair{{From: "core-02", To: "core-01"}}, Effect: fabric.Effect{Cut: true}}})
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		if tw.reaches("core-01", "core-02") || tw.reaches("core-02", "core-01") {
			t.Errorf("%s: an answer came over a link that is cut", when)
		}
		tw.until(when+": links that are not concerned", func() bool { return tw.reaches("core-01", "core-03") && tw.reaches("core-03", "core-02") })
		if got := tw.hears("core-02", "core-01"); got != "hello" {
			t.Errorf("%s: a datagram of core-01 at core-02: %q", when, got)
		}
		if got := tw.hears("core-01", "core-02"); got != "" {
			t.Errorf("%s: a datagram of core-02 at core-01: %q", when, got)
		}
	}
	check("cut")
	if err := tw.Cut("core-01"); err != nil {
		t.Fatal(err)
	}
	tw.boot("core-01")
	check("after a reboot")
	rules, err := links.Report()
	if err != nil || len(rules) != 1 || rules[0].Hits.Cut == 0 || rules[0].Name != "deaf" {
		t.Errorf("reported: %+v, %v", rules, err)
	}
	if n, err := links.Heal(ids...); err != nil || n != 1 {
		t.Errorf("healed %d, %v", n, err)
	}
	tw.until("healed", func() bool { return tw.reaches("core-01", "core-02") && tw.reaches("core-02", "core-01") })
	if _, err := links.ImpairAll([]fabric.Rule{{Pairs: []fabric.Pair{{From: "core-09"}}, Effect: fabric.Effect{Cut: true}}}); err == nil {
		t.Error("a rule about a machine that isn't there holds")
	}
}

// hears returns what arrives at a machine of datagrams that another one sends; "" if
// nothing does in a few rounds.
func (tw *town) hears(at, from string) string {
	tw.t.Helper()
	tw.get(at, "/heard") // what came before
	to := tw.ground.Site().Machine(at).Address.String()
	for range 10 {
		tw.get(from, "/say?to="+to)
		if got := tw.get(at, "/heard"); got != "-" {
			return got
		}
	}
	return ""
}
