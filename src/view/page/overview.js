// The overview: what came out per arm, how arms differ, and what happened when.

function overview() {
  const { arms, contrasts } = data.index;
  const notes = (data.index.notes ?? []).map((note) => el("p", { class: "note" }, visible(note)));
  if (data.index.runs.length === 0) return [el("h1", {}, data.index.title), notes.length > 0 ? notes : el("p", {}, "No runs.")];
  return [
    el("h1", {}, data.index.title),
    el("p", { class: "faint" }, `${plural(arms.length, "arm")}, ${plural(data.index.runs.length, "run")}, ${plural(data.index.pairs.length, "pair")}, ${plural(data.index.trials.length, "trial")}. Made ${data.index.made_at} by Regatta ${data.index.regatta}.`),
    pausedNow(),
    runningNow(),
    notes,
    el("h2", {}, "What came out"),
    legend(),
    outcomeTable(arms),
    rateChart(arms),
    arms.some((arm) => arm.places) ? [el("h2", {}, "Where cooperation fails"), placeTable(arms.filter((arm) => arm.places))] : null,
    el("h2", {}, "What it took"),
    costTable(arms),
    contrasts.length > 0 ? [el("h2", {}, "How arms differ"), contrastChart(contrasts), contrastTable(contrasts)] : null,
    el("h2", {}, "What happened when"),
    timeline(),
  ];
}

/** The runs that are paused, of a page that is served. */
function pausedNow() {
  const paused = data.index.runs.filter((run) => run.is_paused).map((run) => run.name);
  return paused.length === 0 ? null : el("p", { class: "note" }, `Paused, so that nothing new begins: ${paused.join(", ")}.`);
}

/** The trials that run now, of a page that is served, and the containers of those that tell no more. */
function runningNow() {
  const running = data.index.trials.filter((trial) => trial.is_running);
  const containers = data.index.containers ?? [];
  const hasWorkers = data.index.runs.some((run) => run.workers);
  if (running.length === 0 && containers.length === 0 && !hasWorkers) return null;
  return [
    el("p", {}, `${plural(running.length, "trial")} running: `,
      running.slice(0, 40).map((trial) => [el("a", { href: trialAddress(trial.run, trial.pair) }, `${data.index.runs[trial.run].name} ${data.index.pairs[trial.pair].name}`), trial.node ? [" on ", visible(trial.node)] : null, trial.since ? [" ", sinceThen(trial.since)] : null, " "])),
    data.index.runs.filter((run) => run.workers).map((run) => el("p", {}, `${run.name}: `, visible(run.workers))),
    containersOf(containers),
  ];
}

/** Containers in use, with what is seen of them until there is a result; of one trial without its name. */
function containersOf(containers, isOne) {
  if (containers.length === 0) return null;
  const what = (it) => {
    const [run, pair] = [data.runAt.get(it.run), data.pairAt.get(it.pair)];
    if (run !== undefined && pair !== undefined) return el("a", { href: trialAddress(run, pair) }, `${it.run} ${it.pair}`);
    return [it.run, " ", it.task ? `${it.task}, one of its pairs` : "–"];
  };
  const rows = containers.map((it) => [
    what(it), el("code", { title: it.id }, visible(it.name ?? it.id)), el("code", {}, visible(it.image)),
    sinceThen(it.since), count(it.commands), it.last ? el("code", {}, visible(it.last)) : "–",
  ]);
  const from = isOne ? 1 : 0;
  return table("Containers", ["Trial", "Container", "Image", ">Runs for", ">Commands", "Last command"].slice(from), rows.map((row) => row.slice(from)));
}

function legend() {
  const seen = new Set(data.index.trials.map((trial) => trial.outcome));
  return el("ul", { class: "legend", "aria-label": "Signs" },
    Object.keys(OUTCOMES).filter((outcome) => seen.has(outcome)).map((outcome) => el("li", {}, outcomeMark(outcome))));
}

function outcomeTable(arms) {
  const rows = arms.map((arm) => [
    el("a", { href: `#/matrix?arm=${encodeURIComponent(arm.name)}` }, arm.name),
    [arm.setting, arm.model].filter(Boolean).join(", "),
    outcomeBar(arm),
    count(arm.pairs), count(arm.judged),
    interval(arm.mean),
    Object.entries(arm.merges ?? {}).map(([word, n]) => `${n} ${word}`).join(", ") || "–",
  ].map((cell) => (typeof cell === "string" ? cell : cell ?? "–")));
  return table("Outcomes of each arm", ["Arm", "What", "Outcomes", ">Pairs", ">Judged", ">Passes (95%)", "Merges"], rows);
}

function interval(mean) {
  if (!mean) return "–";
  const within = mean.low === null || mean.low === undefined ? "" : ` (${(100 * mean.low).toFixed(1)} to ${(100 * mean.high).toFixed(1)})`;
  return percent(mean.share) + within;
}

