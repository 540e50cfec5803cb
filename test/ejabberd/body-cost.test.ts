/** What bodies of all sizes cost a real ejabberd: the hub, which serves everybody, and the session that they belong to. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Instance } from '../../scripts/support/instance.js';
import { atom, Pid, type Term, Tuple } from '../../src/etf/terms.js';
import { BoshSession, condition, send, wrapper } from './conformance/bosh-session.js';
import { ServerNode } from './support/server-node.js';

const SMALL = 1_000;
const LARGE = 250_000;

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

async function reductions(pid: Term): Promise<number> {
  const info = await server.call('erlang', 'process_info', pid, atom('reductions'));
  assert.ok(info instanceof Tuple);
  return Number(info.elements[1]);
}

async function sessionOf({ sid }: BoshSession): Promise<Pid> {
  const found = await server.call('megaphone_sessions', 'find', Buffer.from(sid));
  assert.ok(found instanceof Tuple && found.elements[1] instanceof Pid);
  return found.elements[1];
}

/** `part` as often as it fits. */
const filled = (part: string, size: number): string => part.repeat(size / part.length);

test('the hub does the same for a large body as for a small one, whatever is in it', async (t) => {
  const ended = await BoshSession.login(instance.gatewayUrl);
  const { sid } = ended;
  const terminated = await ended.terminate();
  assert.equal(condition(terminated), '');
  const hub = await server.call('erlang', 'whereis', atom('mod_megaphone'));
  const requests = 20;
  const cost = async (body: string): Promise<number> => {
    const before = await reductions(hub);
    await Promise.all(Array.from({ length: requests }, () => send(instance.gatewayUrl, body).answer));
    return ((await reductions(hub)) - before) / requests;
  };
  const kinds: readonly [string, (size: number) => string][] = [
    ['late stanzas', (size) => wrapper({ rid: 1, sid }, filled("<iq to='a'/>", size))],
    ['late nesting', (size) => `<body rid='1' sid='${sid}'>${filled('<a>', size)}`],
    ['late attributes', (size) => `<body rid='1' sid='${sid}'${filled(" a='b'", size)}/>`],
    ['a late value without end', (size) => `<body rid='1' sid='${sid}' to='${filled('a', size)}`],
    ['white space in front', (size) => filled(' ', size) + wrapper({ rid: 1, sid })],
    ['a declaration without end', (size) => `<?xml ${filled(' ', size)}`],
    ['a name', (size) => `<${filled('a', size)}`],
    ['no tag', (size) => filled('a', size)],
  ];
  for (const [name, body] of kinds) {
    const small = await cost(body(SMALL));
    const large = await cost(body(LARGE));
    t.diagnostic(`${name}: ${Math.round(small)} and ${Math.round(large)} reductions`);
    assert.ok(large < 20_000, `${name}: ${small} and ${large} reductions`);
  }
});

test('a session does no more for a byte of a large body than of a small one', async (t) => {
  // Elements and attributes are no more than a request may have.
  const long = 'x'.repeat(30);
  const attributes = Array.from({ length: 60 }, (_, i) => ` a${i}='&amp;${long}'`).join('');
  const namespaces = Array.from({ length: 60 }, (_, i) => ` xmlns:a${i}='${long}'`).join('');
  const nested = `${`<${long}>`.repeat(90)}&amp;${`</${long}>`.repeat(90)}`;
  const parts: readonly (readonly [string, string])[] = [
    ['elements', `<${long}/>`],
    ['elements and text', `<${long}/>&amp;`],
    ['attributes', `<a${attributes}/>`],
    ['namespaces', `<a${namespaces}/>`],
    ['nesting', nested],
    ['references', '&amp;'],
    ['line breaks', '\r\n'],
    ['CDATA', '<![CDATA[<]]>'],
  ];
  for (const [name, part] of parts) {
    const session = await BoshSession.login(instance.gatewayUrl, {}, { presence: '' });
    const pid = await sessionOf(session);
    const cost = async (size: number): Promise<number> => {
      const content = filled(part, size);
      const before = await reductions(pid);
      // An error comes back, for the server has nobody of that name.
      const refused = `<iq type='set' id='refused' to='nobody@localhost' xmlns='jabber:client'><x xmlns='x'>${content}</x></iq>`;
      await session.until((answer) => answer.xml.includes("id='refused'"), refused);
      return ((await reductions(pid)) - before) / content.length;
    };
    const [some, more] = [await cost(60_000), await cost(240_000)];
    t.diagnostic(`${name}: ${some.toFixed(2)} and ${more.toFixed(2)} reductions for a byte`);
    assert.ok(more < 2 * some + 1, `${name}: ${some} and ${more} reductions for a byte`);
  }
});
