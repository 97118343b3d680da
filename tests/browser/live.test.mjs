// `regatta view`, while a run goes on.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { browser, demo, model, opened, REGATTA, regatta, scratch, view } from "./made.mjs";

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
