/** Carries a handshake over a socket: before each message its length, of two bytes over TCP and of four over TLS. */

import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { FrameReader } from '../distribution/frames.js';
import type { Handshake } from '../distribution/handshake.js';
import { type Identity, MAX_HANDSHAKE_MESSAGE } from '../distribution/handshake-messages.js';
import { MegaphoneError } from '../errors.js';
import { isOfTls, type Peer, refused, speaksTls, tlsFailure } from './tls-failure.js';

export interface Handshaken {
  readonly peer: Identity;
  /** Holds what came behind the last handshake message. Nothing reads the socket until the caller does. */
  readonly reader: FrameReader;
}

/**
 * Runs a handshake to its end. When it fails, the socket is closed behind the last words.
 * The caller has to read on in the same turn in which the promise resolves, or bytes are lost.
 * @param peer whom we mean to reach; nobody where we were connected to
 * @throws MegaphoneError HANDSHAKE_…
 */
export function shakeHands(
  socket: Socket,
  handshake: Handshake,
  timeoutMs: number,
  peer: Peer = {},
): Promise<Handshaken> {
  const isTls = socket instanceof TLSSocket;
  const lengthBytes = isTls ? 4 : 2;
  const reader = new FrameReader(lengthBytes, MAX_HANDSHAKE_MESSAGE);
  let isHeard = false;
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      socket.off('data', onData).off('close', onClose);
    };
    const fail = (error: unknown): void => {
      settle();
      socket.destroySoon();
      reject(error);
    };
    /** Carries out what the handshake wants next. Returns whether it goes on. */
    const advance = ({ done, value }: ReturnType<Handshake['next']>): boolean => {
      for (const message of done ? value.send : value) socket.write(framed(message, lengthBytes));
      if (!done) return true;
      if ('error' in value) throw value.error;
      settle();
      resolve({ peer: value.peer, reader });
      return false;
    };
    const attempt = (run: () => void): void => {
      try {
        run();
      } catch (error) {
        fail(error);
      }
    };
    const onData = (chunk: Buffer): void =>
      attempt(() => {
        reader.push(chunk);
        for (;;) {
          const message = nextMessage(reader, peer, isHeard || isTls);
          if (message === undefined) return;
          isHeard = true;
          if (!advance(handshake.next(message))) return;
        }
      });
    const onClose = (): void =>
      attempt(() => {
        const error = isTls && peer.node !== undefined ? closedOverTls(socket, peer, isHeard) : undefined;
        advance(handshake.throw(error ?? closed(socket.errored)));
      });
    const timer = setTimeout(() => attempt(() => advance(handshake.throw(timedOut(timeoutMs)))), timeoutMs);
    socket.on('data', onData).on('close', onClose);
    attempt(() => advance(handshake.next(Buffer.alloc(0))));
  });
}

function framed(message: Buffer, lengthBytes: 2 | 4): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(message.length, 0, lengthBytes);
  return Buffer.concat([length, message]);
}

/** The types of the records with which TLS begins, and answers what is none: RFC 8446, 5.1. */
const TLS_ALERT = 0x15;
const TLS_HANDSHAKE = 0x16;

function nextMessage(reader: FrameReader, peer: Peer, cannotBeTls: boolean): Buffer | undefined {
  try {
    return reader.next();
  } catch (cause) {
    // What was taken for the length.
    const type = reader.bytes[reader.start];
    if (!cannotBeTls && (type === TLS_ALERT || type === TLS_HANDSHAKE)) throw speaksTls(peer, cause);
    throw new MegaphoneError('HANDSHAKE_BAD_MESSAGE', 'What came is no handshake of an Erlang node', {
      ...peer,
      cause,
      hint: 'Is it an Erlang node?',
    });
  }
}

/** Of the peer that we connected to: under TLS 1.3 it looks at our certificate behind what we hold for the end. */
function closedOverTls({ errored }: Socket, peer: Peer, isHeard: boolean): MegaphoneError | undefined {
  if (isOfTls(errored)) return tlsFailure(errored, peer);
  return isHeard
    ? undefined
    : refused(peer, 'probably, for it closed the connection without a word', errored ?? undefined);
}

export function closed(cause: Error | null): MegaphoneError {
  return new MegaphoneError('HANDSHAKE_CLOSED', 'The connection was closed during the handshake', {
    hint: 'Look into the log of that node for the reason.',
    cause: cause ?? undefined,
  });
}

export function timedOut(timeoutMs: number): MegaphoneError {
  return new MegaphoneError('HANDSHAKE_TIMEOUT', `The handshake was not over after ${timeoutMs} ms`, {
    hint: 'The node may be overloaded, or what answers on that port is no Erlang node.',
  });
}
