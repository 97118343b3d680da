// A pair: its features, what stands in each run, and one verdict with its merge in full.

async function pairView(place) {
  const at = data.pairAt.get(place.rest.slice(0, 3).join("/"));
  if (at === undefined) return missing(`no pair ${place.rest.join("/")}`);
  const pair = data.index.pairs[at];
  const trials = data.index.runs.map((run, n) => [n, data.trial(n, at)]).filter(([, trial]) => trial);
  const about = pair.block ? await data.block(pair.block) : null;
  const wanted = place.query.get("run");
  const shown = trials.find(([run]) => data.index.runs[run].name === wanted) ?? trials.find(([, trial]) => trial.outcome === "fail" && trial.block) ?? trials.find(([, trial]) => trial.block);
  return [
    el("h1", {}, pair.name, " ", copied(pair.name)),
    el("p", {}, unfolding()),
    about ? featuresView(about) : el("p", { class: "faint" }, "The dataset was not at hand, so the features' texts are not in this page."),
    el("h2", {}, "What stands in each run"),
    table("Trials of this pair", ["Run", "Outcome", "Merge", "Features", ">Cost", ">Time", ">Attempts", "Why"], trials.map(([run, trial]) => [
      el("a", { href: trialAddress(run, at) }, data.index.runs[run].name),
      outcomeMark(trial.outcome), trial.merge ?? "–",
      trial.features_passed === null || trial.features_passed === undefined ? "–" : `${trial.features_passed} of 2`,
      dollars(trial.cost), duration(trial.seconds), count(trial.attempts),
      el("span", {}, visible(short(trial.why ?? "", 160)), " ", shown && run !== shown[0] && trial.block ? el("a", { href: `${pairAddress(at)}?run=${encodeURIComponent(data.index.runs[run].name)}` }, "verdict") : null),
    ])),
    shown ? [el("h2", {}, `Verdict in ${data.index.runs[shown[0]].name}`), await verdictOf(shown[1], about)] : null,
  ];
}

const short = (text, most) => (text.length > most ? `${text.slice(0, most)}…` : text);

function featuresView(about) {
  return el("div", { class: "sides" }, about.features.map((feature) => el("details", {},
    el("summary", {}, `Feature ${feature.id}`, feature.title ? [": ", visible(feature.title)] : null),
    el("div", { class: "text" }, visible(feature.text ?? "its text is not there")))));
}

/** A verdict: tests by name, the end of their output, the merge, the dataset's own patch on request. */
async function verdictOf(trial, about) {
  const block = await data.block(trial.block);
  const { verdict } = block;
  return [
    facts(["Outcome", outcomeMark(trial.outcome)], ["Why", trial.why ? visible(trial.why) : null], ["Judged by", verdict?.rules], ["Merge", verdict?.merge?.status ? `${verdict.merge.status}${verdict.merge.strategy ? ` (${verdict.merge.strategy})` : ""}` : null], ["Where it fails", trial.place?.replaceAll("_", " ")], ["Damage", trial.damage?.join(", ").replaceAll("_", " ")], ["Flagged", trial.flagged ?? null]),
    (verdict?.features ?? []).map(suiteView),
    el("h3", {}, "The submissions"),
    patchesSideBySide(block.patches, verdict?.conflict),
    verdict?.merge?.diff ? el("details", {}, el("summary", {}, "The merged work"), longText(verdict.merge.diff, { diff: true, label: "The merged work" })) : null,
    (about?.reference ?? []).map((patch) => el("details", {}, el("summary", {}, `The dataset's own patch for feature ${patch.feature}`), longText(patch.text, { diff: true, label: `The dataset's patch for feature ${patch.feature}` }))),
    attemptsView(block.attempts ?? []),
    filesView(block.files ?? []),
  ];
}

function suiteView(suite) {
  const said = suite.passed ? "passes" : "does not pass";
  const counts = !suite.tests_passed && !suite.tests_failed ? "" : ` (${suite.tests_passed} passed, ${suite.tests_failed} failed)`;
  return el("section", { "aria-label": `Feature ${suite.feature}` },
    el("h3", {}, el("span", { class: suite.passed ? "pass" : "fail" }, el("span", { class: "sign", "aria-hidden": "true" }, suite.passed ? "✓" : "✗"), ` Feature ${suite.feature} ${said}`), counts),
    suite.reason ? el("p", {}, visible(suite.reason)) : null,
    suite.alone === null || suite.alone === undefined ? null : el("p", {}, `Its agent's patch alone ${suite.alone ? "passes" : "does not pass"} it.`),
    suite.failed_tests?.length > 0 ? [el("p", {}, `${plural(suite.failed_tests.length, "test")} not passed:`), el("ul", { class: "failed" }, suite.failed_tests.slice(0, 100).map((name) => el("li", {}, el("code", {}, visible(name)))))] : null,
    suite.output ? el("details", { open: !suite.passed }, el("summary", {}, "The end of its output"),
      suite.output_cut ? el("p", { class: "faint" }, `The first ${bytes(suite.output_cut)} are in eval.json.`) : null,
      longText(suite.output, { label: `Output of feature ${suite.feature}` })) : null);
}

function attemptsView(attempts) {
  if (attempts.length === 0) return null;
  return [el("h3", {}, "Attempts"), table("Attempts", [">Attempt", "Trial", "Status", "Cause", "Evidence", ">Cost", ">Time"], attempts.map((it) => [
    count(it.attempt), el("code", {}, it.trial), it.status, it.cause ?? "–", el("span", {}, visible(short(it.evidence ?? "", 400))), dollars(it.cost), duration(it.seconds),
  ]))];
}

function filesView(files) {
  if (files.length === 0) return null;
  return el("details", {}, el("summary", {}, plural(files.length, "file")),
    table("Files", ["File", ">Size", "Path"], files.map((file) => [el("code", {}, visible(file.path)), bytes(file.size), copied(file.path)])));
}

function missing(what) {
  return [el("h1", {}, "Not in this page"), el("p", {}, visible(what), ". ", el("a", { href: "#/matrix" }, "All pairs")),
    (data.index.notes ?? []).map((note) => el("p", { class: "note" }, visible(note)))];
}
