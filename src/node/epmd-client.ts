/** Talks to EPMD: looks nodes up, lists names, and keeps our own registration alive. */

import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  DEFAULT_EPMD_PORT,
  decodeLookup,
  decodeNames,
  decodeRegistered,
  encodeLookup,
  encodeNames,
  encodeRegister,
  type RegisteredName,
} from '../distribution/epmd.js';
import { type NodeName, parseNodeName } from '../distribution/names.js';
import { MegaphoneError } from '../errors.js';
import { systemCode } from './system-code.js';

/** After a loss OTP registers again this often, too. */
const RENEW_MS = 2_000;
const TIMEOUT_MS = 5_000;
/** How long EPMD may take to let us go. */
const GOODBYE_MS = 1_000;
/** Far above any real answer: a names answer is some 30 bytes for each node. */
const MAX_ANSWER = 1024 * 1024;

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/**
 * Where the node `full` listens, according to the EPMD on its own host.
 * @throws MegaphoneError EPMD_UNREACHABLE, EPMD_NOT_REGISTERED, EPMD_PROTOCOL, NODE_BAD_NAME
 */
export async function lookup(full: string, epmdPort: number = DEFAULT_EPMD_PORT): Promise<Endpoint> {
  const { alive, host } = parseNodeName(full);
  const port = await ask({ host, port: epmdPort }, encodeLookup(alive), decodeLookup, full);
  if (port === null) {
    throw new MegaphoneError('EPMD_NOT_REGISTERED', `EPMD on ${host} knows no node "${alive}"`, {
      node: full,
      hint: `Is it running? \`epmd -names\` on ${host} lists the nodes there.`,
    });
  }
  return { host, port };
}

/**
 * All nodes that EPMD on `host` knows.
 * @throws MegaphoneError EPMD_UNREACHABLE, EPMD_PROTOCOL
 */
export function names(
  host: string,
  epmdPort: number = DEFAULT_EPMD_PORT,
): Promise<readonly RegisteredName[]> {
  const complete = (bytes: Buffer, ended: boolean) => (ended ? decodeNames(bytes) : undefined);
  return ask({ host, port: epmdPort }, encodeNames(), complete);
}

/** One request, one answer. `decode` gives `undefined` while bytes are missing. */
function ask<Answer>(
  epmd: Endpoint,
  request: Buffer,
  decode: (bytes: Buffer, ended: boolean) => Answer | undefined,
  node?: string,
): Promise<Answer> {
  const { promise, socket } = exchange(epmd, request, decode, node);
  return promise.finally(() => socket.destroy());
}

function exchange<Answer>(
  epmd: Endpoint,
  request: Buffer,
  decode: (bytes: Buffer, ended: boolean) => Answer | undefined,
  node?: string,
): { promise: Promise<Answer>; socket: Socket } {
  const socket = connect(epmd);
  const promise = new Promise<Answer>((onAnswer, onFailure) => {
    let bytes: Buffer = Buffer.alloc(0);
    const read = (ended: boolean): void => {
      try {
        const answer = decode(bytes, ended);
        if (answer !== undefined) resolve(answer);
        else if (ended || bytes.length > MAX_ANSWER)
          reject(unreachable(epmd, node, 'it gave no full answer'));
      } catch (error) {
        reject(error);
      }
    };
    // For all of it: one that sends a byte now and then is none.
    const timer = setTimeout(
      () => reject(unreachable(epmd, node, `no answer in ${TIMEOUT_MS / 1000} s`)),
      TIMEOUT_MS,
    );
    const settle =
      <Value>(end: (value: Value) => void) =>
      (value: Value): void => {
        clearTimeout(timer);
        end(value);
      };
    const [resolve, reject] = [settle(onAnswer), settle<unknown>(onFailure)];
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      read(false);
    });
    socket.on('end', () => read(true));
    socket.on('error', (cause) => reject(unreachable(epmd, node, systemCode(cause), cause)));
    socket.on('close', () => reject(unreachable(epmd, node, 'it closed the connection')));
    socket.write(request);
  });
  return { promise, socket };
}

