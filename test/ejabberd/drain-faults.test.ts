/** The node that sessions move to dies meanwhile: each goes on where it is, or its client hears that it is gone. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import type { Service } from '../../src/service/service.js';
import { until } from '../support/until.js';
import { BoshSession, condition, ping } from './conformance/bosh-session.js';
import { gatewayBeside } from './support/gateway-beside.js';
import { sweep } from './support/module-state.js';
import { ServerCluster } from './support/server-cluster.js';

const SESSIONS = 200;

let cluster: ServerCluster;
let service: Service;
let url: string;
before(async () => {
  cluster = await ServerCluster.start(2);
  ({ service, url } = await gatewayBeside(cluster.member(1).instance, {
    nodes: cluster.nodes,
    node_return_wait: '2 s',
  }));
});
after(async () => {
  await service?.stop();
  await cluster?.stop();
});

const sessionsAt = async (n: number): Promise<number> =>
  Number(await cluster.member(n).server.print('megaphone_sessions:count()'));

it('the target is killed while sessions move there', { timeout: 240_000 }, async () => {
  const [one, two] = [cluster.member(1), cluster.member(2)];
  await two.server.evaluate('megaphone_cluster:set(draining).');
  // The gateway knows it, and is refused nowhere.
  await until(() => service.gateway.cluster.find(two.name)?.room.isClosed === true);
  await until(() => service.gateway.cluster.find(one.name)?.takesSessions === true);
  const sessions: BoshSession[] = [];
  while (sessions.length < SESSIONS) {
    const some = Array.from({ length: 20 }, () => BoshSession.login(url, {}, { presence: '' }));
    sessions.push(...(await Promise.all(some)));
  }
  assert.equal(await sessionsAt(1), SESSIONS);
  // One of those that serve it, while the others wait.
  const held = sessions.slice(0, SESSIONS / 2).map((session) => session.next().answer);
  await two.server.evaluate('megaphone_cluster:set(in_service).');
  await until(async () => (await one.server.print('length(megaphone_cluster:others())')) === '1');
  const folder = join(two.instance.var, two.name.split('@', 1)[0] as string);
  const pid = Number(await readFile(join(folder, 'ejabberd.pid'), 'utf8'));
  // In the middle, on a slow machine, too: some are not told yet, and one has moved.
  await one.server.evaluate(`
    ok = megaphone_drain:drain(all), timer:sleep(100), ok = sys:suspend(megaphone_drain),
    Moved = fun F() -> megaphone_sessions:count() < ${SESSIONS} orelse begin timer:sleep(1), F() end end,
    true = Moved(), _ = os:cmd("kill -KILL ${pid}"), ok = sys:resume(megaphone_drain).`);

  // Nobody waits for ever for one that may be here or there.
  const status = (): Promise<string> => one.instance.ctl('megaphone_drain_status');
  await until(async () => /to_go\t(\d+)\nunder_way\t0\nstays\tno_node:\1\n/.test(await status()));
  // Who cannot know whether the other took over was killed, and counts until then.
  await sweep(one.server);
  const left = await sessionsAt(1);
  assert.ok(left > 0 && left < SESSIONS, `${left}`);
  assert.match(await status(), new RegExp(`sessions\t${left}\n.*\nto_go\t${left}\nunder_way\t0\n`));
  assert.equal(await one.server.print('megaphone_moved:find(<<"x">>)'), 'none');
  const alive = await Promise.all(
    sessions.map(async (session, index) => {
      const [answer, before] = await Promise.all([session.ask({}, ping()), held[index]]);
      return [before, answer].some((some) => some?.xml.includes("'ping'")) || outcome(answer);
    }),
  );
  assert.equal(alive.filter((is) => is === true).length, left, alive.join(' '));
  assert.deepEqual([...new Set(alive)].sort(), ['item-not-found', true]);
  await one.instance.ctl('megaphone_drain_abort');
  assert.match(await status(), /moves\tidle\n(.*\n){2}to_go\t0\nunder_way\t0\nstays\tnone\n/);
  await until(async () => (await BoshSession.create(url)).creation.status !== 503);
});

const outcome = (answer: Parameters<typeof condition>[0]): string =>
  answer.status === 200 ? condition(answer) : `${answer.status}`;
