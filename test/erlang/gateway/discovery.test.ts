/** One node of a cluster is known, and tells of the others: who comes and goes, and who gets what, of real Erlang nodes. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { Erl } from '../../../scripts/support/erl.js';
import { tagOf } from '../../../src/gateway/sid.js';
import type { Service } from '../../../src/service/service.js';
import { until } from '../../support/until.js';
import { Cluster, inService, loadModule, next, play, post } from './support.js';
import { WebClient } from './web-client.js';

let cluster: Cluster;
let one: Erl;
let two: Erl;

beforeEach(async () => {
  cluster = await Cluster.start();
  [one, two] = await Promise.all([start('one'), start('two')]);
});
afterEach(() => cluster.stop());

async function start(alive: string): Promise<Erl> {
  const erl = await cluster.erl(alive);
  await loadModule(erl);
  await play(erl);
  return erl;
}

interface Info {
  readonly nodes: readonly Erl[];
  readonly known?: readonly Erl[];
  readonly state?: string;
  readonly sessions?: number;
}

/** As the hub says it. */
async function tell(
  service: Service,
  from: Erl,
  { nodes, known = nodes, state, sessions = 0 }: Info,
): Promise<void> {
  const atoms = (list: readonly Erl[]): string => `[${list.map(({ name }) => `'${name}'`).join(',')}]`;
  await from.evaluate(`
    {megaphone, '${service.node.name}'} ! {cluster, #{<<"nodes">> => ${atoms(nodes)},
      <<"known">> => ${atoms(known)}, <<"state">> => ${state ?? 'in_service'}, <<"sessions">> => ${sessions},
      <<"from a later release">> => 1}}, ok`);
}

async function gatewayTo(settings: Readonly<Record<string, unknown>> = {}): Promise<Service> {
  const service = await cluster.gateway({ nodes: one.name, node_return_wait: '5 min', ...settings });
  await inService(service);
  return service;
}

/** A gateway that knows one of two joined nodes by its configuration, and the other one through that. */
async function gatewayToBoth(settings: Readonly<Record<string, unknown>> = {}): Promise<Service> {
  const service = await gatewayTo(settings);
  for (const each of [one, two]) {
    await until(() => service.gateway.cluster.find(each.name)?.kind === 'module');
    await tell(service, each, { nodes: [one, two] });
    if (each === one) await inService(service, 2);
  }
  await until(() => service.gateway.cluster.nodes.every(({ says }) => says !== undefined));
  return service;
}

const CREATION = "<body to='localhost'/>";
const request = (erl: Erl, rid: number): string => `<body sid='${tagOf(erl.name)}.r' rid='${rid}'/>`;
const names = (service: Service): string[] => service.gateway.cluster.nodes.map(({ name }) => name).sort();

/** One request, which this node gets. */
async function answeredBy(service: Service, erl: Erl, body: string, what = 'element(2, M)'): Promise<void> {
  const answered = post(service, body);
  const got = await next(erl, `C ! atom_to_binary(node()), ${what}`);
  assert.ok(got.includes(body), got);
  assert.equal(await (await answered).text(), erl.name);
}

test('a node that the seed knows is dialled and gets requests; one that joins later likewise', async () => {
  const service = await gatewayToBoth();
  assert.deepEqual(names(service), [one.name, two.name]);
  await answeredBy(service, two, request(two, 1));
  const three = await start('three');
  await tell(service, two, { nodes: [one, two, three] });
  await inService(service, 3);
  await answeredBy(service, three, request(three, 1));
});

test('a node that left gets no new sessions, its own go on, and with the last of them it is let go', async () => {
  const service = await gatewayToBoth();
  await tell(service, two, { nodes: [two], sessions: 1 });
  await tell(service, one, { nodes: [one] });
  await until(() => service.gateway.cluster.find(two.name)?.isLeaving === true);
  for (let session = 0; session < 3; session += 1) await answeredBy(service, one, CREATION);
  await answeredBy(service, two, request(two, 1));
  const held = post(service, request(two, 2));
  await next(two, 'persistent_term:put(held, C)');
  await tell(service, two, { nodes: [two] });
  service.gateway.tick(process.uptime());
  assert.ok(service.node.peers().some(({ node }) => node === two.name));
  await two.evaluate('persistent_term:get(held) ! <<"the last">>');
  assert.equal(await (await held).text(), 'the last');
  await until(() => names(service).length === 1);
  await until(() => service.node.peers().length === 1);
  await until(async () => (await two.text('nodes(hidden)')) === '[]');
  // And back again.
  await tell(service, one, { nodes: [one, two] });
  await inService(service, 2);
});

test('with a fixed list nobody else is dialled', async () => {
  const service = await gatewayTo({ discover: false });
  await tell(service, one, { nodes: [one, two] });
  await until(() => service.gateway.cluster.nodes[0]?.says !== undefined);
  assert.deepEqual(names(service), [one.name]);
  await answeredBy(service, one, request(two, 1));
});

test('a node that is being emptied gets no new sessions', async () => {
  const service = await gatewayToBoth();
  await tell(service, one, { nodes: [one, two], state: 'draining' });
  await until(() => service.gateway.cluster.find(one.name)?.takesSessions === false);
  for (let session = 0; session < 4; session += 1) await answeredBy(service, two, CREATION);
  await answeredBy(service, one, request(one, 1));
  await tell(service, two, { nodes: [one, two], state: 'stopping' });
  await until(() => service.gateway.cluster.find(two.name)?.takesSessions === false);
  assert.equal((await post(service, CREATION)).status, 503);
});

