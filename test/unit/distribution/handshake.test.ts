/** The handshake as bytes, both sides of it against each other, and what its errors say. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { FLAGS, OUR_FLAGS } from '../../../src/distribution/flags.js';
import {
  type Admission,
  accept,
  type Handshake,
  type HandshakeContext,
  initiate,
  type Secret,
} from '../../../src/distribution/handshake.js';
import * as message from '../../../src/distribution/handshake-messages.js';
import { MegaphoneError } from '../../../src/errors.js';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const secret = (cookie: string): Secret => ({
  digest: (challenge) => createHash('md5').update(`${cookie}${challenge}`).digest(),
});
const gateway: message.Identity = { name: 'megaphone@h', creation: 7, flags: OUR_FLAGS };
const server: message.Identity = { name: 'ejabberd@h', creation: 8, flags: OUR_FLAGS | FLAGS.PUBLISHED };
const context = (self: message.Identity, cookie = 'xyzzy', challenge = 0xfedcba98): HandshakeContext => ({
  self,
  cookie: secret(cookie),
  challenge,
});
const start = Buffer.alloc(0);
const closed = () => new MegaphoneError('HANDSHAKE_CLOSED', 'closed');

/** An initiator that has sent its name. */
function initiator(stillWanted = true, cookie?: string): Handshake {
  const handshake = initiate(context(gateway, cookie), 'ejabberd@h', () => stillWanted);
  handshake.next(start);
  return handshake;
}

/** An acceptor that waits for a name. */
function acceptor(admission: Admission = 'ok', cookie?: string): Handshake {
  const handshake = accept(context(server, cookie, 0x01020304), () => admission);
  handshake.next(start);
  return handshake;
}

/** Plays both sides against each other to their ends: of each the peer it found, or the code of its error. */
function play(...handshakes: readonly [Handshake, Handshake]): readonly unknown[] {
  const inboxes: readonly [Buffer[], Buffer[]] = [[start], [start]];
  const results: unknown[] = [];
  for (let turn = 0; inboxes.some((inbox) => inbox.length > 0); turn = 1 - turn) {
    const [inbox, outbox] = turn === 0 ? inboxes : [inboxes[1], inboxes[0]];
    const received = inbox.shift();
    if (received === undefined) continue;
    const { done, value } = (handshakes[turn] as Handshake).next(received);
    outbox.push(...(done ? value.send : value));
    if (done) results[turn] = 'error' in value ? value.error.code : value.peer;
  }
  return results;
}

describe('handshake messages', () => {
  const identity: message.Identity = { name: 'a@b', creation: 0x01020304, flags: 0x0000000407070fbcn };

  test('name', () => {
    const bytes = hex('4e 0000000407070fbc 01020304 0003 614062');
    assert.deepEqual(message.encodeName(identity), bytes);
    assert.deepEqual(message.decodeName(bytes), identity);
  });

  test('challenge', () => {
    const bytes = hex('4e 0000000407070fbc fedcba98 01020304 0003 614062');
    assert.deepEqual(message.encodeChallenge(identity, 0xfedcba98), bytes);
    assert.deepEqual(message.decodeChallenge(bytes), { peer: identity, challenge: 0xfedcba98 });
  });

  test('status, reply and acknowledgement', () => {
    const digest = hex('000102030405060708090a0b0c0d0e0f');
    assert.deepEqual(message.encodeStatus('ok'), hex('73 6f6b'));
    assert.equal(message.decodeStatus(hex('73 6f6b')), 'ok');
    assert.deepEqual(message.decodeReply(message.encodeReply(1, digest)), { challenge: 1, digest });
    assert.deepEqual(message.decodeAck(message.encodeAck(digest)), digest);
  });

  test('trailing bytes are ignored', () => {
    const bytes = Buffer.concat([message.encodeName(identity), hex('ffff')]);
    assert.deepEqual(message.decodeName(bytes), identity);
  });

  const decoders = [
    ['name', message.decodeName, message.encodeName(identity)],
    ['status', message.decodeStatus, message.encodeStatus('x')],
    ['challenge', message.decodeChallenge, message.encodeChallenge(identity, 1)],
    ['reply', message.decodeReply, message.encodeReply(1, Buffer.alloc(16))],
    ['acknowledgement', message.decodeAck, message.encodeAck(Buffer.alloc(16))],
  ] as const;
  for (const [what, decode, bytes] of decoders) {
    test(`a ${what} that is cut short anywhere, or of another kind, is refused`, () => {
      for (let length = 0; length < bytes.length; length++) {
        assert.throws(() => decode(bytes.subarray(0, length)), { code: 'HANDSHAKE_BAD_MESSAGE' });
      }
      assert.throws(() => decode(Buffer.alloc(40, 1)), { code: 'HANDSHAKE_BAD_MESSAGE' });
    });
  }

  test('the opening of OTP 24 and older is told apart', () => {
    assert.throws(() => message.decodeName(hex('6e 0005 00000000 614062')), { code: 'HANDSHAKE_VERSION' });
  });
});

