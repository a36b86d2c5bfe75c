package dashboard

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// tab is a page in a headless browser.
type tab struct {
	t   *testing.T
	s   *site
	ctx context.Context

	mu sync.Mutex
	// wrong is what the browser complained about: scripts that failed, and what
	// the page's policy forbids.
	wrong []string
}

// browse opens a browser of its own, or skips the test where there is none.
func browse(t *testing.T, s *site) *tab {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome", "headless_shell"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Skip("no Chromium or Chrome is on the PATH, so no browser has tried the dashboard")
	}
	flags := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program),
		chromedp.UserDataDir(t.TempDir()), chromedp.DisableGPU, chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true))
	if os.Geteuid() == 0 {
		flags = append(flags, chromedp.NoSandbox)
	}
	ctx, endAllocator := chromedp.NewExecAllocator(t.Context(), flags...)
	ctx, endTab := chromedp.NewContext(ctx)
	ctx, endTime := context.WithTimeout(ctx, 60*time.Second)
	b := &tab{t: t, s: s, ctx: ctx}
	b.size(1280, 800)
	var listener sync.WaitGroup
	complaints := chromedp.Console(ctx)
	listener.Go(func() { b.listen(complaints) })
	t.Cleanup(func() {
		endTime()
		endTab()
		endAllocator()
		listener.Wait()
	})
	return b
}

// listen notes what the browser complains about, but for answers that are errors:
// those are tested for what they are.
func (b *tab) listen(complaints iter.Seq2[chromedp.ConsoleMessage, error]) {
	for m, err := range complaints {
		if err != nil {
			return
		}
		if (m.Type != chromedp.ConsoleError && !m.IsException()) || m.Source == "network" {
			continue
		}
		b.mu.Lock()
		b.wrong = append(b.wrong, m.Text)
		b.mu.Unlock()
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) size(width, height int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
}

// open goes to a page below Base.
func (b *tab) open(target string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.s.URL + Base + target))
}

// says evaluates an expression in the page.
func (b *tab) says(expression string) string {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for an expression to be true, on whatever page that is.
func (b *tab) until(expression string) {
	b.t.Helper()
	eventually(b.t, expression, func() bool {
		v, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		return err == nil && v
	})
}

// untilText waits for the page to show a text.
func (b *tab) untilText(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("document.body.innerText.includes(%q)", text))
}

// fine fails the test if a page did what none may: break its policy, raise an
// error, ask another host, or be wider than the window.
func (b *tab) fine(where string) {
	b.t.Helper()
	b.mu.Lock()
	wrong := b.wrong
	b.wrong = nil
	b.mu.Unlock()
	if len(wrong) > 0 {
		b.t.Errorf("%s: the browser complains: %q", where, wrong)
	}
	elsewhere := b.says(`performance.getEntriesByType("resource").map((e) => e.name).filter((n) => !n.startsWith(location.origin))`)
	if elsewhere != "" {
		b.t.Errorf("%s: asks %s", where, elsewhere)
	}
	if wide := b.says(`document.documentElement.scrollWidth - innerWidth`); wide != "0" && wide[0] != '-' {
		b.t.Errorf("%s: wider than the window by %s", where, wide)
	}
}

func (b *tab) set(selector, value string) {
	b.t.Helper()
	b.do(chromedp.SetValue(selector, value))
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(selector))
}

func TestInABrowser(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	b := browse(t, s)
	t.Run("complaints are heard", func(t *testing.T) { b.t = t; b.complain() })
	t.Run("overview is live", func(t *testing.T) { b.t = t; b.overview() })
	t.Run("create, edit, delete", func(t *testing.T) { b.t = t; b.edit() })
	t.Run("lost race", func(t *testing.T) { b.t = t; b.race() })
	t.Run("watch", func(t *testing.T) { b.t = t; b.watch() })
	t.Run("time to live", func(t *testing.T) { b.t = t; b.ttl() })
	t.Run("keyboard", func(t *testing.T) { b.t = t; b.keyboard() })
	t.Run("phone", func(t *testing.T) { b.t = t; b.phone() })
	t.Run("markup is text", func(t *testing.T) { b.t = t; b.markup() })
}

// complain holds that the policy is in force, and that fine would notice.
func (b *tab) complain() {
	b.open("")
	b.says(`(() => { const s = document.createElement("script");
		s.textContent = "document.title = 'run'"; document.body.append(s); })()`)
	eventually(b.t, "a complaint", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.wrong) == 1 && strings.Contains(b.wrong[0], "Content Security Policy")
	})
	if b.says("document.title") == "run" {
		b.t.Error("a script of the page's own was run")
	}
	b.mu.Lock()
	b.wrong = nil
	b.mu.Unlock()
}

