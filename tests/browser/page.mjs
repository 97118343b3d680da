// The page of `regatta report --format html`, opened from a file in a real browser: what must hold in
// each of them.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { browser, demo, go, hostile, HOSTILE, long, opened, page as written, scratch } from "./made.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Tests pages in a browser of this name. */
export function pages(name) {
  describe(`a page from a file in ${name}`, () => {
    let light, dark, address, shared;
    const ended = [];
    before(async () => {
      const suite = { after: (end) => ended.unshift(end) };
      address = demo(scratch(suite));
      [light, dark] = await Promise.all(["light", "dark"].map((scheme) => browser(suite, name, scheme)));
      shared = await opened(light, address);
    });
    after(async () => { for (const end of ended) await end(); });
    const main = () => shared.page.locator("main");

    test("asks for nothing and says nothing", async () => {
      const { page, seen, close } = await opened(light, address);
      for (const hash of ["#/matrix", "#/overview", "#/pair/ferry_task/2/f1_f2"]) await go(page, hash);
      assert.deepEqual(seen.said, []);
      assert.deepEqual(seen.requests, []);
      await close();
    });

    test("shows what came out of each arm", async () => {
      await go(shared.page, "#/overview");
      const rows = await main().locator("table").first().locator("tbody tr").allInnerTexts();
      assert.equal(rows.length, 3);
      assert.match(rows.join("\n"), /solo/);
      assert.match(rows.join("\n"), /coop-nocomm/);
      const kind = main().locator(".kinds a:has-text('patches conflict')").first();
      const many = Number((await kind.innerText()).match(/\d+$/)[0]);
      assert.equal(await main().locator("svg title:has-text('patches conflict')").first().textContent(), `${many} fail: patches conflict`);
      await kind.click();
      await shared.page.waitForSelector(".matrix");
      assert.match(await main().locator("[role=status]").innerText(), new RegExp(`^${many} pairs of 9: ${many} fail`));
    });

    test("filters the matrix, and the counts follow", async () => {
      await go(shared.page, "#/matrix");
      const counts = () => main().locator("[role=status]").innerText();
      assert.match(await counts(), /^9 pairs of 9/);
      await main().locator("select[name=outcome]").selectOption("fail");
      await shared.page.waitForFunction(() => /outcome=fail/.test(location.hash));
      await shared.page.waitForFunction(() => !/^9 pairs/.test(document.querySelector("main [role=status]").textContent));
      const shown = Number((await counts()).match(/^(\d+) pair/)[1]);
      assert.equal(await main().locator(".row:not(.task)").count(), shown);
      assert.ok(shown > 0 && shown < 9);
    });

    test("shows the pairs that flip between two arms", async () => {
      await go(shared.page, "#/matrix?flips=coop-comm~coop-nocomm");
      const rows = await main().locator(".row:not(.task)").count();
      assert.ok(rows > 0 && rows < 9, `${rows}`);
    });

    test("opens a pair by its address, with its features, its failing tests and its conflict", async () => {
      await go(shared.page, "#/matrix?outcome=fail&merge=conflicts");
      await main().locator(".row:not(.task) .first a").first().click();
      await shared.page.waitForSelector("main h2:has-text('Verdict in')");
      const text = await main().innerText();
      assert.match(text, /Feature \d+: /);
      assert.match(text, /Where git could not merge/);
      assert.match(text, /Both patches change these lines/);
      assert.match(text, /Who touched which file/);
    });

    test("a failing test is named, with the end of its output", async () => {
      await go(shared.page, "#/matrix?outcome=fail&merge=clean");
      const rows = main().locator(".row:not(.task) .first a");
      if (await rows.count() === 0) await go(shared.page, "#/matrix?outcome=fail");
      await main().locator(".row:not(.task) .first a").first().click();
      await shared.page.waitForSelector("main h2:has-text('Verdict in')");
      assert.match(await main().innerText(), /does not pass/);
    });

    test("walks a trial by keys, and follows a message to the turn that reads it", async () => {
      await go(shared.page, "#/matrix?arm=coop-comm");
      await main().locator(".row:not(.task) .cell a").first().click();
      await shared.page.waitForSelector(".turn");
      await shared.page.keyboard.press("j");
      await shared.page.waitForSelector(".turn.at, .message.at");
      const first = await shared.page.evaluate(() => location.hash);
      await shared.page.keyboard.press("j");
      await shared.page.waitForFunction((old) => location.hash !== old, first);
      await shared.page.keyboard.press("k");
      await shared.page.waitForFunction((old) => location.hash === old, first);
      const read = main().locator(".message a:has-text('read in this turn')").first();
      await read.click();
      await shared.page.waitForSelector(".turn.at a:has-text('reads message')");
    });

    test("a line of an output has an address", async () => {
      const link = main().locator(".turn .action pre a.n").first();
      const address = await link.getAttribute("href");
      await link.click();
      await shared.page.waitForSelector(".line.at");
      assert.equal(await shared.page.evaluate(() => location.hash), address);
    });

    test("finds words in what is not unfolded, and goes from hit to hit", async () => {
      await shared.page.keyboard.press("/");
      await shared.page.keyboard.type("git");
      await shared.page.waitForFunction(() => /of \d+/.test(document.getElementById("hits").textContent));
      await shared.page.keyboard.press("Enter");
      await shared.page.waitForFunction(() => /^1 of/.test(document.getElementById("hits").textContent));
      await shared.page.keyboard.press("Escape");
      await shared.page.keyboard.press("n");
      await shared.page.waitForFunction(() => /^(2|1) of/.test(document.getElementById("hits").textContent));
      assert.ok(await shared.page.locator("mark").count() > 0);
      await shared.page.fill("#words", "");
      await shared.page.keyboard.press("Escape");
    });

    test("says its keys, and the numbers are tabs", async () => {
      await shared.page.keyboard.press("?");
      await shared.page.waitForSelector("dialog[open]");
      await shared.page.keyboard.press("Escape");
      await shared.page.keyboard.press("1");
      await shared.page.waitForFunction(() => document.querySelector("nav [aria-current]").textContent === "Overview");
    });

    test("is dark where the reader's system is, and by a key", async () => {
      const { page, close } = await opened(dark, address);
      const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(await back(), "rgb(13, 17, 23)");
      await page.keyboard.press("d");
      assert.equal(await back(), "rgb(255, 255, 255)");
      await close();
    });

    for (const width of [360, 2560]) {
      test(`fits ${width} px`, async () => {
        const narrow = await opened(light, address, { viewport: { width, height: 800 } });
        for (const hash of ["#/overview", "#/matrix", "#/pair/ferry_task/2/f1_f2", "#/trial/demo-coop-comm/ferry_task/2/f1_f2"]) {
          await go(narrow.page, hash);
          const over = await narrow.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(over <= 0, `${hash} is ${over} px too wide`);
        }
        await narrow.close();
      });
    }

    for (const colorScheme of ["light", "dark"]) {
      test(`axe finds nothing wrong (${colorScheme})`, async () => {
        const { page, close } = await opened(colorScheme === "dark" ? dark : light, address);
        await page.evaluate(axe);
        const trial = await page.evaluate(() => { location.hash = "#/matrix?arm=coop-comm"; return true; });
        assert.ok(trial);
        await page.waitForSelector(".row:not(.task) .cell a");
        const places = ["#/overview", "#/matrix", "#/pair/ferry_task/2/f1_f2", await page.locator(".row:not(.task) .cell a").first().getAttribute("href")];
        for (const hash of places) {
          await go(page, hash);
          const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }));
          const told = found.violations.map((it) => `${it.id}: ${it.help} (${it.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")})`);
          assert.deepEqual(told, [], hash);
        }
        await close();
      });
    }
  });

  test(`paper has all turns of a trial and all rows of the matrix in ${name}`, async (t) => {
    const own = { after: (end) => t.after(end) };
    const dir = scratch(own);
    long(dir, 100, 80);
    const { page } = await opened(await browser(own, name, "dark"), written(dir, "--logs-dir", "logs"));
    const pdf = join(dir, "printed.pdf");
    const printed = async () => {
      await page.pdf({ path: pdf, width: "21in", height: "29in" });
      return execFileSync("pdftotext", [pdf, "-"], { encoding: "utf8" });
    };
    await go(page, "#/trial/long-solo/a_task/1/f1_f2");
    await page.waitForSelector(".turn");
    assert.ok(await page.locator(".turn").count() < 100, "on the screen only those in sight are made");
    const trial = await printed();
    for (let n = 0; n < 100; n += 1) assert.ok(trial.includes(`Step ${n}.`), `Step ${n}`);
    const grey = execFileSync("pdftoppm", ["-gray", "-r", "40", "-l", "1", pdf]).subarray(20);
    assert.ok(grey.some((one) => one < 80) && grey.reduce((sum, one) => sum + one, 0) / grey.length > 200, "dark on light");
    await go(page, "#/matrix");
    assert.ok(await page.locator(".row").count() < 80);
    const matrix = await printed();
    for (let n = 2; n <= 81; n += 1) assert.ok(matrix.includes(`a_task/1/f1_f${n}\n`), `f1_f${n}`);
    await page.waitForFunction(() => document.querySelectorAll(".row").length < 80);
  });

  test(`a page that asks and says something is caught in ${name}`, async (t) => {
    const own = { after: (end) => t.after(end) };
    const file = join(scratch(own), "asks.html");
    const server = createServer((_, answer) => answer.end("")).listen(0, "127.0.0.1");
    own.after(() => server.close());
    await once(server, "listening");
    const asked = `http://127.0.0.1:${server.address().port}/`;
    writeFileSync(file, `<!doctype html><meta http-equiv="Content-Security-Policy" content="style-src 'none'"><style>p {}</style><main><h1>a page</h1></main><script>fetch("${asked}").finally(() => console.log("said"))</script>`);
    const { page, seen } = await opened(await browser(own, name), pathToFileURL(file).href);
    while (seen.said.length < 2) await page.evaluate(() => new Promise((done) => requestAnimationFrame(done)));
    assert.deepEqual(seen.requests, [asked]);
    assert.match(seen.said.join("\n"), /policy: style-src/);
    assert.match(seen.said.join("\n"), /said/);
  });

  describe(`a page of hostile content in ${name}`, () => {
    test("shows it as text, and asks for nothing", async (t) => {
      const own = { after: (end) => t.after(end) };
      const dir = scratch(own);
      hostile(dir);
      const address = written(dir, "--logs-dir", "logs");
      const { page, seen } = await opened(await browser(own, name), address);
      for (const hash of ["#/overview", "#/matrix", "#/pair/a_task/1/f1_f2", "#/trial/evil-solo/a_task/1/f1_f2"]) {
        await go(page, hash);
        const strange = await page.evaluate(() => document.querySelectorAll("main script, main img, main iframe, main object, main a[href^='javascript:']").length);
        assert.equal(strange, 0, hash);
      }
      await page.waitForSelector(".turn");
      await page.getByRole("button", { name: "Unfold all" }).click();
      const text = await page.locator("main").innerText();
      assert.ok(text.includes('<script>document.title="pwned"</script>'), "tags are shown");
      assert.ok(text.includes("U+202E") && !text.includes("\u202e"), "what turns text is shown by its number");
      assert.match(await page.title(), /logs/);
      assert.deepEqual(seen.said, []);
      assert.deepEqual(seen.requests, []);
      assert.ok(HOSTILE.length > 0);
    });
  });
}
