// The manifests of docker/kubernetes/ without a cluster: of Kubernetes' own types, consistent with
// each other and the image, and with settings that migd and migctl understand.
//
//     MIGD=... MIGCTL=... PROJECT_SOURCE=... node kubernetes_test.js
"use strict";

const assert = require("node:assert/strict");
const { spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const test = require("node:test");

const { MIGD, MIGCTL, PROJECT_SOURCE } = process.env;
const FOLDER = path.join(PROJECT_SOURCE, "docker/kubernetes");
const WITH_TLS = path.join(PROJECT_SOURCE, "docker/kubernetes-tls");
const load = require("node:module").createRequire(path.join(PROJECT_SOURCE, "package.json"));
const YAML = load("yaml");

// Not sent to Kubernetes as they are.
const OTHERS = ["kustomization.yaml", "config.yaml"];

// By the rules of YAML 1.1, as Kubernetes reads it: 0440 is octal.
const parseText = (text, name) =>
  YAML.parseAllDocuments(text, { version: "1.1" }).map((document) => {
    assert.deepEqual(document.errors, [], name);
    return document.toJS();
  });
const parse = (name, folder = FOLDER) =>
  parseText(fs.readFileSync(path.join(folder, name), "utf8"), name);

const kustomization = parse("kustomization.yaml")[0];
const config = parse("config.yaml")[0];
const manifests = fs
  .readdirSync(FOLDER)
  .filter((name) => name.endsWith(".yaml") && !OTHERS.includes(name))
  .flatMap((file) => parse(file).map((object) => ({ file, object })));
const find = (kind, name) => {
  const found = manifests.find(({ object }) => object.kind === kind && object.metadata.name === name);
  assert.ok(found, `there is no ${kind} ${name}`);
  return found.object;
};

const deployment = find("Deployment", "migd");
const service = find("Service", "migd");
const job = find("Job", "migd-upgrade");
const application = find("Deployment", "shop");
const server = deployment.spec.template.spec.containers[0];
const workloads = [deployment, job, application];
const containersOf = (workload) => [
  ...(workload.spec.template.spec.initContainers ?? []),
  ...workload.spec.template.spec.containers,
];
// Those of this project's image.
const migctls = [job, application].flatMap((workload) =>
  containersOf(workload).filter((container) => container.image.split(":")[0] === "migd"));

// --- Types ---

// Reads what it wraps, and remembers of what.
function watched(value, at, seen) {
  if (value === null || typeof value !== "object") return value;
  return new Proxy(value, {
    get(target, key) {
      if (typeof key === "string") seen.add(`${at}/${key}`);
      return watched(target[key], `${at}/${String(key)}`, seen);
    },
    ownKeys(target) {
      // A map, such as labels: any key will do.
      for (const key of Object.keys(target)) seen.add(`${at}/${key}`);
      return Reflect.ownKeys(target);
    },
  });
}

function pathsIn(value, at = "") {
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, inner]) => [
    `${at}/${key}`,
    ...pathsIn(inner, `${at}/${key}`),
  ]);
}

// What is wrong with an object by the schema of its kind. Kubernetes' schemas allow keys that they
// do not know, and the validators never look at them: that is how they are found.
function problemsOf(object) {
  const [group, version] = object.apiVersion.includes("/")
    ? object.apiVersion.split("/")
    : ["core", object.apiVersion];
  const capital = (word) => word[0].toUpperCase() + word.slice(1);
  const schema = `IoK8sApi${capital(group.split(".")[0])}${capital(version)}${object.kind}`;
  // By its path: the package exports only classes, which would copy what they check.
  const { validate } = load(
    path.join(PROJECT_SOURCE, "node_modules/kubernetes-models/_schemas", `${schema}.js`));
  const seen = new Set();
  if (!validate(watched(object, "", seen))) {
    return validate.errors.map((error) => `${error.instancePath} ${error.message ?? error.keyword}`);
  }
  return pathsIn(object).filter((at) => !seen.has(at)).map((at) => `${at} is not known`);
}

test("the check of types sees what is wrong", () => {
  const change = (how) => {
    const copy = structuredClone(deployment);
    how(copy.spec.template.spec.containers[0], copy.spec);
    return problemsOf(copy).join("\n");
  };
  assert.equal(change(() => {}), "");
  assert.match(change((container) => (container.livenesProbe = {})), /livenesProbe is not known/);
  assert.match(change((container) => (container.securityContext.runAsUsr = 1)), /runAsUsr/);
  assert.match(change((container) => (container.ports[0].containerPort = "x")), /containerPort/);
  assert.match(change((container, spec) => delete spec.selector), /required/);
});

test("each object is of its type", () => {
  assert.ok(manifests.length >= 9);
  for (const { file, object } of manifests) assert.deepEqual(problemsOf(object), [], file);
});

