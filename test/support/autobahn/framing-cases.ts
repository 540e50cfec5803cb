/** Groups 1 to 5 of the Autobahn test suite: messages, Pings and Pongs, reserved bits, opcodes, fragmentation. */

import { BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT } from '../../../src/websocket/opcodes.js';
import type { Sent } from '../websocket-frames.js';
import { type AutobahnCase, answered, answeredCase, failedCase, frame, latin1, tell } from './case.js';

const HELLO = 'Hello, world!';
const OCTETS = latin1('\x00\xff\xfe\xfd\xfc\xfb\x00\xff');
const LENGTHS = [0, 125, 126, 127, 128, 65535, 65536, 65536];

function messages(group: string, kind: string, opcode: number, byte: string): AutobahnCase[] {
  return LENGTHS.map((length, index) => {
    const payload = Buffer.alloc(length, byte, 'latin1');
    const isChopped = index === LENGTHS.length - 1;
    const what = `a ${kind} message of ${length} bytes${isChopped ? ', 997 at a time' : ''}`;
    const one = answeredCase(`${group}.${index + 1}`, what, [frame(opcode, payload)], tell(kind, payload));
    return isChopped ? { ...one, chop: 997 } : one;
  });
}

const ping = (id: string, what: string, payload: Buffer): AutobahnCase =>
  answeredCase(id, what, [frame(PING, payload)], tell('pong', payload));

/** The Close frame is part of the case: nothing is to come before its answer. */
const unsolicited = (id: string, what: string, payload: string): AutobahnCase => ({
  id,
  what,
  parts: [{ send: [frame(PONG, payload), frame(CLOSE, latin1('\x03\xe8'))], until: 'end' }],
  ...answered(),
});

const TEN = Array.from({ length: 10 }, (_, index) => `payload-${index}`);
const tenPings = (id: string, what: string): AutobahnCase =>
  answeredCase(
    id,
    what,
    TEN.map((payload) => frame(PING, payload)),
    ...TEN.map((payload) => `pong ${payload}`),
  );

const pings: AutobahnCase[] = [
  ping('2.1', 'a Ping without payload', Buffer.alloc(0)),
  ping('2.2', 'a Ping with a text', Buffer.from(HELLO)),
  ping('2.3', 'a Ping with bytes that are no UTF-8', OCTETS),
  ping('2.4', 'a Ping of 125 bytes', Buffer.alloc(125, 0xfe)),
  failedCase('2.5', 'a Ping of 126 bytes', [frame(PING, Buffer.alloc(126, 0xfe))], 1002),
  { ...ping('2.6', 'a Ping of 125 bytes, one at a time', Buffer.alloc(125, 0xfe)), chop: 1 },
  unsolicited('2.7', 'a Pong without payload that nobody asked for', ''),
  unsolicited('2.8', 'a Pong with payload that nobody asked for', 'unsolicited pong payload'),
  answeredCase(
    '2.9',
    'a Pong that nobody asked for, and a Ping',
    [frame(PONG, 'unsolicited pong payload'), frame(PING, 'ping payload')],
    'pong ping payload',
  ),
  tenPings('2.10', 'ten Pings'),
  { ...tenPings('2.11', 'ten Pings, a byte at a time'), chop: 1 },
];

/** A text, then what is wrong, then a Ping that must not be answered. */
const wrongBehindText = (id: string, what: string, wrong: Sent): AutobahnCase =>
  failedCase(id, `a text, ${what}, a Ping`, [frame(TEXT, HELLO), wrong, frame(PING)], 1002, `text ${HELLO}`);

const reserved: AutobahnCase[] = [
  failedCase('3.1', 'a text with RSV 1', [frame(TEXT, HELLO, { rsv: 1 })], 1002),
  wrongBehindText('3.2', 'another with RSV 2', frame(TEXT, HELLO, { rsv: 2 })),
  wrongBehindText('3.3', 'another with RSV 3', frame(TEXT, HELLO, { rsv: 3 })),
  {
    ...wrongBehindText('3.4', 'another with RSV 4, a byte at a time', frame(TEXT, HELLO, { rsv: 4 })),
    chop: 1,
  },
  failedCase('3.5', 'a binary message with RSV 5', [frame(BINARY, OCTETS, { rsv: 5 })], 1002),
  failedCase('3.6', 'a binary message with RSV 6', [frame(BINARY, HELLO, { rsv: 6 })], 1002),
  failedCase('3.7', 'a Close frame with RSV 7', [frame(CLOSE, '', { rsv: 7 })], 1002),
];

function opcodes(group: string, first: number): AutobahnCase[] {
  const payload = 'reserved opcode payload';
  const behind = (index: number, wrong: string): AutobahnCase =>
    wrongBehindText(`${group}.${index}`, `the opcode ${first + index - 1}`, frame(first + index - 1, wrong));
  return [
    failedCase(`${group}.1`, `the opcode ${first}`, [frame(first)], 1002),
    failedCase(`${group}.2`, `the opcode ${first + 1} with payload`, [frame(first + 1, payload)], 1002),
    behind(3, ''),
    behind(4, HELLO),
    { ...behind(5, HELLO), chop: 1 },
  ];
}

