// A trial: a lane for each agent on one axis of time, and the messages between them.

const CHUNK = 10;

async function trialView(place) {
  const [runName, ...rest] = place.rest;
  const run = data.runAt.get(decodeURIComponent(runName ?? ""));
  const pair = data.pairAt.get(rest.slice(0, 3).join("/"));
  const trial = run === undefined || pair === undefined ? null : data.trial(run, pair);
  if (!trial) return missing(`no trial ${place.rest.join("/")}`);
  const head = [
    el("h1", {}, data.index.pairs[pair].name, " in ", data.index.runs[run].name),
    facts(["Outcome", trial.is_running ? el("span", { class: "running" }, "▶ running") : outcomeMark(trial.outcome)], ["Why", trial.why ? visible(trial.why) : null],
      ["Cost", dollars(trial.cost)], ["Time", duration(trial.seconds)],
      ["Pair", el("a", { href: `${pairAddress(pair)}?run=${encodeURIComponent(data.index.runs[run].name)}` }, "features, verdict, patches")],
      ["Runs for", trial.since ? sinceThen(trial.since) : null],
      ["Runs on", trial.node ? visible(trial.node) : null],
      ["In other runs", otherRuns(run, pair)]),
    trial.is_gone ? el("p", { class: "note" }, "Its result is gone since this page was opened: it was removed, or set aside to run again.") : null,
  ];
  if (!trial.block) return [...head, el("p", {}, "There is no result whose trajectory could be shown.")];
  const block = await data.block(trial.block);
  if (!block.trial) return [...head, el("p", {}, "Its trajectory cannot be read: ", visible(block.why_not ?? "no reason given"))];
  if (trial.is_running && block.trial.agents.every((agent) => agent.turns.length === 0)) return [...head, untilItEnds(run, pair)];
  const address = trialAddress(run, pair);
  return [...head, el("h2", {}, "Turns"), trajectory(block.trial, address), el("h2", {}, "Verdict"), await verdictOf(trial, null)];
}

/** What is seen of a trial whose engine writes its turns at the end. */
function untilItEnds(run, pair) {
  const { name, task } = data.index.pairs[pair];
  const ofRun = (data.index.containers ?? []).filter((it) => it.run === data.index.runs[run].name);
  const own = ofRun.filter((it) => it.pair === name);
  const shared = ofRun.filter((it) => !it.pair && it.task === task);
  return [
    el("p", {}, "No turn of it is written yet. Upstream writes them when the trial has ended."),
    own.length > 0 ? containersOf(own, true) : null,
    shared.length > 0 ? [el("p", {}, `Several pairs of ${task} run, and upstream does not say which container is whose. These are all of them.`), containersOf(shared, true)] : null,
  ];
}

function otherRuns(run, pair) {
  const others = data.index.runs.map((_, at) => at).filter((at) => at !== run && data.trial(at, pair));
  if (others.length === 0) return null;
  return el("span", {}, others.slice(0, 40).map((at) => [el("a", { href: trialAddress(at, pair) }, data.index.runs[at].name), " ", el("span", { class: outcomeClass(data.trial(at, pair).outcome) }, outcomeSign(data.trial(at, pair).outcome)), "  "]));
}

/** The items of both lanes in the order of time, in rows with at most one turn a lane. */
function rowsOfTrial(trial) {
  const turns = trial.agents.flatMap((agent, lane) => {
    let last = -Infinity;
    return agent.turns.map((turn, n) => ({ lane, n, turn, at: (last = Math.max(last, turn.at ?? last)) }));
  });
  const messages = trial.messages.map((message, n) => ({ message, n, at: message.sent_at ?? -Infinity }));
  const hasTimes = turns.some((item) => item.at > -Infinity);
  const items = hasTimes ? [...turns, ...messages] : turns;
  // Within a lane the order is the file's; between lanes it is that of time, if there is one.
  items.sort((one, two) => (hasTimes ? one.at - two.at : one.n - two.n) || (one.lane ?? -1) - (two.lane ?? -1) || one.n - two.n);
  const rows = [];
  let row = null;
  for (const item of items) {
    if (item.message) {
      rows.push({ message: item });
      row = null;
    } else if (row && !row.turns[item.lane]) {
      row.turns[item.lane] = item;
    } else {
      row = { turns: { [item.lane]: item } };
      rows.push(row);
    }
  }
  if (!hasTimes) rows.push(...messages.map((item) => ({ message: item })));
  return rows;
}

