package dashboard

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"drydock/node/fleet"
)

// fill gives a fleet units in all the states that pages tell apart.
func fill(h *harbour, m *machine) {
	h.up("11", "22", "33")
	h.put("hello.service", fleet.Launched)
	h.place("hello.service", "", "11")
	h.told("11", "hello.service", "active", "running", "")
	m.say("hello.service", "hello", "hello again")
	h.put("broken.service", fleet.Launched)
	h.place("broken.service", "", "22")
	h.told("22", "broken.service", "failed", "failed", "")
	h.why["broken.service"] = "it has failed (exit-code); it is started again in 10s"
	h.put("lonely.service", fleet.Launched, "MachineMetadata=disk=tape")
	h.why["lonely.service"] = "no machine has disk=tape"
	h.put("everywhere.service", fleet.Launched, "Global=true")
	for _, id := range []string{"11", "22", "33"} {
		h.place("everywhere.service", "", id)
		h.told(id, "everywhere.service", "active", "running", "")
	}
	h.put("idle@.service", fleet.Inactive)
	h.must(&fleet.Command{Drain: &fleet.Drain{Machine: wholeID("22"), On: true}})
	h.down("33")
}

func TestFleetInABrowser(t *testing.T) {
	t.Parallel()
	s, h, m := newHarbour(t, Options{ClusterName: "harbour"})
	fill(h, m)
	b := browse(t, s)
	t.Run("units are live", func(t *testing.T) { b.t = t; b.units(h) })
	t.Run("a unit and its journal are live", func(t *testing.T) { b.t = t; b.unit(h, m) })
	t.Run("machines are live", func(t *testing.T) { b.t = t; b.machines(h) })
	t.Run("keyboard", func(t *testing.T) { b.t = t; b.unitByHand(h) })
	t.Run("phone", func(t *testing.T) { b.t = t; b.fleetOnAPhone() })
	t.Run("markup is text", func(t *testing.T) { b.t = t; b.unitMarkup(h, m) })
}

// cell is what the list says in a column of the unit's row.
func (b *tab) cell(name, column string) string {
	b.t.Helper()
	return b.says(fmt.Sprintf(`[...document.querySelectorAll(".fleet tbody tr")].find((r) => r.querySelector(".name").innerText.includes(%q)).querySelector("[data-label=%s]").innerText`, name, column))
}

func (b *tab) units(h *harbour) {
	b.open("units/")
	b.until(`document.getElementById("stream").textContent === "live"`)
	for _, want := range [][3]string{
		{"hello.service", "is", "active (running)"},
		{"hello.service", "machine", "host11"},
		{"broken.service", "is", "failed"},
		{"broken.service", "why", "it has failed (exit-code); it is started again in 10s"},
		{"lonely.service", "is", "not placed"},
		{"lonely.service", "why", "no machine has disk=tape"},
		{"everywhere.service", "is", "active on 2 of 2"},
		{"idle@.service", "is", "inactive"},
	} {
		if got := b.cell(want[0], want[1]); got != want[2] {
			b.t.Errorf("%s, %s: %q, not %q", want[0], want[1], got, want[2])
		}
	}
	b.says(`(document.querySelector(".fleet .name a").focus(), window.kept = document.activeElement, "")`)
	h.told("11", "hello.service", "inactive", "dead", "")
	eventually(b.t, "a change on the page", func() bool { return b.cell("hello.service", "is") == "inactive (dead)" })
	if b.says("document.activeElement === kept") != "true" {
		b.t.Error("an update took the focus away")
	}
	h.told("11", "hello.service", "active", "running", "")
	b.set("#q", "every")
	b.click(".find button")
	b.until(`location.search.includes("q=every")`)
	b.untilText("everywhere.service")
	if b.says(`document.body.innerText.includes("broken")`) != "false" {
		b.t.Error("a name that doesn't contain what was sought")
	}
	b.fine("units")
}

