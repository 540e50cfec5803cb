/**
 * Debian's Prometheus watches a real gateway of two workers as examples/monitoring/ has it: it takes all that is told, each
 * query of the dashboard has something to show, and each alert fires: by its rule as it stands, of series that are played, and
 * in earnest, in seconds instead of minutes. Only what ends the process where it goes a little further, a heap that is
 * nearly full, has a lower threshold there.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { makeCertificate } from '../../scripts/support/certificate.js';
import { Instance } from '../../scripts/support/instance.js';
import { setModuleOptions } from '../../scripts/support/module-options.js';
import { freePorts } from '../../scripts/support/ports.js';
import { root } from '../../scripts/support/root.js';
import { tagOf } from '../../src/gateway/sid.js';
import type { Health } from '../../src/observe/report.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { happens, until } from '../support/until.js';
import { BoshSession } from './conformance/bosh-session.js';
import { CreationFlood } from './support/creation-flood.js';

const run = promisify(execFile);
const example = (name: string): Promise<string> => readFile(join(root, 'examples/monitoring', name), 'utf8');

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly for?: string;
  readonly annotations?: unknown;
}
type Rules = { readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[] };

interface Series {
  readonly metric: Readonly<Record<string, string>>;
}

let instance: Instance;
let prometheus: ChildProcess;
let adminUrl: string;
let prometheusUrl: string;
let alerts: Rules;

const file = (name: string): string => join(instance.var, name);
const rules = (): readonly Rule[] => alerts.groups.flatMap((group) => group.rules);
/** The same ones, each of them changed. */
const changed = (change: (rule: Rule) => Rule): string =>
  stringify({ groups: alerts.groups.map((group) => ({ ...group, rules: group.rules.map(change) })) });

before(async () => {
  const [adminPort = 0, port = 0] = await freePorts(2);
  adminUrl = `http://127.0.0.1:${adminPort}`;
  prometheusUrl = `http://127.0.0.1:${port}`;
  instance = await Instance.start({ gateway: false });
  Object.assign(instance.env, {
    MEGAPHONE_WORKERS: '2',
    MEGAPHONE_COMET_ANYONE: 'true',
    MEGAPHONE_ADMIN_PORT: `${adminPort}`,
    MEGAPHONE_TRUSTED_PROXIES: '127.0.0.1',
    MEGAPHONE_MAX_FAILED_LOGINS_PER_ADDRESS: '5/h',
  });
  await instance.startGateway();
  await until(async () => (await health()).status === 'ok');
  alerts = parse(await example('alerts.yml')) as Rules;
  await startPrometheus(adminPort, port);
});
after(async () => {
  prometheus?.kill('SIGKILL');
  await instance?.stop();
});

/** As the example has it, but in seconds what takes minutes there. */
async function configurePrometheus(...adminPorts: readonly number[]): Promise<void> {
  const config = await example('prometheus.yml');
  const targets = adminPorts.map((port) => `127.0.0.1:${port}`);
  const swift = config.replaceAll('15s', '1s').replace('- localhost:9080', `[${targets}]`);
  await writeFile(file('prometheus.yml'), swift);
  await writeFile(file('alerts.yml'), changed(swiftly));
}

/** Of a minute five seconds are left. */
function swiftly(rule: Rule): Rule {
  const expr = rule.expr.replaceAll('[1m]', '[5s]');
  return {
    ...rule,
    for: '1s',
    expr: rule.alert === 'MegaphoneMemory' ? expr.replace('0.85', '0.001') : expr,
  };
}

