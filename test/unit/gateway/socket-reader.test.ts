/** What sessions send to WebSockets: every form is read, the short way reads what the general way reads, and no other term is taken for one. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeVersioned } from '../../../src/etf/decode.js';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { atom, ImproperList, Pid, type Term, tuple } from '../../../src/etf/terms.js';
import { readSocketMessage, type SocketMessage } from '../../../src/gateway/socket-messages.js';
import { SocketReader } from '../../../src/gateway/socket-reader.js';
import { arbitraryTerm } from '../etf/arbitrary.js';

const NODE = 'megaphone@localhost';
const CREATION = 7;
const CONN_ID = new Pid(NODE, 101, 2, CREATION);
const SESSION = new Pid('ejabberd@localhost', 1, 2, 3);
const reader = new SocketReader(NODE, CREATION);
const text = Buffer.from('<message/>');
const list: Term = [60, new ImproperList([Buffer.from('message')], Buffer.from('/>'))];

interface Read {
  readonly id: number;
  readonly serial: number;
  readonly message: SocketMessage;
}

function quickly(bytes: Buffer, start = 0, end = bytes.length): Read | undefined {
  if (!reader.read(bytes, start, end)) return undefined;
  const { id, serial, number } = reader;
  const message: SocketMessage =
    reader.text === undefined
      ? { kind: 'taken', count: number }
      : { kind: 'frame', text: reader.text, number };
  return { id, serial, message };
}

/** What the general way makes of it, where it names a ConnId. */
function generally(bytes: Buffer): Read | undefined {
  const term = decodeVersioned(bytes) as ReturnType<typeof tuple>;
  const [connId] = term.elements;
  const message = readSocketMessage(term);
  return connId instanceof Pid && message !== undefined
    ? { id: connId.id, serial: connId.serial, message }
    : undefined;
}

describe('every form', () => {
  const frame = { kind: 'frame', text, number: 0 } as const;
  const bye = { kind: 'close', code: 3000, reason: Buffer.from('bye') } as const;
  const normal = { kind: 'close', code: 1000, reason: Buffer.alloc(0) } as const;
  const session = { kind: 'session', pid: SESSION } as const;
  const forms: readonly (readonly [what: string, words: readonly Term[], message: SocketMessage])[] = [
    ['frame', [atom('frame'), text], frame],
    ['frame of a list', [atom('frame'), list], frame],
    ['frame with a number', [atom('frame'), text, 4711], { ...frame, number: 4711 }],
    ['frame with a large number', [atom('frame'), text, 2 ** 40], { ...frame, number: 2 ** 40 }],
    ['mere text', [text], frame],
    ['mere list', [list], frame],
    ['taken', [atom('taken'), 16], { kind: 'taken', count: 16 }],
    ['session', [atom('session'), SESSION], session],
    ['close', [atom('close'), 3000, Buffer.from('bye')], bye],
    ['close with a string', [atom('close'), 3000, [98, 121, 101]], bye],
    ['close without a reason', [atom('close'), 1000], normal],
    ['close alone', [atom('close')], normal],
    ['close with too long a reason', [atom('close'), 1000, Buffer.alloc(124, 'x')], normal],
    ['close with a reason that is no text', [atom('close'), 1000, Buffer.of(0xff)], normal],
  ];
  for (const [what, words, message] of forms) {
    test(what, () => {
      assert.deepEqual(readSocketMessage(tuple(CONN_ID, ...words)), message);
      if (words.length > 1) assert.deepEqual(readSocketMessage(tuple(...words)), message);
      const [only] = words;
      if (words.length === 1 && only !== undefined) assert.deepEqual(readSocketMessage(only), message);
    });
  }

  test('an answer of HTTP', () => {
    for (const term of [tuple(CONN_ID, 403, text), tuple(403, text), tuple(CONN_ID, 403, [], text)]) {
      const message = readSocketMessage(term);
      assert.equal(message?.kind, 'answer');
      assert.deepEqual([message.answer.status, message.answer.body], [403, text]);
    }
  });

  for (const [what, term] of [
    ['nothing', tuple(CONN_ID)],
    ['no tuple', atom('hello')],
    ['an empty tuple', tuple()],
    ['a pid', CONN_ID],
    ['a frame of no iodata', tuple(CONN_ID, atom('frame'), atom('x'))],
    ['a frame with the number 0', tuple(CONN_ID, atom('frame'), text, 0)],
    ['a frame with no number', tuple(CONN_ID, atom('frame'), text, atom('x'))],
    ['a frame with too much', tuple(CONN_ID, atom('frame'), text, 1, 2)],
    ['taken nothing', tuple(CONN_ID, atom('taken'), 0)],
    ['taken less', tuple(CONN_ID, atom('taken'), -1)],
    ['a session that is no pid', tuple(CONN_ID, atom('session'), atom('x'))],
    ['a code that stands for none', tuple(CONN_ID, atom('close'), 1005, text)],
    ['a code that nobody has given a meaning', tuple(CONN_ID, atom('close'), 2999, text)],
    ['a code beyond all', tuple(CONN_ID, atom('close'), 5000, text)],
    ['another word', tuple(CONN_ID, atom('mark'), 1)],
    ['text behind text', tuple(CONN_ID, text, text)],
    ['a status that is none', tuple(CONN_ID, 99, text)],
  ] as const) {
    test(`not ${what}`, () => assert.equal(readSocketMessage(term), undefined));
  }
});