func (b *tab) unit(h *harbour, m *machine) {
	b.open("units/hello.service")
	b.untilText("hello again")
	b.until(`document.getElementById("stream").textContent === "live"`)
	m.say("hello.service", "something new")
	b.untilText("something new")
	if n := b.says(`document.querySelectorAll("#journal li").length`); n != "3" {
		b.t.Errorf("%s lines: %s", n, b.says("journal.innerText"))
	}
	b.click(`button[value=loaded]`)
	b.untilText("It is to be stopped")
	if u, _ := h.unit("hello.service"); u.Desired != fleet.Loaded {
		b.t.Errorf("it is to be %v", u.Desired)
	}
	b.click(`button[value=launched]`)
	b.untilText("It is to run")
	b.fine("a unit")
	// The unit moves, and its journal with it.
	h.place("hello.service", "11", "22")
	b.untilText("waits until it has stopped on machine 11000000")
	b.until(`document.getElementById("journal-of").textContent.includes("22000000")`)
	h.must(&fleet.Command{Destroy: &fleet.Destroy{Name: "hello.service"}})
	b.untilText("The unit was destroyed.")
	b.fine("a unit that goes")
	h.put("hello.service", fleet.Launched)
	h.place("hello.service", "", "11")
	h.told("11", "hello.service", "active", "running", "")
}

func (b *tab) machines(h *harbour) {
	b.open("machines/")
	b.until(`document.getElementById("stream").textContent === "live"`)
	for _, want := range [][3]string{
		{"host11", "is", "up"},
		{"host22", "is", "drained"},
		{"host33", "is", "down"},
		{"host11", "metadata", "disk=ssd zone=z11"},
		{"host11", "resources", "cpu 4, disk 900 MiB, memory 6.0 GiB"},
	} {
		if got := b.cell(want[0], want[1]); got != want[2] {
			b.t.Errorf("%s, %s: %q, not %q", want[0], want[1], got, want[2])
		}
	}
	h.up("44")
	b.untilText("host44")
	h.down("44")
	b.click(`button[aria-label="Drain host11 11000000"]`)
	b.untilText("is being emptied")
	if m, _ := h.machine("11"); !m.Drained {
		b.t.Error("it isn't drained")
	}
	b.click(`button[aria-label="End the drain host11 11000000"]`)
	b.untilText("may have units again")
	b.fine("machines")
}

// unitByHand stops a unit without a mouse.
func (b *tab) unitByHand(h *harbour) {
	b.open("")
	b.reach("link Units")
	b.do(chromedp.KeyEvent("\r"))
	b.until(`location.pathname.endsWith("/units/")`)
	b.reach("link hello.service")
	b.do(chromedp.KeyEvent("\r"))
	b.until(`location.pathname.endsWith("/hello.service")`)
	b.reach("button Unload")
	b.do(chromedp.KeyEvent(" "))
	b.untilText("It is to be taken off its machine.")
	if u, _ := h.unit("hello.service"); u.Desired != fleet.Inactive {
		b.t.Errorf("it is to be %v", u.Desired)
	}
}

func (b *tab) fleetOnAPhone() {
	b.size(360, 640)
	defer b.size(1280, 800)
	for _, target := range []string{"units/", "units/broken.service", "units/everywhere.service", "units/none.service", "machines/"} {
		b.open(target)
		b.until(`document.readyState === "complete"`)
		b.fine("on a phone, " + target)
		small := b.says(`[...document.querySelectorAll("button, input:not([type=checkbox]), .top nav a, .fleet .name a")]
			.filter((e) => e.offsetParent && e.getBoundingClientRect().height < 36)
			.map((e) => e.outerHTML.slice(0, 80)).join("; ")`)
		if small != "" {
			b.t.Errorf("%s: too small for fingers: %s", target, small)
		}
	}
}

func (b *tab) unitMarkup(h *harbour, m *machine) {
	evil := `<img src=x onerror="alert(1)"></pre><script>alert(1)</script>`
	h.must(&fleet.Command{Put: &fleet.Put{Name: "evil.service", Text: "[Unit]\nDescription=" + evil + "\n"}})
	launched := fleet.Launched
	h.must(&fleet.Command{Put: &fleet.Put{Name: "evil.service", Desired: &launched}})
	h.place("evil.service", "", "11")
	h.told("11", "evil.service", "failed", "failed", evil)
	m.say("evil.service", evil)
	for _, target := range []string{"units/", "units/evil.service"} {
		b.open(target)
		b.untilText("onerror")
		b.until(`document.getElementById("stream").textContent === "live"`)
		m.say("evil.service", evil)
		if n := b.says(`document.querySelectorAll("img, main script").length`); n != "0" {
			b.t.Errorf("%s: %s elements come from units", target, n)
		}
		b.fine(target)
	}
	b.until(`document.querySelectorAll("#journal li").length === 3`)
}
