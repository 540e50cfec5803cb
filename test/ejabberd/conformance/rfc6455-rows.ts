/**
 * What any server of WebSockets does (RFC 6455), one case at a time, seen from an XMPP client. What the codec does with each
 * case of the Autobahn test suite is in test/unit/websocket.
 */
import assert from 'node:assert/strict';
import { clientFrame, type Sent } from '../../support/websocket-frames.js';
import type { Case } from './case.js';
import { bodyOf, message, opcodes, ping, XmppSocket } from './xmpp-socket.js';

const { TEXT, CONTINUATION, CLOSE, PING, PONG } = opcodes;
/** A key for the tests of §4.2 that RFC 6455 §1.3 prints the answer to. */
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

const login = XmppSocket.login;

const answersPing = async (client: XmppSocket, id: string): Promise<void> =>
  assert.equal((await client.until(({ localName }) => localName === 'iq')).getAttribute('id'), id);

/** Frames that fail the connection with this code. */
const failing = (
  section: string,
  code: number,
  cases: Readonly<Record<string, readonly (Sent | Buffer)[]>>,
): readonly Case[] =>
  Object.entries(cases).map(([name, frames]) => ({
    section,
    name: `${name}: ${code}`,
    run: async (url) => {
      const client = await XmppSocket.open(url);
      for (const frame of frames) client.bytes(Buffer.isBuffer(frame) ? frame : clientFrame(frame));
      assert.equal(await client.end(), `close ${code}`);
    },
  }));

const code = (number: number, reason: Buffer | string = ''): Buffer => {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(number);
  return Buffer.concat([payload, Buffer.from(reason)]);
};

/** Of one byte each. */
const inFragments = (text: Buffer): readonly Sent[] =>
  [...text].map((byte, at) => ({
    opcode: at === 0 ? TEXT : CONTINUATION,
    payload: Buffer.of(byte),
    fin: at === text.length - 1,
  }));

const NO_TEXT = Buffer.from('cebae1bdb9cf83cebcceb5eda080656469746564', 'hex');

