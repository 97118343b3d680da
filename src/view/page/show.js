// Numbers, outcomes and long texts as people read them.

const OUTCOMES = {
  pass: ["pass", "✓", "pass"],
  fail: ["fail", "✗", "fail"],
  unjudged: ["none", "?", "not judged"],
  eval_error: ["error", "E", "evaluation broke"],
  agent_error: ["fail", "A", "agent's error"],
  infra_error: ["error", "!", "infrastructure"],
  limit_error: ["limit", "L", "account's limit"],
  config_error: ["error", "C", "set-up"],
  unknown_error: ["error", "U", "unknown error"],
  unreadable: ["error", "R", "unreadable"],
  missing: ["none", "·", "missing"],
};

const outcomeClass = (outcome) => (OUTCOMES[outcome] ?? OUTCOMES.missing)[0];
const outcomeSign = (outcome) => (OUTCOMES[outcome] ?? OUTCOMES.missing)[1];
const outcomeName = (outcome) => (OUTCOMES[outcome] ?? [0, 0, outcome])[2];

const MERGES = { conflicts: "patches conflict", missing_input: "a patch is missing", error: "merge broke" };

/** What a fail is by, or an error, in a few words; none of what is neither. */
function kindOf(trial) {
  if (trial.outcome === "fail") return MERGES[trial.merge] ?? ["no feature passes", "one feature passes"][trial.features_passed] ?? "features not told";
  if (!/_error$/.test(trial.outcome)) return null;
  return (trial.rule ?? trial.cause ?? "cause not known").replaceAll("_", " ");
}

/** An outcome with its colour and its sign. */
function outcomeMark(outcome) {
  return el("span", { class: outcomeClass(outcome) }, el("span", { class: "sign", "aria-hidden": "true" }, outcomeSign(outcome)), " ", outcomeName(outcome));
}

const percent = (share) => (share === null || share === undefined ? "–" : `${(100 * share).toFixed(1)}%`);
const points = (share) => `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)}`;
const dollars = (usd) => (usd === null || usd === undefined ? "unknown" : `$${usd.toFixed(usd !== 0 && Math.abs(usd) < 0.1 ? 4 : 2)}`);
const count = (n) => (n === null || n === undefined ? "–" : n.toLocaleString("en-US"));
const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.round(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function probability(p) {
  if (p === null || p === undefined) return "–";
  return p < 0.001 ? "< 0.001" : p.toFixed(3);
}

function bytes(n) {
  if (n === null || n === undefined) return "–";
  return n < 1000 ? `${n} B` : n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`;
}

/** How long ago something began; `follow` lets it go on. */
function sinceThen(since) {
  return el("span", { "data-since": since }, duration(Math.max(0, Math.round(Date.now() / 1000 - since))));
}

const clock = (seconds) => (seconds === null || seconds === undefined ? "" : new Date(seconds * 1000).toISOString().slice(11, 19));

// Lines of a folded text at its head and at its tail, and characters of a line.
const HEAD = 12;
const TAIL = 8;
const WIDE = 2000;

/** A text of many lines: folded in the middle, each line with an address below `address`, if any. */
function longText(text, options = {}) {
  const lines = (text ?? "").split("\n");
  if (lines.length > 1 && lines.at(-1) === "") lines.pop();
  const box = el("pre", { tabindex: "0", "aria-label": options.label });
  const style = new Set();
  const made = (from, to) => {
    const part = document.createDocumentFragment();
    for (let at = from; at < to; at += 1) part.append(lineOf(lines[at], at, options, style));
    return part;
  };
  const whole = options.whole || lines.length <= HEAD + TAIL + 4;
  if (whole) {
    box.append(made(0, lines.length));
    return box;
  }
  box.append(made(0, HEAD));
  const rest = lines.length - HEAD - TAIL;
  const more = el("button", {
    type: "button", class: "more",
    onclick: () => { const filled = made(HEAD, lines.length - TAIL); more.replaceWith(filled); },
  }, `… ${plural(rest, "line")} more`);
  box.append(more, made(lines.length - TAIL, lines.length));
  box.unfold = () => { if (more.isConnected) more.click(); };
  return box;
}

/** A button that unfolds what is folded: `more` first, then what is made. On paper it says so. */
function unfolding(more) {
  const unfold = () => {
    more?.();
    for (const box of document.querySelectorAll("main details")) box.open = true;
    for (const text of document.querySelectorAll("main pre")) text.unfold?.();
  };
  return [
    el("button", { type: "button", onclick: unfold }, "Unfold all"),
    el("span", { class: "paper faint" }, "What is folded on the screen is folded on paper: “Unfold all” before printing prints it."),
  ];
}

function lineOf(text, at, options, style) {
  const kind = options.diff ? diffClass(text) : "";
  const line = el("span", { class: `line ${kind}`, "data-line": at + 1 });
  if (options.address) {
    line.append(el("a", { class: "n", href: `${options.address}/${at + 1}`, "aria-label": `line ${at + 1}` }, String(at + 1)));
  }
  if (text.length <= WIDE) {
    line.append(...terminal(text, style).flat());
    return line;
  }
  const more = el("button", {
    type: "button", class: "more",
    onclick: () => more.replaceWith(...terminal(text.slice(WIDE), style).flat()),
  }, `… ${count(text.length - WIDE)} characters more`);
  line.append(...terminal(text.slice(0, WIDE), style).flat(), more);
  return line;
}

function diffClass(line) {
  if (line.startsWith("+++") || line.startsWith("---") || line.startsWith("diff ")) return "hunk";
  if (line.startsWith("@@")) return "hunk";
  if (line.startsWith("+")) return "added";
  if (line.startsWith("-")) return "removed";
  return "";
}
