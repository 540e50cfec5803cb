/** So many messages at once between a node of ours and one of Erlang, each way, of which not one may be lost or out of order. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Erl } from '../../../scripts/support/erl.js';
import { within } from '../../../scripts/support/within.js';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { type Term, type Tuple, tuple } from '../../../src/etf/terms.js';
import type { HiddenNode } from '../../../src/node/hidden-node.js';
import { NODE, PEER } from './cluster.js';

export const COUNT = 100_000;

/** Sends `{Number, Binary}` COUNT times to `collector` here; the sizes are all that a record can make difficult. */
const SOURCE = `
  spawn(fun() ->
    [{collector, '${NODE}'} ! {N, binary:copy(<<N:32>>, N rem 50)} || N <- lists:seq(1, ${COUNT})]
  end)`;

/** Takes as many, and tells the digest of all; who asks may be faster than the last messages. */
export const SINK = `
  register(sink, spawn(fun() ->
    Take = fun Take(0, Hash) -> crypto:hash_final(Hash);
               Take(Left, Hash) -> receive {N, B} when is_integer(N) -> Take(Left - 1, crypto:hash_update(Hash, [<<N:32>>, B])) end end,
    Digest = Take(${COUNT}, crypto:hash_init(sha)),
    receive {tell, From} -> From ! {digest, Digest} end
  end))`;

const bodyOf = (number: number): Buffer => {
  const four = Buffer.alloc(4);
  four.writeUInt32BE(number);
  return Buffer.concat(Array(number % 50).fill(four));
};

export function digestOfAll(): string {
  const hash = createHash('sha1');
  const four = Buffer.alloc(4);
  for (let number = 1; number <= COUNT; number += 1) {
    four.writeUInt32BE(number);
    hash.update(four).update(bodyOf(number));
  }
  return hash.digest('hex');
}

/** Resolves with the digest of COUNT messages, in the order in which they came. */
function collect(node: HiddenNode): Promise<string> {
  const hash = createHash('sha1');
  const four = Buffer.alloc(4);
  let left = COUNT;
  const whole = new Promise<string>((resolve) => {
    node.register('collector', {
      deliver: (message: Term) => {
        const [number, body] = (message as Tuple).elements as [number, Uint8Array];
        four.writeUInt32BE(number);
        hash.update(four).update(body);
        left -= 1;
        if (left === 0) resolve(hash.digest('hex'));
      },
    });
  });
  return within(whole, () => `${left} messages more`);
}

/** Sends what SINK takes, as fast as the connection lets us. */
export async function pour(node: HiddenNode): Promise<void> {
  for (let number = 1; number <= COUNT && node.peers()[0]?.up; ) {
    const end = Math.min(COUNT, number + 500);
    while (number <= end && node.sendToName(PEER, 'sink', encodeVersioned(tuple(number, bodyOf(number)))))
      number += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** All of both directions at once arrives, and in order. */
export async function everythingArrives(node: HiddenNode, erl: Erl): Promise<void> {
  const expected = digestOfAll();
  const collected = collect(node);
  await erl.evaluate(SINK);
  await erl.evaluate(SOURCE);
  await pour(node);
  assert.equal(await collected, expected);
  assert.equal(await told(erl), expected);
}

/** The digest of all that SINK was sent. */
export async function told(erl: Erl): Promise<string> {
  const digest = await erl.evaluate(`sink ! {tell, self()}, receive {digest, D} -> D end`);
  return Buffer.from(digest as Uint8Array).toString('hex');
}