/** How many trials of an arm with this outcome are of each kind, most first. */
function kindsOf(arm, outcome) {
  const counted = new Map();
  for (const trial of data.index.trials) {
    const kind = trial.outcome === outcome && armOf(trial.run) === arm ? kindOf(trial) : null;
    if (kind) counted.set(kind, (counted.get(kind) ?? 0) + 1);
  }
  return [...counted].sort((one, two) => two[1] - one[1]);
}

/** A bar of an arm's outcomes, fails and errors by their kinds, and the kinds in words. */
function outcomeBar(arm) {
  const all = Object.values(arm.outcomes).reduce((sum, n) => sum + n, 0);
  const width = 260;
  const there = Object.keys(OUTCOMES).filter((outcome) => arm.outcomes[outcome]).map((outcome) => [outcome, arm.outcomes[outcome], kindsOf(arm, outcome)]);
  let x = 0;
  const parts = there.map(([outcome, n, kinds]) => {
    const begun = x;
    const rest = n - kinds.reduce((sum, [, of]) => sum + of, 0);
    const pieces = [...kinds, [null, rest]].filter(([, of]) => of > 0).map(([kind, of], at) => {
      const wide = (width * of) / all;
      x += wide;
      return svg("rect", { x: x - wide, y: 0, width: Math.max(wide - 1, 0.5), height: 18, class: outcomeClass(outcome), "fill-opacity": at % 2 ? 0.7 : 1 },
        svg("title", {}, `${of} ${outcomeName(outcome)}${kind ? `: ${kind}` : ""}`));
    });
    // Its first piece is its widest, or the one that is of no kind.
    const isShown = Number(pieces[0].getAttribute("width")) > 24 + 7 * String(n).length;
    return [pieces, isShown ? svg("text", { x: begun + 4, y: 13, class: "on" }, `${outcomeSign(outcome)} ${n}`) : null];
  });
  const said = there.map(([outcome, n]) => `${n} ${outcomeName(outcome)}`).join(", ");
  return el("div", {},
    svg("svg", { width, height: 18, viewBox: `0 0 ${width} 18`, role: "img", "aria-label": said }, parts),
    there.filter(([, , kinds]) => kinds.length > 0).map(([outcome, n, kinds]) => el("p", { class: "kinds" },
      outcomeMark(outcome), ` ${n}: `,
      kinds.map(([kind, of], at) => [at > 0 ? ", " : "", el("a", { href: `#/matrix?${new URLSearchParams({ arm: arm.name, outcome, kind })}` }, visible(kind), ` ${of}`)]))));
}

const CHART = { left: 190, right: 60, width: 720, step: 26 };

/** A chart with a row for each item: a dot, and a whisker for its interval. */
function dots(items, { low, high, zero, tick, label }) {
  const inner = CHART.width - CHART.left - CHART.right;
  const x = (value) => CHART.left + (inner * (Math.min(Math.max(value, low), high) - low)) / (high - low);
  const height = items.length * CHART.step + 26;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => low + part * (high - low));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    svg("svg", { width: CHART.width, height, viewBox: `0 0 ${CHART.width} ${height}`, role: "img", "aria-label": label },
      ticks.map((value) => [
        svg("line", { class: "rule", x1: x(value), x2: x(value), y1: 0, y2: height - 22 }),
        svg("text", { x: x(value), y: height - 6, "text-anchor": "middle" }, tick(value)),
      ]),
      zero ? svg("line", { class: "ink", x1: x(0), x2: x(0), y1: 0, y2: height - 22 }) : null,
      items.map((item, at) => {
        const y = at * CHART.step + 13;
        return svg("g", {},
          svg("title", {}, `${item.name}: ${item.said}`),
          svg("text", { x: CHART.left - 8, y: y + 4, "text-anchor": "end" }, cutName(item.name)),
          item.low === null || item.low === undefined ? null : svg("line", { class: "ink", x1: x(item.low), x2: x(item.high), y1: y, y2: y, "stroke-width": 2 }),
          svg("circle", { class: "ink", cx: x(item.value), cy: y, r: 4.5 }),
          svg("text", { x: CHART.width - CHART.right + 6, y: y + 4 }, item.short));
      })));
}

const cutName = (name) => (name.length > 27 ? `${name.slice(0, 13)}…${name.slice(-13)}` : name);

function rateChart(arms) {
  const items = arms.filter((arm) => arm.mean).map((arm) => ({
    name: arm.name, value: arm.mean.share, low: arm.mean.low, high: arm.mean.high,
    short: percent(arm.mean.share), said: interval(arm.mean),
  }));
  if (items.length === 0) return el("p", { class: "faint" }, "No pair was judged.");
  return dots(items, { low: 0, high: 1, tick: (value) => `${Math.round(100 * value)}%`, label: "Rate of passes of each arm, with its 95% interval" });
}

function contrastName(contrast) {
  return `${data.index.arms[contrast.first].name} less ${data.index.arms[contrast.second].name}`;
}

