/** The connection to ejabberd is cut, or mod_megaphone's hub dies, while both sides live: clients notice nothing. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Load } from '../../scripts/load/load.js';
import { Instance } from '../../scripts/support/instance.js';
import { atom, type Term, Tuple } from '../../src/etf/terms.js';
import type { Service } from '../../src/service/service.js';
import { until } from '../support/until.js';
import { BoshSession, bodies, message, ping } from './conformance/bosh-session.js';
import { ConnectionRelay } from './support/connection-relay.js';
import { distributionPort, gatewayBeside } from './support/gateway-beside.js';

let instance: Instance;
let relay: ConnectionRelay;
let service: Service;
let url: string;
before(async () => {
  instance = await Instance.start({ gateway: false });
  relay = await ConnectionRelay.start(await distributionPort(instance));
  ({ service, url } = await gatewayBeside(instance, {}, { host: '127.0.0.1', port: relay.port }));
});
after(async () => {
  await service.stop();
  await relay.stop();
  await instance.stop();
});

const rpc = (module: string, fun: string, ...args: Term[]): Promise<Term> =>
  service.node.rpc(instance.ejabberdNode, module, fun, args, 30_000);
const hub = (): Promise<Term> => rpc('erlang', 'whereis', atom('mod_megaphone'));

/** What clients heard that was no answer of their session. */
const failures = () => {
  const { answers, refused, timeouts } = service.gateway.counters;
  return { answers: answers['5xx'], refused: { ...refused }, timeouts };
};

test('users talk over a connection that is cut again and again, in the midst of what goes over it: no 503, nothing lost, doubled or reordered', {
  timeout: 240_000,
}, async (t) => {
  const load = await Load.start({ url, host: 'localhost', users: 40 });
  t.after(() => load.close());
  await load.login({ concurrency: 10, perSecond: 100 });
  const beforehand = failures();
  await load.talk(400);
  await sleep(1_000);
  await load.times();
  const CUTS = 12;
  for (let cut = 1; cut <= CUTS; cut += 1) {
    relay.cutSoon();
    await until(() => !(relay.cuts < cut || service.gateway.cluster.inService === 0));
    // A connection that does not last is dialled again less eagerly.
    await sleep(1_200);
  }
  await load.settle();
  const latencies = (await load.times()).latencies;
  const { online, sent, delivered, doubled, reordered, ended } = await load.counters();
  t.diagnostic(
    `${sent} messages, ${CUTS} cuts: p50 ${latencies.percentile(50) / 1000} ms, p99 ${latencies.percentile(99) / 1000} ms`,
  );
  assert.deepEqual(
    { online, delivered, doubled, reordered, ended },
    { online: 40, delivered: sent, doubled: 0, reordered: 0, ended: {} },
  );
  assert.deepEqual(failures(), beforehand);
});

async function mailbox(pid: Term): Promise<number> {
  const info = await rpc('erlang', 'process_info', pid, atom('message_queue_len'));
  return info instanceof Tuple ? Number(info.elements[1]) : 0;
}

test('the hub dies with requests in its mailbox: they are answered when it is back, none of them twice', {
  timeout: 60_000,
}, async () => {
  const users: BoshSession[] = [];
  while (users.length < 10) users.push(await BoshSession.login(url, {}, { presence: '' }));
  const beforehand = failures();
  for (let round = 0; round < 3; round += 1) {
    const old = await hub();
    await rpc('sys', 'suspend', old);
    const asked = users.map((user, index) => {
      const to = users[(index + 1) % users.length] as BoshSession;
      return user.ask({}, message(to.jid, `${round}`) + ping()).then(async (answer) => {
        // What comes to each is its neighbour's message and the answer to its own ping.
        const texts = bodies(answer);
        let hasPong = answer.xml.includes("'ping'");
        while (texts.length === 0 || !hasPong) {
          const more = await user.ask();
          texts.push(...bodies(more));
          hasPong ||= more.xml.includes("'ping'");
        }
        assert.deepEqual(texts, [`${round}`]);
      });
    });
    await until(async () => (await mailbox(old)) >= users.length);
    await rpc('erlang', 'exit', old, atom('kill'));
    await Promise.all(asked);
  }
  // Nothing more came to any of them.
  for (const user of users) assert.deepEqual(bodies(await user.roundTrip()), []);
  assert.deepEqual(failures(), beforehand);
});
