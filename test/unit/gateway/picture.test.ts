/** Who is in the cluster, by what its nodes say; how much room they have; and what they say, read. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Atom, atom, type Term } from '../../../src/etf/terms.js';
import { type ClusterInfo, readClusterInfo } from '../../../src/gateway/cluster-info.js';
import { NodeRoom, withMoreRoom } from '../../../src/gateway/node-room.js';
import { type Member, pictureOf } from '../../../src/gateway/picture.js';

const says = (known: readonly string[], nodes = known): ClusterInfo => ({
  nodes: new Set(nodes),
  known: new Set(known),
  state: 'in_service',
  sessions: 0,
  weight: 100,
});
const member = (name: string, known?: readonly string[], isSeed = false): Member => ({
  name,
  isSeed,
  says: known && says(known),
});
const seed = (name: string, known?: readonly string[]): Member => member(name, known, true);

const CASES: readonly (readonly [
  what: string,
  members: readonly Member[],
  found: string[],
  left: string[],
])[] = [
  ['nobody said anything', [seed('a'), member('b')], [], []],
  ['a seed knows others', [seed('a', ['a', 'b', 'c'])], ['b', 'c'], []],
  ['what is found knows more', [seed('a', ['a', 'b']), member('b', ['a', 'b', 'c'])], ['c'], []],
  ['who left knows himself', [seed('a', ['a']), member('b', ['b'])], [], ['b']],
  ['who left is down', [seed('a', ['a']), member('b')], [], ['b']],
  ['who is down may come back', [seed('a', ['a', 'b']), member('b')], [], []],
  ['the seed is down', [seed('a'), member('b', ['a', 'b'])], [], []],
  [
    'the seed is down, and one left',
    [seed('a'), member('b', ['b', 'c']), member('c', ['b', 'c']), member('d', ['d'])],
    [],
    ['d'],
  ],
  ['the seed left: it stays', [seed('a', ['a']), member('b', ['b', 'c']), member('c', ['b', 'c'])], [], []],
  [
    'one of them has not heard yet',
    [seed('a', ['a']), member('b', ['b']), member('c', ['a', 'b', 'c'])],
    [],
    ['c'],
  ],
];

for (const [what, members, found, left] of CASES) {
  test(what, () => {
    const picture = pictureOf(members);
    assert.deepEqual([...picture.found.keys()], found);
    assert.deepEqual([...picture.left], left);
  });
}

test('those run that somebody sees running; where nobody says anything, nothing is known', () => {
  const running = (members: readonly Member[]): string[] | undefined => {
    const picture = pictureOf(members).running;
    return picture && [...picture];
  };
  assert.equal(running([seed('a')]), undefined);
  const a: Member = { name: 'a', isSeed: true, says: says(['a', 'b'], ['a']) };
  assert.deepEqual(running([a, member('b')]), ['a']);
});

const key = (name: string): Term => Buffer.from(name);

test('what a node says is read, and nonsense in it passed over', () => {
  const info = new Map<Term, Term>([
    [key('nodes'), [atom('a@h'), atom('b@h'), 7, atom('no node')]],
    [key('known'), [atom('c@h')]],
    [key('state'), atom('draining')],
    [key('sessions'), 12],
    [key('weight'), -1],
    [key('a later key'), []],
    [5, 6],
  ]);
  const read = readClusterInfo(info);
  assert.deepEqual([...(read?.nodes ?? [])], ['a@h', 'b@h']);
  assert.deepEqual([...(read?.known ?? [])], ['a@h', 'b@h', 'c@h']);
  assert.deepEqual([read?.state, read?.sessions, read?.weight], ['draining', 12, 100]);
  assert.equal(readClusterInfo(new Map())?.state, 'in_service');
  for (const term of [undefined, 7, [], new Atom('x')]) assert.equal(readClusterInfo(term), undefined);
});

test('a cluster has not more nodes than can be', () => {
  const names = Array.from({ length: 10_000 }, (_, index) => atom(`n${index}@h`));
  assert.equal(readClusterInfo(new Map<Term, Term>([[key('nodes'), names]]))?.nodes.size, 256);
});

interface Node {
  readonly name: string;
  readonly room: NodeRoom;
}

function nodes(...weights: readonly number[]): Node[] {
  return weights.map((weight, index) => {
    const room = new NodeRoom({ now: 0 });
    room.tell({ ...says([]), weight });
    return { name: `n${index}`, room };
  });
}

test('the one of two with more room for its weight is taken, what it was given since told included', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 6 }), (weights) => {
      const all = nodes(...weights);
      for (let session = 0; session < 3_000; session += 1) withMoreRoom(all)?.room.countSession();
      const sum = weights.reduce((a, b) => a + b, 0);
      // With two it is exact; of more, two by chance come near enough.
      for (const { room } of weights.length <= 2 ? all : []) {
        assert.ok(
          Math.abs(room.sessions - (3_000 * room.weight) / sum) <= 1 + room.weight / 100,
          `${room.sessions}`,
        );
      }
      assert.equal(
        all.reduce((count, { room }) => count + room.sessions, 0),
        3_000,
      );
    }),
  );
});

test('of many even ones none gets much more than its part', () => {
  const all = nodes(100, 100, 100, 100, 100, 100, 100, 100);
  for (let session = 0; session < 8_000; session += 1) withMoreRoom(all)?.room.countSession();
  for (const { room } of all) assert.ok(Math.abs(room.sessions - 1_000) < 20, `${room.sessions}`);
});

test('a node without weight is closed; what one says counts anew', () => {
  assert.equal(withMoreRoom([]), undefined);
  const [none, one] = nodes(0, 100);
  assert.deepEqual([none?.room.isClosed, one?.room.isClosed], [true, false]);
  one?.room.countSession();
  one?.room.tell({ ...says([]), sessions: 5 });
  one?.room.countSession();
  assert.deepEqual([one?.room.sessions, one?.room.started], [6, 2]);
});
