// Measures a page in Chromium: `node measure.mjs FILE`. And how a trial of 10,000 turns scrolls.
// Times are of this machine: the figures are in docs/benchmarks.md.

import { statSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { browser, long, opened, page as written, scratch } from "./made.mjs";

const ended = [];
const own = { after: (end) => ended.unshift(end) };
const chromium = await browser(own);

/** The medians of five openings. */
async function opening(file) {
  const [paints, trials] = [[], []];
  for (let n = 0; n < 5; n += 1) {
    const { page, close } = await opened(chromium, pathToFileURL(resolve(file)).href);
    paints.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
    const hash = await page.evaluate(() => { location.hash = "#/matrix?outcome=fail"; return location.hash; });
    await page.waitForFunction((to) => document.querySelector("main").dataset.place === to, hash);
    const cell = await page.locator(".row:not(.task) .cell a").first().getAttribute("href");
    trials.push(await page.evaluate((to) => new Promise((done) => {
      const begun = performance.now();
      new MutationObserver((_, observer) => {
        if (!document.querySelector(".turn")) return;
        observer.disconnect();
        requestAnimationFrame(() => done(performance.now() - begun));
      }).observe(document.querySelector("main"), { childList: true, subtree: true });
      location.hash = to;
    }), cell));
    await close();
  }
  const median = (values) => values.sort((a, b) => a - b)[2].toFixed(0);
  console.log(`${file}: ${(statSync(file).size / 1e6).toFixed(1)} MB, first paint ${median(paints)} ms, a trial ${median(trials)} ms`);
}

/** The longest frames while a trial of so many turns is scrolled from its beginning to its end. */
async function scrolling(turns) {
  const dir = scratch(own);
  long(dir, turns);
  const { page } = await opened(chromium, written(dir, "--logs-dir", "logs"));
  await page.evaluate(() => { location.hash = "#/trial/long-solo/a_task/1/f1_f2"; });
  await page.waitForSelector(".turn");
  const frames = await page.evaluate(() => new Promise((done) => {
    const took = [];
    let last = performance.now();
    const frame = (now) => {
      took.push(now - last);
      last = now;
      scrollBy(0, 900);
      if (scrollY + innerHeight >= document.documentElement.scrollHeight - 2 || took.length > 20_000) done(took.slice(1));
      else requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }));
  frames.sort((a, b) => b - a);
  console.log(`${turns} turns scrolled in ${frames.length} frames: the longest ${frames.slice(0, 3).map((it) => it.toFixed(0)).join(", ")} ms, ${frames.filter((it) => it > 50).length} over 50 ms`);
}

for (const file of process.argv.slice(2)) await opening(file);
await scrolling(10_000);
for (const end of ended) await end();