function trajectory(trial, address) {
  const rows = rowsOfTrial(trial);
  const box = el("section", { "aria-label": "Turns", "data-keys": "turns" });
  box.style.setProperty("--lanes", Math.max(1, trial.agents.length));
  const chunks = [];
  for (let from = 0; from < rows.length; from += CHUNK) chunks.push(chunkOf(trial, rows.slice(from, from + CHUNK), address));
  const watched = new IntersectionObserver((seen) => {
    // The height is the observer's: to ask the page for it would lay out what was just filled.
    for (const { target, isIntersecting, boundingClientRect } of seen) isIntersecting ? target.fill() : target.empty(boundingClientRect.height);
  }, { rootMargin: "1500px 0px" });
  box.append(...chunks);
  chunks.forEach((chunk, at) => (at === 0 ? chunk.fill() : null, watched.observe(chunk)));
  box.chunkOf = (test) => chunks.find((chunk) => chunk.rows.some(test));
  box.order = rows.flatMap((row) => (row.message ? [`m${row.message.n + 1}`] : Object.values(row.turns).map((item) => `${item.lane + 1}.${item.n + 1}`)));
  box.chunks = chunks;
  box.whole = (isWhole) => {
    for (const chunk of chunks) {
      chunk.isKept = isWhole;
      if (isWhole) {
        chunk.fill();
      } else {
        // Watched anew, it is told whether it is in sight.
        watched.unobserve(chunk);
        watched.observe(chunk);
      }
    }
  };
  box.reveal = (name) => {
    const chunk = box.chunkOf((row) => (row.message ? `m${row.message.n + 1}` === name : Object.values(row.turns).some((item) => `${item.lane + 1}.${item.n + 1}` === name)));
    chunk?.fill();
    return box.querySelector(`[data-name="${name}"]`);
  };
  const heads = el("div", { class: "lanes" }, trial.agents.map((agent, at) => laneHead(agent, at)));
  heads.style.setProperty("--lanes", Math.max(1, trial.agents.length));
  return [
    heads,
    minimap(trial, address),
    el("p", {}, unfolding(() => { for (const chunk of chunks) { chunk.isOpen = true; chunk.refill(); } }), " ", el("span", { class: "faint" }, `${plural(box.order.length - trial.messages.length, "turn")} and ${plural(trial.messages.length, "message")}, in order of time`)),
    box,
  ];
}

function laneHead(agent, at) {
  return el("div", { class: `lane-head ${agentClass(at)}` },
    el("span", { class: "who" }, agent.id), agent.feature ? ` feature ${agent.feature}` : "", el("span", { class: "faint" }, ` ${plural(agent.turns.length, "turn")}, ${agent.status ?? "no status"}${typeof agent.cost === "number" ? `, ${dollars(agent.cost)}` : ""}, by ${agent.producer.replaceAll("_", " ")}`),
    agent.end ? el("div", { class: "text" }, visible(short(agent.end, 400))) : null,
    (agent.untold ?? []).map((text) => el("p", { class: "note" }, visible(text))));
}

/** Rows that are made when they come near, and taken away when they are far. */
function chunkOf(trial, rows, address) {
  const chunk = el("div", {});
  chunk.rows = rows;
  chunk.style.minHeight = `${rows.length * 120}px`;
  let isFilled = false;
  chunk.fill = () => {
    if (isFilled) return;
    isFilled = true;
    chunk.style.minHeight = "";
    chunk.append(...rows.map((row) => el("div", { class: "lanes" }, row.message ? messageView(trial, row.message, address) : trial.agents.map((_, lane) => (row.turns[lane] ? turnView(trial, row.turns[lane], address, chunk.isOpen) : el("div", {}))))));
    finding.mark(chunk);
  };
  chunk.empty = (height) => {
    if (!isFilled || chunk.isKept || chunk.contains(document.activeElement) || chunk.querySelector(".at")) return;
    chunk.style.minHeight = `${height}px`;
    chunk.replaceChildren();
    isFilled = false;
  };
  chunk.refill = () => {
    if (!isFilled) return;
    isFilled = false;
    chunk.replaceChildren();
    chunk.fill();
  };
  return chunk;
}

