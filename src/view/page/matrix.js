// The matrix: pairs by runs, one cell a trial.

const ROW = 26;

function matrix(place) {
  const wanted = place.query;
  const columns = data.index.runs.map((run, at) => at).filter((at) => !wanted.get("arm") || armOf(at).name === wanted.get("arm"));
  const found = chosen(wanted, columns);
  const counted = new Map();
  for (const { trials } of found) for (const trial of trials) if (trial) counted.set(trial.outcome, (counted.get(trial.outcome) ?? 0) + 1);
  const said = [...counted].map(([outcome, n]) => `${n} ${outcomeName(outcome)}`).join(", ");
  return [
    el("h1", {}, "Pairs by runs"),
    filters(wanted),
    el("p", { role: "status" }, `${plural(found.length, "pair")} of ${count(data.index.pairs.length)}${said ? `: ${said}` : ""}`),
    legend(),
    found.length === 0 ? el("p", {}, "No pair is left. ", el("a", { href: "#/matrix" }, "Show all")) : grid(rowsOf(found, wanted), columns),
  ];
}

/** The pairs that the filters leave, each with its trials by column. */
function chosen(wanted, columns) {
  const text = (wanted.get("text") ?? "").toLowerCase();
  const flips = wanted.get("flips")?.split("~").map(decodeURIComponent);
  const isWanted = (trial) => trial
    && (!wanted.get("outcome") || trial.outcome === wanted.get("outcome"))
    && (!wanted.get("cause") || trial.cause === wanted.get("cause"))
    && (!wanted.get("kind") || kindOf(trial) === wanted.get("kind"))
    && (!wanted.get("merge") || trial.merge === wanted.get("merge"));
  const hasFilter = wanted.get("outcome") || wanted.get("cause") || wanted.get("kind") || wanted.get("merge");
  const rows = data.index.pairs.map((pair, at) => ({ at, pair, trials: columns.map((run) => data.trial(run, at)) }))
    .filter(({ pair }) => !wanted.get("repo") || pair.task.split("/")[0] === wanted.get("repo"))
    .filter(({ pair, trials }) => !text || pair.name.toLowerCase().includes(text) || trials.some((trial) => (trial?.why ?? "").toLowerCase().includes(text)))
    .filter(({ at }) => !flips || isFlip(at, flips))
    .filter(({ trials }) => !hasFilter || trials.some(isWanted));
  const passes = ({ trials }) => trials.filter((trial) => trial?.outcome === "pass").length;
  if (wanted.get("sort") === "passes") rows.sort((one, two) => passes(two) - passes(one));
  if (wanted.get("sort") === "failures") rows.sort((one, two) => passes(one) - passes(two));
  return rows;
}

/** Whether a pair's rates of passes differ between two arms. */
function isFlip(pair, [first, second]) {
  const rate = (arm) => {
    const judged = data.index.runs.map((run, at) => [run, at]).filter(([run]) => data.index.arms[run.arm].name === arm)
      .map(([, at]) => data.trial(at, pair)).filter((trial) => trial?.outcome === "pass" || trial?.outcome === "fail");
    return judged.length === 0 ? null : judged.filter((trial) => trial.outcome === "pass").length / judged.length;
  };
  const [one, two] = [rate(first), rate(second)];
  return one !== null && two !== null && one !== two;
}

/** Rows in order; without a sort, under their tasks. */
function rowsOf(found, wanted) {
  if (wanted.get("sort")) return found;
  const rows = [];
  let task = null;
  for (const row of found) {
    if (row.pair.task !== task) rows.push({ task: (task = row.pair.task) });
    rows.push(row);
  }
  return rows;
}

function filters(wanted) {
  const values = (key) => [...new Set(data.index.trials.map((trial) => (key === "kind" ? kindOf(trial) : trial[key])).filter(Boolean))].sort();
  const repos = [...new Set(data.index.pairs.map((pair) => pair.task.split("/")[0]))].sort();
  const names = data.index.arms.map((arm) => arm.name);
  const flips = names.flatMap((one, at) => names.slice(at + 1).map((two) => [`${encodeURIComponent(one)}~${encodeURIComponent(two)}`, `${one} and ${two}`])).slice(0, 300);
  const select = (key, label, options) => el("label", {}, label,
    el("select", { name: key, onchange: (event) => refine(key, event.target.value) },
      el("option", { value: "" }, "all"),
      options.map((option) => {
        const [value, shown] = Array.isArray(option) ? option : [option, option];
        return el("option", { value, selected: wanted.get(key) === value }, shown);
      })));
  const refine = (key, value) => {
    if (value) wanted.set(key, value);
    else wanted.delete(key);
    location.hash = `#/matrix?${wanted}`;
  };
  return el("div", { class: "filters" },
    select("arm", "Arm", names),
    select("outcome", "Outcome", Object.keys(OUTCOMES).filter((it) => values("outcome").includes(it)).map((it) => [it, outcomeName(it)])),
    select("cause", "Cause", values("cause")),
    select("kind", "Kind of fail or error", values("kind")),
    select("merge", "Merge", values("merge")),
    select("repo", "Repository", repos),
    select("flips", "Flips between", flips),
    el("label", {}, "Sort", el("select", { name: "sort", onchange: (event) => refine("sort", event.target.value) },
      [["", "by task"], ["passes", "most passes"], ["failures", "fewest passes"]].map(([value, shown]) => el("option", { value, selected: (wanted.get("sort") ?? "") === value }, shown)))),
    el("label", {}, "Text", el("input", { name: "text", value: wanted.get("text") ?? "", onchange: (event) => refine("text", event.target.value) })));
}