test("the kustomization has all that is no example", () => {
  const files = new Set(manifests.map(({ file }) => file).filter((file) => !/example/.test(file)));
  assert.deepEqual(new Set(kustomization.resources), files);
  assert.deepEqual(kustomization.configMapGenerator[0].files, ["migd.yaml=config.yaml"]);
});

// --- Names, labels and ports ---

const matches = (selector, labels) =>
  Object.entries(selector).every(([key, value]) => labels[key] === value);

test("selectors find the pods that they are for", () => {
  const labels = deployment.spec.template.metadata.labels;
  const policy = find("NetworkPolicy", "migd").spec;
  const selectors = [
    service.spec.selector,
    find("PodDisruptionBudget", "migd").spec.selector.matchLabels,
    policy.podSelector.matchLabels,
    deployment.spec.template.spec.topologySpreadConstraints[0].labelSelector.matchLabels,
  ];
  for (const workload of [deployment, application]) {
    assert.ok(matches(workload.spec.selector.matchLabels, workload.spec.template.metadata.labels));
  }
  for (const selector of selectors) {
    assert.ok(matches(selector, labels), JSON.stringify(selector));
    assert.ok(!matches(selector, job.spec.template.metadata.labels), JSON.stringify(selector));
  }
  for (const client of [job, application]) {
    assert.ok(policy.ingress[0].from.some(
      ({ podSelector }) => matches(podSelector.matchLabels, client.spec.template.metadata.labels)));
  }
});

test("ports are those that migd listens on", () => {
  const port = Number(config.listen[0].split(":").pop());
  assert.deepEqual(server.ports, [{ name: "grpc", containerPort: port }]);
  assert.equal(service.spec.ports[0].targetPort, "grpc");
  assert.equal(find("NetworkPolicy", "migd").spec.ingress[0].ports[0].port, "grpc");
  for (const probe of [server.startupProbe, server.livenessProbe, server.readinessProbe]) {
    assert.equal(probe.grpc.port, port);
  }
  for (const container of migctls) {
    const address = container.env.find(({ name }) => name === "MIGCTL_SERVER").value;
    assert.equal(
      address,
      `${service.metadata.name}.${kustomization.namespace}.svc:${service.spec.ports[0].port}`);
  }
});

test("no probe that ends a container asks for a database", () => {
  for (const probe of [server.startupProbe, server.livenessProbe]) {
    assert.equal(probe.grpc.service ?? "", "");
  }
  assert.ok(!/database/.test(server.readinessProbe.grpc.service));
});

test("pods keep to the restricted standard of their namespace", () => {
  const namespace = find("Namespace", kustomization.namespace);
  assert.equal(namespace.metadata.labels["pod-security.kubernetes.io/enforce"], "restricted");
  for (const workload of workloads) {
    const pod = workload.spec.template.spec;
    assert.equal(pod.securityContext.runAsNonRoot, true);
    assert.equal(pod.securityContext.seccompProfile.type, "RuntimeDefault");
    for (const { name, securityContext } of containersOf(workload)) {
      assert.equal(securityContext.allowPrivilegeEscalation, false, name);
      assert.deepEqual(securityContext.capabilities, { drop: ["ALL"] }, name);
      assert.equal(securityContext.readOnlyRootFilesystem, true, name);
    }
  }
});

// --- The image ---

const dockerfile = fs.readFileSync(path.join(PROJECT_SOURCE, "docker/Dockerfile"), "utf8");

test("the user is that of the image", () => {
  const [, user, group] = dockerfile.match(/^USER (\d+):(\d+)$/m);
  for (const workload of workloads) {
    const { runAsUser, runAsGroup } = workload.spec.template.spec.securityContext;
    assert.deepEqual([runAsUser, runAsGroup], [Number(user), Number(group)]);
  }
  assert.equal(deployment.spec.template.spec.securityContext.fsGroup, Number(group));
});

