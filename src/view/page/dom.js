// Elements, and text that nobody trusts. Text becomes text nodes only: nothing here parses HTML.

/** An element with attributes, handlers (`onclick`) and children: elements, texts, or none. */
function el(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for SVG. */
function svg(name, attributes, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A table with a caption for those who do not see it. A head `>cost` is of numbers. */
function table(caption, heads, rows) {
  const isNumber = heads.map((head) => typeof head === "string" && head.startsWith(">"));
  const cell = (name) => (content, at) =>
    el(name, { class: isNumber[at] ? "number" : undefined, scope: name === "th" ? "col" : undefined }, content);
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {},
      el("caption", { class: "hidden" }, caption),
      el("thead", {}, el("tr", {}, heads.map((head, at) => cell("th")(isNumber[at] ? head.slice(1) : head, at)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map(cell("td")))))));
}

/** Names and values, one below the other; what has no value is left out. */
function facts(...pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("dl", { class: "facts" }, known.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

/** A button that copies. */
function copied(text, label) {
  return el("button", {
    type: "button", title: text,
    onclick: async () => {
      try {
        await navigator.clipboard.writeText(text);
        say("copied");
      } catch {
        say(text);
      }
    },
  }, label ?? "copy");
}

let saying;
/** Says something for a moment, also to a screen reader. */
function say(text) {
  const said = document.getElementById("said");
  said.textContent = text;
  clearTimeout(saying);
  saying = setTimeout(() => { said.textContent = ""; }, 4000);
}

// Characters that hide or turn what stands around them: controls, zero widths, marks of direction.
const UNSEEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]/gu;

/** Text with what cannot be seen shown by its number. */
function visible(text) {
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(UNSEEN)) {
    if (found.index > from) parts.push(text.slice(from, found.index));
    const code = found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    parts.push(el("span", { class: "seen", title: "a character that cannot be seen" }, `U+${code}`));
    from = found.index + found[0].length;
  }
  if (from === 0) return text === "" ? [] : [text];
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}

const ESCAPE = /\u001b(?:\[([0-9;]*)m|\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-_])/g;

/** A line of a terminal's output: colours shown, other sequences left out. `style` goes on to the next line. */
function terminal(line, style) {
  if (!line.includes("\u001b") && style.size === 0) return visible(line);
  const parts = [];
  const put = (text) => {
    if (text === "") return;
    const classes = [...style].map((name) => `ansi-${name}`).join(" ");
    parts.push(classes ? el("span", { class: classes }, visible(text)) : visible(text));
  };
  let from = 0;
  for (const found of line.matchAll(ESCAPE)) {
    put(line.slice(from, found.index));
    from = found.index + found[0].length;
    if (found[1] === undefined) continue;
    for (const code of found[1].split(";").map(Number)) {
      if (code === 0) style.clear();
      else if (code === 1) style.add("bold");
      else if (code === 22) style.delete("bold");
      else if (code === 39 || (code >= 30 && code <= 37) || (code >= 90 && code <= 97)) {
        for (const old of [...style]) if (old !== "bold") style.delete(old);
        if (code !== 39) style.add(String(code));
      }
    }
  }
  put(line.slice(from));
  return parts;
}
