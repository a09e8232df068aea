// Opens a report from disk with the network off, walks the viewer by keyboard, switches the colours, and writes screenshots.
// node report.mjs REPORT.html FOLDER; the browser is CHROMIUM or /usr/bin/chromium.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [page_file, folder = "screenshots"] = process.argv.slice(2);
assert.ok(page_file, "usage: node report.mjs REPORT.html [FOLDER]");
mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  const context = await browser.newContext({ viewport: { width: 1366, height: 768 }, offline: true, colorScheme: "light" });
  const page = await context.newPage();
  const requests = [], errors = [];
  page.on("request", (r) => requests.push(r.url()));
  page.on("console", (m) => { if (m.type() === "error" || m.type() === "warning") errors.push(m.text()); });
  page.on("pageerror", (e) => errors.push(String(e)));
  page.on("dialog", (d) => { errors.push("a dialog opened: " + d.message()); d.dismiss(); });
  await page.goto(pathToFileURL(resolve(page_file)).href);
  const shot = (name) => page.screenshot({ path: join(folder, name + ".png") });
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const text = (selector) => page.locator(selector).innerText();

  assert.ok((await page.locator("#tables td").count()) > 10, "tables have cells");
  assert.ok((await page.locator("#charts svg polyline").count()) > 4, "charts have lines");
  assert.ok((await page.locator("#charts svg rect.share").count()) > 4, "kinds of edits have bars");
  assert.ok((await page.locator("#training svg").count()) > 3, "training has charts");
  const bad = await page.evaluate(() => [...document.querySelectorAll("svg *")].filter((e) => [...e.attributes].some((a) => /NaN|inf/.test(a.value) && a.name !== "aria-label")).length);
  assert.equal(bad, 0, "no coordinate is not a number");
  await shot("light-top");
  for (const id of ["charts", "training", "configuration"]) {
    await page.locator("#" + id).scrollIntoViewIfNeeded();
    await page.evaluate((id) => document.getElementById(id).scrollIntoView(), id);
    await shot("light-" + id);
  }

  // The viewer by keyboard.
  const total = Number((await text("#count")).split("/")[1]);
  assert.ok(total > 2, "rollouts to walk through");
  const at = async () => Number((await text("#count")).split("/")[0]);
  assert.equal(await at(), 1);
  await page.keyboard.press("j");
  await page.keyboard.press("ArrowRight");
  assert.equal(await at(), 3);
  await page.keyboard.press("k");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await at(), 1);
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "filter");
  await page.keyboard.type((await text("#facts")).split(" ")[0]); // the problem of the first
  const filtered = Number((await text("#count")).split("/")[1]);
  assert.ok(filtered > 0 && filtered < total, `the filter leaves some of ${total}: ${filtered}`);
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  assert.equal(await at(), 2, "keys work again outside the filter");
  assert.ok((await page.locator("#shown .pair > div").count()) === 2, "two sides");
  assert.ok((await page.locator("#shown .turn").count()) > 1, "turns on both sides");
  assert.ok((await page.locator("#shown .test").count()) > 0, "test outcomes");
  await page.evaluate(() => document.getElementById("rollouts").scrollIntoView());
  await shot("light-viewer");

  // Tokens, where the run saved them: found among the last step's rollouts.
  const saved = await page.evaluate(() => JSON.parse(document.getElementById("data").textContent).runs.some((run) => run.rollouts.some((r) => Array.isArray(r.tokens))));
  if (saved) {
    await page.locator("#filter").fill("");
    await page.keyboard.press("Escape"); // out of the filter
    while ((await page.locator("#shown .token").count()) === 0 && (await at()) < total) await page.keyboard.press("j");
    await page.locator("#shown details:has(.token) summary").click();
    assert.match(await page.locator("#shown .token").first().getAttribute("title"), /mask [01], log-prob -?[\d.–]+, advantage/);
    await page.locator("#shown details:has(.token)").scrollIntoViewIfNeeded();
    await shot("light-tokens");
  }

  // Colours.
  const light = await background();
  await page.keyboard.press("t");
  assert.notEqual(await background(), light);
  await shot("dark-viewer");
  await page.evaluate(() => document.getElementById("charts").scrollIntoView());
  await shot("dark-charts");
  await page.keyboard.press("t");
  assert.equal(await background(), light);
  await page.keyboard.press("?");
  assert.ok(await page.locator("#keys").evaluate((d) => d.open), "the keys are listed");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(outline, "none", "focus is visible");

  await page.setViewportSize({ width: 800, height: 900 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `the page is ${wide} pixels wider than a window of 800`);
  await page.evaluate(() => document.getElementById("rollouts").scrollIntoView());
  await shot("narrow-viewer");
  assert.deepEqual(requests.filter((url) => !/^(file|data):/.test(url)), [], "nothing is asked of a network");
  assert.deepEqual(errors, [], "no errors on the console");
  console.log(`passed; ${total} rollouts, screenshots in ${folder}`);
} finally {
  await browser.close();
}