func (b *tab) overview() {
	b.open("")
	b.untilText("as the only voter")
	b.until(`document.getElementById("stream").textContent === "live"`)
	index := func() string {
		return b.says(`[...document.querySelectorAll(".facts div")].find((d) => d.innerText.includes("etcd index")).lastElementChild.textContent`)
	}
	before := index()
	// What is focused stays so while the numbers change.
	b.says(`(document.querySelector("nav a").focus(), window.kept = document.querySelector(".charts li"), "")`)
	b.s.set("/seen", "live")
	eventually(b.t, "the index moves", func() bool { return index() != before })
	if b.says(`document.activeElement === document.querySelector("nav a") && kept.isConnected`) != "true" {
		b.t.Error("an update replaced what it should have altered")
	}
	b.until(`document.querySelector(".charts path.line").getAttribute("d").length > 20`)
	b.fine("overview")
}

func (b *tab) edit() {
	b.open("keys/")
	b.set("#name", "made/here")
	b.set("#newvalue", "first\nsecond")
	b.click("form.edit button.main")
	b.untilText("Created.")
	if v, _ := b.s.value("/made/here"); v != "first\nsecond" {
		b.t.Errorf("stored %q", v)
	}
	if got := b.says(`document.querySelector("pre.value").textContent`); got != "first\nsecond" {
		b.t.Errorf("shown %q", got)
	}
	b.set("#value", "\nthird")
	b.click("form.edit button.main")
	b.untilText("Saved.")
	if v, _ := b.s.value("/made/here"); v != "\nthird" {
		b.t.Errorf("stored %q", v)
	}
	b.click("details.delete summary")
	b.click("button.danger")
	b.untilText("Deleted.")
	if _, there := b.s.value("/made/here"); there {
		b.t.Error("it is still there")
	}
	if at := b.says("location.pathname"); at != Base+"keys/made" {
		b.t.Errorf("at %s", at)
	}
	b.fine("a directory")
}

func (b *tab) race() {
	b.s.set("/race", "theirs 1")
	b.open("keys/race")
	b.set("#value", "mine")
	b.s.set("/race", "theirs 2")
	// The page hears of it, and doesn't touch what was typed.
	b.untilText("This has changed since the page was made.")
	b.click("form.edit button.main")
	b.untilText("Somebody else was faster")
	if v, _ := b.s.value("/race"); v != "theirs 2" {
		b.t.Errorf("overwritten by %q", v)
	}
	shown, typed := b.says(`document.querySelector("pre.value").textContent`), b.says(`document.getElementById("value").value`)
	if shown != "theirs 2" || typed != "mine" {
		b.t.Errorf("shows %q and %q", shown, typed)
	}
	b.click("form.edit button.main")
	b.untilText("Saved.")
	if v, _ := b.s.value("/race"); v != "mine" {
		b.t.Errorf("stored %q", v)
	}
}

func (b *tab) watch() {
	b.s.set("/w/old", "before")
	b.open("watch/w")
	b.untilText("before")
	b.s.set("/w/new", "after")
	b.until(`document.querySelector("#changes li").innerText.includes("after")`)
	b.click("#pause")
	b.s.set("/w/third", "while paused")
	b.until(`document.getElementById("pause").textContent === "Go on (1)"`)
	if b.says(`document.body.innerText.includes("while paused")`) != "false" {
		b.t.Error("paused and yet shown")
	}
	b.click("#pause")
	b.until(`document.querySelector("#changes li").innerText.includes("while paused")`)
	b.s.write("DELETE", "/w", url.Values{"recursive": {"true"}})
	b.until(`document.querySelector("#changes li").classList.contains("gone")`)
	if n := b.says(`document.querySelectorAll("#changes li").length`); n != "4" {
		b.t.Errorf("%s changes: %s", n, b.says("changes.innerText"))
	}
	b.fine("watch")
}

func (b *tab) ttl() {
	b.s.write("PUT", "/soon", url.Values{"value": {"x"}, "ttl": {"1"}})
	b.open("keys/soon")
	b.until(`/^1 s$|expired/.test(document.querySelector("[data-left]").textContent)`)
	b.until(`document.querySelector("[data-left]").textContent === "expired"`)
	b.untilText("This has changed since the page was made.")
}

