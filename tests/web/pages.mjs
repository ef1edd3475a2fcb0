// Are pages usable by people who use a browser otherwise? Opens each address in Chromium, in light
// and dark and on a narrow screen, and asks axe-core. Any serious or critical violation fails.
//   node pages.mjs [--shots FOLDER] URL...
// Ends with `N passed, N failed`. The browser is spoken to over a pipe, so nothing listens anywhere.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const urls = process.argv.slice(2);
const shots = urls[0] === "--shots" ? urls.splice(0, 2)[1] : undefined;

const profile = mkdtempSync(join(tmpdir(), "clause9-pages-"));
const flags = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--hide-scrollbars", `--user-data-dir=${profile}`, "--remote-debugging-pipe", "about:blank",
];
const browser = spawn(process.env.CHROMIUM ?? "chromium", flags, {
  stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
});
const ended = new Promise((resolve) => browser.on("exit", resolve));
browser.on("error", (error) => {
  console.error(`no browser: ${error.message}`);
  process.exit(1);
});

// The protocol: JSON messages, a zero byte after each.
const waiting = new Map();
const listeners = new Map();
let rest = "";
browser.stdio[4].setEncoding("utf8").on("data", (text) => {
  const parts = (rest + text).split("\0");
  rest = parts.pop();
  for (const message of parts.map((part) => JSON.parse(part))) {
    const { resolve, reject } = waiting.get(message.id) ?? {};
    if (message.error) reject?.(new Error(message.error.message));
    else resolve?.(message.result);
    listeners.get(message.method)?.(message.params);
    waiting.delete(message.id);
  }
});
let last = 0;
let sessionId;
function call(method, params = {}) {
  last += 1;
  browser.stdio[3].write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
  return new Promise((resolve, reject) => waiting.set(last, { resolve, reject }));
}
const event = (method) => new Promise((resolve) => listeners.set(method, resolve));

const { targetInfos } = await call("Target.getTargets");
const { targetId } = targetInfos.find((target) => target.type === "page");
({ sessionId } = await call("Target.attachToTarget", { targetId, flatten: true }));
await call("Page.enable");
await call("Network.enable");
// Our pages forbid every script; the checker has to be one.
await call("Page.setBypassCSP", { enabled: true });

async function evaluate(expression) {
  const { result, exceptionDetails } = await call("Runtime.evaluate", {
    expression, awaitPromise: true, returnByValue: true,
  });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
}

const looks = [
  { name: "light", scheme: "light", width: 1280 },
  { name: "dark", scheme: "dark", width: 1280 },
  { name: "narrow", scheme: "light", width: 360 },
];
let passed = 0;
let failed = 0;
function say(holds, what) {
  if (holds) passed += 1;
  else {
    failed += 1;
    console.error(what);
  }
}

async function look(url, { name, scheme, width }) {
  const features = [{ name: "prefers-color-scheme", value: scheme }];
  await call("Emulation.setEmulatedMedia", { features });
  await call("Emulation.setDeviceMetricsOverride", { width, height: 900, deviceScaleFactor: 1, mobile: false });
  const asked = [];
  listeners.set("Network.requestWillBeSent", ({ request }) => asked.push(request.url));
  const loaded = event("Page.loadEventFired");
  await call("Page.navigate", { url });
  await loaded;
  const what = `${url} (${name})`;
  // A browser asks every site for its icon by itself, once, and not always before the page has loaded.
  const own = [url, new URL("/favicon.ico", url).href];
  const others = asked.filter((address) => !own.includes(address) && !address.startsWith("data:"));
  say(others.length === 0, `${what} asks for ${others}`);
  // Whoever is on a narrow screen scrolls down, not sideways; tables scroll by themselves.
  const wide = await evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  say(wide <= 0, `${what} is ${wide} px wider than the screen`);
  await evaluate(axe);
  const found = await evaluate("axe.run(document, { resultTypes: ['violations'] })");
  say(found.passes.length > 10, `${what}: axe-core looked at next to nothing`);
  const grave = found.violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  for (const { id, impact, help, nodes } of grave) {
    const [{ html, failureSummary }] = nodes;
    console.error(`${what}: ${impact}: ${id}: ${help}, ${nodes.length} times, as in ${html}: ${failureSummary}`);
  }
  say(grave.length === 0, `${what} has ${grave.length} grave violations`);
  for (const { id, impact, help, nodes } of found.violations.filter((v) => !grave.includes(v))) {
    console.log(`${what}: ${impact}, not counted: ${id}: ${help}, as in ${nodes[0].html}`);
  }
  if (shots !== undefined) {
    const { data } = await call("Page.captureScreenshot", { captureBeyondViewport: true });
    const file = `${new URL(url).pathname.replaceAll("/", "_")}-${name}.png`;
    writeFileSync(join(shots, file), Buffer.from(data, "base64"));
  }
}

// A checker that finds nothing anywhere would pass everything: it has to find this.
await call("Page.navigate", { url: "data:text/html,<title>x</title><main style='color:%23ccc;background:%23fff'>pale<img src=''></main>" });
await event("Page.loadEventFired");
await evaluate(axe);
const bad = await evaluate("axe.run(document).then(({ violations }) => violations.map(({ id }) => id))");
say(bad.includes("image-alt") && bad.includes("color-contrast"), `a bad page is found good: ${bad}`);

for (const url of urls) for (const how of looks) await look(url, how);
say(urls.length > 0, "no address was given");
await call("Browser.close").catch(() => {});
await ended;
rmSync(profile, { recursive: true, force: true });
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
