/**
 * examples/nginx.conf in front of two gateways that stop, are started again, are drained and are taken out, under traffic: nginx asks nobody how
 * they are, and no client sees an error all the same.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Program } from '../../scripts/bench/lib/program.js';
import { Servers } from '../../scripts/chaos/servers.js';
import { Steady } from '../../scripts/chaos/steady-clients.js';
import { root } from '../../scripts/support/root.js';
import { until } from '../support/until.js';
import { converse } from './support/conversation.js';
import { type Couple, exchangeInAnyOrder } from './support/scenario.js';
import { stropheCouple } from './support/strophe-couple.js';
import { type StartProxy, TwoGateways } from './support/two-gateways.js';

/** Half of them over BOSH, half over WebSocket with stream management. */
const USERS = 40;
const RATE = 40;

/** As it stands, but for ports, and HTTPS; and it logs what clients hear. */
const startNginx: StartProxy = async ({ folder, port, gateways }) => {
  const config = gateways.reduce(
    (text, { http }, index) => text.replaceAll(`127.0.0.1:${8081 + index}`, `127.0.0.1:${http}`),
    readFileSync(join(root, 'examples/nginx.conf'), 'utf8')
      .replace('listen 127.0.0.1:8444 ssl;', `listen 127.0.0.1:${port};`)
      .replace(/^ *ssl_.*$/gm, '')
      .replace('access_log off;', 'access_log var/access.log;'),
  );
  mkdirSync(join(folder, 'var'), { recursive: true });
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, config);
  const log = join(folder, 'var/nginx.log');
  return Program.start(
    ['/usr/sbin/nginx', '-p', folder, '-c', file, '-e', log, '-g', 'daemon off;'],
    port,
    undefined,
  );
};

const run = promisify(execFile);

describe('two gateways behind nginx', { timeout: 300_000 }, () => {
  let all: TwoGateways;
  let steady: Steady;
  let couples: readonly [Couple, Couple];
  let isOver = false;
  let talks: Promise<unknown>;

  before(async () => {
    all = await TwoGateways.start({ workers: 1, tls: false }, startNginx);
    const { instance, url, webSocketUrl } = all;
    const servers = await Servers.connect(instance.var, Number(instance.env.ERL_EPMD_PORT));
    await servers.register(instance.ejabberdNode, 'localhost', USERS + 4);
    await servers.stop();
    steady = await Steady.start({
      urls: { bosh: url, websocket: webSocketUrl },
      host: 'localhost',
      users: USERS,
      rate: RATE,
      seed: 1,
      folder: join(instance.var, 'steady'),
    });
    await steady.login();
    couples = await Promise.all([stropheCouple(url, USERS), stropheCouple(webSocketUrl, USERS + 2)]);
    await steady.talk();
    talks = Promise.all([talk(couples[0], exchange), talk(couples[1], exchangeInOrder)]);
    // Who fails is told where it is waited for.
    talks.catch(() => {});
  });
  after(async () => {
    isOver = true;
    steady?.close();
    await all?.stop();
  });

  /** In the sessions that they began with. */
  async function talk(both: Couple, turn: (both: Couple) => Promise<unknown>): Promise<void> {
    const { alice, bob } = both;
    const sids = [alice.sid, bob.sid];
    while (!isOver) await turn(both);
    assert.deepEqual([alice.sid, bob.sid], sids);
  }
  // Over BOSH strophe.js takes two answers as they come, which on a busy machine need not be as they left.
  const exchange = (both: Couple): Promise<void> => exchangeInAnyOrder(both, 40);
  const exchangeInOrder = ({ alice, bob }: Couple): Promise<unknown> =>
    Promise.all([converse(alice, bob, 20), converse(bob, alice, 20)]);

  /** `nginx -s reload` after a change of its configuration. */
  async function reload(change: (text: string) => string): Promise<void> {
    const folder = all.instance.var;
    const file = join(folder, 'nginx.conf');
    const before = readFileSync(file, 'utf8');
    const after = change(before);
    assert.notEqual(after, before);
    writeFileSync(file, after);
    await run('/usr/sbin/nginx', [
      '-p',
      folder,
      '-c',
      file,
      '-e',
      join(folder, 'var/nginx.log'),
      '-s',
      'reload',
    ]);
  }

  const busy = async (number: number): Promise<boolean> => (await all.metric(number, 'open_exchanges')) > 0;
  const webSockets = (number: number): Promise<number> => all.metric(number, 'websockets');

  for (const number of [1, 2]) {
    it(`gateway ${number} gets SIGTERM and ends; started again, it gets clients again`, async () => {
      await until(() => busy(number));
      const resumed = steady.now.resumed;
      const moving = await webSockets(number);
      steady.step(`SIGTERM to gateway ${number}`);
      assert.equal(await all.endGateway(number), 0);
      assert.ok((await steady.recovered(60)) !== undefined);
      await until(() => steady.now.resumed >= resumed + moving - 2);
      await all.startGateway(number);
      // The other one stops at once: nginx may still think that this one is not there.
    });
  }

  it('gateway 1 is drained, which nginx does not know: WebSockets go to the other one, and requests are served', async () => {
    steady.step('megaphone drain of gateway 1');
    assert.match(await all.order(1, 'drain'), /: drained, /);
    await until(async () => (await webSockets(1)) === 0);
    await until(() => busy(1));
    assert.ok((await steady.recovered(60)) !== undefined);
    assert.match(await all.order(1, 'resume'), /: in service, /);
  });

  it('gateway 2 is taken out as docs/cluster.md has it, `down`, reload, drain: nobody comes any more, until it is back', async () => {
    const port = all.gateways[1].http;
    steady.step('gateway 2 is down for nginx');
    await reload((text) =>
      text.replaceAll(new RegExp(`(server 127.0.0.1:${port}) (.*);`, 'g'), '$1 $2 down;'),
    );
    assert.match(await all.order(2, 'drain'), /: drained, /);
    await until(async () => (await webSockets(2)) === 0 && !(await busy(2)));
    const before = await all.metric(2, 'requests_total');
    const { received } = steady.now;
    await until(() => steady.now.received > received + 5 * RATE);
    assert.equal(await all.metric(2, 'requests_total'), before);
    assert.match(await all.order(2, 'resume'), /: in service, /);
    await reload((text) => text.replaceAll(' down;', ';'));
    await until(() => busy(2));
    assert.ok((await steady.recovered(60)) !== undefined);
  });

  it('nobody saw an error, or had to log in again, and all that was said was heard once and in order', async () => {
    isOver = true;
    await talks;
    await Promise.all(couples.flatMap(({ alice, bob }) => [alice.logout(), bob.logout()]));
    const outcome = await steady.finish();
    assert.equal(
      outcome.lastLine,
      'errors 0 logins 0 lost 0 doubled 0 reordered 0',
      outcome.lines.join('\n'),
    );
    const log = readFileSync(join(all.instance.var, 'var/access.log'), 'utf8');
    const statuses = [...log.matchAll(/^\S+ - - \[.*?\] ".*?" (\d+) /gm)].map(([, status]) => status);
    assert.deepEqual([...new Set(statuses)].sort(), ['101', '200']);
  });
});
