/**
 * What a server of XMPP over WebSocket does (RFC 7395), one case at a time, over a real connection to a real server of
 * which the case knows nothing; one that fails says what it saw.
 */
import assert from 'node:assert/strict';
import { until } from '../../support/until.js';
import type { Case } from './case.js';
import { bodyOf, CLOSE_STREAM, message, opcodes, open, parse, ping, XmppSocket } from './xmpp-socket.js';

const FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing';
const STREAMS = 'http://etherx.jabber.org/streams';
const AVAILABLE = "<presence xmlns='jabber:client'/>";

const login = XmppSocket.login;

/** A stream that gets this as its first frame, or behind its features; the condition of the error that ends it. */
async function refused(url: string, text: string, isFirst = false): Promise<string> {
  const client = isFirst ? (await XmppSocket.connect(url))[1] : await XmppSocket.open(url);
  client.send(text);
  return client.streamError();
}

export const rfc7395Cases: readonly Case[] = [
  {
    section: '§3.1',
    name: 'the answer to the upgrade names the subprotocol xmpp, and it alone',
    run: async (url) => {
      const [{ status, headers }] = await XmppSocket.connect(url, { 'sec-websocket-protocol': 'chat, xmpp' });
      assert.equal(status, 101);
      assert.equal(headers.get('sec-websocket-protocol'), 'xmpp');
    },
  },
  ...[undefined, 'chat'].map(
    (offered): Case => ({
      section: '§3.1',
      name: `a client that offers ${offered ?? 'no subprotocol'} is refused with 400`,
      run: async (url) => {
        const [{ status }] = await XmppSocket.connect(url, { 'sec-websocket-protocol': offered });
        assert.equal(status, 400);
      },
    }),
  ),
  {
    section: '§3.2',
    name: 'a binary message ends the connection with 1003: XMPP is text',
    run: async (url) => {
      const client = await XmppSocket.open(url);
      client.frame({ opcode: opcodes.BINARY, payload: ping('binary') });
      assert.equal(await client.end(), 'close 1003');
    },
  },
  {
    section: '§3.3.2',
    name: 'open and close are in the namespace of the framing, whatever the client did',
    run: async (url) => {
      const [, client] = await XmppSocket.connect(url);
      const [opened] = await client.openStream();
      assert.equal(opened.namespaceURI, FRAMING);
      client.send(CLOSE_STREAM);
      assert.equal((await client.next('close')).namespaceURI, FRAMING);
    },
  },
  {
    section: '§3.3.2',
    name: 'an open in another namespace is refused with invalid-namespace',
    run: async (url) => {
      const wrong = open('localhost').replace(FRAMING, STREAMS);
      assert.equal(await refused(url, wrong, true), 'invalid-namespace');
    },
  },
  {
    section: '§3.3.3',
    name: 'each frame is a document of its own, begins with <, has no XML declaration, and its own namespaces',
    run: async (url) => {
      const client = await login(url);
      client.send(AVAILABLE);
      client.send(message(client.jid, 'hello'));
      client.send(ping('ping'));
      for (const name of ['presence', 'message', 'iq']) {
        const text = await client.text();
        assert.match(text, /^<\w/);
        const { localName, namespaceURI } = parse(text);
        assert.deepEqual([localName, namespaceURI], [name, 'jabber:client']);
      }
    },
  },
  {
    section: '§3.3.3',
    name: 'a frame with an XML declaration is taken',
    run: async (url) => {
      const client = await login(url);
      client.send(`<?xml version='1.0'?>${ping('declared')}`);
      assert.equal((await client.next('iq')).getAttribute('id'), 'declared');
    },
  },
  ...(
    [
      ['two elements', `${ping('1')}${ping('2')}`, 'not-well-formed'],
      ['half an element', "<iq xmlns='jabber:client' type='get'", 'not-well-formed'],
      ['an element that does not end', "<iq xmlns='jabber:client' type='get'>", 'not-well-formed'],
      ['text alone', 'hello', 'not-well-formed'],
      ['an unknown entity', message('alice@localhost', '&unknown;'), '(not-well-formed|restricted-xml)'],
      ['a comment', message('alice@localhost', '<!-- c -->'), 'restricted-xml'],
      ['a processing instruction', message('alice@localhost', '<?p i?>'), 'restricted-xml'],
      ['a DTD', `<!DOCTYPE iq [<!ENTITY a 'b'>]>${ping('dtd')}`, 'restricted-xml'],
    ] as const
  ).map(
    ([what, text, condition]): Case => ({
      section: '§3.3.3',
      name: `a frame with ${what} is refused: ${condition.replaceAll(/[()]/g, '').replace('|', ' or ')}`,
      run: async (url) => {
        const client = await login(url);
        client.send(text);
        assert.match(await client.streamError(), new RegExp(`^${condition}$`));
      },
    }),
  ),
  {
    section: '§3.4',
    name: 'open is answered with open: from, an id of its own, version and language; then come the features',
    run: async (url) => {
      const ids = new Set<string | null>();
      for (let i = 0; i < 5; i += 1) {
        const [, client] = await XmppSocket.connect(url);
        const [opened, features] = await client.openStream();
        assert.equal(opened.getAttribute('from'), 'localhost');
        assert.equal(opened.getAttribute('version'), '1.0');
        assert.equal(opened.getAttribute('xml:lang'), 'en');
        assert.equal(features.namespaceURI, STREAMS);
        ids.add(opened.getAttribute('id'));
      }
      assert.equal(ids.size, 5);
      for (const id of ids) assert.ok((id ?? '').length >= 8, `the id ${id}`);
    },
  },
  {
    section: '§3.4',
    name: 'the server is silent until the client opens the stream',
    run: async (url) => {
      const [, client] = await XmppSocket.connect(url);
      client.frame({ opcode: opcodes.PING, payload: 'x' });
      assert.equal(await client.pong(), 'x');
      assert.deepEqual(client.heard, []);
    },
  },
  ...(
    [
      ['an unknown host', open('nowhere.example'), 'host-unknown'],
      ['no host', open('localhost').replace(" to='localhost'", ''), '(improper-addressing|host-unknown)'],
    ] as const
  ).map(
    ([what, text, condition]): Case => ({
      section: '§3.5',
      name: `an open to ${what} is answered with open, then ${condition.replaceAll(/[()]/g, '').replace('|', ' or ')}, then close`,
      run: async (url) => {
        const [, client] = await XmppSocket.connect(url);
        client.send(text);
        await client.next('open');
        assert.match(await client.streamError(), new RegExp(`^${condition}$`));
      },
    }),
  ),
  ...(
    [
      ['a stanza', ping('early')],
      [
        'a stream header as over TCP',
        `<stream:stream xmlns:stream='${STREAMS}' xmlns='jabber:client' to='localhost' version='1.0'/>`,
      ],
    ] as const
  ).map(
    ([what, text]): Case => ({
      section: '§3.5',
      name: `${what} as the first frame is answered with open, a stream error, and close`,
      run: async (url) => {
        const [, client] = await XmppSocket.connect(url);
        client.send(text);
        await client.next('open');
        await client.streamError();
      },
    }),
  ),
  {
    section: '§3.5',
    name: 'a stanza before the login is refused with not-authorized',
    run: async (url) => {
      assert.equal(await refused(url, message('alice@localhost', 'early')), 'not-authorized');
    },
  },
  {
    section: '§3.5',
    name: 'a stanza larger than any may be closes the connection with 1008 or 1009',
    run: async (url) => {
      const client = await login(url);
      client.send(message('alice@localhost', 'x'.repeat(300_000)));
      assert.match(await client.end(), /^close 100[89]$/);
    },
  },
  {
    section: '§3.6',
    name: "the client's close is answered with close, then the connection is closed with 1000, and the user is gone",
    run: async (url, instance) => {
      const client = await login(url);
      client.send(CLOSE_STREAM);
      await client.next('close');
      assert.equal(await client.end(), 'close 1000');
      await until(async () => !(await instance.connectedUsers()).includes(client.jid));
    },
  },
  {
    section: '§3.6',
    name: 'what the client sent before its close is processed',
    run: async (url) => {
      const [alice, bob] = [await login(url), await login(url)];
      alice.send(message(bob.jid, 'last words'));
      alice.send(CLOSE_STREAM);
      assert.equal(bodyOf(await bob.next('message')), 'last words');
    },
  },
  {
    section: '§3.6',
    name: 'a Close frame without close is answered, and the user is gone',
    run: async (url, instance) => {
      const client = await login(url);
      client.close(1001);
      assert.match(await client.end(), /^close(?: 100[01])?$/);
      await until(async () => !(await instance.connectedUsers()).includes(client.jid));
    },
  },
  {
    section: '§3.6',
    name: 'a session that the server ends hears why, then close, then a Close frame',
    run: async (url, instance) => {
      const client = await login(url);
      const [user = '', host = ''] = client.jid.split(/[@/]/);
      await instance.ctl('kick_user', user, host);
      assert.match(await client.streamError(), /^(?:conflict|policy-violation|reset)$/);
    },
  },
  {
    section: '§3.6',
    name: 'a session whose resource is taken by another one hears conflict',
    run: async (url, { bob }) => {
      const first = await login(url, { ...bob, resource: 'same' });
      const second = await login(url, { ...bob, resource: 'same' });
      assert.equal(second.jid, 'bob@localhost/same');
      assert.equal(await first.streamError(), 'conflict');
    },
  },
  {
    section: '§3.6',
    name: 'with stream management a cut connection leaves the session, which is resumed over a new one with what came meanwhile',
    run: async (url, { alice }) => {
      const first = await login(url, { ...alice, resource: 'resumed' });
      first.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
      const id = (await first.next('enabled')).getAttribute('id');
      first.cut();
      const friend = await login(url);
      friend.send(message(first.jid, 'meanwhile'));
      await friend.roundTrip();
      const second = await XmppSocket.open(url);
      await second.authenticate(alice);
      await second.openStream();
      second.send(`<resume xmlns='urn:xmpp:sm:3' h='0' previd='${id}'/>`);
      await second.next('resumed');
      assert.equal(bodyOf(await second.until(({ localName }) => localName === 'message')), 'meanwhile');
      second.send(CLOSE_STREAM);
      await second.end();
    },
  },
  {
    section: '§3.7',
    name: 'after the login another open begins the stream anew, without close: another id, other features',
    run: async (url) => {
      const [, client] = await XmppSocket.connect(url);
      const [first] = await client.openStream();
      await client.authenticate({});
      const [second, features] = await client.openStream();
      assert.notEqual(second.getAttribute('id'), first.getAttribute('id'));
      assert.equal(features.getElementsByTagName('bind').length, 1);
      assert.equal(features.getElementsByTagName('mechanisms').length, 0);
    },
  },
  {
    section: '§3.8',
    name: 'a Ping is answered, before the login and after it',
    run: async (url) => {
      for (const client of [await XmppSocket.open(url), await login(url)]) {
        client.frame({ opcode: opcodes.PING, payload: 'are you there?' });
        assert.equal(await client.pong(), 'are you there?');
      }
    },
  },
  {
    section: '§3.9',
    name: 'TLS is not offered in the stream: it is the business of wss:',
    run: async (url) => {
      const [, client] = await XmppSocket.connect(url);
      const [, features] = await client.openStream();
      assert.equal(features.getElementsByTagName('starttls').length, 0);
    },
  },
  {
    section: 'field',
    name: 'a thousand messages come in order, each in a frame of its own',
    run: async (url) => {
      const [alice, bob] = [await login(url), await login(url)];
      for (let i = 0; i < 1_000; i += 1) alice.send(message(bob.jid, `${i}`));
      for (let i = 0; i < 1_000; i += 1) assert.equal(bodyOf(await bob.next('message')), `${i}`);
    },
  },
  {
    section: 'field',
    name: 'stanzas without a namespace, which some clients send, are those of a client',
    run: async (url) => {
      const client = await login(url);
      client.send(ping('bare').replace(" xmlns='jabber:client'", ''));
      assert.equal((await client.next('iq')).getAttribute('id'), 'bare');
    },
  },
  {
    section: 'field',
    name: "the client's address behind a proxy is the one ejabberd shows",
    run: async (url, instance) => {
      const client = await login(url, {}, { 'x-forwarded-for': '192.0.2.77' });
      const users = (await instance.ctl('connected_users_info')).split('\n');
      assert.match(`${users.find((line) => line.startsWith(client.jid))}`, /192\.0\.2\.77/);
    },
  },
];
