// Addresses, keys, and finding.

const VIEWS = [
  ["overview", "Overview", async () => overview()],
  ["matrix", "Matrix", async (place) => matrix(place)],
  ["pair", "Pair", pairView],
  ["trial", "Trial", trialView],
];

/** The place that an address names: a view, what it is of, and a query. */
function placeOf(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = path.split("/").filter(Boolean);
  return { view: view || "overview", rest, query: new URLSearchParams(query ?? "") };
}

const here = { key: null, last: {} };

/** What is shown stays where only the turn or the line of an address changes. */
function keyOf(place) {
  const rest = place.view === "trial" ? place.rest.slice(0, 4) : place.rest;
  return `${place.view}/${rest.join("/")}?${place.query}`;
}

async function go() {
  const place = placeOf(location.hash);
  const main = document.getElementById("main");
  const [name, title, view] = VIEWS.find(([it]) => it === place.view) ?? VIEWS[0];
  here.last[name] = location.hash || "#/overview";
  tabs(name);
  if (here.key !== keyOf(place)) {
    const key = (here.key = keyOf(place));
    let shown;
    try {
      shown = await view(place);
    } catch (error) {
      shown = [el("h1", {}, "This cannot be shown"), el("p", {}, String(error))];
    }
    if (here.key !== key) return;
    main.replaceChildren(...[shown].flat(Infinity).filter(Boolean));
    document.title = `${title}: ${data.index.title}`;
    window.scrollTo(0, 0);
    finding.begin();
  }
  if (name === "trial" && place.rest.length > 4) reveal(place.rest.slice(4));
  main.dataset.place = location.hash;
}

/** Brings a turn, a message or a line of an output into sight. */
function reveal([name, action, line]) {
  const box = document.querySelector("[data-keys=turns]");
  const turn = box?.reveal?.(name);
  if (!turn) return;
  for (const old of document.querySelectorAll(".at")) old.classList.remove("at");
  turn.classList.add("at");
  let target = turn;
  if (line) {
    const output = turn.querySelectorAll(".action")[Number(action) - 1]?.querySelector("pre:last-of-type");
    output?.unfold?.();
    target = output?.querySelector(`[data-line="${Number(line)}"]`) ?? turn;
    target.classList.add("at");
  }
  // A chunk above may have grown while it was filled: once more when the page has settled.
  target.scrollIntoView({ block: "center" });
  requestAnimationFrame(() => target.scrollIntoView({ block: "center" }));
  turn.focus({ preventScroll: true });
}

function tabs(current) {
  const first = { pair: data.index.pairs.length > 0 ? pairAddress(0) : "#/matrix", trial: data.index.trials.length > 0 ? trialAddress(data.index.trials[0].run, data.index.trials[0].pair) : "#/matrix" };
  document.getElementById("tabs").replaceChildren(...VIEWS.map(([name, title]) =>
    el("a", { href: name === current ? location.hash || "#/overview" : here.last[name] ?? first[name] ?? `#/${name}`, "aria-current": name === current ? "page" : undefined }, title)));
}