/** A grid of which only the rows in sight are made. */
function grid(rows, columns) {
  const isFirst = columns.map((run, at) => at === 0 || data.index.runs[run].arm !== data.index.runs[columns[at - 1]].arm);
  const head = el("div", { class: "head", role: "row" },
    el("div", { class: "first", role: "columnheader" }, "Pair"),
    columns.map((run, at) => el("div", { class: `cell ${isFirst[at] ? "arm" : ""}`, role: "columnheader", title: data.index.runs[run].name }, data.index.runs[run].name)));
  const body = el("div", { class: "rows", role: "rowgroup" });
  body.style.height = `${rows.length * ROW}px`;
  const box = el("div", { class: "matrix", role: "table", tabindex: "0", "aria-label": "Pairs by runs", "aria-rowcount": rows.length + 1, "data-keys": "rows" }, el("div", { role: "rowgroup" }, head), body);
  const made = new Map();
  let isWhole = false;
  const fill = () => {
    if (isWhole) return;
    const top = Math.max(0, box.scrollTop - head.offsetHeight);
    const from = Math.max(0, Math.floor(top / ROW) - 12);
    const to = Math.min(rows.length, Math.ceil((top + (box.clientHeight || 900)) / ROW) + 12);
    for (const [at, row] of made) if (at < from || at >= to) { row.remove(); made.delete(at); }
    for (let at = from; at < to; at += 1) {
      if (made.has(at)) continue;
      const row = rowOf(rows[at], at, columns, isFirst);
      made.set(at, row);
      body.append(row);
    }
  };
  box.addEventListener("scroll", fill, { passive: true });
  box.reach = (at) => {
    const top = at * ROW;
    if (top < box.scrollTop || top > box.scrollTop + box.clientHeight - 3 * ROW) box.scrollTop = Math.max(0, top - box.clientHeight / 2);
    fill();
    for (const row of made.values()) row.classList.remove("at");
    const row = made.get(at);
    row?.classList.add("at");
    row?.querySelector("a")?.focus({ preventScroll: true });
  };
  box.rows = rows;
  box.whole = (wanted) => {
    isWhole = wanted;
    made.clear();
    body.replaceChildren(...(isWhole ? rows.map((row, at) => rowOf(row, at, columns, isFirst)) : []));
    fill();
  };
  fill();
  new ResizeObserver(fill).observe(box);
  return box;
}

function rowOf(row, at, columns, isFirst) {
  const line = row.task !== undefined
    ? el("div", { class: "row task", role: "row", "aria-rowindex": at + 2 }, el("span", { role: "cell" }, row.task))
    : el("div", { class: "row", role: "row", "aria-rowindex": at + 2 },
      el("span", { class: "first", role: "rowheader" }, el("a", { href: pairAddress(row.at), title: row.pair.name }, row.pair.name)),
      columns.map((run, n) => cellOf(row.trials[n], run, row, isFirst[n])));
  line.style.top = `${at * ROW}px`;
  return line;
}

function cellOf(trial, run, row, isFirst) {
  const classes = `cell ${isFirst ? "arm" : ""}`;
  if (!trial) return el("span", { class: `${classes} none`, role: "cell", "aria-label": `not in ${data.index.runs[run].name}` }, " ");
  const marks = (trial.damage?.length > 0 ? "!" : "") + (trial.flagged ? "⚑" : "");
  const said = [data.index.runs[run].name, trial.is_running ? "running" : outcomeName(trial.outcome), trial.merge && trial.merge !== "clean" ? `merge ${trial.merge}` : "", trial.damage?.join(", "), trial.flagged ? "flagged" : "", trial.why].filter(Boolean).join(": ");
  return el("span", { class: classes, role: "cell" },
    el("a", { class: trial.is_running ? "running" : outcomeClass(trial.outcome), href: trialAddress(run, row.at), title: said, "aria-label": said },
      el("span", { class: "sign" }, trial.is_running ? "▶" : outcomeSign(trial.outcome)), marks));
}