test("the image is that of this version", () => {
  const sources = fs.readFileSync(path.join(PROJECT_SOURCE, "CMakeLists.txt"), "utf8");
  const [, version] = sources.match(/^project\(\w+ VERSION ([\d.]+)/m);
  assert.equal(kustomization.images[0].newTag, version);
  assert.equal(server.image, kustomization.images[0].name);
  // No kustomization writes the version into the example.
  assert.deepEqual(migctls.map(({ image }) => image), ["migd", "migd", `migd:${version}`]);
});

test("what the configuration names is mounted there", () => {
  const volumes = new Map(deployment.spec.template.spec.volumes.map((volume) => [volume.name, volume]));
  const mounts = new Map(server.volumeMounts.map((mount) => [mount.mountPath, volumes.get(mount.name)]));
  for (const [where, volume] of mounts) assert.ok(volume, where);
  const file = server.args[server.args.indexOf("--config") + 1];
  assert.equal(mounts.get(path.dirname(file)).configMap.name, kustomization.configMapGenerator[0].name);
  assert.equal(`${path.basename(file)}=config.yaml`, kustomization.configMapGenerator[0].files[0]);
  const secret = find("Secret", "migd-database");
  for (const database of Object.values(config.databases)) {
    assert.equal(mounts.get(path.dirname(database.password_file)).secret.secretName, secret.metadata.name);
    assert.ok(path.basename(database.password_file) in secret.stringData);
    assert.match(dockerfile, new RegExp(`^COPY migrations/\\*\\.sql ${database.migrations}/$`, "m"));
  }
});

test("a pod has the time that migd takes to stop", () => {
  const seconds = { s: 1, m: 60 };
  const [, number, unit] = config.shutdown_grace.match(/^(\d+)([sm])$/);
  assert.ok(deployment.spec.template.spec.terminationGracePeriodSeconds > number * seconds[unit]);
});

// --- With TLS ---

// A strategic merge, as far as the patches need it: lists of things that have names are merged by
// these, volumes' mounts by their paths, other lists are replaced, and null takes a key away.
function merged(base, patch) {
  if (Array.isArray(patch)) {
    const key = ["mountPath", "containerPort", "port", "name"].find(
      (name) => patch.every((item) => item && typeof item === "object" && name in item));
    if (key === undefined || !Array.isArray(base)) return patch;
    const rest = patch.filter((item) => !base.some((other) => other[key] === item[key]));
    return base
      .map((item) => merged(item, patch.find((other) => other[key] === item[key]) ?? {}))
      .concat(rest);
  }
  if (patch === null || typeof patch !== "object") return patch;
  const result = { ...base };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = key in result ? merged(result[key], value) : value;
  }
  return result;
}

const overlay = parse("kustomization.yaml", WITH_TLS)[0];
const patched = overlay.patches.map(({ path: file }) => {
  const patch = parse(file, WITH_TLS)[0];
  return merged(find(patch.kind, patch.metadata.name), patch);
});

test("with TLS each object is of its type", () => {
  for (const object of patched) assert.deepEqual(problemsOf(object), [], object.kind);
  assert.equal(overlay.namespace, kustomization.namespace);
  assert.deepEqual(overlay.resources.map((name) => path.join(WITH_TLS, name)), [FOLDER]);
  // kustomize takes a folder within the one that it is based on for a cycle.
  assert.match(path.relative(FOLDER, WITH_TLS), /^\.\./);
});

test("with TLS the probes and the policy name the metrics' port, and files are mounted", () => {
  const [reached, withTls, upgrade, policy] = patched;
  assert.deepEqual(reached.spec.ports, [{ ...service.spec.ports[0], appProtocol: "https" }]);
  const [container] = withTls.spec.template.spec.containers;
  const { listen, metrics_tls, tls, ...settings } = parse("config.yaml", WITH_TLS)[0];
  const { listen: _, insecure, ...same } = config;
  // Nothing is in plain text any more, the metrics included.
  assert.deepEqual([settings, metrics_tls, insecure], [same, true, true]);
  for (const probe of [container.startupProbe, container.livenessProbe, container.readinessProbe]) {
    assert.equal(probe.grpc, undefined);
    assert.equal(probe.httpGet.scheme, "HTTPS");
    assert.ok(container.ports.some(({ name }) => name === probe.httpGet.port));
  }
  const { containerPort } = container.ports.find(({ name }) => name === "metrics");
  assert.equal(container.args[container.args.indexOf("--metrics-listen") + 1], `0.0.0.0:${containerPort}`);
  assert.equal(policy.spec.ingress[1].ports[0].port, "metrics");
  assert.deepEqual(policy.spec.ingress[0], find("NetworkPolicy", "migd").spec.ingress[0]);

  const clients = containersOf(upgrade);
  for (const files of [Object.values(tls), ...clients.map(({ args }) =>
    args.filter((arg) => arg.startsWith("/")))]) {
    assert.equal(files.length, 3);
    for (const file of files) assert.equal(path.dirname(file), "/run/secrets/tls");
  }
  for (const { volumeMounts } of [container, ...clients]) {
    assert.ok(volumeMounts.some(({ mountPath }) => mountPath === "/run/secrets/tls"));
  }
  // But for TLS, the Job does the same.
  clients.forEach(({ args }, index) => {
    assert.deepEqual(args.slice(0, args.indexOf("--tls-ca")), containersOf(job)[index].args);
  });
});

const flagsOf = (program, ...command) =>
  new Set(spawnSync(program, [...command, "--help"], { encoding: "utf8" }).stdout.match(/--[a-z-]+/g));
const known = { migd: flagsOf(MIGD), migctl: flagsOf(MIGCTL) };