/** Finding: of the whole view, also of what is not made yet. */
const finding = {
  words: "",
  hits: [],
  at: -1,

  begin() {
    finding.hits = [];
    finding.at = -1;
    finding.find(document.getElementById("words").value);
  },

  find(words) {
    finding.words = words.trim().toLowerCase();
    finding.hits = [];
    finding.at = -1;
    const box = document.querySelector("[data-keys=turns]");
    const grid = document.querySelector("[data-keys=rows]");
    if (finding.words) {
      if (box) {
        for (const chunk of box.chunks) for (const row of chunk.rows) for (const [name, text] of textsOf(row)) if (text.toLowerCase().includes(finding.words)) finding.hits.push(name);
      } else if (grid) {
        grid.rows.forEach((row, at) => { if ((row.pair?.name ?? row.task).toLowerCase().includes(finding.words)) finding.hits.push(at); });
      }
    }
    for (const chunk of box?.chunks ?? []) finding.mark(chunk);
    if (!box && !grid) finding.mark(document.getElementById("main"), true);
    finding.tell();
  },

  /** Marks the words in what is made. */
  mark(root, isCounted) {
    for (const old of root.querySelectorAll("mark")) old.replaceWith(...old.childNodes);
    if (!finding.words) return;
    root.normalize();
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    const nodes = [];
    while (walker.nextNode()) nodes.push(walker.currentNode);
    for (const node of nodes) {
      if (node.parentElement.closest("svg, select, button")) continue;
      for (let rest = node, n = 0; n < 200; n += 1) {
        const at = rest.data.toLowerCase().indexOf(finding.words);
        if (at < 0) break;
        const found = rest.splitText(at);
        rest = found.splitText(finding.words.length);
        const mark = el("mark", {});
        found.replaceWith(mark);
        mark.append(found);
        if (isCounted) finding.hits.push(mark);
      }
    }
  },

  next(step) {
    if (finding.hits.length === 0) return;
    finding.at = (finding.at + step + finding.hits.length) % finding.hits.length;
    const hit = finding.hits[finding.at];
    if (hit instanceof Element) {
      for (const old of document.querySelectorAll("mark.now")) old.classList.remove("now");
      hit.classList.add("now");
      for (let box = hit.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
      hit.scrollIntoView({ block: "center" });
    } else if (typeof hit === "number") {
      document.querySelector("[data-keys=rows]").reach(hit);
    } else {
      const turn = document.querySelector("[data-keys=turns]").reveal(hit);
      for (const box of turn?.querySelectorAll("details") ?? []) box.open = true;
      for (const text of turn?.querySelectorAll("pre") ?? []) text.unfold?.();
      if (turn) finding.mark(turn);
      reveal([hit]);
    }
    finding.tell();
  },

  tell() {
    const n = finding.hits.length;
    document.getElementById("hits").textContent = !finding.words ? "" : n === 0 ? "none" : `${finding.at + 1} of ${n}`;
  },
};

/** The texts of a row of a trial, by the name of the turn or message that has them. */
function textsOf(row) {
  if (row.message) return [[`m${row.message.n + 1}`, row.message.message.text ?? ""]];
  return Object.values(row.turns).map(({ lane, n, turn }) => [`${lane + 1}.${n + 1}`, [turn.thought, turn.raw, ...(turn.marks ?? []).map((mark) => mark.text), ...(turn.actions ?? []).flatMap((action) => [action.text, action.output])].filter(Boolean).join("\n")]);
}

/** Moves by turns and messages, or by rows. */
function step(by, isWanted) {
  const turns = document.querySelector("[data-keys=turns]");
  const rows = document.querySelector("[data-keys=rows]");
  if (turns) {
    // By the address, which is ahead of what is shown when keys are pressed fast.
    const now = placeOf(location.hash).rest[4];
    for (let at = turns.order.indexOf(now) + by; at >= 0 && at < turns.order.length; at += by) {
      if (isWanted && !isFailedTurn(turns, turns.order[at])) continue;
      location.hash = `${location.hash.split("/").slice(0, 6).join("/")}/${turns.order[at]}`;
      return;
    }
  } else if (rows) {
    const now = rows.at ?? -1;
    for (let at = now + by; at >= 0 && at < rows.rows.length; at += by) {
      const row = rows.rows[at];
      if (row.task !== undefined) continue;
      if (isWanted && !row.trials.some((trial) => trial && trial.outcome !== "pass")) continue;
      rows.at = at;
      rows.reach(at);
      return;
    }
  }
  say(by > 0 ? "nothing further" : "nothing before");
}

/** Whether a command of a turn failed. */
function isFailedTurn(turns, name) {
  if (name.startsWith("m")) return false;
  const [lane, n] = name.split(".").map((it) => Number(it) - 1);
  const row = turns.chunks.flatMap((chunk) => chunk.rows).find((it) => it.turns?.[lane]?.n === n);
  return (row?.turns[lane].turn.actions ?? []).some((action) => action.code || action.failed);
}

const KEYS = [
  ["?", "show these keys", () => help()],
  ["1–4", "overview, matrix, pair, trial"],
  ["j", "next turn or pair", () => step(1)],
  ["k", "previous turn or pair", () => step(-1)],
  ["n", "next hit of what is looked for; without words, next failure", () => (finding.words ? finding.next(1) : step(1, true))],
  ["p", "previous hit or failure", () => (finding.words ? finding.next(-1) : step(-1, true))],
  ["/", "find", () => document.getElementById("words").focus()],
  ["d", "dark or light", () => toggleTheme()],
  ["Esc", "leave the find box, close this"],
];

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = event.target.closest?.("input, select, textarea");
  if (event.key === "Escape" && field) {
    field.blur();
    return;
  }
  if (field || document.getElementById("help").open) return;
  const tab = VIEWS[Number(event.key) - 1];
  const action = KEYS.find(([key]) => key === event.key)?.[2];
  if (tab) document.getElementById("tabs").children[Number(event.key) - 1].click();
  else if (action) action();
  else return;
  event.preventDefault();
}

