/** Each control message both ways, and that no other tuple passes for one. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Control, decodeControl, encodeControl } from '../../../src/distribution/control.js';
import { decodeVersioned } from '../../../src/etf/decode.js';
import { atom, Pid, Reference, type Term, tuple } from '../../../src/etf/terms.js';

const ours = new Pid('m@h', 1, 2, 3);
const theirs = new Pid('e@h', 4, 5, 6);
const ref = new Reference('e@h', 6, [7, 8, 9]);
const nothing = atom('');
const reason = atom('gone');
const token = tuple(1, 2, 3);

/** Every operation and the tuple that stands for it. */
const messages: readonly (readonly [Control, Term])[] = [
  [{ op: 'LINK', from: theirs, to: ours }, tuple(1, theirs, ours)],
  [{ op: 'SEND', to: ours }, tuple(2, nothing, ours)],
  [{ op: 'EXIT', from: theirs, to: ours, reason }, tuple(3, theirs, ours, reason)],
  [{ op: 'REG_SEND', from: theirs, to: 'hub' }, tuple(6, theirs, nothing, atom('hub'))],
  [{ op: 'GROUP_LEADER', leader: theirs, to: ours }, tuple(7, theirs, ours)],
  [{ op: 'EXIT2', from: theirs, to: ours, reason }, tuple(8, theirs, ours, reason)],
  [{ op: 'MONITOR_P', from: theirs, to: 'hub', ref }, tuple(19, theirs, atom('hub'), ref)],
  [{ op: 'MONITOR_P', from: theirs, to: ours, ref }, tuple(19, theirs, ours, ref)],
  [{ op: 'DEMONITOR_P', from: theirs, to: 'hub', ref }, tuple(20, theirs, atom('hub'), ref)],
  [{ op: 'MONITOR_P_EXIT', from: 'hub', to: ours, ref, reason }, tuple(21, atom('hub'), ours, ref, reason)],
  [{ op: 'SEND_SENDER', from: theirs, to: ours }, tuple(22, theirs, ours)],
  [{ op: 'PAYLOAD_EXIT', from: theirs, to: ours }, tuple(24, theirs, ours)],
  [{ op: 'PAYLOAD_EXIT2', from: theirs, to: ours }, tuple(26, theirs, ours)],
  [{ op: 'PAYLOAD_MONITOR_P_EXIT', from: theirs, to: ours, ref }, tuple(28, theirs, ours, ref)],
  [{ op: 'ALIAS_SEND', from: theirs, to: ref }, tuple(33, theirs, ref)],
  [{ op: 'UNLINK_ID', id: 77, from: theirs, to: ours }, tuple(35, 77, theirs, ours)],
  [{ op: 'UNLINK_ID_ACK', id: 2n ** 63n, from: theirs, to: ours }, tuple(36, 2n ** 63n, theirs, ours)],
];

/** With a trace token behind the recipient. */
const traced: readonly (readonly [Control, Term])[] = [
  [{ op: 'SEND', to: ours }, tuple(12, nothing, ours, token)],
  [{ op: 'EXIT', from: theirs, to: ours, reason }, tuple(13, theirs, ours, token, reason)],
  [{ op: 'REG_SEND', from: theirs, to: 'hub' }, tuple(16, theirs, nothing, atom('hub'), token)],
  [{ op: 'EXIT2', from: theirs, to: ours, reason }, tuple(18, theirs, ours, token, reason)],
  [{ op: 'SEND_SENDER', from: theirs, to: ours }, tuple(23, theirs, ours, token)],
  [{ op: 'PAYLOAD_EXIT', from: theirs, to: ours }, tuple(25, theirs, ours, token)],
  [{ op: 'PAYLOAD_EXIT2', from: theirs, to: ours }, tuple(27, theirs, ours, token)],
  [{ op: 'ALIAS_SEND', from: theirs, to: ref }, tuple(34, theirs, ref, token)],
];

describe('control messages', () => {
  for (const [control, term] of messages) {
    test(`${control.op} both ways`, () => {
      assert.deepEqual(decodeVersioned(encodeControl(control)), term);
      assert.deepEqual(decodeControl(term), control);
    });
  }

  for (const [control, term] of traced) {
    test(`${control.op} with a trace token`, () => assert.deepEqual(decodeControl(term), control));
  }

  test('SEND on the wire', () => {
    assert.equal(
      encodeControl({ op: 'SEND', to: ours }).toString('hex'),
      '83 6803 6102 7700 58 77036d4068 00000001 00000002 00000003'.replaceAll(' ', ''),
    );
  });

  const refused: readonly (readonly [string, Term])[] = [
    ['no tuple', atom('hello')],
    ['an empty tuple', tuple()],
    ['no operation', tuple(atom('send'), ours)],
    ['an unknown operation', tuple(99, theirs, ours)],
    ['the old UNLINK', tuple(4, theirs, ours)],
    ['SPAWN_REQUEST', tuple(29, ref, theirs, theirs, tuple(), [])],
    ['a tuple too short', tuple(1, theirs)],
    ['a tuple too long', tuple(1, theirs, ours, ours)],
    ['a name instead of a pid', tuple(2, nothing, atom('hub'))],
    ['a pid instead of a name', tuple(6, theirs, nothing, ours)],
    ['a number instead of a process', tuple(19, theirs, 5, ref)],
    ['no reference', tuple(19, theirs, ours, 5)],
    ['no unlink id', tuple(35, atom('one'), theirs, ours)],
    ['an unlink id of 0', tuple(35, 0, theirs, ours)],
    ['an unlink id beyond 64 bits', tuple(36, 2n ** 64n, theirs, ours)],
  ];
  for (const [what, term] of refused) {
    test(`${what} is refused`, () => {
      assert.throws(() => decodeControl(term), { code: 'LINK_BAD_CONTROL' });
    });
  }

  test('no tuple of any shape gets anything but a control message or the refusal', () => {
    const element = fc.oneof(
      fc.constantFrom<Term>(ours, theirs, ref, nothing, reason, token),
      fc.integer({ min: -5, max: 40 }),
    );
    fc.assert(
      fc.property(fc.array(element, { maxLength: 6 }), (elements) => {
        try {
          decodeControl(tuple(...elements));
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'LINK_BAD_CONTROL');
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
