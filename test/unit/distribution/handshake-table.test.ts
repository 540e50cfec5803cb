/** Both sides of the handshake are, cell by cell, what the tables in the header of src/distribution/handshake.ts say. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { FLAGS, OUR_FLAGS } from '../../../src/distribution/flags.js';
import { type Admission, accept, type Handshake, initiate } from '../../../src/distribution/handshake.js';
import * as message from '../../../src/distribution/handshake-messages.js';
import { MegaphoneError } from '../../../src/errors.js';
import { headerTable } from '../../support/header-table.js';

const CHALLENGE = 0xfedcba98;
const digest = (cookie: string, challenge: number): Buffer =>
  createHash('md5').update(`${cookie}${challenge}`).digest();
const context = {
  self: { name: 'self@h', creation: 7, flags: OUR_FLAGS },
  cookie: { digest: (challenge: number) => digest('xyzzy', challenge) },
  challenge: CHALLENGE,
};
const peer = { name: 'peer@h', creation: 8, flags: OUR_FLAGS };
const flagless = { ...peer, flags: OUR_FLAGS & ~FLAGS.V4_NC };

const { encodeStatus: status, encodeName: name, encodeReply: reply, encodeAck: ack } = message;
const challenge = (identity: message.Identity): Buffer => message.encodeChallenge(identity, 1);
const broken = (code: 'HANDSHAKE_CLOSED' | 'HANDSHAKE_TIMEOUT') => new MegaphoneError(code, code);

interface Side {
  readonly corner: string;
  /** It knows of its peer, beside what that says, what leads to the state and the event. */
  readonly open: (state: string, event: string) => Handshake;
  /** By what it waits for: what it has received until then. */
  readonly received: Readonly<Record<string, readonly Buffer[]>>;
  /** What it may wait for, and goes on behind. */
  readonly awaited: Readonly<Record<string, Buffer>>;
  readonly events: Readonly<Record<string, Buffer | MegaphoneError>>;
}

const ENDS = { closed: broken('HANDSHAKE_CLOSED'), timeout: broken('HANDSHAKE_TIMEOUT') };

const connecting: Side = {
  corner: 'connecting, waits for',
  open: (_, event) => initiate(context, peer.name, () => !event.endsWith('not wanted')),
  received: { status: [], challenge: [status('ok')], ack: [status('ok'), challenge(peer)] },
  awaited: { status: status('ok'), challenge: challenge(peer), ack: ack(digest('xyzzy', CHALLENGE)) },
  events: {
    ok: status('ok'),
    ok_simultaneous: status('ok_simultaneous'),
    alive: status('alive'),
    'alive, not wanted': status('alive'),
    nok: status('nok'),
    not_allowed: status('not_allowed'),
    'other status': status('named:'),
    challenge: challenge(peer),
    'challenge of another': challenge({ ...peer, name: 'other@h' }),
    'challenge, no flags': challenge(flagless),
    ack: ack(digest('xyzzy', CHALLENGE)),
    'ack, other cookie': ack(digest('other', CHALLENGE)),
    ...ENDS,
  },
};

const accepting: Side = {
  corner: 'accepting, waits for',
  open: (state, event) =>
    accept(context, () => {
      if (state !== 'name') return state === 'status' ? 'alive' : 'ok';
      if (event === 'name of another') throw new MegaphoneError('HANDSHAKE_TLS_CERTIFICATE', event);
      return event.replace('name, ', '') as Admission;
    }),
  received: { name: [], status: [name(peer)], reply: [name(peer)] },
  awaited: { name: name(peer), status: status('true'), reply: reply(1, digest('xyzzy', CHALLENGE)) },
  events: {
    'name, ok': name(peer),
    'name, ok_simultaneous': name(peer),
    'name, alive': name(peer),
    'name, nok': name(peer),
    'name, not_allowed': name(peer),
    'name, no flags': name(flagless),
    'name of no node': name({ ...peer, name: 'peer' }),
    'name of another': name(peer),
    true: status('true'),
    'other status': status('ok'),
    reply: reply(1, digest('xyzzy', CHALLENGE)),
    'reply, other cookie': reply(1, digest('other', CHALLENGE)),
    ...ENDS,
  },
};

function labelOf(sent: Buffer): string {
  const kind = sent.toString('latin1', 0, 1);
  if (kind === 's') return message.decodeStatus(sent);
  return { N: 'challenge', r: 'reply', a: 'ack' }[kind] ?? assert.fail(kind);
}

/** The code of the error, `done`, or `undefined` where it goes on; and what it sends. */
function take(handshake: Handshake, what: Buffer | MegaphoneError): readonly [string | undefined, string[]] {
  try {
    const { done, value } = what instanceof MegaphoneError ? handshake.throw(what) : handshake.next(what);
    if (!done) return [undefined, value.map(labelOf)];
    return ['error' in value ? value.error.code : 'done', value.send.map(labelOf)];
  } catch (error) {
    return [(error as MegaphoneError).code, []];
  }
}

/** A side that waits for that, and has received the event. */
function after(side: Side, state: string, event: string) {
  const handshake = side.open(state, event);
  handshake.next(Buffer.alloc(0));
  for (const before of side.received[state] ?? []) assert.equal(take(handshake, before)[0], undefined);
  const [end, sent] = take(handshake, side.events[event] ?? assert.fail(event));
  return { handshake, end, sent };
}

function outcome(side: Side, state: string, event: string): string {
  const { end, sent } = after(side, state, event);
  if (end === 'HANDSHAKE_BAD_MESSAGE') return '–';
  if (end !== undefined) return [end.replace('HANDSHAKE_', ''), ...sent].join('+');
  // It waits for the one thing that takes it on.
  const waits = Object.entries(side.awaited).filter(
    ([, next]) => take(after(side, state, event).handshake, next)[0] !== 'HANDSHAKE_BAD_MESSAGE',
  );
  return [waits.map(([what]) => what).join(' or '), ...sent].join('+');
}

for (const side of [connecting, accepting]) {
  test(side.corner, () => {
    const { columns, rows } = headerTable('src/distribution/handshake.ts', side.corner);
    assert.deepEqual(columns, Object.keys(side.awaited));
    assert.deepEqual(
      Object.keys(side.events).map((event) => [
        event,
        ...columns.map((state) => outcome(side, state, event)),
      ]),
      rows,
    );
  });
}