test("with TLS all flags are known", () => {
  const given = (args) => args.filter((arg) => arg.startsWith("--"));
  for (const { args } of containersOf(patched[2])) {
    const flags = new Set([...known.migctl, ...flagsOf(MIGCTL, args[0])]);
    for (const flag of given(args)) assert.ok(flags.has(flag), `migctl ${args[0]} ${flag}`);
  }
  for (const flag of given(containersOf(patched[1])[0].args)) assert.ok(known.migd.has(flag), flag);
});

// --- As kubectl renders them ---

// What `kubectl kustomize` makes of a folder; null where there is no kubectl, or one whose kustomize
// is too old to know `labels`, as Debian's is.
function rendered(folder) {
  const version = spawnSync("kubectl", ["version", "--client"], { encoding: "utf8" });
  const [, major] = version.stdout?.match(/Kustomize Version: v(\d+)/) ?? [];
  if (!(Number(major) >= 5)) return null;
  const result = spawnSync("kubectl", ["kustomize", folder], { encoding: "utf8" });
  assert.equal(result.status, 0, result.stderr);
  return parseText(result.stdout, folder);
}

for (const [name, folder, wanted] of [
  ["plain", FOLDER, manifests.map(({ object }) => object)],
  ["with TLS", WITH_TLS, patched],
]) {
  test(`kubectl renders what is meant: ${name}`, (t) => {
    const objects = rendered(folder);
    if (objects === null) return t.skip("there is no kubectl with a kustomize of version 5");
    const one = (kind) => objects.find((object) => object.kind === kind);
    assert.deepEqual(objects.map(({ kind }) => kind).sort(),
      [...kustomization.resources.map((file) => parse(file)[0].kind), "ConfigMap"].sort());
    for (const object of objects) {
      assert.deepEqual(problemsOf(object), [], object.kind);
      assert.equal(object.metadata.namespace ?? object.metadata.name, kustomization.namespace);
    }
    // As the checks above have seen it, but for the image, and the name of the configuration.
    const tag = (image) => `${image}:${kustomization.images[0].newTag}`;
    const configuration = one("ConfigMap").metadata.name;
    assert.match(configuration, /^migd-config-/);
    for (const kind of ["Deployment", "Job", "NetworkPolicy", "Service"]) {
      const spec = structuredClone(wanted.find((object) => object.kind === kind).spec);
      for (const container of spec.template ? containersOf({ spec }) : []) {
        container.image = tag(container.image);
      }
      const found = one(kind).spec;
      for (const volume of spec.template?.spec.volumes ?? []) {
        if (volume.configMap) volume.configMap.name = configuration;
      }
      const byName = (a, b) => (a.mountPath ?? a.name).localeCompare(b.mountPath ?? b.name);
      for (const each of [spec, found].filter(({ template }) => template)) {
        each.template.spec.volumes?.sort(byName);
        for (const container of containersOf({ spec: each })) container.volumeMounts?.sort(byName);
      }
      assert.deepEqual(found, spec, kind);
    }
  });
}

// --- The programs ---

test("migd takes its configuration, and migctl its command lines", async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "migd-kubernetes."));
  const address = `unix:${folder}/socket`;
  const password = path.join(folder, "password");
  fs.writeFileSync(password, "any\n");
  // As it is, but for the places: PostgreSQL is nowhere.
  const here = structuredClone(config);
  here.listen = [address];
  for (const database of Object.values(here.databases)) {
    database.password_file = password;
    database.migrations = path.join(PROJECT_SOURCE, "migrations");
    database.url = `host=${folder} user=app dbname=app`;
  }
  const file = path.join(folder, "migd.yaml");
  fs.writeFileSync(file, YAML.stringify(here));
  const args = server.args.map((arg) => (arg === "/etc/migd/migd.yaml" ? file : arg));
  const migd = spawn(MIGD, args, { stdio: ["ignore", "ignore", "pipe"] });
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
  for (const deadline = Date.now() + 120_000; ; ) {
    if (migctl("heads", "--database", "app").status === 0) break;
    assert.equal(migd.exitCode, null, log);
    assert.ok(Date.now() < deadline, log);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }

  for (const container of migctls) {
    assert.deepEqual(container.command, ["migctl"]);
    // The database is away, which is no mistake in the command line.
    const { status, stderr } = migctl("--timeout", "1s", ...container.args);
    assert.notEqual(status, 2, stderr);
    assert.ok(!/UNKNOWN/.test(stderr), stderr);
    const database = container.args[container.args.indexOf("--database") + 1];
    assert.ok(database in config.databases, database);
    if (container.args[1] === "base") continue;
    assert.equal(migctl("show", container.args[1], "--database", database).status, 0);
  }
  for (const [name, probe] of Object.entries({
    liveness: server.livenessProbe,
    readiness: server.readinessProbe,
  })) {
    assert.equal(migctl("health", probe.grpc.service ?? "").status, 0, name);
  }
});
