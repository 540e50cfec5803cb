/** The load generator's WebSocket frames: what `ws` makes of its own, and what it makes of those of `ws`, in any pieces. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WebSocketServer } from 'ws';
import { Target } from '../../../scripts/load/client-socket.js';
import { WebSocketConnection } from '../../../scripts/load/websocket-connection.js';
import { CLOSE, FrameReader, maskedFrame, PING, TEXT } from '../../../scripts/load/websocket-frames.js';
import { readStreamEnd } from '../../../scripts/load/websocket-user.js';

/** As a server sends it: without a mask. */
function frame(first: number, payload: string): Buffer {
  const { length } = payload;
  const head = [Buffer.from([first, length]), Buffer.from([first, 126, length >> 8, length & 255])];
  const long = Buffer.alloc(10);
  long[0] = first;
  long[1] = 127;
  long.writeUInt32BE(length, 6);
  const which = length < 126 ? head[0] : length < 65_536 ? head[1] : long;
  return Buffer.concat([which ?? long, Buffer.from(payload, 'latin1')]);
}

function read(pieces: readonly Buffer[]): string[] {
  const found: string[] = [];
  const reader = new FrameReader();
  const sink = {
    text: (message: string) => found.push(`text ${message}`),
    control: (opcode: number, payload: string) => found.push(`${opcode} ${payload}`),
  };
  for (const piece of pieces) reader.push(piece, sink);
  return found;
}

test('reads messages of any length, whole and in fragments around a Ping, however the bytes are cut', () => {
  const long = 'x'.repeat(70_000);
  const bytes = Buffer.concat([
    frame(0x81, ''),
    frame(0x81, 'a'.repeat(125)),
    frame(0x01, 'one, '),
    frame(0x89, 'ping'),
    frame(0x00, 'two, '),
    frame(0x80, 'three'),
    frame(0x81, 'b'.repeat(126)),
    frame(0x81, long),
    frame(0x88, '\x03\xe8'),
  ]);
  const expected = [
    'text ',
    `text ${'a'.repeat(125)}`,
    `${PING} ping`,
    'text one, two, three',
    `text ${'b'.repeat(126)}`,
    `text ${long}`,
    `${CLOSE} \x03\xe8`,
  ];
  assert.deepEqual(read([bytes]), expected);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: bytes.length - 1 }), { maxLength: 8 }), (at) => {
      const cuts = [0, ...at.toSorted((a, b) => a - b), bytes.length];
      const pieces = cuts.slice(1).map((cut, index) => Buffer.from(bytes.subarray(cuts[index], cut)));
      assert.deepEqual(read(pieces), expected);
    }),
    { numRuns: 50 },
  );
});

test('refuses a masked frame and one that is not text', () => {
  assert.throws(() => read([maskedFrame(TEXT, 'x')]), /masked/);
  assert.throws(() => read([frame(0x82, 'x')]), /opcode 2/);
});

test('talks to a server made of ws: both lengths, Ping, and its Close', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'xmpp' });
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const sent = ['', 'a'.repeat(125), 'b'.repeat(126), 'c'.repeat(60_000)];
  const heard: string[] = [];
  server.on('connection', (socket) => {
    socket.on('message', (data) => heard.push(String(data)));
    socket.on('message', (data) => socket.send(String(data)));
    socket.on('pong', (data) => socket.close(1012, String(data)));
  });
  const echoed: string[] = [];
  const reason = await new Promise((resolve) => {
    const connection = new WebSocketConnection(new Target(`ws://127.0.0.1:${port}/ws`), {
      opened: () => {
        for (const text of sent) connection.send(text);
      },
      refused: resolve,
      text: (text) => {
        echoed.push(text);
        if (echoed.length === sent.length) for (const client of server.clients) client.ping('are you there');
      },
      broken: resolve,
    });
  });
  assert.deepEqual([heard, echoed, reason], [sent, sent, 'closed with 1012']);
  await new Promise((resolve) => server.close(resolve));
});

test('tells why an upgrade is refused', async () => {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    verifyClient: (_, done) => done(false, 503, '', { 'Retry-After': 7 }),
  });
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const heard = await new Promise((resolve) => {
    new WebSocketConnection(new Target(`ws://127.0.0.1:${port}/ws`), {
      opened: () => resolve('opened'),
      refused: (status, retryAfter) => resolve([status, retryAfter]),
      text: () => {},
      broken: resolve,
    });
  });
  assert.deepEqual(heard, [503, 7]);
  await new Promise((resolve) => server.close(resolve));
});

for (const [text, end] of [
  ["<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", 'closed by the server'],
  [
    "<stream:error xmlns:stream='http://etherx.jabber.org/streams'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
    'conflict',
  ],
  ['<message><body><close/></body></message>', undefined],
] as const) {
  test(`tells whether this ends the stream: ${text}`, () => assert.equal(readStreamEnd(text), end));
}
