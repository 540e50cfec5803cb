/**
 * `make bench-http`: resident memory of the process that holds a connection, idle after one request, with a request
 * held, or as an open WebSocket, for node:http (with the `ws` package), for a bare socket of node:net that keeps the request's bytes, and for the gateway; and the
 * processor time of one small request. All in one run, each in a fresh process, the clients in this one.
 *
 *   CONNECTIONS=15000    measured; a fifth of it with TLS
 *   REQUESTS=100000      for the processor time
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { tagOf } from '../../../src/gateway/sid.js';
import { cpuSeconds, residentBytes } from '../../load/linux-process.js';
import { makeCertificate } from '../../support/certificate.js';
import { numberFrom } from '../lib/environment.js';
import { table } from '../lib/table.js';
import { playNode } from './node-in-play.js';

const CONNECTIONS = numberFrom('CONNECTIONS', 15_000, 100, 18_000);
const REQUESTS = numberFrom('REQUESTS', 100_000, 1000);
/** Opened before the measured ones: they load all code and use up what a process has free after its start. */
const FIRST = 1000;
const SETTLE_MS = 4000;
const AT_ONCE = 50;

export const KINDS = ['node:http', 'bare socket', 'gateway', 'gateway, HTTPS'] as const;
export type Kind = (typeof KINDS)[number];

const ejabberd = await playNode();
const folder = mkdtempSync(join(tmpdir(), 'megaphone-bench-'));
const certificate = makeCertificate(folder, 'localhost');
const BODY = `<body rid='1573741820' sid='${tagOf(ejabberd.name)}.0123456789abcdef' xmlns='http://jabber.org/protocol/httpbind'/>`;
/** The headers that a browser sends. */
const REST =
  `Host: localhost:8080
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0
Accept: */*
Accept-Language: en-US,en;q=0.5
Accept-Encoding: gzip, deflate, br, zstd
Content-Type: text/xml; charset=utf-8
Content-Length: ${BODY.length}
Origin: http://localhost
Connection: keep-alive
Referer: http://localhost/
Sec-Fetch-Dest: empty
Sec-Fetch-Mode: cors
Sec-Fetch-Site: same-site

`.replaceAll('\n', '\r\n') + BODY;
/** Held by all, answered at once by all, and a WebSocket for those that have them. */
const HELD = `POST /bosh HTTP/1.1\r\n${REST}`;
const ANSWERED = `GET /bosh HTTP/1.1\r\n${REST}`;
const OPENED = `GET /ws HTTP/1.1
Host: localhost:8080
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0
Origin: http://localhost
Connection: keep-alive, Upgrade
Upgrade: websocket
Sec-WebSocket-Version: 13
Sec-WebSocket-Extensions: permessage-deflate
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Protocol: xmpp
Sec-Fetch-Dest: empty
Sec-Fetch-Mode: websocket
Sec-Fetch-Site: same-site

`.replaceAll('\n', '\r\n');

interface Figures {
  readonly idle: number;
  readonly held: number;
  /** None: it has no WebSockets. */
  readonly open: number | undefined;
  /** Microseconds. */
  readonly cpu: number;
}

class Holder {
  readonly #kind: Kind;
  readonly #child: ChildProcess;
  readonly #port: number;
  readonly #sockets: Socket[] = [];

  private constructor(kind: Kind, child: ChildProcess, port: number) {
    this.#kind = kind;
    this.#child = child;
    this.#port = port;
  }

  static async start(kind: Kind): Promise<Holder> {
    const program = fileURLToPath(new URL('connection-holder.js', import.meta.url));
    const child = fork(program, [kind, ejabberd.name, `${ejabberd.port}`, certificate.cert, certificate.key]);
    const [port] = (await once(child, 'message')) as [number];
    return new Holder(kind, child, port);
  }

