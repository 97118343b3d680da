// The trees that the pages are of: the demo's, made by the program, and one of a hostile stranger.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium, firefox } from "playwright-core";

/** The program under test. */
export const REGATTA = process.env.PROGRAM_UNDER_TEST;
if (!REGATTA) throw new Error("PROGRAM_UNDER_TEST names no program: run scripts/browser-tests");

/** Runs the program in a directory, and gives what it printed. */
export function regatta(dir, ...args) {
  return execFileSync(REGATTA, args, { cwd: dir, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** A directory that goes at the end, which `after` tells: a test's or a suite's. */
export function scratch({ after }) {
  const dir = mkdtempSync(join(tmpdir(), "regatta-browser-"));
  after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** The demo's three settings, run and judged, and the page of them. */
export function demo(dir) {
  regatta(dir, "run", "--profile", "demo", "-q");
  return page(dir, "--profile", "demo");
}

/** Writes the page of a directory's runs, and gives its address. */
export function page(dir, ...args) {
  regatta(dir, "report", "--format", "html", "-o", "report.html", ...args);
  return pathToFileURL(join(dir, "report.html")).href;
}

export const HOSTILE = '</script><script>document.title="pwned"</script><img src=x onerror="document.title=1"> https://evil.invalid/a \u202egnp.exe\u202c zero\u200bwidth \u001b[31mred\u001b[0m javascript:alert(1)';

/** A run in upstream's form whose every text is hostile. */
export function hostile(dir) {
  const pair = join(dir, "logs", "evil-solo", "solo", "a_task", "1", "f1_f2");
  mkdirSync(pair, { recursive: true });
  const result = {
    repo: "a_task", task_id: 1, features: [1, 2], setting: "solo", run_id: "t1", run_name: "evil-solo",
    agent_framework: "mini_swe_agent", model: HOSTILE, started_at: "2026-01-01T10:00:00", ended_at: "2026-01-01T10:10:00",
    duration_seconds: 600, total_cost: 0.5, total_steps: 2,
    agent: { status: "Submitted", cost: 0.5, steps: 2, patch_lines: 3, error: null },
    log_dir: "x",
  };
  writeFileSync(join(pair, "result.json"), JSON.stringify(result));
  const messages = [
    { role: "system", content: HOSTILE },
    { role: "user", content: HOSTILE },
    { role: "assistant", content: `${HOSTILE}\n\n\`\`\`bash\necho '${HOSTILE}'\n\`\`\``, extra: { timestamp: 1767261600 } },
    { role: "user", content: `<returncode>1</returncode>\n<output>\n${HOSTILE}\n${"x".repeat(5_000_000)}\n</output>` },
  ];
  writeFileSync(join(pair, "solo_traj.json"), JSON.stringify({ messages }));
  writeFileSync(join(pair, "solo.patch"), Buffer.concat([
    Buffer.from(`diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+${HOSTILE}\n`), Buffer.from([0xff, 0xfe, 0x0a]),
  ]));
  const feature = (id) => ({ feature_id: id, passed: false, exit_code: 1, tests_passed: 0, tests_failed: 1, test_output: HOSTILE });
  writeFileSync(join(pair, "eval.json"), JSON.stringify({
    repo: "a_task", task_id: 1, features: [1, 2], setting: "solo", merge: null, feature1: feature(1), feature2: feature(2),
    both_passed: false, error: null, evaluated_at: "2026-01-01T10:20:00",
  }));
}

/** A run in upstream's form with a trial of so many turns, each of which says `Step N.`, and with so many
 * pairs, of which the others have a result only. */
export function long(dir, turns, pairs = 1) {
  const task = join(dir, "logs", "long-solo", "solo", "a_task", "1");
  for (let n = 1; n <= pairs; n += 1) {
    mkdirSync(join(task, `f1_f${n + 1}`), { recursive: true });
    writeFileSync(join(task, `f1_f${n + 1}`, "result.json"), JSON.stringify({
      repo: "a_task", task_id: 1, features: [1, n + 1], setting: "solo", run_id: "t1", run_name: "long-solo", agent_framework: "mini_swe_agent",
      model: "m", started_at: "2026-01-01T10:00:00", ended_at: "2026-01-01T15:00:00", duration_seconds: 18000, total_cost: 1, total_steps: turns,
      agent: { status: "Submitted", cost: 1, steps: turns, patch_lines: 0, error: null },
    }));
  }
  const pair = join(task, "f1_f2");
  const messages = [];
  for (let n = 0; n < turns; n += 1) {
    messages.push({ role: "assistant", content: `Step ${n}.\n\n\`\`\`bash\nls ${n}\n\`\`\``, extra: { timestamp: 1767261600 + n } });
    messages.push({ role: "user", content: `<returncode>0</returncode>\n<output>\n${"a line of output\n".repeat(1 + (n % 30))}</output>` });
  }
  writeFileSync(join(pair, "solo_traj.json"), JSON.stringify({ messages }));
  writeFileSync(join(pair, "solo.patch"), "");
}

/** How each browser is started: Debian's, unless CHROMIUM or FIREFOX names another. */
const BROWSERS = {
  chromium: () => chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  }),
  // Over WebDriver BiDi, which an ordinary Firefox speaks. It takes the system's colours from a setting.
  firefox: (colorScheme) => firefox.launch({
    channel: "moz-firefox",
    executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr",
    firefoxUserPrefs: { "layout.css.prefers-color-scheme.content-override": colorScheme === "dark" ? 0 : 1 },
  }),
};

/** A browser for a suite, on a system that is light or dark. */
export async function browser({ after }, name = "chromium", colorScheme = "light") {
  const started = await BROWSERS[name](colorScheme);
  after(() => started.close());
  return { started, colorScheme };
}

/** A page that is watched: what it asks for beyond itself, says on its console, has forbidden by its
 * policy, and shows as a dialog. */
export async function opened({ started, colorScheme }, address, options = {}) {
  const context = await started.newContext({ viewport: { width: 1280, height: 900 }, colorScheme, ...options });
  await context.addInitScript(() => addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`)));
  const page = await context.newPage();
  const seen = { requests: [], said: [] };
  page.on("request", (request) => { if (request.url() !== address && !request.url().startsWith("data:")) seen.requests.push(request.url()); });
  page.on("console", (message) => seen.said.push(message.text()));
  page.on("pageerror", (error) => seen.said.push(String(error)));
  page.on("dialog", (dialog) => { seen.said.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
  await page.goto(address);
  await page.waitForSelector("main h1");
  return { page, seen, close: () => context.close() };
}

/** Goes to a place of the page, and waits until it is shown. Only a page in front has the keys. */
export async function go(page, hash) {
  await page.bringToFront();
  await page.evaluate((to) => { location.hash = to; }, hash);
  await page.waitForFunction((to) => document.querySelector("main").dataset.place === to, hash);
  if (await page.locator("main h1").innerText() === "Not in this page") throw new Error(`${hash} is not in this page`);
}

/** A scripted model for the demo's dataset that follows the lines of a file `faults`, and its address. */
export async function model({ after }, dir, faults) {
  const dataset = join(dir, "served");
  cpSync(new URL("../../demo/dataset", import.meta.url), dataset, { recursive: true });
  rmSync(join(dataset, "script.toml"));
  writeFileSync(join(dir, "faults"), faults);
  const child = spawn(REGATTA, ["__model", "--dataset", dataset, "--fault-file", join(dir, "faults")], { stdio: ["ignore", "pipe", "ignore"] });
  after(() => child.kill("SIGKILL"));
  const [first] = await once(child.stdout, "data");
  return `${String(first).trim()}/v1`;
}

/** The live view of a directory's runs, and its address. */
export async function view({ after }, dir, ...args) {
  const child = spawn(REGATTA, ["view", ...(args.includes("--port") ? [] : ["--port", "0"]), ...args], { cwd: dir, stdio: ["ignore", "ignore", "pipe"] });
  after(() => child.kill("SIGKILL"));
  let said = "";
  for await (const piece of child.stderr) {
    said += piece;
    const found = /http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}\//.exec(said);
    if (found) return { child, address: found[0] };
  }
  throw new Error(`regatta view ended: ${said}`);
}
