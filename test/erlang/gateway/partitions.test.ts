/** A gateway that is cut off from a node, or from all, without a word: silence, until nobody believes in the connection any more. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { pino } from 'pino';
import type { Erl } from '../../../scripts/support/erl.js';
import { tagOf } from '../../../src/gateway/sid.js';
import type { Service } from '../../../src/service/service.js';
import { until } from '../../support/until.js';
import { Cluster, inService, loadModule, next, play, post } from './support.js';

/** The shortest that there is. */
const TICK_SECONDS = 4;

let cluster: Cluster;
let nodes: Erl[];
let service: Service;
let said: { readonly node?: string; readonly msg: string }[];

beforeEach(async () => {
  cluster = await Cluster.start();
  nodes = await Promise.all(
    ['one', 'two'].map((alive) => cluster.erl(alive, ['-kernel', 'net_ticktime', `${TICK_SECONDS}`])),
  );
  for (const erl of nodes) {
    await loadModule(erl);
    await play(erl);
  }
  said = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void said.push(JSON.parse(line)) });
  service = await cluster.gateway(
    {
      nodes: nodes.map(({ name }) => name),
      tick_time: TICK_SECONDS,
      node_return_wait: '5 min',
      max_waiting: '16 KB',
    },
    log,
  );
  await inService(service, 2);
  said = [];
});
afterEach(() => cluster.stop());

const request = (erl: Erl, rid: number, more = ''): string =>
  `<body sid='${tagOf(erl.name)}.r' rid='${rid}'>${more}</body>`;
const linesOf = ({ name }: Erl): string[] => said.map(({ msg }) => msg).filter((msg) => msg.includes(name));

test('cut off from one: the other goes on; it is back within seconds, with what waited for it', async () => {
  const [one, two] = nodes as [Erl, Erl];
  one.freeze();
  await inService(service, 1);
  const waiting = post(service, request(one, 1));
  for (let count = 0; count < 3; count += 1) {
    const answered = post(service, "<body to='localhost'/>");
    await next(two, 'C ! <<"here">>');
    assert.equal(await (await answered).text(), 'here');
  }
  one.thaw();
  await next(one, 'C ! <<"back">>');
  assert.equal(await (await waiting).text(), 'back');
  await inService(service, 2);
  const [gone, ...back] = linesOf(one);
  assert.match(gone ?? '', /silent|disconnected/);
  assert.match(back.at(-1) ?? '', /in service/);
  assert.deepEqual(linesOf(two), []);
});

test('cut off from all: what waits is bounded, new sessions are put off, and all is well again within seconds', async () => {
  const [one] = nodes as [Erl];
  for (const erl of nodes) erl.freeze();
  await inService(service, 0);
  assert.equal((await post(service, "<body to='localhost'/>")).status, 503);
  // Three of those fit.
  const answers = Array.from({ length: 20 }, (_, rid) => post(service, request(one, rid, 'x'.repeat(4_000))));
  await until(() => service.gateway.counters.refused.node_lost === 17);
  assert.equal(service.gateway.openExchanges, 3);
  for (const erl of nodes) erl.thaw();
  await inService(service, 2);
  for (let count = 0; count < 3; count += 1) await next(one, 'C ! <<"back">>');
  const statuses = await Promise.all(answers.map(async (answer) => (await answer).status));
  assert.equal(statuses.filter((status) => status === 200).length, 3);
  for (const erl of nodes) {
    const lines = linesOf(erl);
    assert.equal(lines.filter((line) => line.includes('disconnected')).length, 1, lines.join('\n'));
    assert.equal(
      lines.filter((line) => line.endsWith('is in service with mod_megaphone')).length,
      1,
      lines.join('\n'),
    );
  }
});
