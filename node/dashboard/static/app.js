"use strict";
// Keeps a page current. Every page is whole without it.
(() => {
  const $ = (id) => document.getElementById(id);
  const status = $("stream");
  const say = (text) => { if (status && status.textContent !== text) status.textContent = text; };

  // part makes nodes of a piece of a page, which the server's templates wrote.
  const part = (html) => { const t = document.createElement("template"); t.innerHTML = html; return t.content; };

  // fit makes a like b and touches only what differs, so that focus, selection
  // and what a screen reader is reading stay where they are.
  function fit(a, b) {
    if (a.nodeType !== b.nodeType || a.nodeName !== b.nodeName) { a.replaceWith(b.cloneNode(true)); return; }
    if (a.nodeType !== 1) { if (a.nodeValue !== b.nodeValue) a.nodeValue = b.nodeValue; return; }
    for (const { name, value } of [...b.attributes]) if (a.getAttribute(name) !== value) a.setAttribute(name, value);
    for (const { name } of [...a.attributes]) if (!b.hasAttribute(name)) a.removeAttribute(name);
    fitChildren(a, b);
  }
  function fitChildren(a, b) {
    const was = [...a.childNodes], is = [...b.childNodes];
    is.forEach((n, i) => i < was.length ? fit(was[i], n) : a.append(n.cloneNode(true)));
    was.slice(is.length).forEach((n) => n.remove());
  }

  // listen keeps a stream open while the page can be seen: a browser has only so
  // many connections for all its pages together.
  function listen(url, events) {
    let source = null, over = false, timer = 0;
    const end = () => { over = true; stop(); };
    function stop() { clearTimeout(timer); if (source) source.close(); source = null; }
    function start() {
      if (over || source || document.hidden) return;
      source = new EventSource(url());
      source.onopen = () => say("live");
      source.onerror = () => {
        say("Live updates are lost; trying again.");
        if (source && source.readyState === 2) { stop(); timer = setTimeout(start, 5000); }
      };
      for (const [name, does] of Object.entries(events)) source.addEventListener(name, (e) => does(e, end));
    }
    document.addEventListener("visibilitychange", () => document.hidden ? stop() : start());
    addEventListener("pagehide", stop);
    addEventListener("pageshow", start);
    start();
  }

  // A unit's page gets its journal by the same stream, and says where to go on.
  const live = $("live"), journal = $("journal");
  if (live) {
    const most = 1000, d = live.dataset;
    listen(() => {
      const u = new URL(d.live, location);
      if (d.from) u.searchParams.set("from", d.from);
      if (d.last) u.searchParams.set("after", d.last);
      return u;
    }, {
      live: (e) => fitChildren(live, part(e.data)),
      line: (e) => {
        const atEnd = journal.scrollTop + journal.clientHeight > journal.scrollHeight - 8;
        d.last = e.lastEventId;
        journal.append(part(e.data));
        while (journal.children.length > most) journal.firstElementChild.remove();
        if (atEnd) journal.scrollTop = journal.scrollHeight;
        if ($("silent")) $("silent").hidden = true;
      },
      moved: (e) => {
        d.from = e.data;
        d.last = "";
        journal.replaceChildren();
        if ($("journal-of")) $("journal-of").textContent = "of machine " + e.data.slice(0, 8);
      },
      over: (e, end) => { $("over").textContent = e.data; $("over").hidden = false; say(""); end(); },
    });
    if (journal) journal.scrollTop = journal.scrollHeight;
  }

  // Times to live run down.
  const left = (s) => s < 120 ? s + " s" : s < 7200 ? Math.floor(s / 60) + " min " + s % 60 + " s"
    : s < 172800 ? Math.floor(s / 3600) + " h " + Math.floor(s / 60) % 60 + " min" : Math.floor(s / 86400) + " days";
  const clocks = [...document.querySelectorAll("[data-left]")];
  if (clocks.length) {
    const begun = performance.now();
    const tick = () => {
      const gone = Math.floor((performance.now() - begun) / 1000);
      for (const c of clocks) { const s = c.dataset.left - gone; c.textContent = s > 0 ? left(s) : "expired"; }
    };
    setInterval(tick, 1000);
  }

  // from is where a stream goes on: after the last change that the page has.
  const from = (url, last) => { const u = new URL(url, location); if (last) u.searchParams.set("since", BigInt(last) + 1n); return u; };

  // A page about a key says when it is out of date; it doesn't change what is
  // being read or typed.
  const stale = $("stale");
  if (stale) {
    let changes = 0, last = "";
    listen(() => from(stale.dataset.news, last), {
      change: (e) => {
        last = e.lastEventId;
        changes++;
        const again = document.createElement("a");
        again.href = location.pathname + location.search.replace(/([?&])done=\w+&?/, "$1").replace(/[?&]$/, "");
        again.textContent = "Show what is there now";
        stale.replaceChildren((changes === 1 ? "This has changed" : "This has changed " + changes + " times") + " since the page was made. ", again);
        stale.hidden = false;
      },
      over: (e, end) => end(),
    });
  }

  const changes = $("changes");
  if (changes) {
    const most = 500, pause = $("pause"), over = $("over");
    let last = changes.dataset.last, paused = false, waiting = [];
    const show = (html) => {
      const li = part(html).firstElementChild;
      li.classList.add("new");
      changes.prepend(li);
      while (changes.children.length > most) changes.lastElementChild.remove();
      $("nothing").hidden = true;
    };
    const label = () => { pause.textContent = paused ? "Go on" + (waiting.length ? " (" + waiting.length + ")" : "") : "Pause"; };
    pause.hidden = false;
    pause.onclick = () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", paused);
      if (!paused) { waiting.forEach(show); waiting = []; }
      label();
    };
    listen(() => from(changes.dataset.changes, last), {
      change: (e) => {
        last = e.lastEventId;
        if (!paused) { show(e.data); return; }
        waiting.push(e.data);
        if (waiting.length > most) waiting.shift();
        label();
      },
      over: (e, end) => { over.textContent = e.data; over.hidden = false; say(""); end(); },
    });
  }
})();