async function startPrometheus(adminPort: number, port: number): Promise<void> {
  await configurePrometheus(adminPort);
  const flags = [
    `--config.file=${file('prometheus.yml')}`,
    `--storage.tsdb.path=${file('prometheus')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=error',
  ];
  prometheus = spawn('prometheus', flags, { stdio: ['ignore', 'inherit', 'inherit'] });
  process.once('exit', () => prometheus.kill('SIGKILL'));
  await until(() =>
    fetch(`${prometheusUrl}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
}

async function ask<T>(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<T> {
  const answer = await fetch(`${prometheusUrl}/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const { status, data, error } = (await answer.json()) as { status: string; data: T; error?: string };
  assert.equal(status, 'success', `${JSON.stringify(parameters)}: ${error}`);
  return data;
}

const query = async (expr: string): Promise<readonly Series[]> =>
  (await ask<{ readonly result: readonly Series[] }>('query', { query: expr })).result;

const health = async (): Promise<Health> => (await (await fetch(`${adminUrl}/healthz`)).json()) as Health;
const metrics = async (): Promise<string> => (await fetch(`${adminUrl}/metrics`)).text();

/** Those that fire for the gateway with that admin port, by name. */
async function firing(url = adminUrl): Promise<readonly string[]> {
  type Alert = {
    readonly labels: { readonly alertname: string; readonly instance: string };
    readonly state: string;
  };
  const { alerts: all } = await ask<{ readonly alerts: readonly Alert[] }>('alerts');
  const ours = all.filter(({ state, labels }) => state === 'firing' && labels.instance === new URL(url).host);
  return ours.map(({ labels }) => labels.alertname);
}

const wrongPassword = `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${btoa('\0alice\0wrong')}</auth>`;

/** What fired in earnest. */
const provoked = new Set<string>();

async function fires(name: string, url = adminUrl): Promise<void> {
  await until(async () => (await firing(url)).includes(name));
  provoked.add(name);
}

/** Of an expression of PromQL. */
const namesIn = (expr: string): readonly string[] =>
  [...expr.matchAll(/\b(?:megaphone|nodejs|process)_\w+/g)].map(([name]) => name);

/** Without what a histogram has behind its name. */
const base = (name: string): string => name.replace(/_(?:bucket|sum|count)$/, '');

interface Dashboard {
  readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[];
}

/** With Grafana's variables as it sets them. */
async function dashboardQueries(): Promise<readonly string[]> {
  const { panels } = JSON.parse(await example('dashboard.json')) as Dashboard;
  return panels.flatMap(({ targets = [] }) =>
    targets.map(({ expr }) => expr.replaceAll('$instance', '.*').replaceAll('$__rate_interval', '5m')),
  );
}

/** No gateway here has a certificate. */
const NOT_HERE = 'megaphone_certificate_expiry_timestamp_seconds';

describe('a gateway, watched', () => {
  it('tells what keeps the rules, and what the page of metrics says', async () => {
    const child = run('promtool', ['check', 'metrics']);
    const text = await metrics();
    child.child.stdin?.end(text);
    const { stdout, stderr } = await child;
    assert.equal(stdout + stderr, '');
    const there = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) => `${name} ${type}`);
    const page = await readFile(join(root, 'docs/metrics.md'), 'utf8');
    const rows = [...page.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(([, name, type]) => `${name} ${type}`);
    assert.ok(there.length > 80);
    assert.deepEqual(there.sort(), rows.sort());
  });

  it('has something to show in each panel of the dashboard, once clients were there', async () => {
    const main = join(root, 'dist/src/main.js');
    const { stdout } = await run(process.execPath, [
      main,
      'check',
      instance.gatewayUrl.replace('127.0.0.1', 'localhost').replace('/bosh', ''),
    ]);
    assert.match(stdout, /✔ WebSocket: leave/);
    const queries = await dashboardQueries();
    assert.ok(queries.length > 50);
    const told = new Set([...(await metrics()).matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name));
    const unknown = [...queries, ...rules().map(({ expr }) => expr)]
      .flatMap(namesIn)
      .filter((name) => !told.has(name) && !told.has(base(name)));
    assert.deepEqual(unknown, []);
    await writeFile(
      file('queries.yml'),
      stringify({
        groups: [{ name: 'dashboard', rules: queries.map((expr, at) => ({ record: `panel:${at}`, expr })) }],
      }),
    );
    await run('promtool', ['check', 'rules', file('queries.yml')]);
    for (const expr of queries.filter((each) => !each.includes(NOT_HERE))) {
      await until(async () => (await query(expr)).length > 0);
    }
  });

  it("has the logins of both transports in the histogram of the module's", async () => {
    await until(async () => {
      const [sample] = await query('sum(megaphone_ejabberd_login_duration_seconds_count) >= 2');
      return sample !== undefined;
    });
  });

  it('has each alert fire by its rule, of series as a gateway tells them', async () => {
    const tests = await readFile(join(root, 'test/ejabberd/fixtures/alerts.test.yml'), 'utf8');
    await writeFile(
      file('plain.yml'),
      changed(({ annotations: _, ...rule }) => rule),
    );
    await writeFile(file('alerts.test.yml'), tests.replace('ALERTS', file('plain.yml')));
    await run('promtool', ['check', 'rules', join(root, 'examples/monitoring/alerts.yml')]);
    await run('promtool', ['check', 'config', join(root, 'examples/monitoring/prometheus.yml')]);
    await run('promtool', ['test', 'rules', file('alerts.test.yml')]);
    type Test = {
      readonly input_series: readonly { readonly series: string }[];
      readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts?: unknown }[];
    };
    const all = (parse(tests) as { readonly tests: readonly Test[] }).tests;
    const fired = all.flatMap(({ alert_rule_test }) =>
      alert_rule_test.flatMap(({ alertname, exp_alerts }) => (exp_alerts === undefined ? [] : [alertname])),
    );
    const names = rules().map(({ alert }) => alert);
    assert.deepEqual(fired.sort(), [...names].sort());
    const page = await readFile(join(root, 'examples/README.md'), 'utf8');
    assert.deepEqual(
      [...page.matchAll(/^\| `(Megaphone\w+)` \|/gm)].map(([, name]) => name).sort(),
      [...names].sort(),
    );
    for (const { series } of all.flatMap(({ input_series }) => input_series)) {
      const [, name = '', labels = ''] = /^(\w+)\{(.*)\}$/.exec(series) ?? [];
      if (name === NOT_HERE) continue;
      const real = Object.keys((await query(name))[0]?.metric ?? {}).filter((label) => label !== '__name__');
      const ours = [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label);
      assert.deepEqual(ours.sort(), real.sort(), series);
    }
  });
});

describe('alerts in earnest', () => {
  /** Another gateway, which reaches no ejabberd: it has a certificate, and few files. */
  let other: GatewayProcess;
  let otherUrl: string;
  const sockets: Socket[] = [];
  let isOver = false;

  before(async () => {
    const { cert, key } = makeCertificate(instance.var, 'node');
    const tls = { distribution_tls_cert: cert, distribution_tls_key: key, distribution_tls_ca: cert };
    other = await GatewayProcess.start(1600, tls);
    otherUrl = `http://127.0.0.1:${other.adminPort}`;
  });
  after(async () => {
    isOver = true;
    for (const socket of sockets) socket.destroy();
    if (other === undefined) return;
    const ended = happens(other.process, 'exit');
    other.process.kill('SIGKILL');
    await ended;
  });

  /** From many addresses, none of which is conspicuous. */
  async function open(port: number, count: number): Promise<readonly Socket[]> {
    const all = Array.from({ length: count }, (_, index) =>
      connect({ port, host: '127.0.0.1', localAddress: `127.1.${index % 250}.1` }).on('error', () => {}),
    );
    sockets.push(...all);
    await Promise.all(all.map((socket) => happens(socket, 'connect')));
    return all;
  }

  it('only the one with a lower threshold fires while all is well', async () => {
    // On a busy machine a scrape may have come too late.
    await until(async () => (await firing()).every((name) => name === 'MegaphoneMemory'));
    await fires('MegaphoneMemory');
  });

  it('a certificate that ends in two days, and a process that can open few files more', async () => {
    await configurePrometheus(Number(new URL(adminUrl).port), other.adminPort);
    prometheus.kill('SIGHUP');
    await open(other.port, 1430);
    await Promise.all([fires('MegaphoneCertificateEnds', otherUrl), fires('MegaphoneOpenFiles', otherUrl)]);
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  it('a process that comes to things late', async () => {
    const pid = other.process.pid ?? assert.fail();
    let isBehind = false;
    const behind = fires('MegaphoneEventLoopBehind', otherUrl).finally(() => {
      isBehind = true;
    });
    while (!isBehind && !isOver) {
      process.kill(pid, 'SIGSTOP');
      await sleep(400);
      process.kill(pid, 'SIGCONT');
      await sleep(100);
    }
    await behind;
  });

  it('a worker that dies again and again', async () => {
    for (let killed = 0; killed < 3; killed += 1) {
      await until(async () => {
        const [worker] = Object.values((await health()).workers ?? {});
        return worker?.up === true && worker.restarts === killed;
      });
      const [worker] = Object.values((await health()).workers ?? {});
      process.kill(worker?.pid ?? assert.fail(), 'SIGKILL');
    }
    await fires('MegaphoneWorkerFlapping');
    await until(async () => Object.values((await health()).workers ?? {}).every(({ up }) => up));
  });

  it('somebody who tries passwords', async () => {
    await until(async () => (await health()).status === 'ok');
    let isSeen = false;
    const tried = fires('MegaphonePasswordsTried').finally(() => {
      isSeen = true;
    });
    while (!isSeen && !isOver) {
      const session = await BoshSession.create(
        instance.gatewayUrl,
        {},
        { 'x-forwarded-for': '198.51.100.1' },
      );
      if (session.creation.status === 200) await session.ask({}, wrongPassword);
    }
    await tried;
  });

  it('clients who begin session after session, until there is no room for more', async () => {
    await setModuleOptions(instance, { mod_megaphone: { max_unauthenticated: 1000 } });
    await until(async () => (await health()).status === 'ok');
    const flood = new CreationFlood(instance.gatewayUrl, {
      habit: 'forget',
      connections: 20,
      address: (index) => `127.2.${index}.1`,
    });
    try {
      await Promise.all([fires('MegaphoneReconnectStorm'), fires('MegaphoneNodesFull')]);
    } finally {
      await flood.stop();
    }
  });

  it('an ejabberd that takes nothing', async () => {
    const ejabberd = await instance.ejabberdPid();
    process.kill(ejabberd, 'SIGSTOP');
    const body = `<body sid='${tagOf(instance.ejabberdNode)}.unknown' rid='1'/>`;
    // More than may be on their way to a node from one of the workers.
    for (const socket of await open(Number(new URL(instance.gatewayUrl).port), 2500)) {
      socket.write(`POST /bosh HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    }
    await fires('MegaphoneCreditExhausted');
  });

  it('a link that is down, and no node', async () => {
    process.kill(await instance.ejabberdPid(), 'SIGKILL');
    await Promise.all([fires('MegaphoneLinkDown'), fires('MegaphoneNoNode')]);
  });

  it('a gateway that is gone', async () => {
    await instance.killGateway();
    await fires('MegaphoneDown');
  });

  it('none is left', () =>
    assert.deepEqual(
      [...provoked].sort(),
      rules()
        .map(({ alert }) => alert)
        .sort(),
    ));
});
