/**
 * The distribution handshake, version 6, for both sides, independent of its carrier (as in OTP's `dist_util`).
 *
 * Each side is a generator: it yields the messages to send, is resumed with the next message received, and is thrown
 * into with HANDSHAKE_CLOSED or HANDSHAKE_TIMEOUT by the carrier. It throws a MegaphoneError when the handshake fails.
 *
 *   connecting, waits for   status          challenge   ack
 *   ok                      challenge       –           –
 *   ok_simultaneous         challenge       –           –
 *   alive                   challenge+true  –           –
 *   alive, not wanted       ALIVE+false     –           –
 *   nok                     SIMULTANEOUS    –           –
 *   not_allowed             NOT_ALLOWED     –           –
 *   other status            –               –           –
 *   challenge               –               ack+reply   –
 *   challenge of another    –               WRONG_NODE  –
 *   challenge, no flags     –               FLAGS       –
 *   ack                     –               –           done
 *   ack, other cookie       –               –           WRONG_COOKIE
 *   closed                  CLOSED          CLOSED      WRONG_COOKIE
 *   timeout                 TIMEOUT         TIMEOUT     TIMEOUT
 *
 *   accepting, waits for    name                             status           reply
 *   name, ok                reply+ok+challenge               –                –
 *   name, ok_simultaneous   reply+ok_simultaneous+challenge  –                –
 *   name, alive             status+alive                     –                –
 *   name, nok               SIMULTANEOUS+nok                 –                –
 *   name, not_allowed       NOT_ALLOWED+not_allowed          –                –
 *   name, no flags          FLAGS+not_allowed                –                –
 *   name of no node         NODE_BAD_NAME+not_allowed        –                –
 *   name of another         TLS_CERTIFICATE+not_allowed      –                –
 *   true                    –                                reply+challenge  –
 *   other status            –                                ALIVE            –
 *   reply                   –                                –                done+ack
 *   reply, other cookie     –                                –                WRONG_COOKIE
 *   closed                  CLOSED                           CLOSED           CLOSED
 *   timeout                 TIMEOUT                          TIMEOUT          TIMEOUT
 *
 * What it waits for next, or the code of its error, and behind a plus what it sends; a dash is HANDSHAKE_BAD_MESSAGE.
 */

import { timingSafeEqual } from 'node:crypto';
import { MegaphoneError } from '../errors.js';
import { missingFlags } from './flags.js';
import {
  decodeAck,
  decodeChallenge,
  decodeName,
  decodeReply,
  decodeStatus,
  encodeAck,
  encodeChallenge,
  encodeName,
  encodeReply,
  encodeStatus,
  type Identity,
} from './handshake-messages.js';
import { parseNodeName } from './names.js';

export type Handshake = Generator<readonly Buffer[], HandshakeEnd, Buffer>;

/** How it ended, with the last messages to send. After an error the carrier sends them and closes. */
export type HandshakeEnd =
  | { readonly send: readonly Buffer[]; readonly peer: Identity }
  | { readonly send: readonly Buffer[]; readonly error: MegaphoneError };

export interface Secret {
  /** MD5 of the cookie and the challenge, 16 bytes. */
  digest(challenge: number): Buffer;
}

export interface HandshakeContext {
  readonly self: Identity;
  readonly cookie: Secret;
  /** A random number of 32 bits. */
  readonly challenge: number;
}

/** What the acceptor answers to a node that introduces itself. */
export type Admission = 'ok' | 'ok_simultaneous' | 'nok' | 'not_allowed' | 'alive';

/**
 * The side that connects.
 * @param peerName the node we mean to reach; any other that answers is refused
 * @param stillWanted whether this attempt should go on when the peer believes that we are connected already
 */