  get #pid(): number {
    return this.#child.pid ?? 0;
  }

  async #connect(): Promise<Socket> {
    const to = { port: this.#port, host: '127.0.0.1' };
    const isTls = this.#kind === 'gateway, HTTPS';
    const socket = isTls ? connectTls({ ...to, ca: certificate.pem, servername: 'localhost' }) : connect(to);
    this.#sockets.push(socket);
    await once(socket, isTls ? 'secureConnect' : 'connect');
    return socket;
  }

  /** Bytes that each of `count` connections added, once it sent `request`. */
  async memory(request: string, hasAnswer: boolean): Promise<number> {
    const count = this.#kind === 'gateway, HTTPS' ? CONNECTIONS / 5 : CONNECTIONS;
    await this.#open(FIRST, request, hasAnswer);
    await sleep(SETTLE_MS);
    const before = residentBytes(this.#pid);
    await this.#open(count, request, hasAnswer);
    await sleep(SETTLE_MS);
    return (residentBytes(this.#pid) - before) / count;
  }

  async #open(count: number, request: string, hasAnswer: boolean): Promise<void> {
    const one = async (): Promise<void> => {
      const socket = await this.#connect();
      socket.write(request);
      if (hasAnswer) await once(socket, 'data');
    };
    let left = count;
    const lane = async (): Promise<void> => {
      for (; left > 0; left -= 1) await one();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  }

  /** Microseconds of one request that is answered at once. */
  async cpu(): Promise<number> {
    const lane = async (socket: Socket, count: number): Promise<void> => {
      for (let i = 0; i < count; i += 1) {
        socket.write(ANSWERED);
        await once(socket, 'data');
      }
    };
    const sockets = await Promise.all(Array.from({ length: AT_ONCE }, () => this.#connect()));
    await Promise.all(sockets.map((socket) => lane(socket, 100)));
    const before = cpuSeconds(this.#pid);
    await Promise.all(sockets.map((socket) => lane(socket, Math.ceil(REQUESTS / AT_ONCE))));
    return ((cpuSeconds(this.#pid) - before) / REQUESTS) * 1e6;
  }

  async stop(): Promise<void> {
    const gone = once(this.#child, 'exit');
    this.#child.kill();
    await gone;
    for (const socket of this.#sockets) socket.destroy();
  }
}

async function measure(kind: Kind): Promise<Figures> {
  const run = async (what: (holder: Holder) => Promise<number>): Promise<number> => {
    const holder = await Holder.start(kind);
    try {
      return await what(holder);
    } finally {
      await holder.stop();
    }
  };
  return {
    idle: await run((holder) => holder.memory(ANSWERED, true)),
    held: await run((holder) => holder.memory(HELD, false)),
    open: kind === 'bare socket' ? undefined : await run((holder) => holder.memory(OPENED, true)),
    cpu: await run((holder) => holder.cpu()),
  };
}

const figures = new Map<Kind, Figures>();
for (const kind of KINDS) {
  process.stderr.write(`${kind} ...\n`);
  figures.set(kind, await measure(kind));
}
await ejabberd.stop();
rmSync(folder, { recursive: true });

const kilobytes = (bytes: number | undefined): string =>
  bytes === undefined ? '–' : `${(bytes / 1000).toFixed(2)} kB`;
const rows = [...figures].map(([kind, { idle, held, open, cpu }]) => [
  kind,
  kilobytes(idle),
  kilobytes(held),
  kilobytes(open),
  `${cpu.toFixed(1)} µs`,
]);
const ratio = (of: keyof Figures): string =>
  ((figures.get('gateway')?.[of] ?? 0) / (figures.get('node:http')?.[of] ?? 0)).toFixed(2);
console.log(
  `Node.js ${process.versions.node}, ${CONNECTIONS} connections beside ${FIRST}, ${REQUESTS} requests\n`,
);
console.log(
  table([
    ['a connection', 'idle', 'with a request held', 'a WebSocket', 'processor time of a request'],
    ...rows,
    ['ratio', ratio('idle'), ratio('held'), ratio('open'), ratio('cpu')],
  ]),
);