describe('handshake', () => {
  const outcomes: readonly (readonly [Admission, boolean, unknown, unknown])[] = [
    ['ok', true, server, gateway],
    ['ok_simultaneous', true, server, gateway],
    ['alive', true, server, gateway],
    ['alive', false, 'HANDSHAKE_ALIVE', 'HANDSHAKE_ALIVE'],
  ];
  for (const [admission, wanted, initiated, accepted] of outcomes) {
    test(`status ${admission}, attempt ${wanted ? 'still wanted' : 'not wanted any more'}`, () => {
      const a = initiate(context(gateway), 'ejabberd@h', () => wanted);
      const b = accept(context(server), () => admission);
      assert.deepEqual(play(a, b), [initiated, accepted]);
    });
  }

  const refusals = [
    ['nok', 'HANDSHAKE_SIMULTANEOUS'],
    ['not_allowed', 'HANDSHAKE_NOT_ALLOWED'],
  ] as const;
  for (const [status, code] of refusals) {
    test(`status ${status} ends the handshake on both sides`, () => {
      const { value } = acceptor(status).next(message.encodeName(gateway));
      assert.ok(value !== undefined && 'error' in value);
      assert.equal(value.error.code, code);
      assert.equal(value.error.node, 'megaphone@h');
      assert.deepEqual(value.send, [message.encodeStatus(status)]);
      assert.throws(() => initiator().next(message.encodeStatus(status)), { code, node: 'ejabberd@h' });
    });
  }

  for (const status of ['', 'okay', 'named:megaphone@h', 'true']) {
    test(`the unknown status "${status}" is refused`, () => {
      assert.throws(() => initiator().next(message.encodeStatus(status)), { code: 'HANDSHAKE_BAD_MESSAGE' });
    });
  }

  test('the digest is the MD5 of the cookie and the challenge as unsigned decimal text', () => {
    const handshake = initiator();
    handshake.next(message.encodeStatus('ok'));
    const { value } = handshake.next(message.encodeChallenge(server, 0xffffffff));
    const digest = createHash('md5').update('xyzzy4294967295').digest();
    assert.deepEqual(value, [message.encodeReply(0xfedcba98, digest)]);
  });

  test('an acceptor finds a wrong cookie', () => {
    const handshake = acceptor();
    handshake.next(message.encodeName(gateway));
    const reply = message.encodeReply(1, secret('other').digest(0x01020304));
    assert.throws(() => handshake.next(reply), { code: 'HANDSHAKE_WRONG_COOKIE', node: 'megaphone@h' });
  });

  test('an initiator finds a wrong cookie, should the peer acknowledge nevertheless', () => {
    const handshake = initiator();
    handshake.next(message.encodeStatus('ok'));
    handshake.next(message.encodeChallenge(server, 1));
    assert.throws(() => handshake.next(message.encodeAck(secret('other').digest(0xfedcba98))), {
      code: 'HANDSHAKE_WRONG_COOKIE',
    });
  });

  test('a peer that closes when it sees our digest probably has another cookie', () => {
    const handshake = initiator();
    handshake.next(message.encodeStatus('ok'));
    handshake.next(message.encodeChallenge(server, 1));
    assert.throws(() => handshake.throw(closed()), { code: 'HANDSHAKE_WRONG_COOKIE', message: /probably/ });
  });

  test('a peer without a flag we need is refused, by an acceptor with not_allowed', () => {
    const flags = OUR_FLAGS & ~FLAGS.V4_NC;
    const handshake = initiator();
    handshake.next(message.encodeStatus('ok'));
    assert.throws(() => handshake.next(message.encodeChallenge({ ...server, flags }, 1)), {
      code: 'HANDSHAKE_FLAGS',
      message: /V4_NC/,
    });
    const { value } = acceptor().next(message.encodeName({ ...gateway, flags }));
    assert.ok(value !== undefined && 'error' in value);
    assert.equal(value.error.code, 'HANDSHAKE_FLAGS');
    assert.deepEqual(value.send, [message.encodeStatus('not_allowed')]);
  });

  test('no error shows a digest', () => {
    const handshake = acceptor();
    handshake.next(message.encodeName(gateway));
    const digest = secret('xyzzy').digest(5);
    assert.throws(
      () => handshake.next(Buffer.concat([Buffer.of(0x61), digest])),
      (error: Error) => !error.message.includes(digest.toString('hex').slice(0, 8)),
    );
  });
});
