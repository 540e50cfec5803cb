/** A real ejabberd and its gateway, one or the other of which falls behind: nothing is lost, and it catches up. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Load } from '../../scripts/load/load.js';
import { Instance } from '../../scripts/support/instance.js';
import { Atom, atom, type Term, Tuple } from '../../src/etf/terms.js';
import { tagOf } from '../../src/gateway/sid.js';
import { until } from '../support/until.js';
import { BoshSession } from './conformance/bosh-session.js';
import { ServerNode } from './support/server-node.js';

/** How many requests may be on their way to a node. */
const WINDOW = 1024;

let instance: Instance;
let server: ServerNode;
before(async () => {
  instance = await Instance.start();
  server = await ServerNode.connect(instance);
});
after(async () => {
  await server.stop();
  await instance.stop();
});

function post(body: string): Promise<Response> {
  return fetch(instance.gatewayUrl, { method: 'POST', body });
}

/** Of a session that ejabberd does not know: the hub answers it at once. */
const request = (): Promise<string> =>
  post(`<body sid='${tagOf(instance.ejabberdNode)}.unknown' rid='1'/>`).then((response) => response.text());
const newSession = (): Promise<Response> =>
  post("<body rid='1' to='localhost' wait='1' hold='1' xmlns='http://jabber.org/protocol/httpbind'/>");

/** What the gateway says of its node. */
const report = (key: string): Promise<Term | undefined> =>
  server.gatewayTells('health', 'nodes', instance.ejabberdNode, key);

function send(signal: 'SIGSTOP' | 'SIGCONT', part: 'ejabberd' | 'gateway'): void {
  const folder = join(instance.var, `${part}${instance.env.MEGAPHONE_INSTANCE}`);
  process.kill(Number(readFileSync(join(folder, `${part}.pid`), 'utf8')), signal);
}

test('far more requests pass than may be on their way, and soon none is', async () => {
  const lane = async (): Promise<void> => {
    for (let sent = 0; sent < 80; sent += 1) assert.match(await request(), /item-not-found/);
  };
  await Promise.all(Array.from({ length: 50 }, lane));
  await until(async () => (await report('requests_on_the_way')) === 0);
});

test('an ejabberd that stands still: requests wait, new sessions hear 503; then all goes on, nothing is lost', async () => {
  send('SIGSTOP', 'ejabberd');
  const answers = Array.from({ length: WINDOW + 200 }, request);
  await until(async () => ((await report('requests_waiting')) ?? 0) !== 0);
  const refused = await newSession();
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '2');
  send('SIGCONT', 'ejabberd');
  for (const answer of await Promise.all(answers)) assert.match(answer, /item-not-found/);
  assert.equal(await report('requests_waiting'), 0);
  const accepted = await newSession();
  assert.equal(accepted.status, 200);
  assert.match(await accepted.text(), / sid='/);
});

/** For 60 users together more than what the kernel and the distribution port keep for a node that does not read. */
const text = 'x'.repeat(800_000);

test('a gateway that stands still: answers that did not fit on the way to it are there when it goes on', async () => {
  const users: BoshSession[] = [];
  while (users.length < 60) users.push(await BoshSession.login(instance.gatewayUrl, {}, { presence: '' }));
  const held = users.map((user) => user.next().answer);
  await until(async () => (await server.counted('requests_held')) >= users.length);
  send('SIGSTOP', 'gateway');
  for (const { jid } of users) {
    const message = ['chat', 'localhost', jid, '', text].map((each) => Buffer.from(each));
    await server.call('mod_admin_extra', 'send_message', ...message);
  }
  await until(async () => (await server.counted('answers_delayed')) !== 0);
  send('SIGCONT', 'gateway');
  for (const answer of await Promise.all(held)) assert.ok(answer.xml.includes(text), answer.xml);
});

/** Processes that may not go on before a node has read what is on its way to it. */
async function suspended(): Promise<number> {
  const processes = await server.call('erlang', 'processes');
  assert.ok(Array.isArray(processes));
  const infos = await Promise.all(
    processes.map((pid: Term) => server.call('erlang', 'process_info', pid, atom('status'))),
  );
  return infos.filter((info) => {
    const status = info instanceof Tuple ? info.elements[1] : undefined;
    return status instanceof Atom && status.name === 'suspended';
  }).length;
}

test('sessions that end while their gateway stands still: one process waits for it, and all clients hear of it', async () => {
  const users: BoshSession[] = [];
  while (users.length < 60) users.push(await BoshSession.login(instance.gatewayUrl, {}, { presence: '' }));
  const held = users.map((user) => user.next().answer);
  await until(async () => (await server.counted('requests_held')) >= users.length);
  // Most of it finds no room, and all that does not is within the bound of what waits.
  const much = 'x'.repeat(600_000);
  send('SIGSTOP', 'gateway');
  for (const { jid } of users) {
    const message = ['chat', 'localhost', jid, '', much].map((each) => Buffer.from(each));
    await server.call('mod_admin_extra', 'send_message', ...message);
  }
  await server.call('megaphone_control', 'stop', Buffer.from('localhost'));
  // Where the kernel found room for all, none.
  assert.ok((await suspended()) <= 1);
  send('SIGCONT', 'gateway');
  for (const { xml } of await Promise.all(held)) {
    assert.ok(xml.includes(much) || xml.includes('system-shutdown'), xml);
  }
  assert.equal(await server.counted('answers_dropped'), 0);
});

/** Of the hub, and the longest of all sessions'. */
async function mailboxes(): Promise<readonly [hub: number, session: number]> {
  const length = async (pid: Term): Promise<number> => {
    const info = await server.call('erlang', 'process_info', pid, atom('message_queue_len'));
    return info instanceof Tuple ? Number(info.elements[1]) : 0;
  };
  const sessions = await server.call('megaphone_sessions', 'some', 50);
  assert.ok(Array.isArray(sessions) && sessions.length === 50);
  const [hub = 0, ...others] = await Promise.all(
    [await server.call('erlang', 'whereis', atom('mod_megaphone')), ...sessions].map(length),
  );
  return [hub, Math.max(...others)];
}

test('twice the messages that the server takes: mailboxes stay short, and all arrive once and in order', async (t) => {
  const load = await Load.start({ url: instance.gatewayUrl, host: 'localhost', users: 100 });
  t.after(() => load.close());
  await load.login({ concurrency: 20, perSecond: 500 });
  const backlog = async (): Promise<number> => {
    const { sent, delivered } = await load.counters();
    return sent - delivered;
  };
  // Each rate for two seconds, until messages pile up; then twice that rate.
  let rate = 2_000;
  for (let isBehind = false; !isBehind; rate *= 2) {
    await load.talk(rate);
    await sleep(2_000);
    isBehind = (await backlog()) > 5_000;
  }
  await load.talk(rate);
  await sleep(2_000);
  const [hub, session] = await mailboxes();
  t.diagnostic(
    `at ${rate} messages a second: ${await backlog()} on their way, mailboxes of ${hub} and ${session}; ` +
      `${await server.counted('answers_delayed')} answers had to wait`,
  );
  assert.ok(hub <= WINDOW, String(hub));
  // What other users send comes past that window, but no faster than they are served.
  assert.ok(session < 10_000, String(session));
  await load.settle();
  const { online, sent, delivered, doubled, reordered, ended } = await load.counters();
  assert.deepEqual(
    { online, delivered, doubled, reordered, ended },
    { online: 100, delivered: sent, doubled: 0, reordered: 0, ended: {} },
  );
  assert.equal((await newSession()).status, 200);
});
