/** One attempt to connect to a node: EPMD, TCP, handshake. */

import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { initiate, type Secret } from '../distribution/handshake.js';
import type { Identity } from '../distribution/handshake-messages.js';
import { MegaphoneError } from '../errors.js';
import { type Endpoint, lookup } from './epmd-client.js';
import { type Handshaken, shakeHands } from './handshake-carrier.js';
import { systemCode } from './system-code.js';

export interface Dialing {
  readonly self: Identity;
  readonly cookie: Secret;
  readonly peer: string;
  /** Without it EPMD on the peer's host is asked. */
  readonly endpoint: Endpoint | undefined;
  readonly epmdPort: number;
  /** For the TCP connection and for the handshake, each. */
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
  const socket = await openSocket(peer, endpoint, timeoutMs, signal);
  const context = { self: options.self, cookie: options.cookie, challenge: randomChallenge() };
  const handshake = initiate(context, peer, options.stillWanted);
  return { socket, ...(await shakeHands(socket, handshake, timeoutMs)) };
}

export function randomChallenge(): number {
  return randomBytes(4).readUInt32BE();
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
