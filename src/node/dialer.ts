/** One attempt to connect to a node: EPMD, TCP, TLS where it is wanted, handshake. */

import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { type Handshake, initiate, type Secret } from '../distribution/handshake.js';
import { decodeStatus, encodeName, type Identity } from '../distribution/handshake-messages.js';
import { MegaphoneError } from '../errors.js';
import { type Endpoint, lookup } from './epmd-client.js';
import { type Handshaken, shakeHands } from './handshake-carrier.js';
import { systemCode } from './system-code.js';
import { secureAsClient } from './tls-client.js';
import type { TlsCredentials } from './tls-credentials.js';
import { speaksPlain } from './tls-failure.js';

export interface Dialing {
  readonly self: Identity;
  readonly cookie: Secret;
  readonly peer: string;
  /** Without it EPMD on the peer's host is asked. */
  readonly endpoint: Endpoint | undefined;
  readonly epmdPort: number;
  /** `undefined`: plain TCP. */
  readonly tls: TlsCredentials | undefined;
  /** For the TCP connection, for TLS, and for the handshake, each. */
  readonly timeoutMs: number;
  /** Ends the attempt; the error is then of no meaning. */
  readonly signal: AbortSignal;
  /** Whether to go on when the peer believes that we are connected. */
  readonly stillWanted: () => boolean;
}

/** @throws MegaphoneError EPMD_…, NODE_UNREACHABLE, HANDSHAKE_… */
export async function dial(options: Dialing): Promise<Handshaken & { socket: Socket }> {
  const { peer, signal, timeoutMs } = options;
  const endpoint = options.endpoint ?? (await lookup(peer, options.epmdPort));
  const raw = await openSocket(peer, endpoint, timeoutMs, signal);
  const socket = options.tls === undefined ? raw : await secure(raw, options.tls, options, endpoint);
  const context = { self: options.self, cookie: options.cookie, challenge: randomChallenge() };
  const handshake = initiate(context, peer, options.stillWanted);
  return { socket, ...(await shakeHands(socket, handshake, timeoutMs, { node: peer })) };
}

export function randomChallenge(): number {
  return randomBytes(4).readUInt32BE();
}

/** What does not speak TLS takes its beginning for the length of a message, and waits for the rest as we wait for its answer. */
async function secure(
  socket: Socket,
  tls: TlsCredentials,
  options: Dialing,
  endpoint: Endpoint,
): Promise<Socket> {
  const { peer, timeoutMs } = options;
  try {
    return await secureAsClient(socket, peer, tls, timeoutMs);
  } catch (error) {
    const isMute =
      error instanceof MegaphoneError &&
      (error.code === 'HANDSHAKE_CLOSED' || error.code === 'HANDSHAKE_TIMEOUT');
    throw isMute && (await answersPlain(options, endpoint)) ? speaksPlain({ node: peer }, error) : error;
  }
}

const PROBE_MS = 3_000;

/** Whether it answers our name without TLS. It is told no more than that. */
async function answersPlain({ self, peer, signal }: Dialing, endpoint: Endpoint): Promise<boolean> {
  try {
    const socket = await openSocket(peer, endpoint, PROBE_MS, signal);
    await shakeHands(socket, introduction(self), PROBE_MS);
    socket.destroy();
    return true;
  } catch {
    return false;
  }
}

function* introduction(self: Identity): Handshake {
  decodeStatus(yield [encodeName(self)]);
  return { send: [], peer: self };
}

function openSocket(
  node: string,
  endpoint: Endpoint,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Socket> {
  const { host, port } = endpoint;
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal });
    const fail = (why: string, cause?: unknown): void => {
      socket.destroy();
      reject(
        new MegaphoneError('NODE_UNREACHABLE', `${node} cannot be reached at ${host}:${port}: ${why}`, {
          node,
          hint: 'Is the node running, and does a firewall let its distribution port through?',
          ...(cause === undefined ? {} : { cause }),
        }),
      );
    };
    const timer = setTimeout(() => fail(`no answer in ${timeoutMs} ms`), timeoutMs);
    // Stays for the life of the socket: 'close' follows every error, and there it is dealt with.
    socket.on('error', (cause) => fail(systemCode(cause), cause));
    socket.once('close', () => clearTimeout(timer));
    socket.once('connect', () => {
      clearTimeout(timer);
      resolve(socket);
    });
  });
}