const begin = (payload: string, opcode = TEXT): Sent => frame(opcode, payload, { fin: false });
const goOn = (payload: string): Sent => frame(CONTINUATION, payload, { fin: false });
const end = (payload: string): Sent => frame(CONTINUATION, payload);

const TWO = [begin('fragment1'), end('fragment2')];
const WITH_PING = [begin('fragment1'), frame(PING, 'ping payload'), end('fragment2')];
const BOTH = 'text fragment1fragment2';
const NOTHING_BEFORE = [end('non-continuation payload'), frame(TEXT, HELLO)];
const NOTHING_BEFORE_NO_FIN = [goOn('non-continuation payload'), frame(TEXT, HELLO)];
const whole = (id: string, what: string): AutobahnCase => answeredCase(id, what, TWO, BOTH);
const around = (id: string, what: string): AutobahnCase =>
  answeredCase(id, what, WITH_PING, 'pong ping payload', BOTH);
const twice = (sent: readonly Sent[]): Sent[] => [...sent, ...sent];

const alternating = (id: string, what: string): AutobahnCase => ({
  id,
  what,
  parts: [
    { send: [begin('fragment1'), goOn('fragment2'), frame(PING, 'pongme 1!')], until: 1 },
    {
      send: [goOn('fragment3'), goOn('fragment4'), frame(PING, 'pongme 2!'), end('fragment5')],
      until: 3,
    },
  ],
  ...answered('pong pongme 1!', 'pong pongme 2!', 'text fragment1fragment2fragment3fragment4fragment5'),
});

const fragmentation: AutobahnCase[] = [
  failedCase('5.1', 'a Ping in two fragments', [begin('fragment1', PING), end('fragment2')], 1002),
  failedCase('5.2', 'a Pong in two fragments', [begin('fragment1', PONG), end('fragment2')], 1002),
  whole('5.3', 'a text in two fragments'),
  whole('5.4', 'the same, a frame at a time'),
  { ...whole('5.5', 'the same, a byte at a time'), chop: 1 },
  around('5.6', 'a Ping between two fragments of a text'),
  around('5.7', 'the same, a frame at a time'),
  { ...around('5.8', 'the same, a byte at a time'), chop: 1 },
  failedCase('5.9', 'a continuation of nothing, then a text', NOTHING_BEFORE, 1002),
  failedCase('5.10', 'the same, a frame at a time', NOTHING_BEFORE, 1002),
  { ...failedCase('5.11', 'the same, a byte at a time', NOTHING_BEFORE, 1002), chop: 1 },
  failedCase('5.12', 'the same, the continuation without FIN', NOTHING_BEFORE_NO_FIN, 1002),
  failedCase('5.13', 'the same, a frame at a time', NOTHING_BEFORE_NO_FIN, 1002),
  { ...failedCase('5.14', 'the same, a byte at a time', NOTHING_BEFORE_NO_FIN, 1002), chop: 1 },
  failedCase(
    '5.15',
    'a text in two fragments, a continuation of nothing, a text',
    [...TWO, goOn('fragment3'), frame(TEXT, 'fragment4')],
    1002,
    BOTH,
  ),
  failedCase(
    '5.16',
    'twice a continuation of nothing without FIN, and a text in two fragments',
    twice([goOn('fragment1'), begin('fragment2'), end('fragment3')]),
    1002,
  ),
  failedCase(
    '5.17',
    'twice a continuation of nothing with FIN, and a text in two fragments',
    twice([end('fragment1'), begin('fragment2'), end('fragment3')]),
    1002,
  ),
  failedCase('5.18', 'a text within a text', [begin('fragment1'), frame(TEXT, 'fragment2')], 1002),
  alternating('5.19', 'a text in five fragments, with two Pings between'),
  alternating('5.20', 'the same, a frame at a time'),
];

/** Where the suite writes a frame at a time. */
const BY_FRAME = ['3.3', '5.4', '5.7', '5.10', '5.13', '5.20'];

export const framingCases: readonly AutobahnCase[] = [
  ...messages('1.1', 'text', TEXT, '*'),
  ...messages('1.2', 'binary', BINARY, '\xfe'),
  ...pings,
  ...reserved,
  ...opcodes('4.1', 3),
  ...opcodes('4.2', 11),
  ...fragmentation,
].map((one) => (BY_FRAME.includes(one.id) ? byFrame(one) : one));

/** A part for each frame; between them nothing is waited for. */
function byFrame(one: AutobahnCase): AutobahnCase {
  const parts = one.parts.flatMap(({ send, until }) =>
    send.map((sent, index) => ({ send: [sent], until: index === send.length - 1 ? until : 0 })),
  );
  return { ...one, parts };
}