function contrastChart(contrasts) {
  const items = contrasts.map((it) => ({
    name: contrastName(it), value: it.share, low: it.low, high: it.high,
    short: points(it.share), said: `${points(it.share)} points, p ${probability(it.p_adjusted)}`,
  }));
  const most = Math.max(0.1, ...items.flatMap((item) => [item.low, item.high, item.value]).filter((value) => typeof value === "number").map(Math.abs));
  const edge = Math.min(1, Math.ceil(most * 10) / 10);
  return dots(items, { low: -edge, high: edge, zero: true, tick: (value) => `${value > 0 ? "+" : ""}${Math.round(100 * value)}`, label: "Differences of pass rates in points, with 95% intervals" });
}

function contrastTable(contrasts) {
  return table("Differences", ["Difference", ">Points (95%)", ">p, adjusted", ">p", ">Pairs", ">Tasks", "Flips"], contrasts.map((it) => [
    contrastName(it),
    it.low === null || it.low === undefined ? points(it.share) : `${points(it.share)} (${points(it.low)} to ${points(it.high)})`,
    it.p === null || it.p === undefined ? it.no_p ?? "–" : probability(it.p_adjusted),
    probability(it.p), count(it.pairs), count(it.tasks),
    el("a", { href: `#/matrix?flips=${encodeURIComponent(data.index.arms[it.first].name)}~${encodeURIComponent(data.index.arms[it.second].name)}` }, "show"),
  ]));
}

function placeTable(arms) {
  const words = [...new Set(arms.flatMap((arm) => Object.keys(arm.places)))];
  return table("Where cooperation fails", ["Arm", ...words.map((word) => `>${word.replaceAll("_", " ")}`)],
    arms.map((arm) => [arm.name, ...words.map((word) => count(arm.places[word] ?? 0))]));
}

function costTable(arms) {
  return table("Cost, time and tokens of each arm", ["Arm", ">Cost", ">Cost a pass", ">Time a trial", ">Tokens in", ">Tokens out"], arms.map((arm) => [
    arm.name,
    dollars(arm.cost) + (arm.cost_unknown > 0 ? ` + ${arm.cost_unknown} unknown` : ""),
    arm.cost_per_pass === null || arm.cost_per_pass === undefined ? "–" : dollars(arm.cost_per_pass),
    duration(arm.seconds), count(arm.input_tokens), count(arm.output_tokens),
  ]));
}

/** Cost and finished pairs over time, and what broke, on one axis. */
function timeline() {
  const events = data.index.timeline;
  const ended = events.filter((event) => event.kind === "trial_ended");
  if (ended.length === 0) return el("p", { class: "faint" }, "No times are known.");
  const from = events[0].at;
  const to = Math.max(events.at(-1).at, from + 1);
  const [width, height, left, right] = [720, 190, 60, 60];
  const x = (at) => left + ((width - left - right) * (at - from)) / (to - from);
  let [n, usd] = [0, 0];
  const steps = ended.map((event) => ({ at: event.at, n: (n += 1), usd: (usd += event.usd ?? 0) }));
  const line = (key, most) => steps.map((step) => `${x(step.at).toFixed(1)},${(140 - (120 * step[key]) / (most || 1)).toFixed(1)}`).join(" ");
  const incidents = events.filter((event) => event.kind !== "trial_ended");
  const label = `${plural(n, "trial")} ended and ${dollars(usd)} were spent in ${duration(to - from)}; ${plural(incidents.length, "incident")}`;
  return [
    el("p", {}, label, "."),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Time" },
      svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
        svg("line", { class: "rule", x1: left, x2: width - right, y1: 140, y2: 140 }),
        svg("polyline", { points: line("n", n), fill: "none", class: "lane-line agent1" }),
        svg("polyline", { points: line("usd", usd), fill: "none", class: "lane-line agent2", "stroke-dasharray": "5 3" }),
        svg("text", { x: 4, y: 24 }, count(n)), svg("text", { x: 4, y: 38 }, "trials —"),
        svg("text", { x: width - right + 4, y: 24 }, dollars(usd)), svg("text", { x: width - right + 4, y: 38 }, "cost - -"),
        incidents.map((event) => svg("g", { class: "error" }, svg("title", {}, `${clock(event.at)} ${event.run}: ${event.text}`), svg("rect", { x: x(event.at) - 1, y: 146, width: 2.5, height: 12 }))),
        svg("text", { x: 4, y: 156 }, "incidents"),
        svg("text", { x: left, y: 180 }, new Date(from * 1000).toISOString().slice(0, 16).replace("T", " ")),
        svg("text", { x: width - right, y: 180, "text-anchor": "end" }, new Date(to * 1000).toISOString().slice(0, 16).replace("T", " ")))),
    incidents.length > 0 ? el("details", {}, el("summary", {}, plural(incidents.length, "incident")),
      table("Incidents", ["When", "Run", "What"], incidents.slice(0, 500).map((event) => [new Date(event.at * 1000).toISOString().slice(0, 19).replace("T", " "), event.run, event.text])),
      incidents.length > 500 ? el("p", {}, `${incidents.length - 500} more are in events.jsonl.`) : null) : null,
  ];
}
