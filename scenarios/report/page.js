"use strict";
// Draws what is in #data: an overview, and below it faults, members and
// operations on one axis of time with a cursor that arrow keys move.
(() => {
  const D = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const list = (x) => x || [];
  const N = list(D.nodes).length;
  const key = { f: D.key || "", rows: "client" };
  const view = { a: D.a, b: D.b };
  let now = D.fail >= 0 ? D.fail : D.until;
  let msgs = false;
  let hits = []; // what is drawn where, for a click
  const least = D.counted ? 4 : 2000;

  const esc = (s) => String(s).replace(/[&<>"']/g, (c) => "&#" + c.charCodeAt(0) + ";");
  const clamp = (v, lo, hi) => Math.min(hi, Math.max(lo, v));
  // A time is cut, not rounded, as everywhere else.
  const fmt = (t, digits = 3) => D.counted ? String(Math.round(t)) : (digits === 3 ? Math.floor(t / 1e3 + 1e-6) / 1e3 : t / 1e6).toFixed(digits);
  const unit = D.counted ? "" : " s";
  const dur = (us) => D.counted ? String(us) : us < 1e6 ? (us / 1e3).toFixed(us < 1e4 ? 2 : 0) + " ms" : (us / 1e6).toFixed(2) + " s";
  // last finds the last item that is not after t, by its first field.
  const last = (items, t) => {
    let lo = 0, hi = items.length;
    while (lo < hi) { const mid = (lo + hi) >> 1; if (items[mid][0] <= t) lo = mid + 1; else hi = mid; }
    return lo - 1;
  };
  const end = (t) => t < 0 ? D.until : t;

  // What is known of a member at a time.
  function member(n, t) {
    const of = list(D.states)[n] || [], i = last(of, t);
    if (i < 0) return { health: "outside", is: "not yet there", kind: "outside", term: "", applied: null };
    const [at, health, leads, term, lead, base] = of[i];
    const ap = list(D.applied)[n] || [], j = last(ap, t);
    let applied = base;
    if (j >= 0 && ap[j][0] >= at) applied = ap[j][1];
    const sure = health === "up" || health === "paused";
    let kind = health, is = { down: "down", booting: "starts", paused: "paused", outside: "outside" }[health];
    if (health === "up") {
      kind = leads ? "lead" : lead ? "follow" : "look";
      is = leads ? "leads" : lead ? "follows " + lead : "knows no leader";
    } else if (health === "paused" && leads) is = "paused, led";
    return { health, is, kind, leads, term: sure && term ? term : "", applied: sure ? applied : null, since: at };
  }
  const fill = { lead: "--lead-soft", follow: "--follow", look: "--look", down: "--down", booting: "--look", paused: "--pause", outside: "--card" };
  const paint = (name) => `var(${name})`;

  // ---- shapes
  const rect = (x, y, w, h, attrs) => `<rect x="${x.toFixed(1)}" y="${y}" width="${Math.max(0, w).toFixed(1)}" height="${h}" ${attrs}/>`;
  const line = (x1, y1, x2, y2, attrs) => `<line x1="${x1.toFixed(1)}" y1="${y1}" x2="${x2.toFixed(1)}" y2="${y2}" ${attrs}/>`;
  const label = (x, y, s, cls = "", anchor = "start") => `<text x="${x.toFixed(1)}" y="${y}" class="${cls}" text-anchor="${anchor}">${esc(s)}</text>`;
  const tri = (x, y, color) => `<path d="M${(x - 4).toFixed(1)} ${y}h8l-4 7z" fill="${color}"/>`;
  // fit cuts a text to a width.
  const fit = (s, w) => { const n = Math.floor(w / 5.9); return n >= s.length ? s : n < 3 ? "" : s.slice(0, n - 1) + "…"; };

  // whole takes the first bold text that has room.
  const whole = (w, ...texts) => texts.find((s) => s.length * 6.7 <= w) || "";

  function scale(width, a, b) {
    const left = width < 620 ? 30 : 62, right = 10;
    const w = width - left - right;
    return { left, right, w, width, x: (t) => left + (t - a) / Math.max(1, b - a) * w, t: (x) => a + (x - left) / w * (b - a) };
  }

  function ticks(a, b, w) {
    const raw = (b - a) / Math.max(2, w / 90), mag = Math.pow(10, Math.floor(Math.log10(raw)));
    const step = [1, 2, 5, 10].map((m) => m * mag).find((s) => s >= raw) || raw;
    const out = [];
    for (let t = Math.ceil(a / step) * step; t <= b; t += step) out.push(t);
    const digits = clamp(Math.ceil(-Math.log10(step / 1e6)), 0, 6);
    return { out, digits };
  }

  // ---- the overview
  function drawWhole() {
    const svg = $("whole"), width = svg.clientWidth || 800, s = scale(width, D.from, D.until);
    const rows = Math.max(N, 1), rh = N ? 5 : 14, top = 4;
    let h = "";
    for (let n = 0; n < N; n++) h += segments(n, D.from, D.until, s, top + n * rh, rh - 1, false);
    for (const b of list(D.bands)) {
      const x = s.x(clamp(b[0], D.from, D.until));
      h += rect(x, top + rows * rh + 1, Math.max(2, s.x(end(b[1])) - x), 4, `fill="${paint("--fault")}"`);
    }
    const height = top + rows * rh + 18;
    if (!N) for (const o of list(D.ops)) { const x = s.x(o[3]); h += line(x, top, x + 0.5, top + 12, `stroke="${paint("--write")}" stroke-opacity=".25"`); }
    if (D.fail >= 0) h += line(s.x(D.fail), 0, s.x(D.fail), height - 12, `stroke="${paint("--bad")}" stroke-width="2"`);
    h += rect(s.x(view.a), 1, Math.max(4, s.x(view.b) - s.x(view.a)), height - 13, `fill="${paint("--lead")}" fill-opacity=".13" stroke="${paint("--lead")}"`);
    h += label(s.left, height - 2, fmt(D.from, 0) + unit, "d") + label(width - s.right, height - 2, fmt(D.until, 0) + unit, "d", "end");
    if (D.fail >= 0) { const x = s.x(D.fail); h += label(clamp(x, s.left + 60, width - 80), height - 2, "failure " + fmt(D.fail), "bad", "middle"); }
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.style.height = height + "px";
    svg.innerHTML = h;
    svg.scaleOf = s;
  }

  // segments draws what a member is over time.
  function segments(n, a, b, s, y, h, named) {
    const of = list(D.states)[n] || [];
    let out = "", term = null;
    for (let i = Math.max(0, last(of, a)); i < of.length && of[i][0] <= b; i++) {
      const from = clamp(of[i][0], a, b), until = clamp(i + 1 < of.length ? of[i + 1][0] : D.until, a, b);
      const m = member(n, of[i][0]), x = s.x(from), w = s.x(until) - x;
      if (m.kind === "outside" || w <= 0) continue;
      out += rect(x, y, Math.max(w, 0.7), h, `fill="${paint(fill[m.kind])}"`);
      if (m.health === "paused" && named) out += rect(x, y, w, h, `fill="url(#hatch)"`);
      if (m.kind === "lead" && !named) out += rect(x, y, Math.max(w, 0.7), h, `fill="${paint("--lead")}"`);
      if (!named) continue;
      if (m.kind === "lead") out += rect(x, y, w, 3, `fill="${paint("--lead")}"`);
      const short = s.width < 620;
      let text = { lead: short ? "L" : "leads", look: short ? "?" : "no leader known", down: "down", booting: short ? "^" : "starts", paused: "paused" }[m.kind] || "";
      if (m.term && m.term !== term) text += (text ? ", " : "") + (short ? "t" : "term ") + m.term;
      text = fit(text, w - 6);
      if (text && !text.endsWith("…")) term = m.term;
      if (text) out += label(x + 4, y + 14, text, m.kind === "down" ? "w" : m.kind === "lead" ? "b" : "");
    }
    return out;
  }

  // rowsOf lays bands out so that none covers another.
  function rowsOf(bands, s, most) {
    const ends = [], out = [];
    for (const b of bands) {
      const instant = b[1] === b[0];
      const x = Math.max(s.left, s.x(b[0])), x2 = instant ? x + 8 : s.x(Math.min(end(b[1]), view.b));
      const need = Math.max(x2, x + (instant ? 12 : 4) + Math.min(b[3].length * 5.9, 150));
      let row = ends.findIndex((e) => e <= x), crowded = false;
      if (row < 0) { if (ends.length >= most) { row = most - 1; crowded = true; } else row = ends.length; }
      ends[row] = Math.max(ends[row] || 0, need + 4);
      out.push({ b, row, x, x2, instant, until: crowded ? x2 : need, crowded });
    }
    return { out, n: ends.length };
  }

  // ---- the lanes
  function draw() {
    const svg = $("lanes"), width = svg.clientWidth || 800, s = scale(width, view.a, view.b);
    const { out: marks, digits } = ticks(view.a, view.b, s.w);
    let y = 18, h = "", over = "";
    hits = [];
    const name = (yy, text) => { h += label(s.left - 5, yy, fit(text, s.left + 2), "d", "end"); };

    const bands = list(D.bands).filter((b) => b[0] <= view.b && end(b[1]) >= view.a);
    if (bands.length) {
      const { out, n } = rowsOf(bands, s, 8);
      name(y + 12, width < 620 ? "flt" : "faults");
      for (const { b, row, x, x2, instant, until, crowded } of out) {
        const yy = y + row * 17;
        if (!instant) h += rect(x, yy, Math.max(3, x2 - x), 15, `rx="2" fill="${paint("--fault-soft")}" stroke="${paint("--fault")}"`);
        else h += tri(x, yy + 4, paint("--fault"));
        if (!crowded) h += label(x + (instant ? 7 : 4), yy + 11.5, fit(b[3], Math.min(width - x - 10, Math.max(until - x - 8, 30))));
        hits.push({ x, y: yy, w: Math.max(8, until - x), h: 15, t: b[0] });
      }
      y += n * 17 + 3;
    }
    const dark = list(D.outages).filter((o) => o[0] <= view.b && o[1] >= view.a);
    if (dark.length) {
      name(y + 11, width < 620 ? "wr" : "writes");
      for (const o of dark) {
        const x = clamp(s.x(o[0]), s.left, width), x2 = clamp(s.x(o[1]), s.left, width - s.right);
        h += rect(x, y, x2 - x, 14, `fill="${paint("--bad-soft")}" stroke="${paint("--bad")}" stroke-dasharray="3 2"`);
        h += label(x + 4, y + 11, whole(x2 - x - 6, "no write acknowledged for " + dur(o[1] - o[0]), "none for " + dur(o[1] - o[0]), dur(o[1] - o[0])), "bad");
      }
      y += 18;
    }
    const lane = width < 620 ? 30 : 36, mid = [];
    const [lo, hi] = span();
    for (let n = 0; n < N; n++) {
      name(y + lane / 2 + 3, D.nodes[n]);
      h += segments(n, view.a, view.b, s, y, lane - 4, true) + curve(n, s, y, lane - 5, lo, hi);
      mid[n] = y + lane - 9;
      y += lane;
    }
    for (const o of N ? list(D.ops) : []) {
      const n = D.nodes.indexOf(o[7]), t = o[4] < 0 ? o[3] : o[4];
      if (n < 0 || (o[0] !== D.bad && o[0] !== D.against) || t < view.a || t > view.b) continue;
      const color = paint(o[0] === D.bad ? "--bad" : "--against");
      over += `<circle cx="${s.x(t).toFixed(1)}" cy="${mid[n] - 7}" r="5" fill="${color}" stroke="${paint("--card")}" stroke-width="1.5"/>`;
    }
    if (msgs) over += arrows(s, mid, width);
    y += 6;
    const rows = D.ops ? operations(s, y, width) : { h: "", y };
    h += rows.h; y = rows.y;
    const height = y + 6;
    let axis = "";
    for (const t of marks) {
      const x = s.x(t);
      axis += line(x, 14, x, height, `stroke="${paint("--line")}" stroke-width="1"`) + label(clamp(x, s.left + 8, width - 18), 11, fmt(t, digits), "d", "middle");
    }
    let cursor = "";
    if (D.fail >= view.a && D.fail <= view.b) cursor += line(s.x(D.fail), 14, s.x(D.fail), height, `stroke="${paint("--bad")}" stroke-width="1.5" stroke-dasharray="5 3"`);
    cursor += `<g id="cursor"></g>`;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.style.height = height + "px";
    svg.innerHTML = `<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="2" height="6" fill="${paint("--card")}" fill-opacity=".5"/></pattern></defs>`
      + axis + h + over + cursor;
    svg.scaleOf = s; svg.tall = height;
    const r = $("scrub");
    r.style.marginLeft = s.left - 8 + "px"; r.style.width = s.w + 16 + "px";
    drawWhole();
    point();
  }

  // span is the range of applied indexes in view.
  function span() {
    let lo = Infinity, hi = 0;
    for (let n = 0; n < N; n++) for (const t of [view.a, view.b]) {
      const m = member(n, t);
      if (m.applied) { lo = Math.min(lo, m.applied); hi = Math.max(hi, m.applied); }
    }
    return lo < hi ? [lo, hi] : [0, Math.max(hi, 1)];
  }

  // curve draws a member's applied index.
  function curve(n, s, y, h, lo, hi) {
    const ap = list(D.applied)[n] || [], of = list(D.states)[n] || [];
    const at = (v) => (y + h - clamp((v - lo) / (hi - lo), 0, 1) * (h - 4) - 1).toFixed(1);
    const points = [];
    for (const st of of) if (st[0] > view.a && st[0] <= view.b) points.push([st[0], st[1] === "up" || st[1] === "paused" ? null : -1]);
    for (let i = Math.max(0, last(ap, view.a)); i < ap.length && ap[i][0] <= view.b; i++) points.push([Math.max(ap[i][0], view.a), ap[i][1]]);
    points.push([view.b, null]);
    points.sort((p, q) => p[0] - q[0]);
    let d = "", value = null;
    for (const [t, v] of points) {
      if (value !== null) d += `H${s.x(t).toFixed(1)}`;
      if (v === -1) value = null;
      else if (v !== null) { d += (value === null ? "M" + s.x(t).toFixed(1) + " " : "V") + at(v); value = v; }
    }
    return d ? `<path d="${d}" fill="none" stroke="${paint("--applied")}" stroke-opacity=".6" stroke-width="1.3"/>` : "";
  }

  function arrows(s, mid, width) {
    let out = "";
    for (const [sent, arrived, from, to, text] of list(D.msgs)) {
      if (sent > view.b || (arrived >= 0 ? arrived : sent) < view.a || from < 0 || to < 0) continue;
      const lost = arrived === -1, open = arrived === -2, x = s.x(sent), x2 = lost ? x + 10 : open ? x + 14 : s.x(arrived);
      const y = mid[from], y2 = lost || open ? y + (mid[to] - y) * 0.35 : mid[to];
      const vote = text.includes("Vote"), color = lost ? "--bad" : vote ? "--against" : "--msg";
      out += line(x, y, x2, y2.toFixed(1), `stroke="${paint(color)}" stroke-width="${vote ? 1.6 : 0.9}" ${lost ? 'stroke-dasharray="2 2"' : ""}`);
      out += open ? "" : lost ? label(x2 - 3, y2 + 3, "×", "bad") : `<circle cx="${x2.toFixed(1)}" cy="${y2}" r="1.7" fill="${paint(color)}"/>`;
      hits.push({ x: Math.min(x, x2) - 2, y: Math.min(y, y2) - 2, w: Math.abs(x2 - x) + 4, h: Math.abs(y2 - y) + 4, t: sent, msg: true });
    }
    return out || label(s.left + 6, mid[0], fit("messages are recorded around the failure only: zoom there", width - s.left - 20), "d");
  }

  const shown = () => D.ops.filter((o) => !key.f || o[0] === D.bad || o[0] === D.against || D.keys[o[2]] === key.f || D.keys[o[2]].startsWith(key.f.replace(/\/$/, "") + "/"));

  function operations(s, y, width) {
    let h = line(0, y, width, y, `stroke="${paint("--line")}"`);
    const by = key.rows === "client" ? 1 : 2, names = by === 1 ? D.clients : D.keys;
    const ops = shown().filter((o) => o[3] <= view.b && (o[4] < 0 ? o[3] + 1e6 : o[4]) >= view.a);
    const used = [...new Set(ops.map((o) => o[by]))].sort((p, q) => names[p].localeCompare(names[q], "en", { numeric: true })).slice(0, 60);
    h += label(s.left + 2, y + 13, fit(`${ops.length} operations on ${key.f || "all keys"} in view`, width - s.left - 10), "d");
    y += 18;
    // Operations of one key overlap: they take as many lines as they need.
    for (const row of used) {
      const ends = [], mine = ops.filter((o) => o[by] === row);
      let deep = 0;
      h += label(s.left - 5, y + 11, fit(names[row], s.left - 3), "d", "end");
      for (const o of mine) {
        const [id, , , call, ret, kind, status, , ask, answer] = o;
        const x = Math.max(s.x(call), s.left - 2), x2 = Math.min(ret < 0 ? s.x(call) + 40 : s.x(ret), width);
        let slot = ends.findIndex((e) => e <= call);
        if (slot < 0) slot = Math.min(ends.length, by === 1 ? 3 : 7);
        ends[slot] = ret < 0 ? call : ret; deep = Math.max(deep, slot);
        const yy = y + slot * 15, bad = id === D.bad, vs = id === D.against;
        const color = bad ? "--bad" : vs ? "--against" : { r: "--read", w: "--write", h: "--good", v: "--dim", e: "--applied" }[kind];
        const dash = status === "ok" ? "" : `stroke="${paint(color)}" stroke-dasharray="3 2" `;
        h += rect(x, yy + (bad || vs ? 0 : 1), Math.max(x2 - x, bad || vs ? 4 : 2), bad || vs ? 14 : 12, `rx="2" ${dash}fill="${paint(color)}" fill-opacity="${status === "ok" ? (bad || vs ? 1 : .75) : .15}"`);
        const text = brief(ask, answer, kind), room = x2 - x;
        if (bad || vs) marks.push([x, x2, yy, (bad ? "✗ " : "") + text, bad ? "bad" : "against"]);
        else if (room > 44) h += label(x + 3, yy + 10.5, fit(text, room - 4), status === "ok" ? "w" : "");
        hits.push({ x: x - 3, y: yy, w: Math.max(x2 - x, 8) + 6, h: 14, t: Math.max(call, Math.min(now, ret < 0 ? call : ret)), at: call, ret });
      }
      y += (deep + 1) * 15 + 1;
    }
    for (const [x, x2, yy, text, cls] of marks) {
      const w = text.length * 6.1, toLeft = x2 + w + 6 > width;
      const tx = toLeft ? Math.max(x - w - 5, s.left) : x2 + 4;
      h += rect(tx - 2, yy, w + 4, 14, `fill="${paint("--card")}" fill-opacity=".85"`) + label(tx, yy + 11, text, cls);
    }
    marks.length = 0;
    return { h, y };
  }
  const marks = [];
  // brief is an operation in as few letters as tell it.
  function brief(ask, answer, kind) {
    const got = answer.replace(/, (revision|found).*$/, "");
    if (got.startsWith("[")) {
      const words = got.slice(1, -1).split(" ").filter(Boolean), more = got.match(/(\d+) more\]$/);
      const n = more ? words.length - 2 + +more[1] : words.length;
      return `→ ${n} item${n === 1 ? "" : "s"}`;
    }
    if (kind === "r") return "→ " + got;
    if (kind !== "w") return ask;
    const m = ask.match(/[=+] (.*)$/);
    return (m ? m[0] : ask.split(" ")[0]) + (got.startsWith("ok") ? "" : " → " + got);
  }

  // ---- the cursor and what was so then
  function point() {
    const svg = $("lanes"), s = svg.scaleOf, c = $("cursor");
    if (!s || !c) return;
    const inside = now >= view.a && now <= view.b, x = s.x(now);
    c.innerHTML = inside ? line(x, 12, x, svg.tall, `stroke="${paint("--ink")}" stroke-width="1.5"`) + `<path d="M${(x - 5).toFixed(1)} 12h10l-5 6z" fill="${paint("--ink")}"/>` : "";
    const r = $("scrub");
    r.min = view.a; r.max = view.b; r.value = now;
    r.setAttribute("aria-valuetext", fmt(now) + unit);
    let text = "at " + fmt(now) + unit;
    if (D.fail >= 0) { const d = now - D.fail; text += Math.abs(d) < 1000 && !D.counted || d === 0 ? ", the failure" : `, ${dur(Math.abs(d))} ${d < 0 ? "before" : "after"} the failure`; }
    $("clock").textContent = text;
    if ($("members")) members();
    around();
  }

  function members() {
    const all = D.nodes.map((_, n) => member(n, now));
    const most = Math.max(0, ...all.map((m) => m.applied || 0));
    let html = "";
    all.forEach((m, n) => {
      const hit = list(D.bands).filter((b) => b[0] <= now && (b[1] < 0 || b[1] > now) && (b[4].includes(n) || (!b[4].length && new RegExp("\\b" + D.nodes[n] + "\\b").test(b[3]))));
      const behind = m.applied !== null && most - m.applied > 0 ? ` <span class="dim">−${most - m.applied}</span>` : "";
      html += `<tr><td>${esc(D.nodes[n])}</td><td><span class="dot" style="background:${paint(m.kind === "lead" ? "--lead" : fill[m.kind])}"></span>${esc(m.is)}</td><td>${m.term}</td><td>${m.applied === null ? "–" : m.applied + behind}</td><td>${esc(hit.map((b) => b[3]).join("; "))}</td></tr>`;
    });
    $("members").tBodies[0].innerHTML = html;
  }

  function around() {
    let html = "";
    const open = list(D.ops && shown()).filter((o) => o[3] <= now && (o[4] < 0 ? o[3] + 2e6 : o[4]) >= now);
    const say = (o) => {
      const cls = o[0] === D.bad ? "bad" : o[0] === D.against ? "against" : "", note = D.notes && D.notes[o[0]];
      return `<div class="${cls}">${esc(D.clients[o[1]])}${o[7] ? " " + esc(o[7]) : ""}: ${esc(o[8])} → ${esc(o[9])}${note ? " — " + esc(note) : ""}</div>`;
    };
    if (D.ops) html += `<div class="h">under way${key.f ? " on " + esc(key.f) : ""}</div>` + (open.slice(0, 12).map(say).join("") || '<div class="dim">nothing</div>');
    if (open.length > 12) html += `<div class="dim">and ${open.length - 12} more</div>`;
    if (msgs) {
      const near = list(D.msgs).filter((m) => m[0] <= now && (m[1] === -2 ? D.until : m[1] < 0 ? m[0] + 3000 : m[1]) >= now).slice(-8);
      html += '<div class="h">on the wire</div>' + (near.map((m) => `<div>${esc(D.nodes[m[2]])} → ${esc(D.nodes[m[3]])}: ${esc(m[4])}${["", " (lost)", " (under way at the end)"][m[1] < 0 ? -m[1] : 0]}</div>`).join("") || '<div class="dim">nothing recorded</div>');
    }
    const ev = list(D.events), i = last(ev, now);
    if (i >= 0) {
      html += '<div class="h">happened last</div>';
      for (const e of ev.slice(Math.max(0, i - 2), i + 1).reverse()) html += `<div>${fmt(e[0])} ${esc(e[2])}</div>`;
    }
    $("around").innerHTML = html;
    for (const tr of document.querySelectorAll(".events tr.now")) tr.classList.remove("now");
  }

  // ---- moving
  let timer = 0;
  function go(t, follow = true) {
    now = clamp(t, D.from, D.until);
    if (follow && (now < view.a || now > view.b)) {
      const w = view.b - view.a;
      look(clamp(now - w / 2, D.from, Math.max(D.from, D.until - w)), w);
    } else point();
    clearTimeout(timer);
    timer = setTimeout(() => history.replaceState(null, "", link(now)), 150);
  }
  const link = (t) => "#" + (D.seed ? "seed=" + D.seed + "&" : "") + "t=" + fmt(t);
  function look(a, w) {
    w = clamp(w, least, D.until - D.from);
    view.a = clamp(a, D.from, Math.max(D.from, D.until - w)); view.b = view.a + w;
    draw();
  }
  function zoom(f, about = now) {
    const w = view.b - view.a, at = about >= view.a && about <= view.b ? about : (view.a + view.b) / 2;
    const next = clamp(w * f, least, D.until - D.from);
    look(at - (at - view.a) / w * next, next);
  }
  function failure() {
    view.a = D.a; view.b = D.b; key.f = D.key || ""; $("key").value = key.f;
    if (D.fail >= 0) now = D.fail;
    draw(); go(now);
  }
  function hop(dir) {
    const times = [...list(D.events).map((e) => e[0]), ...shown().filter((o) => o[0] === D.bad || o[0] === D.against).flatMap((o) => [o[3], o[4]])].filter((t) => t >= 0).sort((p, q) => p - q);
    const t = dir > 0 ? times.find((v) => v > now + 0.5) : times.reverse().find((v) => v < now - 0.5);
    if (t !== undefined) go(t);
  }
  const step = (dir, far) => go(now + dir * Math.max(D.counted ? 1 : 100, (view.b - view.a) / (far ? 20 : 200)));

  addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (/^(SELECT|TEXTAREA)$/.test(e.target.tagName) || e.target.tagName === "INPUT" && e.target.type !== "range" && e.key.startsWith("Arrow")) return;
    const act = {
      ArrowLeft: () => step(-1, e.shiftKey), ArrowRight: () => step(1, e.shiftKey),
      "[": () => hop(-1), "]": () => hop(1), "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), "−": () => zoom(2),
      f: failure, a: () => look(D.from, D.until - D.from), m: () => { if (!$("msgs").disabled) $("msgs").click(); },
    }[e.key];
    if (act) { e.preventDefault(); act(); }
  });
  $("scrub").addEventListener("input", (e) => go(+e.target.value, false));
  $("b-fail").addEventListener("click", failure);
  $("b-whole").addEventListener("click", () => look(D.from, D.until - D.from));
  $("b-in").addEventListener("click", () => zoom(0.5));
  $("b-out").addEventListener("click", () => zoom(2));
  $("b-prev").addEventListener("click", () => hop(-1));
  $("b-next").addEventListener("click", () => hop(1));
  $("msgs").addEventListener("change", () => wire());
  function wire() {
    msgs = $("msgs").checked;
    const from = D.msgs[0][0], wide = Math.max(D.fail, D.msgs[D.msgs.length - 1][0]) - from;
    if (msgs && view.b - view.a > 1.5 * wide) look(from - wide / 20, wide * 1.1); else draw();
  }
  $("key").addEventListener("change", (e) => { key.f = e.target.value; draw(); });
  $("rows").addEventListener("change", (e) => { key.rows = e.target.value; draw(); });

  let held = false;
  const at = (e) => { const box = $("lanes").getBoundingClientRect(); return { x: e.clientX - box.left, y: e.clientY - box.top }; };
  $("lanes").addEventListener("pointerdown", (e) => {
    const p = at(e), s = $("lanes").scaleOf, t = s.t(p.x);
    const hit = hits.filter((b) => p.x >= b.x && p.x <= b.x + b.w && p.y >= b.y && p.y <= b.y + b.h).pop();
    held = true;
    go(hit && hit.at !== undefined ? clamp(t, hit.at, hit.ret < 0 ? Infinity : hit.ret) : hit ? hit.t : clamp(t, view.a, view.b), false);
  });
  addEventListener("pointermove", (e) => { if (held && e.buttons) go(clamp($("lanes").scaleOf.t(at(e).x), view.a, view.b), false); });
  addEventListener("pointerup", () => { held = false; });
  $("lanes").addEventListener("wheel", (e) => {
    if (!e.ctrlKey && !e.shiftKey) return; // the page scrolls
    e.preventDefault();
    zoom(e.deltaY + e.deltaX < 0 ? 0.7 : 1.4, $("lanes").scaleOf.t(at(e).x));
  }, { passive: false });
  $("whole").addEventListener("click", (e) => {
    const s = $("whole").scaleOf, t = s.t(e.clientX - $("whole").getBoundingClientRect().left), w = view.b - view.a;
    look(t - w / 2, w); go(clamp(t, view.a, view.b), false);
  });

  // ---- links
  function follow() {
    const q = new URLSearchParams(location.hash.slice(1)), t = parseFloat(q.get("t")), seed = q.get("seed");
    if (seed && D.seed && seed !== D.seed) {
      $("notice").hidden = false;
      $("notice").textContent = `The link is about seed ${seed}; this page shows seed ${D.seed}.`;
    }
    if (q.has("messages") && !$("msgs").disabled) { $("msgs").checked = true; wire(); }
    if (!Number.isFinite(t)) return false;
    go(D.counted ? t : Math.round(t * 1e6));
    return true;
  }
  addEventListener("hashchange", () => { if (follow()) $("timeline").scrollIntoView({ block: "nearest" }); });
  addEventListener("resize", draw);

  // ---- begin
  const keys = [...list(D.keys)].sort((p, q) => p.localeCompare(q, "en", { numeric: true }));
  $("key").innerHTML = `<option value="">all</option>` + [...new Set([...(D.key ? [D.key] : []), ...keys])].map((k) => `<option>${esc(k)}</option>`).join("");
  $("key").value = key.f;
  if (D.fail < 0) $("b-fail").hidden = true;
  if (!list(D.msgs).length) $("l-msgs").hidden = true;
  $("msgs").disabled = !list(D.msgs).length;
  const sample = (color, text) => `<span><span class="dot" style="background:${paint(color)}"></span>${text}</span>`;
  const kept = list(D.ops).filter((o) => o[0] > 0).length;
  const has = (kind) => list(D.ops).some((o) => o[5] === kind);
  $("legend").innerHTML = (N ? sample("--lead", "leads") + sample("--follow", "follows") + sample("--look", "no leader known, or starts") + sample("--pause", "paused") + sample("--down", "down") + `<span>line: applied index</span>` : "")
    + sample("--write", "write") + sample("--read", "read") + (has("h") ? sample("--good", "holds a lock") : "") + (has("v") ? sample("--dim", "watches") + sample("--applied", "sees an event") : "") + (D.bad ? sample("--bad", "wrong answer") : "") + (D.against ? sample("--against", "what it contradicts") : "") + `<span>dashed: no answer</span>`
    + (D.ops && kept < D.opsOf ? `<span>${kept} of ${D.opsOf} operations are kept here</span>` : "");
  const copy = $("copy"), text = $("repeat");
  if (copy && navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener("click", () => navigator.clipboard.writeText(text.textContent).then(() => { copy.textContent = "copied"; }));
  }
  $("timeline").hidden = false;
  draw();
  follow();
})();