function help() {
  const dialog = document.getElementById("help");
  dialog.replaceChildren(
    el("h2", { id: "help-title" }, "Keys"),
    el("dl", { class: "facts" }, KEYS.map(([key, about]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, about)])),
    el("p", { class: "faint" }, "Every view, pair, trial, turn and line has an address: copy it from the address bar."),
    el("form", { method: "dialog" }, el("button", {}, "Close")));
  dialog.showModal();
}

function toggleTheme(theme) {
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme ?? (isDark ? "dark" : "light");
  const next = theme ?? (now === "dark" ? "light" : "dark");
  document.documentElement.dataset.theme = next;
  document.getElementById("theme").textContent = next === "dark" ? "Light" : "Dark";
}

/** Takes what is new from the server that gave the page, and shows it where the reader is. */
function follow() {
  let events = null;
  let polling = 0;
  const refresh = async () => {
    const answer = await fetch("index.json", { cache: "no-store" });
    if (!answer.ok) {
      live((await answer.text()).trim());
      return;
    }
    // Of a trial that has ended nothing changes: whoever reads it is left alone, unless it is gone.
    const isAtRest = placeOf(location.hash).view === "trial" && !isRunningHere();
    data.take(await answer.json());
    live("live");
    const [y, box] = [scrollY, document.querySelector("[data-keys=rows]")];
    const inner = box?.scrollTop;
    const focused = document.activeElement?.getAttribute?.("href");
    if ((isAtRest && !isGoneHere()) || document.activeElement?.matches?.("input, select")) return;
    here.key = null;
    await go();
    scrollTo(0, y);
    const now = document.querySelector("[data-keys=rows]");
    if (now && inner) now.scrollTop = inner;
    if (focused) document.querySelector(`#main a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  };
  const listen = () => {
    events = new EventSource("events");
    events.onmessage = (event) => {
      clearInterval(polling);
      polling = 0;
      if (event.data === data.index.state) live("live");
      else refresh().catch(() => {});
    };
    // The server may be gone for good, or come again: the browser tries the stream, and this the index.
    events.onerror = () => {
      live("the server does not answer; trying again");
      if (!polling) polling = setInterval(() => refresh().catch(() => {}), 5000);
    };
  };
  // A browser has six connections to a server: a page that nobody sees gives its own back.
  const onSight = () => {
    if (document.hidden) {
      events?.close();
      clearInterval(polling);
      [events, polling] = [null, 0];
    } else if (!events) {
      listen();
    }
  };
  document.addEventListener("visibilitychange", onSight);
  onSight();
  setInterval(() => {
    for (const shown of document.querySelectorAll("[data-since]")) shown.textContent = sinceThen(Number(shown.dataset.since)).textContent;
  }, 1000);
}

/** Whether the trial that is shown had a result and has none any more. */
function isGoneHere() {
  const trial = trialHere();
  return trial === null || Boolean(trial.is_gone);
}

function trialHere() {
  const { rest } = placeOf(location.hash);
  const [run, pair] = [data.runAt.get(decodeURIComponent(rest[0] ?? "")), data.pairAt.get(rest.slice(1, 4).join("/"))];
  return run === undefined || pair === undefined ? null : data.trial(run, pair);
}

/** Whether the trial that is shown runs: only such a one is shown anew. */
function isRunningHere() {
  return trialHere()?.is_running ?? false;
}

function live(text) {
  document.getElementById("live").textContent = text;
}

function begin() {
  data.take(JSON.parse(document.getElementById("index").textContent));
  document.getElementById("name").textContent = data.index.title;
  document.getElementById("theme").addEventListener("click", () => toggleTheme());
  document.getElementById("keys").addEventListener("click", help);
  if (matchMedia("(prefers-color-scheme: dark)").matches) document.getElementById("theme").textContent = "Light";
  const words = document.getElementById("words");
  words.addEventListener("input", () => finding.find(words.value));
  document.getElementById("find").addEventListener("submit", (event) => {
    event.preventDefault();
    finding.next(1);
  });
  addEventListener("hashchange", go);
  addEventListener("keydown", onKey);
  // Paper has what is out of sight too.
  for (const [event, isWhole] of [["beforeprint", true], ["afterprint", false]]) {
    addEventListener(event, () => { for (const box of document.querySelectorAll("[data-keys]")) box.whole(isWhole); });
  }
  go();
  if (data.index.is_live) follow();
}

begin();
