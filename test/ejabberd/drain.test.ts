/** A node of three is emptied under traffic, and stopped: its sessions go on at others, and nobody notices. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe as describeRun } from '../../scripts/chaos/report.js';
import { Servers } from '../../scripts/chaos/servers.js';
import { Steady } from '../../scripts/chaos/steady-clients.js';
import type { Service } from '../../src/service/service.js';
import { until } from '../support/until.js';
import { gatewayBeside } from './support/gateway-beside.js';
import { ServerCluster } from './support/server-cluster.js';

const USERS = Number(process.env.DRAIN_USERS ?? 400);

let cluster: ServerCluster;
let service: Service;
let clients: Steady;
before(async () => {
  cluster = await ServerCluster.start(3);
  const { instance } = cluster.member(1);
  const beside = await gatewayBeside(instance, { nodes: cluster.nodes, drain_time: '0 s' });
  service = beside.service;
  await until(() => service.gateway.cluster.inService >= 3);
  const servers = await Servers.connect(instance.var, Number(instance.env.ERL_EPMD_PORT));
  await servers.register(instance.ejabberdNode, 'localhost', USERS);
  await servers.stop();
  clients = await Steady.start({
    urls: { bosh: beside.url, websocket: beside.webSocketUrl },
    host: 'localhost',
    users: USERS,
    rate: 200,
    seed: 1,
    folder: join(instance.var, 'steady'),
  });
  // All at the first.
  const others = (state: string): Promise<unknown> =>
    Promise.all([2, 3].map((n) => cluster.member(n).server.evaluate(`megaphone_cluster:set(${state}).`)));
  const known = (count: number): Promise<boolean> =>
    cluster
      .member(1)
      .server.print('length(megaphone_cluster:others())')
      .then((n) => Number(n) === count);
  await others('draining');
  await until(() => known(0));
  await clients.login();
  await others('in_service');
  await until(() => known(2));
  await clients.talk();
  await sleep(1_000);
});
after(async () => {
  clients?.close();
  await service?.stop();
  await cluster?.stop();
});

const sessionsAt = async (n: number): Promise<number> =>
  Number(await cluster.member(n).server.print('megaphone_sessions:count()'));

async function status(n: number): Promise<Record<string, string>> {
  const lines = (await cluster.member(n).instance.ctl('megaphone_drain_status')).trim().split('\n');
  return Object.fromEntries(lines.map((line) => line.split('\t')));
}

const unnoticed = (): void => {
  const { online, errors, logins, doubled, reordered } = clients.now;
  assert.deepEqual(
    { online, errors, logins, doubled, reordered },
    { online: USERS, errors: 0, logins: 0, doubled: 0, reordered: 0 },
    `${describeRun(clients.checker, '').join('\n')}\n${JSON.stringify(service.gateway.counters)}`,
  );
};

describe('a node of three', { timeout: 280_000 }, () => {
  it('is emptied: all its sessions move to the others, and it takes no new ones', async (t) => {
    const count = await sessionsAt(1);
    assert.equal(count, USERS);
    clients.step('drain');
    assert.match(await cluster.member(1).instance.ctl('megaphone_drain'), /megaphone_drain_status/);
    const begin = Date.now();
    await until(async () => (await sessionsAt(1)) <= 0);
    t.diagnostic(`${count} sessions in ${Date.now() - begin} ms`);
    const after = await status(1);
    assert.equal(after.state, 'draining');
    assert.ok(Number(after.moved) >= count);
    const [two, three] = [await sessionsAt(2), await sessionsAt(3)];
    assert.equal(two + three, USERS);
    // What they tell of themselves is up to two seconds old.
    assert.ok(Math.abs(two - three) < USERS / 4, `${two}, ${three}`);
    await sleep(1_000);
    unnoticed();
  });

  it('takes sessions again, and its share of them', async () => {
    clients.step('rebalance');
    await cluster.member(1).instance.ctl('megaphone_drain_abort');
    assert.equal((await status(1)).state, 'in_service');
    // Three who ask at once do what one does.
    const plans = await Promise.all(
      [1, 2, 3].map((n) => cluster.member(n).instance.ctl('megaphone_rebalance')),
    );
    assert.match(plans.join('\n'), /ejabberd.*\t[1-9]/);
    await until(async () => (await status(2)).moves === 'idle' && (await status(3)).moves === 'idle');
    const counts = await Promise.all([1, 2, 3].map(sessionsAt));
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 3, `${counts}, ${plans}`);
    await sleep(1_000);
    unnoticed();
  });

  it('is emptied in part, where that is aborted', async () => {
    clients.step('abort');
    const count = await sessionsAt(1);
    const { server } = cluster.member(1);
    await server.evaluate('ok = megaphone_drain:drain(all), timer:sleep(60), megaphone_drain:abort().');
    await sleep(2_000);
    const left = await sessionsAt(1);
    assert.ok(left > 0 && left < count, `${left} of ${count}`);
    const { state, moves, sessions, to_go, under_way, stays } = await status(1);
    assert.deepEqual(
      { state, moves, sessions, to_go, under_way, stays },
      { state: 'in_service', moves: 'idle', sessions: `${left}`, to_go: '0', under_way: '0', stays: 'none' },
    );
    unnoticed();
  });

  it('stops: its sessions go on', async () => {
    clients.step('stop');
    await cluster.member(1).instance.script('ejabberd.sh', 'stop');
    assert.equal((await sessionsAt(2)) + (await sessionsAt(3)), USERS);
    await sleep(1_000);
    unnoticed();
  });

  it('leaves the cluster, by a command that another one is given: its sessions go on', async () => {
    clients.step('leave');
    assert.ok((await sessionsAt(2)) > 0);
    await cluster.leave(2, 3);
    assert.equal(await sessionsAt(3), USERS);
    await sleep(1_000);
    unnoticed();
    const outcome = await clients.finish();
    assert.equal(
      outcome.lastLine,
      'errors 0 logins 0 lost 0 doubled 0 reordered 0',
      outcome.lines.join('\n'),
    );
  });
});
