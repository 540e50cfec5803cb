/** A node that does not keep up: what waits, what is refused, and that nothing is lost or overtaken. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { Erl } from '../../../scripts/support/erl.js';
import { tagOf } from '../../../src/gateway/sid.js';
import type { Service } from '../../../src/service/service.js';
import { until } from '../../support/until.js';
import { Cluster, inService, loadModule, next, play, post, sayTaken } from './support.js';

/** How many requests may be on their way. */
const WINDOW = 1024;

let cluster: Cluster;
let erl: Erl;
beforeEach(async () => {
  cluster = await Cluster.start();
  erl = await cluster.erl('ejabberd');
  await loadModule(erl);
  await play(erl);
});
afterEach(() => cluster.stop());

/** A request of a session, with a number to know it by. */
const request = (number: number): string => `<body sid='${tagOf('ejabberd@localhost')}.r' rid='${number}'/>`;

/** Answers that came, in order, of requests without HTTP. */
class Requests {
  readonly statuses = new Map<number, number>();
  readonly slots: number[] = [];
  readonly #service: Service;

  constructor(service: Service) {
    this.#service = service;
  }

  send(from: number, to: number): void {
    for (let number = from; number < to; number += 1) {
      const answer = (status: number): void => {
        this.statuses.set(number, status);
      };
      const client = { ip: '', port: 0, secure: false, path: '', origin: '', userAgent: '' };
      this.slots[number] = this.#service.gateway.request(
        { answer },
        { body: Buffer.from(request(number)), client },
      );
    }
  }
}

async function started(settings: Readonly<Record<string, unknown>> = {}) {
  const service = await cluster.gateway({ nodes: erl.name, answer_timeout: '1 h', ...settings });
  await inService(service);
  const [node] = service.gateway.cluster.nodes;
  assert.ok(node);
  return { service, node, requests: new Requests(service) };
}

/** Takes `count` messages and answers each; gives the numbers of the requests, in the order in which they came. */
async function take(count: number): Promise<number[]> {
  const numbers = await erl.evaluate(`
    Take = fun Take(0, Taken) -> lists:reverse(Taken); Take(Left, Taken) ->
      mod_megaphone ! {next, self()},
      receive {message, {ConnId, Body}} ->
        ConnId ! {ConnId, 200, <<"ok">>},
        {match, [Number]} = re:run(Body, "rid='([0-9]+)'", [{capture, [1], binary}]),
        Take(Left - 1, [binary_to_integer(Number) | Taken])
      end
    end,
    Take(${count}, [])`);
  return numbers as number[];
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

test('no more than 1024 requests are sent that were not taken; the others wait, and go in order as more are taken', async () => {
  const { node, requests } = await started();
  requests.send(0, WINDOW + 300);
  assert.deepEqual([node.outbox.onTheWay, node.outbox.waiting.size], [WINDOW, 300]);
  assert.deepEqual(await take(WINDOW), range(0, WINDOW));
  // An answer does not say what was taken.
  await until(() => requests.statuses.size === WINDOW);
  assert.deepEqual([node.outbox.onTheWay, node.outbox.waiting.size], [WINDOW, 300]);

  await sayTaken(erl);
  assert.deepEqual(await take(128), range(WINDOW, WINDOW + 128));
  assert.deepEqual([node.outbox.onTheWay, node.outbox.waiting.size], [WINDOW, 172]);
  requests.send(WINDOW + 300, WINDOW + 310);
  await sayTaken(erl);
  await sayTaken(erl);
  assert.deepEqual(await take(182), range(WINDOW + 128, WINDOW + 310));
  await until(() => requests.statuses.size === WINDOW + 310);
  assert.ok([...requests.statuses.values()].every((status) => status === 200));
  assert.deepEqual([node.outbox.onTheWay, node.outbox.waiting.size], [WINDOW - 74, 0]);
});

test('a node that is behind gets no new sessions: they hear 503 until it has caught up', async () => {
  const { service, requests } = await started();
  requests.send(0, WINDOW + 1);
  const refused = await post(service, "<body to='localhost'/>");
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '2');
  assert.equal(service.gateway.counters.refused.busy, 1);
  const stats = `gen_server:call({megaphone, '${service.node.name}'}, stats)`;
  assert.equal(await erl.text(`maps:get(<<"busy">>, maps:get(<<"refused">>, ${stats}))`), '1');
  const report = `maps:get(atom_to_binary(node()), maps:get(<<"nodes">>, ${stats}))`;
  assert.equal(await erl.text(`maps:get(<<"requests_waiting">>, ${report})`), '1');

  await take(WINDOW);
  await sayTaken(erl);
  await take(1);
  const accepted = post(service, "<body to='localhost'/>");
  assert.equal(await next(erl, 'C ! <<"welcome">>, element(2, M)'), `<<"<body to='localhost'/>">>`);
  assert.equal(await (await accepted).text(), 'welcome');
});

