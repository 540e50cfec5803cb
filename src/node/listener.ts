/** The port where other nodes connect to us. */

import { createServer, type Server, type Socket } from 'node:net';
import { type Admission, accept, type Secret } from '../distribution/handshake.js';
import type { Identity } from '../distribution/handshake-messages.js';
import { MegaphoneError } from '../errors.js';
import { listenHint } from '../listen-hint.js';
import { randomChallenge } from './dialer.js';
import { type Handshaken, shakeHands } from './handshake-carrier.js';
import { networkOf } from './network.js';
import { Newcomers } from './newcomers.js';
import type { TlsCredentials } from './tls-credentials.js';
import { verifyHost } from './tls-failure.js';
import { TlsServer } from './tls-server.js';
import { TokenBuckets } from './token-buckets.js';

/** Handshakes going on at once: strangers hold no more than this many sockets, for no longer than the time-out. */
const MAX_HANDSHAKES = 256;
/** Handshakes from one address, and from all. Nodes that come back to this one are a few; it costs 0.2 ms to hear one. */
const RATE_OF_EACH = { burst: 400, perSecond: 100 };
const RATE_OF_ALL = { burst: 1000, perSecond: 500 };
/** One over TLS costs up to 2 ms, where keys are RSA. */
const TLS_RATE_OF_EACH = { burst: 400, perSecond: 50 };
const TLS_RATE_OF_ALL = { burst: 1000, perSecond: 150 };

export interface Reception {
  readonly self: Identity;
  readonly cookie: Secret;
  /** `undefined`: plain TCP. */
  readonly tls: TlsCredentials | undefined;
  /** For TLS and for the handshake, each. */
  readonly timeoutMs: number;
  /** @param isFromHere it connects from this machine */
  admit(peer: string, isFromHere: boolean): Admission;
  connected(socket: Socket, handshaken: Handshaken): void;
  /** @param address where the refused one came from, with its port where that is known */
  refused(error: MegaphoneError, address: string): void;
}

export class Listener {
  readonly port: number;
  readonly #server: Server;
  readonly #newcomers = new Newcomers<Socket>(MAX_HANDSHAKES);
  #rates = new TokenBuckets(RATE_OF_EACH, RATE_OF_ALL);
  #reception: Reception | undefined;
  #tls: TlsServer | undefined;

  /**
   * Listens; until `receive` is called whoever connects is turned away.
   * @param host an address of this machine; all of them, IPv4 and IPv6, when not given
   * @throws MegaphoneError NODE_LISTEN
   */
  static open(port: number, host?: string): Promise<Listener> {
    const server = createServer();
    return new Promise((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        const hint = listenHint(cause);
        const message = `Cannot listen for nodes on ${host ?? '*'}:${port}: ${cause.code ?? cause.message}`;
        reject(
          new MegaphoneError('NODE_LISTEN', message, { cause, ...(hint === undefined ? {} : { hint }) }),
        );
      });
      server.listen({ port, host }, () => {
        const address = server.address();
        resolve(new Listener(server, typeof address === 'object' && address !== null ? address.port : port));
      });
    });
  }

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
    server.on('connection', (socket) => this.#greet(socket));
  }

  receive(reception: Reception): void {
    this.#reception = reception;
    if (reception.tls === undefined) return;
    this.#tls = new TlsServer(reception.tls, reception.timeoutMs);
    this.#rates = new TokenBuckets(TLS_RATE_OF_EACH, TLS_RATE_OF_ALL);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#newcomers) socket.destroy();
  }

  #greet(socket: Socket): void {
    const reception = this.#reception;
    const { remoteAddress = '' } = socket;
    const network = networkOf(remoteAddress);
    const isWelcome = this.#rates.take(network, performance.now() / 1000);
    if (reception === undefined || !isWelcome) {
      // At once: in a flood this is nearly all that is done.
      socket.destroy();
      reception?.refused(TOO_FAST, remoteAddress);
      return;
    }
    // 'close' follows every error, and there it is dealt with.
    socket.on('error', () => {});
    const address = `${remoteAddress}:${socket.remotePort}`;
    const isFromHere = isOfThisMachine(socket);
    this.#newcomers.add(socket, network)?.destroy(TOO_MANY);
    (this.#tls === undefined
      ? meet(socket, reception, isFromHere)
      : meetOverTls(this.#tls, socket, reception, isFromHere)
    )
      .then(
        ({ connection, handshaken }) => reception.connected(connection, handshaken),
        (error: MegaphoneError) => reception.refused(socket.errored === TOO_MANY ? TOO_MANY : error, address),
      )
      .finally(() => this.#newcomers.remove(socket));
  }
}

interface Met {
  readonly connection: Socket;
  readonly handshaken: Handshaken;
}

async function meet(socket: Socket, reception: Reception, isFromHere: boolean): Promise<Met> {
  const context = { ...reception, challenge: randomChallenge() };
  const handshake = accept(context, (peer) => reception.admit(peer, isFromHere));
  return { connection: socket, handshaken: await shakeHands(socket, handshake, reception.timeoutMs) };
}

async function meetOverTls(
  tls: TlsServer,
  socket: Socket,
  reception: Reception,
  isFromHere: boolean,
): Promise<Met> {
  const secured = await tls.secure(socket);
  const admit = (peer: string, fromHere: boolean): Admission => {
    verifyHost(secured, peer);
    return reception.admit(peer, fromHere);
  };
  return meet(secured, { ...reception, admit }, isFromHere);
}

const HINT = 'Keep the distribution port on a private network (distribution_ip), or find out who floods it.';
const TOO_FAST = new MegaphoneError('HANDSHAKE_TOO_FAST', 'Connections of nodes come faster than is taken', {
  hint: HINT,
});
const TOO_MANY = new MegaphoneError(
  'HANDSHAKE_TOO_MANY',
  `It took longest of ${MAX_HANDSHAKES} handshakes, and another one came`,
  { hint: HINT },
);

/** Both ends are one machine's: its own address, or its loopback. */
function isOfThisMachine({ remoteAddress, localAddress }: Socket): boolean {
  return remoteAddress !== undefined && (remoteAddress === localAddress || LOOPBACK.test(remoteAddress));
}
const LOOPBACK = /^(?:::ffff:)?127\./;