function unreachable(
  { host, port }: Endpoint,
  node: string | undefined,
  why: string,
  cause?: unknown,
): MegaphoneError {
  return new MegaphoneError('EPMD_UNREACHABLE', `EPMD at ${host}:${port} cannot be asked: ${why}`, {
    ...(node === undefined ? {} : { node }),
    ...(cause === undefined ? {} : { cause }),
    hint: 'Start it with `epmd -daemon` (any Erlang node does), or give the peers fixed hosts and ports.',
  });
}

interface RegistrationEvents {
  /** EPMD dropped us: others cannot find us until it is `renewed`. */
  lost: [error: MegaphoneError];
  renewed: [];
}

/**
 * Our own name at EPMD. It lasts as long as the connection does, so a lost one is renewed every 2 s,
 * and the creation of the first registration stays: it is part of every pid that is out there.
 */
export class Registration extends EventEmitter<RegistrationEvents> {
  readonly creation: number;
  readonly #epmd: Endpoint;
  readonly #name: NodeName;
  readonly #port: number;
  #socket: Socket;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @throws MegaphoneError EPMD_UNREACHABLE, EPMD_NAME_TAKEN, EPMD_PROTOCOL */
  static async open(epmd: Endpoint, name: NodeName, port: number): Promise<Registration> {
    return new Registration(epmd, name, port, await register(epmd, name, port));
  }

  private constructor(epmd: Endpoint, name: NodeName, port: number, { socket, creation }: Registered) {
    super();
    this.#epmd = epmd;
    this.#name = name;
    this.#port = port;
    this.#socket = socket;
    this.creation = creation;
    this.#watch(socket);
  }

  /** Takes our name off EPMD's list. When this resolves EPMD knows, and the name can be registered again. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    if (socket.destroyed) return;
    socket.setTimeout(GOODBYE_MS, () => socket.destroy());
    // EPMD closes its side when it has taken us off.
    socket.end();
    await once(socket, 'close');
  }

  #watch(socket: Socket): void {
    this.#socket = socket;
    const lost = (): void => {
      if (this.#closed) return;
      this.emit('lost', unreachable(this.#epmd, this.#name.full, 'it closed the connection'));
      this.#renewLater();
    };
    // It may have closed between its answer and this moment.
    if (socket.destroyed) lost();
    else socket.once('close', lost);
  }

  #renewLater(): void {
    this.#timer = setTimeout(() => void this.#renew(), RENEW_MS);
  }

  async #renew(): Promise<void> {
    try {
      const { socket } = await register(this.#epmd, this.#name, this.#port);
      if (this.#closed) {
        socket.destroy();
        return;
      }
      this.#watch(socket);
      this.emit('renewed');
    } catch {
      // Told when it was lost; the next try may do.
      if (!this.#closed) this.#renewLater();
    }
  }
}

interface Registered {
  readonly socket: Socket;
  readonly creation: number;
}

async function register(epmd: Endpoint, { alive, full }: NodeName, port: number): Promise<Registered> {
  const { promise, socket } = exchange(epmd, encodeRegister(alive, port), decodeRegistered, full);
  try {
    const { ok, creation } = await promise;
    if (ok) {
      // It says nothing more, and whatever does is no EPMD; flowing on, the socket sees the end.
      socket.removeAllListeners('data').once('data', () => socket.destroy());
      return { socket, creation };
    }
  } catch (error) {
    socket.destroy();
    throw error;
  }
  socket.destroy();
  throw new MegaphoneError('EPMD_NAME_TAKEN', `EPMD has a node "${alive}" already`, {
    node: full,
    hint: `Stop the other node, or choose another name; \`epmd -names\` shows who holds it.`,
  });
}
