// What `migctl lint --format sarif` writes, by the standard's own schema.
//
//     MIGD=... MIGCTL=... PROJECT_SOURCE=... node sarif_test.js
"use strict";

const assert = require("node:assert/strict");
const { spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const { createRequire } = require("node:module");
const os = require("node:os");
const path = require("node:path");
const test = require("node:test");

const { MIGD, MIGCTL, PROJECT_SOURCE } = process.env;
// Where npm has put OASIS' schema, with the validator that understands its draft of JSON Schema.
const PACKAGE = path.join(PROJECT_SOURCE, "node_modules/@microsoft/jest-sarif");
const load = createRequire(path.join(PACKAGE, "package.json"));
const Ajv = load("ajv");

const ajv = new Ajv({ schemaId: "auto", allErrors: true, unknownFormats: "ignore" });
ajv.addMetaSchema(load("ajv/lib/refs/json-schema-draft-04.json"));
const schema = JSON.parse(
  fs.readFileSync(path.join(PACKAGE, "lib/schemas/sarif-2.1.0-rtm.5.json"), "utf8"));
const validate = ajv.compile(schema);

const FILES = {
  // Findings of every severity, one that a waiver allows, one of the file, and none with a down.
  "0f3a_größe & mehr.sql": `-- "größe" & mehr
-- Revision ID: 0f3a
-- Revises:

-- migrate:up
CREATE INDEX i ON orders (größe);
ALTER TABLE orders ALTER total TYPE smallint;
-- lint:allow drop-table because nobody has read it since 2019
DROP TABLE "old ones";
`,
};

async function start(t, files) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "sarif-"));
  const migrations = path.join(folder, "migrations");
  fs.mkdirSync(migrations);
  for (const [name, text] of Object.entries(files)) {
    fs.writeFileSync(path.join(migrations, name), text);
  }
  const address = `unix:${folder}/socket`;
  const migd = spawn(MIGD, ["--offline", "--migrations", migrations, "--listen", address],
    { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  migd.stderr.on("data", (text) => (log += text));
  const ended = new Promise((resolve) => migd.on("exit", resolve));
  t.after(async () => {
    migd.kill();
    await ended;
    fs.rmSync(folder, { recursive: true });
  });
  const migctl = (...words) =>
    spawnSync(MIGCTL, ["--server", address, ...words], { encoding: "utf8" });
  for (const deadline = Date.now() + 120_000; migctl("heads").status !== 0; ) {
    assert.equal(migd.exitCode, null, log);
    assert.ok(Date.now() < deadline, log);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return () => migctl("lint", "--format", "sarif", "--migrations", migrations);
}

function check(text) {
  const log = JSON.parse(text);
  validate(log);
  assert.deepEqual(validate.errors, null);
  return log;
}

test("the schema finds mistakes", () => {
  assert.ok(!validate({ version: "2.1.0", runs: [{ results: [] }] }));
  assert.ok(!validate({ version: "2.1.0", runs: [{ tool: { driver: { name: "migctl" } },
    results: [{ message: {}, level: "fatal" }] }] }));
});

test("findings, waivers and rules are as the standard has them", async (t) => {
  const lint = await start(t, FILES);
  const { status, stdout, stderr } = lint();
  assert.equal(status, 3, stderr);
  const [run] = check(stdout).runs;
  assert.ok(run.results.length >= 4, stdout);
  assert.deepEqual(new Set(run.results.map(({ level }) => level)), new Set(["error", "warning"]));
  assert.equal(run.results.filter(({ suppressions }) => suppressions?.length > 0).length, 1);
  const rules = run.tool.driver.rules.map(({ id }) => id);
  for (const result of run.results) {
    assert.equal(rules[result.ruleIndex] ?? result.ruleId, result.ruleId);
    // A reference to a file is a URI: blanks and letters beyond ASCII are escaped.
    const { uri } = result.locations[0].physicalLocation.artifactLocation;
    assert.match(uri, /^[!-~]+$/);
    assert.ok(decodeURIComponent(uri).endsWith("größe & mehr.sql"), uri);
  }
});

test("nothing found is a run without results", async (t) => {
  const lint = await start(t, {
    "0f3a_nothing.sql": "-- nothing\n-- Revision ID: 0f3a\n\n-- migrate:up\nSELECT 1;\n" +
      "\n-- migrate:down\nSELECT 1;\n",
  });
  const { status, stdout, stderr } = lint();
  assert.equal(status, 0, stderr);
  assert.deepEqual(check(stdout).runs[0].results, []);
});
