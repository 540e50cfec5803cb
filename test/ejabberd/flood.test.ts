/** More than a session takes: what its client sends waits for the shaper and for its turn, and its mailbox has an end. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Instance } from '../../scripts/support/instance.js';
import { atom, type Term, Tuple } from '../../src/etf/terms.js';
import { until } from '../support/until.js';
import { BoshSession, bodies, condition, message, ping, type Request } from './conformance/bosh-session.js';
import { ServerNode } from './support/server-node.js';

/** Of the listener: messages in a process's mailbox. */
const MAX_FSM_QUEUE = 1000;
/** What scripts/ejabberd.yml lets a client send at once. */
const BURST = 2_000_000;

let instance: Instance;
let server: ServerNode;
before(async () => {
  instance = await Instance.start();
  const path = join(instance.var, `${instance.ejabberdNode.split('@', 1)[0]}`, 'ejabberd.yml');
  const yaml = await readFile(path, 'utf8');
  await writeFile(
    path,
    yaml
      .replace('    access: c2s\n', `    access: c2s\n    max_fsm_queue: ${MAX_FSM_QUEUE}\n`)
      .replace('  mod_ping: {}\n', '  mod_mam:\n    default: always\n  mod_ping: {}\n'),
  );
  await instance.ctl('reload_config');
  server = await ServerNode.connect(instance);
});
after(async () => {
  await server.stop();
  await instance.stop();
});

const anonymous = (): Promise<BoshSession> => BoshSession.login(instance.gatewayUrl, {}, { presence: '' });
/** The session's process. */
async function pid(session: BoshSession): Promise<Term> {
  const found = await server.call('megaphone_sessions', 'find', Buffer.from(session.sid));
  assert.ok(found instanceof Tuple && found.elements[1] !== undefined, `${found}`);
  return found.elements[1];
}

const large = (length: number): string => `${message('nobody@localhost', 'x'.repeat(length))}${ping()}`;

describe('a session', { timeout: 120_000 }, () => {
  it('reads repeats no faster than its shaper lets it read anything', async () => {
    const [client, other] = [await anonymous(), await anonymous()];
    const text = large(200_000);
    const first = await client.ask({}, text);
    for (let sent = 200_000; sent < BURST; sent += 200_000)
      assert.equal((await client.at(client.rid, {}, text).answer).xml, first.xml);
    // Nine seconds' worth of what was taken already.
    const repeats = Array.from({ length: 9 }, () => client.at(client.rid, {}, text));
    // All are there, but for one that may be answered already.
    await until(
      async () => Number(await server.gatewayTells('stats', 'open_exchanges')) >= repeats.length - 1,
    );
    const next = client.next({}, ping());
    // Time enough to answer all of them, were they not to wait.
    for (let i = 0; i < 30; i++) await other.roundTrip();
    assert.equal(next.settled(), undefined);
    assert.ok(repeats.filter(({ settled }) => settled() !== undefined).length < 5);
    for (const { answer } of repeats) assert.equal((await answer).xml, first.xml);
    assert.equal((await next.answer).attributes.type, undefined);
  });

  it('whose client sends ever more requests while it has to wait ends', async () => {
    const [client, other] = [await anonymous(), await anonymous()];
    const text = large(250_000);
    for (let sent = 0; sent < BURST; sent += 250_000) await client.ask({}, text);
    const flood: Request[] = [];
    const isOver = ({ settled }: Request): boolean => settled()?.attributes.type === 'terminate';
    while (!flood.some(isOver)) {
      flood.push(client.at(client.rid, {}, text));
      await other.roundTrip();
      assert.ok(flood.length < 30);
    }
    // Those that waited hear of it, too.
    await Promise.all(flood.map(({ answer }) => answer));
    assert.equal(condition(await client.ask()), 'policy-violation');
    assert.equal((await other.ask({}, ping())).attributes.type, undefined);
  });

  it('whose client asks for its archive again and again takes one stanza at a time, and ends', async () => {
    const [alice, sender] = [
      await BoshSession.login(instance.gatewayUrl, {}, { ...instance.alice, resource: 'greedy' }),
      await anonymous(),
    ];
    const texts = Array.from({ length: 250 }, (_, i) => message(alice.jid, `${i}`)).join('');
    await sender.until((answer) => answer.xml.includes("'ping'"), texts + ping());
    const process = await pid(alice);
    const info = async (item: string): Promise<number> => {
      const found = await server.call('erlang', 'process_info', process, atom(item));
      return found instanceof Tuple ? Number(found.elements[1]) : 0;
    };
    const query = `<query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>250</max></set></query>`;
    const queries = Array.from(
      { length: 300 },
      (_, i) => `<iq xmlns='jabber:client' type='set' id='q${i}'>${query}</iq>`,
    ).join('');
    let asked = 0;
    let answer = await alice.ask();
    for (; answer.attributes.type === undefined; asked += queries.length) {
      answer = await alice.ask({}, queries);
      assert.ok((await info('memory')) < 50_000_000);
      assert.ok((await info('message_queue_len')) < 1000);
    }
    assert.equal(condition(answer), 'policy-violation');
    assert.ok(asked > 2 * 262_144 && asked < 4 * 262_144, `${asked}`);
    assert.equal((await sender.ask({}, ping())).attributes.type, undefined);
  });

  it('with a mailbox longer than max_fsm_queue ends, and all of it is in offline storage, once', async () => {
    const [bob, sender] = [
      await BoshSession.login(instance.gatewayUrl, {}, { ...instance.bob, resource: 'stuck' }),
      await anonymous(),
    ];
    const stuck = await pid(bob);
    await server.call('sys', 'suspend', stuck);
    const texts = Array.from({ length: MAX_FSM_QUEUE + 100 }, (_, i) => `${i}`);
    for (let i = 0; i < texts.length; i += 100)
      await sender.until(
        (answer) => answer.xml.includes("'ping'"),
        texts
          .slice(i, i + 100)
          .map((text) => message(bob.jid, text))
          .join('') + ping(),
      );
    const length = await server.call('erlang', 'process_info', stuck, atom('message_queue_len'));
    assert.ok(length instanceof Tuple && Number(length.elements[1]) > MAX_FSM_QUEUE, `${length}`);
    await server.call('sys', 'resume', stuck);
    assert.equal(condition(await bob.ask()), 'policy-violation');
    await until(
      async () => Number(await instance.ctl('get_offline_count', 'bob', 'localhost')) >= texts.length,
    );
    const later = await BoshSession.login(
      instance.gatewayUrl,
      {},
      { ...instance.bob, resource: 'later', presence: '' },
    );
    const seen = bodies(await later.ask({}, "<presence xmlns='jabber:client'/>"));
    await sender.until((answer) => answer.xml.includes("'ping'"), message(later.jid, 'end') + ping());
    while (!seen.includes('end')) seen.push(...bodies(await later.ask()));
    assert.deepEqual(seen, [...texts, 'end']);
  });
});
