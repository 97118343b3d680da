// `regatta view`, while a run goes on.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { browser, demo, go, hostile, model, opened, REGATTA, regatta, scratch, view } from "./made.mjs";

test("the live page follows a run to its end", async (t) => {
  const own = { after: (end) => t.after(end) };
  const dir = scratch(own);
  regatta(dir, "run", "--profile", "demo", "-q", "--setting", "solo");
  const { address } = await view(own, dir);
  const { page, seen } = await opened(await browser(own), address);
  const arms = () => page.locator("main table").first().locator("tbody tr").count();
  assert.equal(await arms(), 1);
  const run = spawn(REGATTA, ["run", "--profile", "demo", "-q"], { cwd: dir, stdio: "ignore" });
  t.after(() => run.kill("SIGKILL"));
  await page.waitForFunction(() => document.querySelectorAll("main table:first-of-type tbody tr").length >= 3, null, { timeout: 120_000 });
  await once(run, "exit");
  await page.waitForFunction(() => {
    const rows = [...document.querySelectorAll("main table")][0].querySelectorAll("tbody tr");
    return rows.length === 3 && [...rows].every((row) => row.children[4].textContent === "9");
  }, null, { timeout: 120_000 });
  assert.deepEqual(seen.said, []);
});

test("a trial that runs shows its turns, and its outcome when it has ended", async (t) => {
  const own = { after: (end) => t.after(end) };
  const dir = scratch(own);
  // The third request of an agent is held, so that it is at work with two turns.
  const base = await model(own, dir, "hold when=Step 2 of\n");
  const args = ["run", "--profile", "demo", "-q", "--setting", "solo", "--smoke", "1", "--api-base", base];
  const run = spawn(REGATTA, args, { cwd: dir, stdio: "ignore", env: { ...process.env, OPENAI_API_KEY: "x" } });
  own.after(() => run.kill("SIGKILL"));
  const met = join(dir, "faults.met");
  while (!existsSync(met)) {
    assert.equal(run.exitCode, null, "the run ended before its agent was held");
    await new Promise((done) => setTimeout(done, 50));
  }
  const { address } = await view(own, dir, "--profile", "demo");
  const { page } = await opened(await browser(own), address);
  await page.locator("main p:has-text('1 trial running') a").click();
  await page.waitForFunction(() => /Step 1 of/.test(document.querySelector("main").innerText));
  writeFileSync(join(dir, "faults"), "");
  await once(run, "exit");
  await page.waitForFunction(() => /Step 4 of 4[^]*Submitted|Submitted[^]*Step 4 of 4/.test(document.querySelector("main").innerText), null, { timeout: 60_000 });
});

test("nobody but this page is answered, and nothing but reading", async (t) => {
  const own = { after: (end) => t.after(end) };
  const dir = scratch(own);
  demo(dir);
  const { address } = await view(own, dir);
  const status = async (to, init) => (await fetch(to, init)).status;
  const origin = new URL(address).origin;
  assert.equal(await status(address), 200);
  assert.equal(await status(`${origin}/`), 404);
  assert.equal(await status(`${address}../../etc/passwd`), 404);
  assert.equal(await status(`${address}trial/..%2f..%2fetc/a/1/f1_f2`), 404);
  assert.equal(await status(`${address}trial/demo-solo/..%2f/1/f1_f2`), 404);
  assert.equal(await status(address, { method: "POST" }), 405);
  assert.equal(await status(address, { headers: { origin: "http://evil.invalid" } }), 403);
  assert.equal((await fetch(address)).headers.get("cache-control"), "no-store");
});

