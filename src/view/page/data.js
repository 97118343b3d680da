// The page's data: an index of everything, and a block for each trial and pair, opened when looked at.

/** Reads a packed block: base64 of zlib's format, of JSON. */
async function unpacked(text) {
  const packed = atob(text.trim());
  const bytes = new Uint8Array(packed.length);
  for (let at = 0; at < packed.length; at += 1) bytes[at] = packed.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

/** Where blocks come from: this file, or files beside it, or the server that gave the page. */
const source = {
  async block(id) {
    const here = document.getElementById(id);
    if (here) return unpacked(here.textContent);
    if (data.index.blocks === undefined) throw new Error(`this page has no ${id}`);
    const answer = await fetch(`${data.index.blocks}${id}`, { cache: "no-store" });
    if (!answer.ok) throw new Error(`${id}: ${answer.status} ${answer.statusText}`);
    return data.index.is_live ? answer.json() : unpacked(await answer.text());
  },
};

const data = {
  index: null,

  /** Takes an index, and finds its trials by run and pair. */
  take(index) {
    data.index = index;
    data.byPlace = new Map(index.trials.map((trial, at) => [`${trial.run}/${trial.pair}`, at]));
    data.pairAt = new Map(index.pairs.map((pair, at) => [pair.name, at]));
    data.runAt = new Map(index.runs.map((run, at) => [run.name, at]));
    data.shared = undefined;
    data.kept = new Map();
  },

  trial(run, pair) {
    const at = data.byPlace.get(`${run}/${pair}`);
    return at === undefined ? null : data.index.trials[at];
  },

  /** A block, with the texts that it shares with others put in. The last few are kept. */
  async block(id) {
    if (data.kept.has(id)) return data.kept.get(id);
    data.shared ??= data.index.shared ? await source.block(data.index.shared) : [];
    const block = put(await source.block(id), data.shared);
    if (!data.index.is_live) data.kept.set(id, block);
    if (data.kept.size > 8) data.kept.delete(data.kept.keys().next().value);
    return block;
  },
};

/** A text that stands in more than one block is `{"$": n}` in each. */
function put(value, shared) {
  if (Array.isArray(value)) return value.map((one) => put(one, shared));
  if (value === null || typeof value !== "object") return value;
  if (typeof value.$ === "number") return shared[value.$] ?? "";
  for (const key of Object.keys(value)) value[key] = put(value[key], shared);
  return value;
}

const armOf = (run) => data.index.arms[data.index.runs[run].arm];
const trialAddress = (run, pair) => `#/trial/${encodeURIComponent(data.index.runs[run].name)}/${data.index.pairs[pair].name}`;
const pairAddress = (pair) => `#/pair/${data.index.pairs[pair].name}`;