export const rfc6455Cases: readonly Case[] = [
  {
    section: '§4.2.2',
    name: 'a good request is answered with 101, and a proof that it was read',
    run: async (url) => {
      const [{ status, headers }] = await XmppSocket.connect(url, {
        upgrade: 'WebSocket',
        connection: 'keep-alive, Upgrade',
      });
      assert.equal(status, 101);
      assert.equal(headers.get('sec-websocket-accept'), ACCEPT);
      assert.match(headers.get('upgrade') ?? '', /^websocket$/i);
      assert.match(headers.get('connection') ?? '', /^upgrade$/i);
    },
  },
  {
    section: '§4.2.2',
    name: 'another version is refused with 426, and told which one is known',
    run: async (url) => {
      const [{ status, headers }] = await XmppSocket.connect(url, { 'sec-websocket-version': '8' });
      assert.equal(status, 426);
      assert.equal(headers.get('sec-websocket-version'), '13');
    },
  },
  {
    section: '§4.2.1',
    name: 'a plain GET is told with 426 to upgrade',
    run: async (url) => {
      const [{ status, headers }] = await XmppSocket.connect(url, {
        upgrade: undefined,
        connection: undefined,
        'sec-websocket-key': undefined,
      });
      assert.equal(status, 426);
      assert.match(headers.get('upgrade') ?? '', /^websocket$/i);
    },
  },
  ...(
    [
      ['without a key', { 'sec-websocket-key': undefined }],
      ['with a key that is not 16 bytes', { 'sec-websocket-key': 'c2hvcnQ=' }],
      ['whose Connection does not say Upgrade', { connection: 'keep-alive' }],
    ] as const
  ).map(
    ([what, headers]): Case => ({
      section: '§4.2.1',
      name: `a request ${what} is refused with 400`,
      run: async (url) => assert.equal((await XmppSocket.connect(url, headers))[0].status, 400),
    }),
  ),
  {
    section: '§4.2.1',
    name: 'another method than GET is refused with 405',
    run: async (url) => assert.equal((await XmppSocket.connect(url, {}, 'PUT'))[0].status, 405),
  },
  {
    section: '§5.1',
    name: 'what the server sends is not masked, and any mask of a client will do',
    run: async (url) => {
      const client = await login(url);
      for (const key of [0, 1, 0x7fffffff, 0x37fa213d])
        client.frame({ opcode: TEXT, payload: ping(`${key}`), key });
      for (const key of [0, 1, 0x7fffffff, 0x37fa213d]) await answersPing(client, `${key}`);
    },
  },
  ...failing('§5.1', 1002, {
    'a frame without a mask': [{ opcode: TEXT, payload: ping('1'), key: undefined }],
  }),
  ...failing('§5.2', 1002, {
    'a reserved bit, of an extension that was not agreed on': [{ opcode: TEXT, payload: ping('1'), rsv: 4 }],
    'a reserved bit in a Ping': [{ opcode: PING, rsv: 1 }],
    'a reserved opcode of data': [{ opcode: 3, payload: 'x' }],
    'a reserved opcode of control': [{ opcode: 11, payload: 'x' }],
    'a length in more bytes than it needs': [{ opcode: TEXT, payload: ping('1'), lengthBytes: 9 }],
    'a length whose first bit is set': [Buffer.from('81ffffffffffffffffff00000000', 'hex')],
  }),
  ...[125, 126, 127, 128, 65_535, 65_536, 100_000].map(
    (length): Case => ({
      section: '§5.2',
      name: `a text of ${length} bytes, and its answer of about as many`,
      run: async (url) => {
        const client = await login(url);
        const frame = message(client.jid, '');
        const body = 'x'.repeat(Math.max(1, length - frame.length));
        client.send(message(client.jid, body));
        assert.equal(bodyOf(await client.next('message')), body);
      },
    }),
  ),
  {
    section: '§5.2',
    name: 'frames that come a byte at a time',
    run: async (url) => {
      const client = await login(url);
      for (const byte of clientFrame({ opcode: TEXT, payload: ping('bytes') })) client.bytes(Buffer.of(byte));
      await answersPing(client, 'bytes');
    },
  },
  {
    section: '§5.4',
    name: 'a text in fragments of one byte, with Pings and Pongs between them, which are answered at once',
    run: async (url) => {
      const client = await login(url);
      for (const [at, frame] of inFragments(Buffer.from(ping('fragments'))).entries()) {
        client.frame(frame);
        if (at === 10) client.frame({ opcode: PING, payload: 'between' });
        if (at === 20) client.frame({ opcode: PONG, payload: 'nobody asked' });
      }
      assert.equal(await client.pong(), 'between');
      await answersPing(client, 'fragments');
    },
  },
  {
    section: '§5.4',
    name: 'fragments without payload, the first and the last of them',
    run: async (url) => {
      const client = await login(url);
      client.frame({ opcode: TEXT, fin: false });
      client.frame({ opcode: CONTINUATION, payload: ping('empty'), fin: false });
      client.frame({ opcode: CONTINUATION });
      await answersPing(client, 'empty');
    },
  },
  ...failing('§5.4', 1002, {
    'a continuation of nothing': [{ opcode: CONTINUATION, payload: 'x' }],
    'a text between the fragments of another': [
      { opcode: TEXT, payload: '<iq', fin: false },
      { opcode: TEXT, payload: ping('1') },
    ],
  }),
  ...failing('§5.5', 1002, {
    'a Ping in fragments': [{ opcode: PING, payload: 'x', fin: false }],
    'a Ping of 126 bytes': [{ opcode: PING, payload: 'x'.repeat(126) }],
    'a Close frame of 126 bytes': [{ opcode: CLOSE, payload: code(1000, 'x'.repeat(124)) }],
    'half a close code': [{ opcode: CLOSE, payload: 'x' }],
  }),
  ...['', 'hello', '\xff\xfe\x00', 'x'.repeat(125)].map(
    (payload): Case => ({
      section: '§5.5.3',
      name: `a Ping with ${payload.length} bytes is answered with the same`,
      run: async (url) => {
        const client = await XmppSocket.open(url);
        client.frame({ opcode: PING, payload: Buffer.from(payload, 'latin1') });
        assert.equal(await client.pong(), payload);
      },
    }),
  ),
  {
    section: '§5.5.1',
    name: 'what follows a Close frame is not read',
    run: async (url) => {
      const [alice, bob] = [await login(url), await login(url)];
      alice.bytes(
        Buffer.concat([
          clientFrame({ opcode: CLOSE, payload: code(1000) }),
          clientFrame({ opcode: TEXT, payload: message(bob.jid, 'too late') }),
        ]),
      );
      assert.match(await alice.end(), /^close/);
      await bob.roundTrip();
      assert.deepEqual(bob.heard, []);
    },
  },
  ...[1000, 1001, 3000, 4999].map(
    (number): Case => ({
      section: '§5.5.1',
      name: `a Close frame with ${number} is answered with the same code, or 1000`,
      run: async (url) => {
        const client = await XmppSocket.open(url);
        client.close(number, 'goodbye');
        assert.match(await client.end(), new RegExp(`^close (?:${number}|1000)$`));
      },
    }),
  ),
  ...failing(
    '§7.4.1',
    1002,
    Object.fromEntries(
      [0, 999, 1004, 1005, 1006, 1016, 2999, 5000].map((number) => [
        `the close code ${number}, which no frame may have`,
        [{ opcode: CLOSE, payload: code(number) }],
      ]),
    ),
  ),
  ...failing('§7.4.1', 1007, {
    'a close reason that is not UTF-8': [{ opcode: CLOSE, payload: code(1000, NO_TEXT) }],
  }),
  ...failing('§7.4.1', 1009, {
    'a frame that announces more than anything may have, before it comes': [
      Buffer.from('81ff000000007fffffff00000000', 'hex'),
    ],
  }),
  {
    section: '§8.1',
    name: 'UTF-8 whose code points are cut by fragments',
    run: async (url) => {
      const client = await login(url);
      const text = 'κόσμε €  🎉';
      for (const frame of inFragments(Buffer.from(message(client.jid, text)))) client.frame(frame);
      assert.equal(bodyOf(await client.next('message')), text);
    },
  },
  ...failing('§8.1', 1007, {
    'a text that is not UTF-8': [{ opcode: TEXT, payload: NO_TEXT }],
    'the same in fragments of a byte': inFragments(NO_TEXT),
    'a text that ends within a code point': [{ opcode: TEXT, payload: Buffer.from([0xe2, 0x82]) }],
    'a form that is too long': [{ opcode: TEXT, payload: Buffer.from([0xc0, 0xaf]) }],
  }),
  {
    section: '§9.1',
    name: 'an extension that nobody asked for is not used',
    run: async (url) => {
      const [{ headers }] = await XmppSocket.connect(url);
      assert.equal(headers.get('sec-websocket-extensions'), undefined);
    },
  },
  {
    section: '§9.1',
    name: 'an unknown extension is declined, and does no harm',
    run: async (url) => {
      const [{ status, headers }] = await XmppSocket.connect(url, {
        'sec-websocket-extensions': 'x-unknown; a=1',
      });
      assert.deepEqual([status, headers.get('sec-websocket-extensions')], [101, undefined]);
    },
  },
];