test('what a node that stopped had is asked for elsewhere at once, though it may be there still', async () => {
  const service = await gatewayToBoth();
  await tell(service, two, { nodes: [one, two], state: 'stopping' });
  await until(() => service.gateway.cluster.find(two.name)?.room.isStopping === true);
  const held = post(service, request(two, 1));
  await next(two);
  await two.evaluate('mod_megaphone ! stop');
  await next(one, 'C ! <<"moved there">>');
  assert.equal(await (await held).text(), 'moved there');
  await answeredBy(service, one, request(two, 2));
});

test('a node that stands still gets no new sessions while there is another', async () => {
  const service = await gatewayToBoth();
  await tell(service, two, { nodes: [one, two], sessions: 100 });
  await until(() => service.gateway.cluster.find(two.name)?.room.sessions === 100);
  one.freeze();
  const waiting = post(service, CREATION);
  await until(() => service.gateway.cluster.find(one.name)?.outbox.isSilent === true);
  for (let session = 0; session < 3; session += 1) await answeredBy(service, two, CREATION);
  one.thaw();
  await next(one, 'C ! <<"late">>');
  assert.equal(await (await waiting).text(), 'late');
});

test('sessions go where there is more room', async () => {
  const service = await gatewayToBoth();
  await tell(service, one, { nodes: [one, two], sessions: 3 });
  await until(() => service.gateway.cluster.find(one.name)?.room.sessions === 3);
  for (let session = 0; session < 3; session += 1) await answeredBy(service, two, CREATION);
});

test('a node dies: what it had and what waits for it goes to another one at once', async () => {
  const service = await gatewayToBoth();
  const answers = [1, 2].map((rid) => post(service, request(two, rid)));
  for (const _ of answers) await next(two);
  await two.kill();
  for (const [index, answered] of answers.entries()) {
    const got = await next(one, 'C ! <<"in its place">>, tuple_to_list(M)');
    // A body while it is here, else the question.
    assert.ok(
      got.includes(request(two, index + 1)) || got.includes(`held,<<"${tagOf(two.name)}.r">>,${index + 1}`),
      got,
    );
    assert.equal(await (await answered).text(), 'in its place');
  }
  await answeredBy(service, one, request(two, 3));
});

test('the clients of a dead node are told that their sessions are over', async () => {
  const service = await gatewayToBoth();
  const held = post(service, request(two, 1));
  await next(two);
  await two.kill();
  await next(one, `C ! <<"<body type='terminate' condition='item-not-found'/>">>`);
  assert.match(await (await held).text(), /item-not-found/);
  assert.equal(service.gateway.openExchanges, 0);
});

test('a sid of a node that nobody here knows goes to any', async () => {
  const service = await gatewayTo();
  await answeredBy(service, one, "<body sid='AAAAAA.r' rid='5'/>");
});

test('a request waits where nobody is there to take it, and the first that comes gets it', async () => {
  const service = await cluster.gateway({ nodes: ['nobody@localhost', one.name], node_return_wait: '5 min' });
  const answered = post(service, request(two, 1));
  await next(one, 'C ! <<"passed on">>');
  assert.equal(await (await answered).text(), 'passed on');
});

/** Of the next message to the module on a node, or to another player: its ConnId is kept on both. */
const keep = (erl: Erl, name?: string): Promise<string> =>
  next(
    erl,
    "persistent_term:put(held, C), erpc:call('two@localhost', persistent_term, put, [held, C])",
    name,
  );

test('a session that moved says where it has the request: its old node may go', async () => {
  const service = await gatewayToBoth();
  const held = post(service, request(one, 1));
  await keep(one);
  await two.evaluate('C = persistent_term:get(held), C ! {C, session, self()}');
  // Over the same connection, behind that.
  await answeredBy(service, two, request(two, 9));
  await one.kill();
  await inService(service, 1);
  await two.evaluate('persistent_term:get(held) ! <<"moved here">>');
  assert.equal(await (await held).text(), 'moved here');
});

test('a WebSocket moves with its session: the old process hears so last, and its node may go', async () => {
  const service = await gatewayToBoth();
  for (const erl of [one, two]) await play(erl, 'session');
  // New ones go there.
  await tell(service, two, { nodes: [one, two], sessions: 10 });
  await until(() => service.gateway.cluster.find(two.name)?.room.sessions === 10);
  const client = new WebClient(service);
  await keep(one);
  const be = 'C = persistent_term:get(held), C ! {C, session, whereis(session)}';
  await one.evaluate(be);
  assert.equal(await client.next(), 'open');
  client.send('before');
  assert.match(await next(one, 'M', 'session'), /<<"before">>/);
  await two.evaluate(`${be}, C ! {C, frame, <<"from there">>}`);
  assert.equal(await client.next(), 'text from there');
  assert.match(await next(one, 'M', 'session'), /moved/);
  client.send('after');
  assert.match(await next(two, 'M', 'session'), /<<"after">>/);
  await one.kill();
  await inService(service, 1);
  client.send('still here');
  assert.match(await next(two, 'M', 'session'), /<<"still here">>/);
  await two.kill();
  assert.match(await client.next(), /^close 1012/);
});
