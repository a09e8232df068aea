"use strict";
// The rollout viewer, the switch of colours, the keys. Text goes into the page as text nodes only.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };
  const number = (value, digits = 3) => (typeof value === "number" ? String(Number(value.toFixed(digits))) : "–");
  const all = data.runs.flatMap((run) => {
    const students = new Map(run.students.map((s) => [s.student + "\u0000" + s.problem, s]));
    const real = (line) => {
      const whole = students.get(line.student + "\u0000" + line.problem);
      if (whole) return { steps: whole.steps, start: line.start };
      // Evaluations written without the students' file: the oracle hands in what the student did.
      const own = run.rollouts.find((r) => r.policy === "ORACLE" && r.student === line.student && r.problem === line.problem && r.start === line.start);
      if (own) return { steps: own.turns.map((t) => ({ code: t.text, grade: t.grade, verdict: t.verdict, tests: t.tests })), start: 0, from: line.start };
      return { steps: (line.real_grades || []).map((grade) => ({ grade })), start: 0, from: line.start };
    };
    return run.rollouts.map((line) => ({
      line, real: () => real(line), run: run.name,
      arm: (data.runs.length > 1 ? run.name + " · " : "") + (line.policy || `${line.stage || "training"} step ${line.step}`),
    }));
  });

  // A turn that says only what changed comes with the program that this makes.
  const program = ({ text, program: made }) => {
    const fenced = /```[^\n]*\n([\s\S]*?)(?:\n?```|$)/.exec(text || "");
    return made ?? (fenced ? fenced[1] : text || "");
  };
  // Lines kept, added and removed, by the longest common subsequence.
  const diff = (before, after) => {
    const a = before.split("\n"), b = after.split("\n");
    if (a.length * b.length > 250000) return b.map((text) => ["same", text]);
    const length = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
    for (let i = a.length - 1; i >= 0; i--)
      for (let j = b.length - 1; j >= 0; j--)
        length[i][j] = a[i] === b[j] ? length[i + 1][j + 1] + 1 : Math.max(length[i + 1][j], length[i][j + 1]);
    const out = [];
    let i = 0, j = 0;
    while (i < a.length || j < b.length) {
      if (i < a.length && j < b.length && a[i] === b[j]) { out.push(["same", b[j]]); i++; j++; }
      else if (i < a.length && (j >= b.length || length[i + 1][j] >= length[i][j + 1])) out.push(["cut", a[i++]]);
      else out.push(["add", b[j++]]);
    }
    return out;
  };
  const mark = { same: "  ", add: "+ ", cut: "− " };
  const code = (before, after) => {
    const lines = before === null ? after.split("\n").map((text) => ["same", text]) : diff(before, after);
    return make("pre", {}, ...lines.map(([kind, text]) => make("span", { class: kind }, mark[kind] + text)));
  };
  const tests = (outcomes) => make("div", { "aria-label": "tests" }, ...(outcomes || []).map((outcome, i) => {
    const passed = outcome === "passed";
    return make("span", { class: "test " + (passed ? "ok" : "no"), title: `test ${i + 1}: ${String(outcome).replaceAll("_", " ")}` }, passed ? "✓" : "✗");
  }));
  const tokens = (line) => {
    if (!Array.isArray(line.tokens) || !line.tokens.length) return null;
    const at = (name, i) => (line[name] || [])[i];
    const pieces = line.tokens.map((piece, i) => {
      const [log_prob, advantage, mask] = [at("log_probs", i), at("advantages", i), at("mask", i)];
      const strength = typeof log_prob === "number" ? Math.min(60, -log_prob * 15) : 0;
      const title = `mask ${mask ?? "–"}, log-prob ${number(log_prob)}, advantage ${number(advantage)}`;
      const hue = typeof advantage === "number" && advantage < 0 ? "#d55e00" : "#0072b2";
      return make("span", { class: "token" + (mask === 0 ? " outside" : ""), title, style: `background: color-mix(in srgb, ${hue} ${strength}%, transparent)` }, piece);
    });
    return make("details", {}, make("summary", {}, "tokens (darker: less likely; blue: advantage ≥ 0, orange: < 0)"), make("pre", {}, ...pieces));
  };
  const turn = (label, step, before, given) => {
    const title = make("h4", {}, make("span", {}, label), make("span", {}, typeof step.grade === "number" ? "grade " + number(step.grade, 1) : "no grade"), make("span", {}, (step.verdict || "").replaceAll("_", " ")));
    if (step.stopped === false) title.append(make("span", {}, "cut off"));
    const body = step.code === undefined ? make("p", { class: "missing" }, "Its program is not in the run's folder.") : code(before, step.code);
    const told = step.feedback ? make("div", { class: "told" }, make("pre", {}, step.feedback)) : null;
    return make("div", { class: "turn" + (given ? " given" : "") + (step.grade >= 100 ? " solved" : "") }, title, body, tests(step.tests), told);
  };

  const viewer = document.getElementById("viewer");
  if (!all.length) viewer.append(make("p", { class: "missing" }, "No rollouts: “novice evaluate RUN” writes them."));
  const select = (name) => make("select", { id: "pick-" + name, "aria-label": name });
  const picks = { arm: select("arm"), student: select("student"), problem: select("problem") };
  const filter = make("input", { id: "filter", type: "search", placeholder: "filter (/)", "aria-label": "Filter rollouts by words" });
  const count = make("span", { id: "count", role: "status" });
  const previous = make("button", { type: "button", title: "previous (k)", "aria-label": "previous rollout" }, "←");
  const next = make("button", { type: "button", title: "next (j)", "aria-label": "next rollout" }, "→");
  const shown = make("div", { id: "shown", "aria-live": "polite" });
  const value = { arm: (r) => r.arm, student: (r) => r.line.student, problem: (r) => r.line.problem };
  for (const [name, pick] of Object.entries(picks)) {
    pick.append(make("option", { value: "" }, "every " + name), ...[...new Set(all.map(value[name]))].map((v) => make("option", { value: v }, v)));
    pick.addEventListener("change", () => choose());
  }
  const held = data.runs.map((run) => `${run.name}: ${run.rollouts.length} of ${run.of}`).join("; ");
  if (all.length) viewer.append(make("p", { class: "note" }, `Rollouts in this page, ${held}, evenly spread; --rollouts N changes how many.`),
    make("div", { class: "bar" }, ...Object.values(picks), filter, previous, next, count), shown);

  let chosen = all, place = 0;
  const search = (r) => `${r.arm} ${r.line.student} ${r.line.problem} ${r.line.end} ${r.line.turns.map((t) => t.text + " " + t.verdict).join(" ")}`.toLowerCase();
  const choose = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    chosen = all.filter((r) => Object.entries(picks).every(([name, pick]) => !pick.value || value[name](r) === pick.value) && (!words.length || words.every((w) => search(r).includes(w))));
    place = 0;
    show();
  };
  const show = () => {
    shown.replaceChildren();
    count.textContent = chosen.length ? `${place + 1} / ${chosen.length}` : "none";
    const rollout = chosen[place];
    if (!rollout) return;
    const { line } = rollout, real = rollout.real();
    const before = real.steps.slice(0, real.start), after = real.steps.slice(real.start), first = real.from ?? real.start;
    const own = make("div", {}, make("h3", {}, `Student ${line.student}`)), simulated = make("div", {}, make("h3", {}, rollout.arm));
    if (before.length) {
      const given = make("details", {}, make("summary", {}, `${before.length} submission${before.length > 1 ? "s" : ""} before the start`));
      before.forEach((step, i) => given.append(turn(`submission ${i + 1}`, step, i ? before[i - 1].code : null, true)));
      shown.append(given);
    }
    const last = before.length ? before[before.length - 1].code : null;
    after.forEach((step, i) => own.append(turn(`submission ${first + i + 1}`, step, i ? after[i - 1].code ?? null : last, false)));
    if (!after.length) own.append(make("p", { class: "missing" }, "Nothing after the start."));
    line.turns.forEach((t, i) => simulated.append(turn(`submission ${first + i + 1}`, { ...t, code: program(t) }, i ? program(line.turns[i - 1]) : last, false)));
    const pieces = tokens(line);
    if (pieces) simulated.append(pieces);
    const reason = (line.turns[line.turns.length - 1] || {}).malformed;
    simulated.append(make("p", { class: "note" }, `Ended: ${(line.end || "with its submissions").replaceAll("_", " ")}${reason ? `: ${reason}` : ""}`));
    const facts = `${line.problem} · after ${line.start} submission${line.start === 1 ? "" : "s"} · reward ${number(line.reward)}`;
    shown.prepend(make("p", { id: "facts", title: Object.entries(line.rewards || {}).map(([n, v]) => `${n} ${number(v)}`).join("\n") }, facts));
    shown.append(make("div", { class: "pair" }, own, simulated));
  };
  const move = (by) => { if (chosen.length) { place = Math.min(Math.max(place + by, 0), chosen.length - 1); show(); } };
  previous.addEventListener("click", () => move(-1));
  next.addEventListener("click", () => move(1));
  filter.addEventListener("input", choose);

  const root = document.documentElement, keys = document.getElementById("keys");
  const theme = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  };
  document.getElementById("theme").addEventListener("click", theme);
  document.getElementById("help").addEventListener("click", () => keys.showModal());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
    if (event.target.closest("input, select, textarea")) { if (event.key === "Escape") event.target.blur(); return; }
    if (event.target.closest(".wide") && event.key.startsWith("Arrow")) return; // scrolls the table
    const actions = { j: () => move(1), ArrowRight: () => move(1), k: () => move(-1), ArrowLeft: () => move(-1), t: theme, "?": () => keys.showModal(), "/": () => { filter.focus(); filter.scrollIntoView({ block: "center" }); } };
    if (actions[event.key]) { event.preventDefault(); actions[event.key](); }
  });
  if (all.length) choose();
})();
