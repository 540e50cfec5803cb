/**
 * Two nodes lose each other, and the gateway has both: sessions that moved go on while they are apart, and after it, each served
 * by one process. A node that is dead is told from one that is apart.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from '../../scripts/support/instance.js';
import { until } from '../support/until.js';
import { type Answer, BoshSession, ping } from './conformance/bosh-session.js';
import { gatewayOf, move, other, place } from './support/moving.js';
import { makeAccounts } from './support/people.js';
import { ServerCluster } from './support/server-cluster.js';
import { WebSocketSession } from './support/websocket-session.js';

const APART_MS = 3000;

let cluster: ServerCluster;
let gateway: Awaited<ReturnType<typeof gatewayOf>>;
let accounts: Account[];
before(async () => {
  cluster = await ServerCluster.start(2);
  gateway = await gatewayOf(cluster);
  accounts = await makeAccounts(
    cluster.member(1).server,
    Array.from({ length: 40 }, (_, i) => `mover${i}`),
  );
});
after(async () => {
  await gateway?.service.stop();
  await cluster?.stop();
});

/** So many sessions, each moved to the node that its sid does not name. */
async function moved<S extends { readonly jid: string }>(
  count: number,
  login: (as: Account) => Promise<S>,
): Promise<S[]> {
  const all = await Promise.all(accounts.splice(0, count).map(login));
  for (const one of all) assert.equal(await move(cluster, one, other(await place(cluster, one))), 'moved');
  return all;
}

const bosh = (as: Account): Promise<BoshSession> =>
  BoshSession.login(gateway.url, { wait: 2 }, { ...as, resource: 'web', presence: '' });
const webSocket = (as: Account): Promise<WebSocketSession> =>
  WebSocketSession.login(gateway.webSocketUrl, { ...as, resource: 'ws', presence: '' });

/** Neither takes a connection of the other: with one cookie for both, whoever sends next would connect them again. */
async function part(): Promise<void> {
  await eachOther(
    (name) => `true = erlang:set_cookie('${name}', 'apart from ${name}'), erlang:disconnect_node('${name}').`,
  );
  for (const { server } of cluster.members) await until(async () => (await server.print('nodes()')) === '[]');
}

async function meet(): Promise<void> {
  await eachOther((name) => `true = erlang:set_cookie('${name}', erlang:get_cookie()).`);
  await eachOther((name) => `true = net_kernel:connect_node('${name}').`);
}

async function eachOther(what: (name: string) => string): Promise<void> {
  for (const n of [1, 2]) await cluster.member(n).server.evaluate(what(cluster.member(other(n)).name));
}

/** What is answered with 503 is asked again, as any client does. */
async function answered(one: BoshSession, rid: number, payload?: string): Promise<Answer> {
  for (;;) {
    const answer = await one.at(rid, {}, payload).answer;
    if (answer.status !== 503) return answer;
    await sleep(20);
  }
}

/** One request after another: an empty one that is held, and one that is answered at once. */
async function asks(one: BoshSession, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    one.rid += 2;
    for (const { status, attributes, xml } of await Promise.all([
      answered(one, one.rid - 1),
      answered(one, one.rid, ping()),
    ]))
      assert.deepEqual([status, attributes.type], [200, undefined], xml);
  }
}

/** Of each session: the nodes that have it. */
async function places(sids: readonly string[]): Promise<number[][]> {
  const found = sids.map((): number[] => []);
  for (const [n, { server }] of cluster.members.entries())
    for (const [i, sid] of sids.entries())
      if ((await server.print(`megaphone_sessions:find(<<"${sid}">>)`)) !== 'none') found[i]?.push(n + 1);
  return found;
}

// One test: Mnesia does not forget that its nodes were apart.
it('nodes apart: sessions that moved go on where they are; one that dies then is known to be dead', {
  timeout: 180_000,
}, async (t) => {
  const all = await moved(8, bosh);
  const sockets = await moved(4, webSocket);
  const sids = all.map(({ sid }) => sid);
  const where = await places(sids);
  for (const found of where) assert.equal(found.length, 1);
  assert.equal(new Set(where.flat()).size, 2);
  let isOver = false;
  const asking = all.map((one) => asks(one, () => isOver));
  const pinging = sockets.map(async (one) => {
    while (!isOver) await one.roundTrip();
  });
  await part();
  const before = all.map(({ rid }) => rid);
  await sleep(APART_MS);
  const asked = all.map(({ rid }, i) => rid - (before[i] as number));
  t.diagnostic(`requests while apart: ${asked}`);
  assert.ok(Math.min(...asked) > 2);
  assert.deepEqual(await places(sids), where);
  await meet();
  for (const { server } of cluster.members)
    await until(async () => (await server.print('length(megaphone_cluster:others())')) === '1');
  const met = all.map(({ rid }) => rid);
  await until(() => all.every(({ rid }, i) => rid > (met[i] as number) + 4));
  isOver = true;
  await Promise.all([...asking, ...pinging]);
  assert.deepEqual(await places(sids), where);

  await part();
  const two = cluster.member(2);
  const folder = join(two.instance.var, two.name.split('@', 1)[0] as string);
  process.kill(Number(await readFile(join(folder, 'ejabberd.pid'), 'utf8')), 'SIGKILL');
  const killed = Date.now();
  const hears = async (one: BoshSession): Promise<string | undefined> => {
    one.rid += 1;
    return (await answered(one, one.rid, ping())).attributes.condition;
  };
  const heard = await Promise.all(all.map(hears));
  t.diagnostic(`all have heard ${Date.now() - killed} ms after the kill`);
  assert.deepEqual(
    heard,
    where.map(([n]) => (n === 1 ? undefined : 'item-not-found')),
  );
});
