/** How far a client has provably read: the table in the header of src/http/proof.ts, and who waits for a Ping. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PROOF_BYTES, Proof } from '../../../src/http/proof.js';
import { Proofs } from '../../../src/http/proofs.js';
import { Turns } from '../../../src/http/turns.js';
import { headerTable, SAME } from '../../support/header-table.js';

/** What leads there; the Ping under way has the number 5, and 6 is asked for where something is. */
const STATES: Readonly<Record<string, (proof: Proof) => void>> = {
  idle: () => {},
  due: (proof) => proof.sent(1, 6),
  away: (proof) => {
    proof.sent(1, 5);
    proof.ping();
  },
  behind: (proof) => {
    proof.sent(1, 5);
    proof.ping();
    proof.sent(1, 6);
  },
};

/** What is done, and told. */
const EVENTS: Readonly<Record<string, (proof: Proof) => string>> = {
  sent: (proof) => {
    proof.sent(1, 0);
    return '';
  },
  'sent, asked': (proof) => {
    proof.sent(1, 7);
    return '';
  },
  'PROOF_BYTES, asked': (proof) => {
    proof.sent(PROOF_BYTES, 7);
    return proof.isDue && proof.isAtOnce ? ', at once' : '';
  },
  ping: (proof) => (proof.ping() === 6 ? '+' : ''),
  Pong: (proof) => (proof.pong(5) === 5 ? '+read' : ''),
  'other Pong': (proof) => (proof.pong(4) === 0 ? '' : '+read'),
};

/** The state, found out by what it does: it is of no use behind this. */
function stateOf(proof: Proof): string {
  if (proof.isDue) return 'due';
  if ([5, 6, 7].some((number) => proof.pong(number) === number)) return proof.isDue ? 'behind' : 'away';
  // None is under way, or one that proves nothing: then what is asked for now has to wait.
  proof.sent(1, 9);
  return proof.isDue ? 'idle' : 'away';
}

const { columns, rows } = headerTable('src/http/proof.ts', 'in state');

test('the table has every state and every event', () => {
  assert.deepEqual(
    rows.map(([state]) => state),
    Object.keys(STATES),
  );
  assert.deepEqual(columns, Object.keys(EVENTS));
});

for (const [state, ...cells] of rows) {
  for (const [index, cell] of cells.entries()) {
    const event = columns[index] ?? '';
    test(`${state}: ${event} → ${cell}`, () => {
      const proof = new Proof();
      STATES[state]?.(proof);
      const told = EVENTS[event]?.(proof) ?? assert.fail(event);
      assert.equal(`${stateOf(proof)}${told}`, cell === SAME ? state : cell);
    });
  }
}

test('whatever is asked for is proven by some Ping, none is under way beside another, and no number is told early', () => {
  const step = fc.oneof(
    fc.record({ sent: fc.nat(20_000), isAsked: fc.boolean() }),
    fc.constantFrom('ping' as const, 'pong' as const, 'stray' as const),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const proof = new Proof();
      let number = 0;
      let asked = 0;
      /** What the client has when it answers the Ping under way. */
      let pinged: number | undefined;
      let proven = 0;
      const pong = (payload: number): void => {
        const told = proof.pong(payload);
        assert.ok(told === 0 || (told === pinged && told <= number));
        proven = Math.max(proven, told);
      };
      for (const each of steps) {
        if (each === 'ping') {
          const before = pinged ?? 0;
          pinged = proof.ping();
          assert.ok(pinged >= before, 'what the last one was to prove is not forgotten');
          assert.ok(pinged >= asked || pinged === before);
        } else if (each === 'pong' && pinged !== undefined) {
          pong(pinged);
          pinged = undefined;
        } else if (each === 'stray') {
          pong(number + 1);
        } else if (typeof each === 'object') {
          number += 1;
          if (each.isAsked) asked = number;
          proof.sent(each.sent, each.isAsked ? number : 0);
        }
        assert.equal(proof.isDue, asked > proven && pinged === undefined && asked > 0);
      }
      // In the end all is proven.
      if (pinged !== undefined) pong(pinged);
      if (proof.isDue) {
        pinged = proof.ping();
        pong(pinged);
      }
      assert.equal(proven, asked);
    }),
  );
});

test('those who want to know are pinged at the next tick, each once, a few in a turn', () => {
  const ticks: (() => void)[] = [];
  const turns: (() => void)[] = [];
  const proofs = new Proofs((next) => ticks.push(next), new Turns((next) => turns.push(next)));
  const pinged: number[] = [];
  const sockets = Array.from({ length: 100 }, (_, index) => ({ takeTurn: () => void pinged.push(index) }));
  for (const socket of [...sockets, ...sockets]) proofs.wait(socket);
  assert.equal(ticks.length, 1);
  for (const tick of ticks.splice(0)) tick();
  assert.deepEqual(pinged, []);
  const counts: number[] = [];
  while (turns.length > 0) {
    for (const turn of turns.splice(0)) turn();
    counts.push(pinged.length);
  }
  assert.deepEqual(counts, [32, 64, 96, 100]);
  assert.deepEqual(
    pinged,
    sockets.map((_, index) => index),
  );
  assert.equal(ticks.length, 0, 'no clock runs while nobody waits');
  proofs.wait({ takeTurn: () => {} });
  assert.equal(ticks.length, 1);
});