test("a page finds its server again", async (t) => {
  const own = { after: (end) => t.after(end) };
  const dir = scratch(own);
  demo(dir);
  const first = await view(own, dir);
  const port = new URL(first.address).port;
  const { page } = await opened(await browser(own), first.address);
  await page.waitForFunction(() => document.getElementById("live").textContent === "live");
  first.child.kill("SIGKILL");
  await once(first.child, "exit");
  await page.waitForFunction(() => /does not answer/.test(document.getElementById("live").textContent));
  const second = await view(own, dir, "--port", port);
  assert.equal(second.address, first.address);
  await page.waitForFunction(() => document.getElementById("live").textContent === "live", null, { timeout: 60_000 });
});

test("the first run is waited for, and what is removed is said", async (t) => {
  const own = { after: (end) => t.after(end) };
  const dir = scratch(own);
  mkdirSync(join(dir, "logs"));
  const { address } = await view(own, dir, "--logs-dir", "logs");
  const { page, seen } = await opened(await browser(own), address);
  const shows = (text) => page.waitForFunction((wanted) => document.querySelector("main").innerText.includes(wanted), text, { timeout: 60_000 });
  await shows("No run yet under");
  const made = join(dir, "made");
  mkdirSync(made);
  hostile(made);
  cpSync(join(made, "logs", "evil-solo"), join(dir, "logs", "evil-solo"), { recursive: true });
  await shows("What came out");
  await go(page, "#/trial/evil-solo/a_task/1/f1_f2");
  await shows("Turns");
  rmSync(join(dir, "logs", "evil-solo"), { recursive: true });
  await shows("evil-solo is gone since");
  await page.locator("#tabs a").first().click();
  await shows("evil-solo is gone since");
  assert.equal(await page.locator("#live").textContent(), "live");
  assert.deepEqual(seen.said, []);
});

test("a running trial of upstream's shows its containers, and time goes on", async (t) => {
  const own = { after: (end) => t.after(end) };
  const dir = scratch(own);
  const { address } = await view(own, dir, "--logs-dir", "logs");
  const { page, seen } = await opened(await browser(own), address);
  // What the server says of a run that the relay watches; that it says so is tested without a browser.
  const hostileCommand = "echo '<img src=x onerror=1>\u202e'";
  const container = { run: "u-solo", id: "0badcafe", name: "minisweagent-1", image: "akhatua/cooperbench-a:task1", pair: "a_task/1/f1_f2", task: "a_task/1", since: Date.now() / 1000 - 70, commands: 12, last: hostileCommand };
  await page.route("**/index.json", async (route) => {
    const index = await (await route.fetch()).json();
    Object.assign(index, {
      arms: [{ name: "u", outcomes: { missing: 1 }, merges: {}, pairs: 1, judged: 0 }], runs: [{ name: "u-solo", arm: 0 }], pairs: [{ name: "a_task/1/f1_f2", task: "a_task/1" }],
      trials: [{ run: 0, pair: 0, outcome: "missing", cost: null, seconds: null, is_running: true, since: container.since, block: "trial/u-solo/a_task/1/f1_f2" }], containers: [container],
    });
    await route.fulfill({ json: index });
  });
  await page.route("**/trial/u-solo/**", (route) => route.fulfill({ json: { trial: { agents: [{ id: "solo", producer: "unknown", turns: [] }], messages: [] }, files: [], patches: [], attempts: [] } }));
  mkdirSync(join(dir, "logs", "other-solo", "solo"), { recursive: true });
  const command = page.locator("main table:has-text('Last command') tbody tr").first();
  await command.waitFor({ timeout: 60_000 });
  const shown = await command.innerText();
  assert.match(shown, /minisweagent-1/);
  assert.match(shown, /1 min 1\d s/);
  assert.match(shown, /onerror=1>U\+202E/);
  const first = await command.locator("[data-since]").textContent();
  await page.waitForFunction((then) => document.querySelector("main table [data-since]").textContent !== then, first);
  await command.locator("a").click();
  await page.waitForFunction(() => /▶ running[^]*when the trial has ended[^]*minisweagent-1/.test(document.querySelector("main").innerText));
  assert.deepEqual(seen.said, []);
});