// keyboard goes from the first page to a saved value without a mouse.
func (b *tab) keyboard() {
	b.s.set("/by/hand", "old")
	b.open("")
	b.until(`document.readyState === "complete"`)
	b.do(chromedp.KeyEvent("\t"))
	if got := b.says("document.activeElement.className"); got != "skip" {
		b.t.Errorf("the first stop is %q", got)
	}
	b.do(chromedp.KeyEvent("\r"))
	b.until(`document.activeElement.id === "main"`)
	b.open("")
	b.reach("link Keys")
	b.do(chromedp.KeyEvent("\r"))
	b.until(`location.pathname.endsWith("/keys/")`)
	b.reach("link by/")
	b.do(chromedp.KeyEvent("\r"))
	b.until(`location.pathname.endsWith("/keys/by")`)
	b.reach("link hand")
	b.do(chromedp.KeyEvent("\r"))
	b.until(`location.pathname.endsWith("/keys/by/hand")`)
	b.reach("field New value")
	b.do(chromedp.KeyEvent("so "), chromedp.KeyEvent("\t"), chromedp.KeyEvent("500"), chromedp.KeyEvent("\r"))
	b.untilText("Saved.")
	if v, _ := b.s.value("/by/hand"); !strings.Contains(v, "so ") {
		b.t.Errorf("stored %q", v)
	}
	b.reach("summary Delete…")
	b.do(chromedp.KeyEvent("\r"))
	b.reach("button Delete /by/hand")
	b.do(chromedp.KeyEvent(" "))
	b.untilText("Deleted.")
}

// described says what has the focus: its kind, and its name for people.
const described = `(() => { const e = document.activeElement;
	const label = e.labels && e.labels.length ? e.labels[0].innerText : "";
	const kind = { A: "link", BUTTON: "button", SUMMARY: "summary" }[e.tagName] || (label ? "field" : e.tagName);
	return kind + " " + (label || e.innerText || e.getAttribute("aria-label") || "").trim().split("\n")[0]; })()`

// visible says whether one can see what has the focus, and that it has.
const visible = `(() => { const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
	return e === document.body ||
		(s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 1 && r.width > 0 && r.left >= 0); })()`

// reach presses Tab until the focus is where it should go, and holds that it can
// be seen on the way.
func (b *tab) reach(what string) {
	b.t.Helper()
	b.until(`document.readyState === "complete"`)
	var way []string
	for range 40 {
		b.do(chromedp.KeyEvent("\t"))
		at := b.says(described)
		if strings.HasPrefix(at, what) {
			return
		}
		way = append(way, at)
		if b.says(visible) != "true" {
			b.t.Errorf("the focus cannot be seen on %q", at)
		}
	}
	b.t.Fatalf("%q is not reached by Tab, only %q", what, way)
}

func (b *tab) phone() {
	long := "/phone/" + strings.Repeat("long-name-", 12)
	b.s.set(long, strings.Repeat("wide", 400))
	b.s.set("/phone/blob", strings.Repeat("\x00\xff", 60))
	b.size(360, 640)
	defer b.size(1280, 800)
	for _, target := range []string{
		"", "keys/", "keys/phone", "keys" + long, "keys/phone/blob", "watch/phone", "keys/none/at/all", "keys/phone/blob/x",
	} {
		b.open(target)
		b.until(`document.readyState === "complete"`)
		b.fine("on a phone, " + target)
		// What is to be hit with a finger has some size.
		small := b.says(`[...document.querySelectorAll("button, input:not([type=checkbox]), select, .top nav a, .keys .name a")]
			.filter((e) => e.offsetParent && e.getBoundingClientRect().height < 36)
			.map((e) => e.outerHTML.slice(0, 80)).join("; ")`)
		if small != "" {
			b.t.Errorf("%s: too small for fingers: %s", target, small)
		}
	}
}

// markup holds that names and values are never more than text.
func (b *tab) markup() {
	evil := `<img src=x onerror="alert(1)">`
	b.s.set("/"+evil, evil)
	b.s.set(`/evil"'&?#%25`, `</textarea></pre><script>alert(1)</script>`)
	for _, target := range []string{"keys/", "watch/", "keys/" + escapeKey(evil), "keys/" + escapeKey(`evil"'&?#%25`)} {
		b.open(target)
		b.untilText("live")
		b.fine(target)
		if n := b.says(`document.querySelectorAll("img, main script").length`); n != "0" {
			b.t.Errorf("%s: %s elements come from keys", target, n)
		}
	}
	if got := b.says(`document.getElementById("value").value`); got != `</textarea></pre><script>alert(1)</script>` {
		b.t.Errorf("the field has %q", got)
	}
	b.open("watch/")
	b.untilText("live")
	b.s.set("/"+evil, evil+"again")
	b.until(`document.querySelector("#changes li").innerText.includes("again")`)
	b.fine("a change that came in")
	// Every link leads to the key that it names.
	b.open("keys/")
	b.says(`([...document.querySelectorAll(".keys .name a")].find((a) => a.textContent.startsWith("evil")).click(), "")`)
	b.until(`document.querySelector("h1").innerText.includes("evil\"'&?#%25")`)
}