describe('SocketReader', () => {
  const uint32 = fc.integer({ min: 0, max: 0xffffffff });
  const connId = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.tuple(uint32, uint32).map(([id, serial]) => new Pid(NODE, id, serial, CREATION)),
    },
    fc.constant(new Pid(NODE, 1, 2, CREATION + 1)),
    fc.constant(new Pid('other@localhost', 1, 2, CREATION)),
  );
  const word = fc.constantFrom('frame', 'taken', 'frames', 'Frame').map(atom);
  const binary = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  const number = fc.oneof(fc.integer({ min: -5, max: 300 }), fc.maxSafeNat());
  const message = fc.oneof(
    fc.tuple(connId, word, fc.oneof(binary, number)).map((elements) => tuple(...elements)),
    fc.tuple(connId, word, fc.oneof(binary, arbitraryTerm), number).map((elements) => tuple(...elements)),
    fc.tuple(connId, arbitraryTerm).map((elements) => tuple(...elements)),
    arbitraryTerm,
  );

  test('what it reads is what the general way reads', () => {
    fc.assert(
      fc.property(message, (term) => {
        const bytes = encodeVersioned(term);
        const quick = quickly(bytes);
        if (quick !== undefined) assert.deepEqual(quick, generally(bytes));
      }),
    );
  });

  const usual: readonly (readonly Term[])[] = [
    [atom('frame'), text],
    [atom('frame'), Buffer.alloc(0)],
    [atom('frame'), text, 1],
    [atom('frame'), text, 255],
    [atom('frame'), text, 2 ** 31 - 1],
    [atom('taken'), 16],
    [atom('taken'), 70_000],
  ];

  test('it reads what a session sends, in the middle of other bytes, and nothing where one is missing', () => {
    for (const words of usual) {
      const term = encodeVersioned(tuple(CONN_ID, ...words));
      const bytes = Buffer.concat([Buffer.alloc(3, 109), term, Buffer.alloc(3, 109)]);
      const end = 3 + term.length;
      assert.deepEqual(quickly(bytes, 3, end), generally(term));
      for (let cut = 3; cut < end; cut += 1) assert.equal(quickly(bytes, 3, cut), undefined);
      assert.equal(quickly(bytes, 3, end + 1), undefined);
    }
  });

  test('with any byte changed it reads what the general way reads, or nothing', () => {
    for (const words of usual) {
      const bytes = encodeVersioned(tuple(CONN_ID, ...words));
      for (let at = 0; at < bytes.length; at += 1) {
        for (let value = 0; value < 256; value += 1) {
          const changed = Buffer.from(bytes);
          changed[at] = value;
          const quick = quickly(changed);
          if (quick !== undefined) assert.deepEqual(quick, generally(changed));
        }
      }
    }
  });
});
