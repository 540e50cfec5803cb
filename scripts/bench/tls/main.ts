/**
 * `make bench-tls`: resident memory of each process for a connection over TLS that holds a request of BOSH, or is a WebSocket:
 * where the gateway decrypts, and where HAProxy, nginx or Caddy does so in front of it, as in examples/. All in one run,
 * each in fresh processes, the clients in this one. Caddy is left out where it is not installed.
 *
 *   CONNECTIONS=3000    measured, beside the first thousand
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { tagOf } from '../../../src/gateway/sid.js';
import { family, residentBytes } from '../../load/linux-process.js';
import { makeCertificate } from '../../support/certificate.js';
import { freePorts } from '../../support/ports.js';
import { playNode } from '../http/node-in-play.js';
import { numberFrom } from '../lib/environment.js';
import { PROXY_SAMPLES, type ProxySample } from '../lib/proxy-samples.js';
import { markdownTable } from '../lib/table.js';

const CONNECTIONS = numberFrom('CONNECTIONS', 3000, 100, 12_000);
/** Opened before the measured ones: they load all code and use up what a process has free after its start. */
const FIRST = 1000;
const SETTLE_MS = 4000;
const AT_ONCE = 50;

/** What browsers offer; that of Node.js is four times as long, and OpenSSL keeps it. */
const CIPHERS = [
  ...['TLS_AES_128_GCM_SHA256', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_256_GCM_SHA384'],
  ...['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ...['ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305'],
  ...['ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
  ...['ECDHE-RSA-AES128-SHA', 'ECDHE-RSA-AES256-SHA', 'AES128-GCM-SHA256', 'AES256-GCM-SHA384'],
].join(':');

const ejabberd = await playNode();
const folder = mkdtempSync(join(tmpdir(), 'megaphone-bench-tls-'));
const certificate = makeCertificate(folder, 'localhost');

const lines = (text: string): string => `${text.trim().replaceAll(/\n */g, '\r\n')}\r\n`;
const body = `<body rid='1573741820' sid='${tagOf(ejabberd.name)}.0123456789abcdef' xmlns='http://jabber.org/protocol/httpbind'/>`;
const common = `Host: localhost
  User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0
  Accept-Language: en-US,en;q=0.5
  Origin: https://localhost`;
const REQUESTS = {
  'a request held': {
    text: `${lines(`POST /bosh HTTP/1.1\n${common}\nContent-Type: text/xml; charset=utf-8\nContent-Length: ${body.length}`)}\r\n${body}`,
    hasAnswer: false,
  },
  'a WebSocket': {
    text: `${lines(`GET /ws HTTP/1.1\n${common}\nConnection: keep-alive, Upgrade\nUpgrade: websocket
      Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Protocol: xmpp`)}\r\n`,
    hasAnswer: true,
  },
} as const;
type What = keyof typeof REQUESTS;

async function startGateway(kind: 'gateway' | 'gateway, HTTPS'): Promise<[ChildProcess, number]> {
  const program = fileURLToPath(new URL('../http/connection-holder.js', import.meta.url));
  const child = fork(program, [kind, ejabberd.name, `${ejabberd.port}`, certificate.cert, certificate.key]);
  process.once('exit', () => child.kill('SIGKILL'));
  const [port] = (await once(child, 'message')) as [number];
  return [child, port];
}

interface Memory {
  readonly proxy: number;
  readonly gateway: number;
}

/** Bytes that a connection adds to each. */
async function measure(proxy: ProxySample | undefined, what: What): Promise<Memory> {
  const [gateway, inner] = await startGateway(proxy === undefined ? 'gateway, HTTPS' : 'gateway');
  const [outer = 0] = await freePorts(1);
  const program = await proxy?.start({ folder, certificate, port: outer, gateways: [{ http: inner }] });
  const sockets: TLSSocket[] = [];
  const open = (count: number): Promise<void> =>
    openAll(sockets, proxy === undefined ? inner : outer, what, count);
  const now = (): Memory => ({
    proxy: program === undefined ? 0 : family(program.pid).reduce((sum, pid) => sum + residentBytes(pid), 0),
    gateway: residentBytes(gateway.pid ?? 0),
  });
  try {
    await open(FIRST);
    await sleep(SETTLE_MS);
    const before = now();
    await open(CONNECTIONS);
    await sleep(SETTLE_MS);
    const after = now();
    return {
      proxy: (after.proxy - before.proxy) / CONNECTIONS,
      gateway: (after.gateway - before.gateway) / CONNECTIONS,
    };
  } finally {
    for (const socket of sockets) socket.destroy();
    const gone = once(gateway, 'exit');
    gateway.kill();
    // SIGTERM would let its clients finish, or be done before its workers are.
    for (const pid of program === undefined ? [] : family(program.pid)) process.kill(pid, 'SIGKILL');
    await gone;
  }
}

async function openAll(sockets: TLSSocket[], port: number, what: What, count: number): Promise<void> {
  const { text, hasAnswer } = REQUESTS[what];
  const one = async (): Promise<void> => {
    const to = { port, host: '127.0.0.1', ca: certificate.pem, servername: 'localhost', ciphers: CIPHERS };
    const socket = connect(to);
    sockets.push(socket);
    await once(socket, 'secureConnect');
    socket.write(text);
    if (hasAnswer) {
      const [answer] = (await once(socket, 'data')) as [Buffer];
      if (!answer.toString('latin1').startsWith('HTTP/1.1 101 ')) throw new Error(`refused: ${answer}`);
    } else socket.on('data', (answer: Buffer) => console.error(`not held: ${answer.toString('latin1')}`));
  };
  let left = count;
  const lane = async (): Promise<void> => {
    for (; left > 0; ) {
      left -= 1;
      await one();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;
const versions: string[] = [`Node.js ${process.versions.node} (OpenSSL ${process.versions.openssl})`];
const own = new Map<What, number>();
const rows: string[][] = [];
for (const proxy of [undefined, ...PROXY_SAMPLES]) {
  const version = proxy?.version();
  if (proxy !== undefined && version === undefined) continue;
  if (version !== undefined) versions.push(version);
  const cells: string[] = [];
  for (const what of Object.keys(REQUESTS) as What[]) {
    process.stderr.write(`${proxy?.name ?? 'the gateway'}, ${what} ...\n`);
    const memory = await measure(proxy, what);
    const sum = memory.proxy + memory.gateway;
    if (proxy === undefined) own.set(what, sum);
    const ratio = (sum / (own.get(what) ?? 0)).toFixed(2);
    cells.push(
      proxy === undefined ? '' : kilobytes(memory.proxy),
      kilobytes(memory.gateway),
      kilobytes(sum),
      ratio,
    );
  }
  rows.push([proxy === undefined ? 'the gateway' : `${proxy.name}, HTTP to the gateway`, ...cells]);
}
await ejabberd.stop();
rmSync(folder, { recursive: true });

const columns = (what: What): string[] => [`${what}: proxy`, 'gateway', 'both', 'ratio'];
console.log(`${CONNECTIONS} connections beside ${FIRST}; ${cpus().length} cores; ${versions.join(', ')}\n`);
console.log(markdownTable([['TLS by', ...columns('a request held'), ...columns('a WebSocket')], ...rows]));