function turnView(trial, { lane, n, turn }, address, isOpen) {
  const name = `${lane + 1}.${n + 1}`;
  const here = `${address}/${name}`;
  const reads = trial.messages.map((message, at) => [message, at]).filter(([message]) => message.read_turn && message.read_turn[0] === lane && message.read_turn[1] === n);
  const tokens = turn.tokens_in || turn.tokens_out ? `${count(turn.tokens_in)} in, ${count(turn.tokens_out)} out` : null;
  return el("article", { class: `turn ${agentClass(lane)}`, "data-name": name, tabindex: "-1", "aria-label": `${trial.agents[lane].id}, turn ${n + 1}` },
    el("div", { class: "meta" },
      el("a", { href: here, class: "who" }, `${trial.agents[lane].id} ${n + 1}`),
      turn.at ? el("span", {}, clock(turn.at)) : null,
      tokens ? el("span", {}, tokens) : null,
      turn.cost ? el("span", {}, dollars(turn.cost)) : null,
      turn.waited ? el("span", {}, `waited ${duration(turn.waited)}`) : null),
    reads.map(([message, at]) => el("p", {}, el("a", { href: `${address}/m${at + 1}` }, `← reads message ${at + 1} of ${message.from}`))),
    (turn.marks ?? []).map((mark) => markView(mark, isOpen)),
    turn.thought ? thoughtView(turn, isOpen) : null,
    (turn.actions ?? []).map((action, at) => actionView(action, `${here}/${at + 1}`, isOpen)),
    turn.raw ? el("details", { open: isOpen }, el("summary", {}, "As it stands in the file"), longText(turn.raw, { label: "raw" })) : null);
}

/** What the agent was told before it replied. */
function markView(mark, isOpen) {
  const first = mark.text.trimStart().split("\n")[0];
  return el("details", { open: isOpen, class: "told" },
    el("summary", {}, el("strong", {}, mark.kind.replaceAll("_", " ")), " ", visible(short(first, 120))),
    longText(mark.text, { label: mark.kind, whole: isOpen }));
}

function thoughtView(turn, isOpen) {
  if (turn.thought.length <= 1500 || isOpen) return el("div", { class: "text" }, visible(turn.thought));
  return el("details", { open: false }, el("summary", {}, visible(short(turn.thought.trimStart().split("\n")[0], 200)), ` (${count(turn.thought.length)} characters)`), el("div", { class: "text" }, visible(turn.thought)));
}

function actionView(action, here, isOpen) {
  const code = typeof action.code === "number" ? el("span", { class: action.code === 0 ? "pass" : "fail" }, `exit ${action.code}`) : action.failed ? el("span", { class: "fail" }, "failed") : null;
  const kinds = [action.kind, ...(action.also ?? [])].join(", ");
  return el("div", { class: "action" },
    el("div", { class: "meta" }, el("span", {}, kinds), action.tool ? el("span", {}, visible(action.tool)) : null, code, action.took ? el("span", {}, duration(action.took)) : null),
    action.text ? longText(action.text, { label: action.kind, whole: isOpen, diff: action.kind === "edit" }) : null,
    action.output ? longText(action.output, { label: "output", address: here, whole: isOpen, diff: looksLikeDiff(action.output) }) : null);
}

const looksLikeDiff = (text) => /^diff --git |^@@ -\d/m.test(text);