test('a new session goes to the node that is not behind', async () => {
  const other = await cluster.erl('other');
  await loadModule(other);
  await play(other);
  const service = await cluster.gateway({ nodes: [erl.name, other.name] });
  await inService(service, 2);
  new Requests(service).send(0, WINDOW + 1);
  for (let session = 0; session < 3; session += 1) {
    const answered = post(service, "<body to='localhost'/>");
    await next(other, 'C ! <<"here">>');
    assert.equal(await (await answered).text(), 'here');
  }
});

test('what waits is bounded: beyond it requests of sessions hear 503, too', async () => {
  const { service, node, requests } = await started({ max_waiting: '10 KB' });
  requests.send(0, WINDOW + 100);
  const waiting = node.outbox.waiting.size;
  assert.ok(waiting > 0 && waiting < 20, String(waiting));
  assert.equal(service.gateway.counters.refused.busy, 100 - waiting);
  assert.equal([...requests.statuses.values()].filter((status) => status === 503).length, 100 - waiting);
  await take(WINDOW);
  await sayTaken(erl);
  assert.deepEqual(await take(waiting), range(WINDOW, WINDOW + waiting));
  // The room of those that went, or whose clients left, is free again.
  requests.send(2000, 2000 + (WINDOW - node.outbox.onTheWay) + 100);
  assert.equal(node.outbox.waiting.size, waiting);
  for (const slot of [...node.outbox.waiting.keys()]) service.gateway.closed(slot);
  requests.send(3000, 3100);
  assert.equal(node.outbox.waiting.size, waiting);
});

test('a client that leaves while its request waits leaves no gap and no trace', async () => {
  const { service, node, requests } = await started();
  requests.send(0, WINDOW + 3);
  service.gateway.closed(requests.slots[WINDOW + 1] ?? 0);
  assert.equal(node.outbox.waiting.size, 2);
  await take(WINDOW);
  await sayTaken(erl);
  assert.deepEqual(await take(2), [WINDOW, WINDOW + 2]);
});

test('closing is told at once', async () => {
  const { service, requests } = await started();
  requests.send(0, WINDOW + 1);
  service.gateway.closed(requests.slots[0] ?? 0);
  await take(WINDOW);
  assert.equal(await next(erl, 'element(2, M)'), 'closed');
});

test('a shell does not say what it took, and need not', async () => {
  const shell = await cluster.erl('shell');
  await play(shell);
  const service = await cluster.gateway({ nodes: shell.name });
  await inService(service);
  new Requests(service).send(0, WINDOW + 10);
  const [node] = service.gateway.cluster.nodes;
  assert.equal(node?.outbox.waiting.size, 0);
  assert.equal(
    await shell.text(`
    Take = fun Take(0) -> ok; Take(N) -> mod_megaphone ! {next, self()}, receive {message, _} -> Take(N - 1) end end,
    Take(${WINDOW + 10})`),
    'ok',
  );
});

test('what a node has taken is known soon, also of few requests', async () => {
  const { node, requests } = await started();
  requests.send(0, 3);
  assert.equal(node.outbox.onTheWay, 3);
  assert.equal(await sayTaken(erl), 3);
  await until(() => node.outbox.onTheWay === 0);
});

test('a mark from a node that is not ours to serve, or of another form, is a message that answers nothing', async () => {
  const { service, node, requests } = await started();
  const { dropped } = service.gateway.counters;
  requests.send(0, WINDOW + 1);
  const stranger = await cluster.erl('stranger');
  await stranger.evaluate(`pong = net_adm:ping('${service.node.name}'),
    {megaphone, '${service.node.name}'} ! {taken, 128}`);
  await erl.evaluate(
    `[{megaphone, '${service.node.name}'} ! {taken, N} || N <- [-5, 0, x, 1.5, 1 bsl 70, 5000]]`,
  );
  await until(() => dropped.unknown_shape === 6);
  assert.deepEqual([node.outbox.onTheWay, node.outbox.waiting.size], [WINDOW, 1]);
});
