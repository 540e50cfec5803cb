/** Carries a handshake over a TCP socket: two bytes of length before each message. */

import type { Socket } from 'node:net';
import { FrameReader } from '../distribution/frames.js';
import type { Handshake } from '../distribution/handshake.js';
import { type Identity, MAX_HANDSHAKE_MESSAGE } from '../distribution/handshake-messages.js';
import { MegaphoneError } from '../errors.js';

export interface Handshaken {
  readonly peer: Identity;
  /** Holds what came behind the last handshake message. Nothing reads the socket until the caller does. */
  readonly reader: FrameReader;
}

/**
 * Runs a handshake to its end. When it fails, the socket is closed behind the last words.
 * The caller has to read on in the same turn in which the promise resolves, or bytes are lost.
 * @throws MegaphoneError HANDSHAKE_…
 */
export function shakeHands(socket: Socket, handshake: Handshake, timeoutMs: number): Promise<Handshaken> {
  const reader = new FrameReader(2, MAX_HANDSHAKE_MESSAGE);
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
      for (const message of done ? value.send : value) socket.write(framed(message));
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
          const message = nextMessage(reader);
          if (message === undefined || !advance(handshake.next(message))) return;
        }
      });
    const onClose = (): void => attempt(() => advance(handshake.throw(closed(socket))));
    const timer = setTimeout(() => attempt(() => advance(handshake.throw(timedOut(timeoutMs)))), timeoutMs);
    socket.on('data', onData).on('close', onClose);
    attempt(() => advance(handshake.next(Buffer.alloc(0))));
  });
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

function nextMessage(reader: FrameReader): Buffer | undefined {
  try {
    return reader.next();
  } catch (cause) {
    throw new MegaphoneError('HANDSHAKE_BAD_MESSAGE', 'What came is no handshake of an Erlang node', {
      cause,
      hint: 'Is it an Erlang node, and does it use the same carrier (TCP or TLS)?',
    });
  }
}

function closed(socket: Socket): MegaphoneError {
  return new MegaphoneError('HANDSHAKE_CLOSED', 'The connection was closed during the handshake', {
    hint: 'Look into the log of that node for the reason.',
    cause: socket.errored ?? undefined,
  });
}

function timedOut(timeoutMs: number): MegaphoneError {
  return new MegaphoneError('HANDSHAKE_TIMEOUT', `The handshake was not over after ${timeoutMs} ms`, {
    hint: 'The node may be overloaded, or what answers on that port is no Erlang node.',
  });
}
