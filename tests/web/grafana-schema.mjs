// Are our dashboards valid against Grafana's own types? The JSON Schema is made from the TypeScript
// declarations of @grafana/schema: the whole page, and for each panel the options and the field
// configuration of its plugin. Ends with `N passed, N failed`.
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { createGenerator } from "ts-json-schema-generator";

const here = dirname(fileURLToPath(import.meta.url));
const raw = join(here, "node_modules/@grafana/schema/dist/types/raw");
const pages = join(here, "../../dashboards");

// Validators by declaration file and type, made once.
const made = new Map();
function validator(path, type) {
  const key = `${path} ${type}`;
  if (!made.has(key)) {
    const schema = createGenerator({ path: join(raw, path), type, skipTypeCheck: true }).createSchema(type);
    made.set(key, new Ajv({ allErrors: true, strict: false }).compile(schema));
  }
  return made.get(key);
}

let passed = 0;
let failed = 0;
function check(what, path, type, value) {
  const validate = validator(path, type);
  if (validate(value)) {
    passed += 1;
    return;
  }
  failed += 1;
  for (const { instancePath, message, params } of validate.errors) {
    console.error(`${what}${instancePath}: ${message} ${JSON.stringify(params)}`);
  }
}

const dashboard = "dashboard/x/types.gen.d.ts";
const plugin = (type) => `composable/${type.replaceAll("-", "")}/panelcfg/x/types.gen.d.ts`;
// Plugins that declare no field configuration of their own.
const withoutFieldConfig = new Set(["stat"]);

// A schema that accepts everything would pass everything: it has to refuse these.
function refuses(what, path, type, value) {
  if (validator(path, type)(value)) {
    failed += 1;
    console.error(`the schema accepts ${what}`);
  } else {
    passed += 1;
  }
}
refuses("an unknown key of a page", dashboard, "Dashboard", { schemaVersion: 41, hideControls: true });
refuses("a text for a grid position", dashboard, "Dashboard", {
  schemaVersion: 41,
  panels: [{ type: "stat", gridPos: { h: 1, w: 1, x: "0", y: 0 } }],
});
refuses("an unknown option of a panel", plugin("stat"), "Options", { colourMode: "value" });

const files = readdirSync(pages, { recursive: true }).filter((file) => file.endsWith(".json"));
if (files.length === 0) {
  failed += 1;
  console.error("no dashboards found");
}
for (const file of files) {
  const page = JSON.parse(readFileSync(join(pages, file), "utf8"));
  check(file, dashboard, "Dashboard", page);
  for (const panel of page.panels.filter((panel) => panel.type !== "row")) {
    const what = `${file}, panel \`${panel.title}\``;
    check(`${what}, options`, plugin(panel.type), "Options", panel.options);
    if (!withoutFieldConfig.has(panel.type)) {
      check(`${what}, fieldConfig.custom`, plugin(panel.type), "FieldConfig", panel.fieldConfig.defaults.custom);
    }
  }
}

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