function messageView(trial, { message, n }, address) {
  const from = trial.agents.findIndex((agent) => agent.id === message.from);
  const link = (turn, words) => (turn ? el("a", { href: `${address}/${turn[0] + 1}.${turn[1] + 1}` }, words) : null);
  return el("article", { class: `message ${agentClass(Math.max(from, 0))} ${message.is_unread ? "unread" : ""}`, "data-name": `m${n + 1}`, tabindex: "-1", "aria-label": `message ${n + 1}` },
    el("div", { class: "meta" },
      el("a", { href: `${address}/m${n + 1}`, class: "who" }, `${message.from} → ${message.to ?? "all"}`),
      message.sent_at ? el("span", {}, clock(message.sent_at)) : null,
      link(message.sent_turn, "sent in this turn"),
      message.read_turn ? link(message.read_turn, "read in this turn →") : message.is_unread ? el("strong", {}, "unread") : el("span", {}, "not known to be read")),
    el("div", { class: "text" }, visible(message.text ?? "")));
}

/** The whole trial on one axis: a lane for each agent, a tick for each turn, an arrow for each message. */
function minimap(trial, address) {
  const times = trial.agents.flatMap((agent) => agent.turns.map((turn) => turn.at)).concat(trial.messages.map((it) => it.sent_at)).filter((at) => typeof at === "number");
  const from = Math.min(...times.slice(0, 1), ...[times.reduce((a, b) => Math.min(a, b), Infinity)]);
  const to = times.reduce((a, b) => Math.max(a, b), -Infinity);
  const hasTimes = times.length > 1 && to > from;
  const longest = Math.max(1, ...trial.agents.map((agent) => agent.turns.length));
  const [width, left, gap] = [1000, 80, 46];
  const height = trial.agents.length * gap + 26;
  const inner = width - left - 20;
  const x = (lane, n) => {
    const turn = trial.agents[lane]?.turns[n];
    if (!turn) return left;
    return left + (hasTimes ? (inner * ((turn.at ?? from) - from)) / (to - from) : (inner * n) / longest);
  };
  const y = (lane) => 16 + lane * gap;
  const arrow = (message, n) => {
    const sender = trial.agents.findIndex((agent) => agent.id === message.from);
    if (sender < 0) return null;
    const reader = message.read_turn ? message.read_turn[0] : sender === 0 ? 1 : 0;
    const x1 = message.sent_turn ? x(...message.sent_turn) : hasTimes && message.sent_at ? left + (inner * (message.sent_at - from)) / (to - from) : left;
    const x2 = message.read_turn ? x(...message.read_turn) : x1 + 14;
    const [y1, y2] = [y(sender), message.read_turn ? y(reader) : (y(sender) + y(Math.min(reader, trial.agents.length - 1))) / 2];
    return svg("a", { href: `${address}/m${n + 1}`, class: agentClass(sender), "aria-label": `message ${n + 1} of ${message.from}${message.is_unread ? ", unread" : ""}` },
      svg("title", {}, `${message.from}: ${short(message.text ?? "", 200)}`),
      svg("line", { class: `arrow ${message.is_unread ? "unread" : ""}`, x1, x2, y1, y2 }),
      svg("circle", { class: "arrow-head", cx: x2, cy: y2, r: 3.5 }));
  };
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The trial on one axis of time" },
    svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Turns of each agent, and messages as arrows" },
      trial.agents.map((agent, lane) => svg("g", { class: agentClass(lane) },
        svg("text", { x: 2, y: y(lane) + 4 }, cutName(agent.id)),
        svg("line", { class: "lane-line", x1: left, x2: width - 20, y1: y(lane), y2: y(lane) }),
        agent.turns.slice(0, 3000).map((_, n) => svg("rect", { class: "tick", x: x(lane, n) - 1, y: y(lane) - 7, width: 2, height: 14 })))),
      trial.messages.slice(0, 500).map(arrow),
      hasTimes ? [svg("text", { x: left, y: height - 4 }, clock(from)), svg("text", { x: width - 20, y: height - 4, "text-anchor": "end" }, `${clock(to)} UTC, ${duration(to - from)}`)] : svg("text", { x: left, y: height - 4 }, "in order of turns: times are not known")));
}
