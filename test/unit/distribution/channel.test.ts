/** What becomes of each frame of a connection: delivered, answered, counted and dropped, or the end of the connection. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Channel } from '../../../src/distribution/channel.js';
import {
  type Control,
  decodeControl,
  encodeControl,
  type ProcessId,
} from '../../../src/distribution/control.js';
import { OUR_FLAGS } from '../../../src/distribution/flags.js';
import type { Inbox } from '../../../src/distribution/inbox.js';
import { decodePrefix } from '../../../src/etf/decode.js';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { Atom, atom, Pid, Reference, type Term, tuple } from '../../../src/etf/terms.js';
import { arbitraryTerm } from '../etf/arbitrary.js';

const self = { name: 'm@h', creation: 3, flags: OUR_FLAGS };
const peer = { name: 'e@h', creation: 6, flags: OUR_FLAGS };
const ours = new Pid('m@h', 1, 2, 3);
const dead = new Pid('m@h', 1, 1, 3);
const theirs = new Pid('e@h', 4, 5, 6);
const other = new Pid('e@h', 40, 5, 6);
const stranger = new Pid('x@h', 4, 5, 6);
const ref = new Reference('e@h', 6, [7, 8, 9]);
const payload = encodeVersioned(tuple(atom('hello'), 1));

const frame = (control: Control, body: Uint8Array = Buffer.alloc(0)): Buffer =>
  Buffer.concat([Buffer.of(112), encodeControl(control), body]);

function open() {
  const said: Control[] = [];
  const delivered: { to: ProcessId; payload: Buffer }[] = [];
  const unusable: string[] = [];
  const inbox: Inbox = {
    deliver: (to, bytes, start, end) => delivered.push({ to, payload: bytes.subarray(start, end) }),
    deliverToName: (to, body) => delivered.push({ to, payload: body }),
    isAlive: (process) => process === 'hub' || (process instanceof Pid && process.serial === ours.serial),
    unusable: ({ code }) => unusable.push(code),
  };
  const channel = new Channel(self, peer, inbox, (control) =>
    said.push(decodeControl(decodePrefix(control, 0).term)),
  );
  const hear = (control: Control, body?: Uint8Array): void => {
    const bytes = frame(control, body);
    channel.receive(bytes, 0, bytes.length);
  };
  return { channel, said, delivered, unusable, hear };
}

describe('Channel: messages', () => {
  test('are handed on with their payload as it came, its 131 included', () => {
    const { delivered, hear } = open();
    hear({ op: 'SEND', to: ours }, payload);
    hear({ op: 'SEND_SENDER', from: theirs, to: ours }, payload);
    hear({ op: 'REG_SEND', from: theirs, to: 'hub' }, payload);
    assert.deepEqual(delivered, [
      { to: ours, payload },
      { to: ours, payload },
      { to: 'hub', payload },
    ]);
  });

  test('the payload is not decoded: what is in it is no business of the channel', () => {
    const { delivered, hear } = open();
    const garbage = Buffer.of(131, 255, 255);
    hear({ op: 'SEND', to: ours }, garbage);
    assert.deepEqual(delivered[0]?.payload, garbage);
  });

  test('a frame behind a distribution header, which we never agreed to, ends the connection', () => {
    const bytes = Buffer.of(131, 68, 0);
    assert.throws(() => open().channel.receive(bytes, 0, bytes.length), { code: 'LINK_BAD_FRAME' });
  });

  const useless: readonly (readonly [string, Buffer])[] = [
    ['a message without payload', frame({ op: 'SEND', to: ours })],
    ['a payload without 131', frame({ op: 'SEND', to: ours }, Buffer.of(1, 2))],
    ['a control term that breaks off', frame({ op: 'SEND', to: ours }).subarray(0, 10)],
    ['a control message without 131', Buffer.of(112, 104, 0)],
    ['a control message without end', Buffer.concat([Buffer.of(112, 131), Buffer.alloc(5_000, 'l')])],
    ['a link to a process of a third node', frame({ op: 'LINK', from: theirs, to: stranger })],
    [
      'a monitor with a reference of a third node',
      frame({ op: 'MONITOR_P', from: theirs, to: 'hub', ref: new Reference('x@h', 1, [1]) }),
    ],
    ['an operation that there is not', Buffer.concat([Buffer.of(112), encodeVersioned(tuple(99))])],
    ['a monitor for a process of a third node', frame({ op: 'MONITOR_P', from: stranger, to: 'hub', ref })],
  ];
  for (const [what, bytes] of useless) {
    test(`${what} is counted and dropped`, () => {
      const { channel, said, delivered, unusable } = open();
      channel.receive(bytes, 0, bytes.length);
      assert.deepEqual([said, delivered, unusable.length], [[], [], 1]);
    });
  }

  test('whoever a message came from, it is delivered, and a third node may be a group leader', () => {
    const { delivered, unusable, hear } = open();
    hear({ op: 'REG_SEND', from: stranger, to: 'hub' }, payload);
    hear({ op: 'GROUP_LEADER', leader: stranger, to: ours });
    assert.deepEqual([delivered, unusable], [[{ to: 'hub', payload }], []]);
  });

  test('any control message with any arguments and any payload leaves the channel in order', () => {
    const known = fc.constantFrom<Term>(ours, dead, theirs, other, stranger, ref, atom('hub'), atom(''), 1);
    const argument = fc.oneof({ weight: 3, arbitrary: known }, { weight: 1, arbitrary: arbitraryTerm });
    const control = fc
      .tuple(fc.integer({ min: 0, max: 40 }), fc.array(argument, { maxLength: 5 }))
      .map(([op, rest]) => encodeVersioned(tuple(op, ...rest)));
    const frames = fc.tuple(
      fc.oneof({ weight: 4, arbitrary: control }, { weight: 1, arbitrary: fc.uint8Array() }),
      fc.oneof(fc.constant(payload), fc.uint8Array()),
    );
    fc.assert(
      fc.property(fc.array(frames, { maxLength: 20 }), (all) => {
        const { channel, said, hear, delivered } = open();
        for (const [first, second] of all) {
          const bytes = Buffer.concat([Buffer.of(112), first, second]);
          channel.receive(bytes, 0, bytes.length);
        }
        // Whatever we say, a real peer must not cut us for it: it is ours that it is about, and the peer's it goes to.
        for (const answer of said) {
          if ('from' in answer && answer.from instanceof Pid) assert.equal(answer.from.node, self.name);
          if ('to' in answer && answer.to instanceof Pid) assert.equal(answer.to.node, peer.name);
          if ('ref' in answer) assert.equal(answer.ref.node, peer.name);
        }
        hear({ op: 'REG_SEND', from: theirs, to: 'hub' }, payload);
        assert.deepEqual(delivered.at(-1), { to: 'hub', payload });
      }),
      { numRuns: 1_500 },
    );
  });
});

describe('Channel: what the peer holds on our processes', () => {
  test('a monitor on a living pid fires once, when it exits', () => {
    const { channel, said, hear } = open();
    hear({ op: 'MONITOR_P', from: theirs, to: ours, ref });
    assert.deepEqual(said, []);
    channel.exited(ours, atom('normal'));
    channel.exited(ours, atom('normal'));
    assert.deepEqual(said, [{ op: 'MONITOR_P_EXIT', from: ours, to: theirs, ref, reason: atom('normal') }]);
  });

  test('a monitor on a name fires with the name', () => {
    const { channel, said, hear } = open();
    hear({ op: 'MONITOR_P', from: theirs, to: 'hub', ref });
    channel.exited('hub', atom('shutdown'));
    assert.deepEqual(said, [
      { op: 'MONITOR_P_EXIT', from: 'hub', to: theirs, ref, reason: atom('shutdown') },
    ]);
  });

  test('a monitor on what is not there fires at once', () => {
    const { said, hear } = open();
    hear({ op: 'MONITOR_P', from: theirs, to: 'nobody', ref });
    hear({ op: 'MONITOR_P', from: theirs, to: dead, ref });
    assert.deepEqual(said, [
      { op: 'MONITOR_P_EXIT', from: 'nobody', to: theirs, ref, reason: atom('noproc') },
      { op: 'MONITOR_P_EXIT', from: dead, to: theirs, ref, reason: atom('noproc') },
    ]);
  });

  test('a monitor that was taken back does not fire', () => {
    const { channel, said, hear } = open();
    hear({ op: 'MONITOR_P', from: theirs, to: 'hub', ref });
    hear({ op: 'DEMONITOR_P', from: theirs, to: 'hub', ref });
    channel.exited('hub', atom('normal'));
    assert.deepEqual(said, []);
  });

  test('monitors of one process differ by their references', () => {
    const { channel, said, hear } = open();
    const second = new Reference('e@h', 6, [7, 8, 10]);
    hear({ op: 'MONITOR_P', from: theirs, to: ours, ref });
    hear({ op: 'MONITOR_P', from: theirs, to: ours, ref: second });
    hear({ op: 'DEMONITOR_P', from: theirs, to: ours, ref });
    channel.exited(ours, atom('normal'));
    assert.deepEqual(
      said.map((control) => (control.op === 'MONITOR_P_EXIT' ? control.ref : undefined)),
      [second],
    );
  });

  test('a link to a living pid fires when it exits, one to a dead pid at once', () => {
    const { channel, said, hear } = open();
    hear({ op: 'LINK', from: theirs, to: ours });
    hear({ op: 'LINK', from: theirs, to: dead });
    channel.exited(ours, atom('closed'));
    assert.deepEqual(said, [
      { op: 'EXIT', from: dead, to: theirs, reason: atom('noproc') },
      { op: 'EXIT', from: ours, to: theirs, reason: atom('closed') },
    ]);
  });

  test('an unlink is acknowledged with its id, whether there was a link or not', () => {
    const { channel, said, hear } = open();
    hear({ op: 'LINK', from: theirs, to: ours });
    hear({ op: 'UNLINK_ID', id: 12, from: theirs, to: ours });
    hear({ op: 'UNLINK_ID', id: 13, from: other, to: ours });
    channel.exited(ours, atom('closed'));
    assert.deepEqual(said, [
      { op: 'UNLINK_ID_ACK', id: 12, from: ours, to: theirs },
      { op: 'UNLINK_ID_ACK', id: 13, from: ours, to: other },
    ]);
  });

  for (const op of ['EXIT', 'PAYLOAD_EXIT'] as const) {
    test(`${op} of the linked process takes the link away`, () => {
      const { channel, said, hear } = open();
      hear({ op: 'LINK', from: theirs, to: ours });
      if (op === 'EXIT') hear({ op, from: theirs, to: ours, reason: atom('crash') });
      else hear({ op, from: theirs, to: ours }, payload);
      channel.exited(ours, atom('closed'));
      assert.deepEqual(said, []);
    });
  }

  test('what has no meaning for our processes changes nothing', () => {
    const { said, delivered, hear } = open();
    hear({ op: 'GROUP_LEADER', leader: theirs, to: ours });
    hear({ op: 'EXIT2', from: theirs, to: ours, reason: atom('kill') });
    hear({ op: 'PAYLOAD_EXIT2', from: theirs, to: ours }, payload);
    hear({ op: 'ALIAS_SEND', from: theirs, to: ref }, payload);
    hear({ op: 'UNLINK_ID_ACK', id: 1, from: theirs, to: ours });
    assert.deepEqual([said, delivered], [[], []]);
  });
});

describe('Channel: what we hold on processes of the peer', () => {
  const mine = new Reference('m@h', 3, [1, 0, 0]);

  function monitored() {
    const opened = open();
    const reasons: Term[] = [];
    opened.channel.monitor(ours, 'hub', mine, (reason) => reasons.push(reason));
    return { ...opened, reasons };
  }

  test('the reason comes in the control message, or as its payload', () => {
    const first = monitored();
    assert.deepEqual(first.said, [{ op: 'MONITOR_P', from: ours, to: 'hub', ref: mine }]);
    first.hear({ op: 'MONITOR_P_EXIT', from: 'hub', to: ours, ref: mine, reason: atom('noproc') });
    assert.deepEqual(first.reasons, [atom('noproc')]);
    const second = monitored();
    second.hear({ op: 'PAYLOAD_MONITOR_P_EXIT', from: 'hub', to: ours, ref: mine }, payload);
    assert.deepEqual(second.reasons, [tuple(atom('hello'), 1)]);
  });

  test('a reason that cannot be decoded is no fault of the connection', () => {
    const { reasons, hear } = monitored();
    hear({ op: 'PAYLOAD_MONITOR_P_EXIT', from: 'hub', to: ours, ref: mine }, Buffer.of(131, 255));
    assert.deepEqual(reasons, [new Atom('unreadable')]);
  });

  test('it fires once, and not after demonitor', () => {
    const { channel, reasons, said, hear } = monitored();
    channel.demonitor(mine);
    channel.demonitor(mine);
    hear({ op: 'MONITOR_P_EXIT', from: 'hub', to: ours, ref: mine, reason: atom('noproc') });
    channel.lost();
    assert.deepEqual(reasons, []);
    assert.deepEqual(said.slice(1), [{ op: 'DEMONITOR_P', from: ours, to: 'hub', ref: mine }]);
  });

  test('a lost connection fires all of them with noconnection, once', () => {
    const { channel, reasons } = monitored();
    channel.lost();
    channel.lost();
    assert.deepEqual(reasons, [atom('noconnection')]);
  });
});
