// Patches: read into files and hunks, held side by side, and marked where they meet.

/** The files of a patch in git's form, each with its hunks and the lines of the base that they replace. */
function filesOf(patch) {
  const files = [];
  let file = null;
  let hunk = null;
  for (const line of (patch ?? "").split("\n")) {
    const at = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(line);
    if (line.startsWith("diff --git ")) {
      file = { name: line.slice(11), lines: [line], hunks: [], added: 0, removed: 0 };
      files.push(file);
      hunk = null;
    } else if (file === null) {
      if (line !== "") {
        file = { name: "(before the first file)", lines: [line], hunks: [], added: 0, removed: 0 };
        files.push(file);
      }
    } else if (at) {
      hunk = { from: Number(at[1]), length: at[2] === undefined ? 1 : Number(at[2]), head: line, lines: [] };
      file.hunks.push(hunk);
    } else if (hunk) {
      hunk.lines.push(line);
      if (line.startsWith("+")) file.added += 1;
      if (line.startsWith("-")) file.removed += 1;
    } else {
      file.lines.push(line);
      if (line.startsWith("+++ b/")) file.name = line.slice(6);
      else if (line.startsWith("--- a/")) file.name = line.slice(6);
    }
  }
  return files;
}

/** The lines of the base that a hunk changes, without its context. */
function changed(hunk) {
  let at = hunk.from;
  let [first, last] = [null, null];
  for (const line of hunk.lines) {
    const isAdded = line.startsWith("+");
    if (isAdded || line.startsWith("-")) {
      first ??= at;
      last = at;
    }
    if (!isAdded && !line.startsWith("\\")) at += 1;
  }
  return first === null ? null : [first, last];
}

/** Which hunks change lines that a hunk of the other patch changes, or lines next to them. */
function clashes(ours, theirs) {
  const clashing = new Set();
  for (const file of ours) {
    const other = theirs.find((it) => it.name === file.name);
    if (!other) continue;
    for (const hunk of file.hunks) {
      const range = changed(hunk);
      const meets = (it) => {
        const there = changed(it);
        return range && there && range[0] <= there[1] + 1 && there[0] <= range[1] + 1;
      };
      if (other.hunks.some(meets)) clashing.add(hunk);
    }
  }
  return clashing;
}

/** A patch as text, its clashing hunks marked in words too. */
function patchView(files, clashing, empty) {
  if (files.length === 0) return el("p", { class: "faint" }, empty ?? "The patch is empty.");
  return files.map((file) => el("details", { open: files.length <= 12 },
    el("summary", {}, el("code", {}, visible(file.name)), ` +${file.added} −${file.removed}`, file.hunks.some((hunk) => clashing.has(hunk)) ? el("strong", {}, " meets the other patch") : null),
    file.hunks.length === 0 ? longText(file.lines.join("\n"), { diff: true, label: file.name }) : null,
    file.hunks.map((hunk) => el("div", { class: clashing.has(hunk) ? "clash" : undefined },
      clashing.has(hunk) ? el("strong", {}, "Both patches change these lines") : null,
      longText([hunk.head, ...hunk.lines].join("\n"), { diff: true, label: `${file.name} ${hunk.head}` })))));
}

/** Both patches side by side, with who touched which file. */
function patchesSideBySide(patches, conflict) {
  const parsed = patches.map((patch) => filesOf(patch.text));
  const clashing = parsed.length === 2 ? [clashes(parsed[0], parsed[1]), clashes(parsed[1], parsed[0])] : parsed.map(() => new Set());
  const names = [...new Set(parsed.flat().map((file) => file.name))].sort();
  const said = new Map((conflict?.files ?? []).map((file) => [file.path, file.how]));
  const of = (files, name) => {
    const file = files.find((it) => it.name === name);
    return file ? `+${file.added} −${file.removed}` : "";
  };
  const both = (name) => parsed.filter((files) => files.some((file) => file.name === name)).length > 1;
  const met = (conflict?.files ?? []).filter((file) => file.hunks.length > 0);
  return [
    met.length > 0 ? [el("h3", {}, "Where git could not merge"), met.map((file) => [el("p", {}, el("code", {}, visible(file.path)), ": ", visible(file.how)), file.hunks.map((hunk) => longText(hunk, { label: `Conflict in ${file.path}` }))])] : null,
    names.length > 0 ? table("Who touched which file", ["File", ...patches.map((patch) => `>${patch.agent}`), "Note"], names.map((name) => [
      el("code", {}, visible(name)), ...parsed.map((files) => of(files, name)),
      said.get(name) ?? (both(name) && parsed.length === 2 ? "touched by both" : ""),
    ])) : null,
    el("div", { class: "sides" }, patches.map((patch, at) => el("section", { "aria-label": `Patch of ${patch.agent}`, class: agentClass(at) },
      el("h3", { class: "who" }, `Patch of ${patch.agent}`, patch.feature ? ` (feature ${patch.feature})` : ""),
      patch.cut ? el("p", { class: "note" }, `${bytes(patch.cut)} of it are not in this page: ${patch.path}`) : null,
      patchView(parsed[at], clashing[at], patch.missing ? "There is no patch file." : undefined)))),
  ];
}

const agentClass = (at) => `agent${(at % 4) + 1}`;