export function* initiate(
  context: HandshakeContext,
  peerName: string,
  stillWanted: () => boolean,
): Handshake {
  const { self, cookie } = context;
  const status = decodeStatus(yield [encodeName(self)]);
  let answer: readonly Buffer[] = [];
  switch (status) {
    case 'ok':
    case 'ok_simultaneous':
      break;
    case 'alive':
      // The peer has not noticed yet that the connection it knows is gone (or we have one indeed).
      if (!stillWanted()) return { send: [encodeStatus('false')], error: alreadyConnected(peerName) };
      answer = [encodeStatus('true')];
      break;
    case 'nok':
      throw new MegaphoneError('HANDSHAKE_SIMULTANEOUS', `${peerName} is connecting to us itself`, {
        node: peerName,
      });
    case 'not_allowed':
      throw new MegaphoneError(
        'HANDSHAKE_NOT_ALLOWED',
        `${peerName} does not allow ${self.name} to connect`,
        {
          node: peerName,
          hint: 'Look at net_kernel:allow/1 and the log of that node, and whether it runs OTP 25 or newer.',
        },
      );
    default:
      throw new MegaphoneError(
        'HANDSHAKE_BAD_MESSAGE',
        `${peerName} answered with the unknown status ${JSON.stringify(status.slice(0, 40))}`,
        { node: peerName },
      );
  }

  const { peer, challenge } = decodeChallenge(yield answer);
  if (peer.name !== peerName) {
    throw new MegaphoneError(
      'HANDSHAKE_WRONG_NODE',
      `Meant to reach ${peerName}, but ${peer.name} answers there`,
      {
        node: peerName,
        hint: 'Check the host and port configured for that node, and whether it uses short or long names.',
      },
    );
  }
  refuseMissingFlags(peer);

  const reply = encodeReply(context.challenge, cookie.digest(challenge));
  let digest: Buffer;
  try {
    digest = decodeAck(yield [reply]);
  } catch (cause) {
    // A node that does not like our digest just closes.
    throw hasCode(cause, 'HANDSHAKE_CLOSED') ? wrongCookie(peerName, 'probably', cause) : cause;
  }
  if (!timingSafeEqual(digest, cookie.digest(context.challenge))) throw wrongCookie(peerName, 'certainly');
  return { send: [], peer };
}

/**
 * The side that was connected to.
 * @param admit decides by the name alone, before the peer has proved that it knows the cookie: it must change nothing.
 *   Throws a MegaphoneError where the carrier has shown that the peer is another one.
 */
export function* accept(context: HandshakeContext, admit: (peerName: string) => Admission): Handshake {
  const { self, cookie } = context;
  const peer = decodeName(yield []);
  let admission: Admission;
  try {
    parseNodeName(peer.name);
    refuseMissingFlags(peer);
    admission = admit(peer.name);
  } catch (error) {
    return { send: [encodeStatus('not_allowed')], error: error as MegaphoneError };
  }

  const status = encodeStatus(admission);
  let greeting: readonly Buffer[] = [status];
  switch (admission) {
    case 'ok':
    case 'ok_simultaneous':
      break;
    case 'alive':
      // It may be a new life of that node. Our old connection stays until this one has proved the cookie.
      if (decodeStatus(yield greeting) !== 'true') {
        return { send: [], error: alreadyConnected(peer.name) };
      }
      greeting = [];
      break;
    case 'nok':
      return {
        send: [status],
        error: new MegaphoneError('HANDSHAKE_SIMULTANEOUS', `We are connecting to ${peer.name} ourselves`, {
          node: peer.name,
        }),
      };
    case 'not_allowed':
      return {
        send: [status],
        error: new MegaphoneError('HANDSHAKE_NOT_ALLOWED', `${peer.name} may not connect to us`, {
          node: peer.name,
          hint: 'Add it to the list of nodes that may connect in, if it should.',
        }),
      };
  }

  const { challenge, digest } = decodeReply(yield [...greeting, encodeChallenge(self, context.challenge)]);
  if (!timingSafeEqual(digest, cookie.digest(context.challenge))) throw wrongCookie(peer.name, 'certainly');
  return { send: [encodeAck(cookie.digest(challenge))], peer };
}

function refuseMissingFlags({ name, flags }: Identity): void {
  const missing = missingFlags(flags);
  if (missing.length === 0) return;
  throw new MegaphoneError('HANDSHAKE_FLAGS', `${name} lacks ${missing.join(', ')}`, {
    node: name,
    hint: 'Run that node on OTP 25 or newer.',
  });
}

function wrongCookie(node: string, certainty: 'probably' | 'certainly', cause?: unknown): MegaphoneError {
  const message =
    certainty === 'certainly'
      ? `${node} has another cookie than we have`
      : `${node} closed the connection when it saw our digest: probably it has another cookie than we have`;
  return new MegaphoneError('HANDSHAKE_WRONG_COOKIE', message, {
    node,
    hint: 'Give both nodes the same cookie; see erlang:get_cookie() there and the cookie file here.',
    ...(cause === undefined ? {} : { cause }),
  });
}

function alreadyConnected(node: string): MegaphoneError {
  return new MegaphoneError('HANDSHAKE_ALIVE', `There is a connection with ${node} already`, { node });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof MegaphoneError && error.code === code;
}
