/** HTTPS served by the front itself, with certificates made by openssl. */

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { after, afterEach, test } from 'node:test';
import { connect, type SecureVersion, type TLSSocket } from 'node:tls';
import { pino } from 'pino';
import { makeCertificate } from '../../../scripts/support/certificate.js';
import type { HttpExchange, HttpRequest } from '../../../src/gateway/ports.js';
import type { BoshServer } from '../../../src/http/bosh-server.js';
import { loadCertificate } from '../../../src/http/certificate.js';
import { Counters } from '../../../src/observe/counters.js';
import { loggerOptions } from '../../../src/observe/log.js';
import type { Health } from '../../../src/observe/report.js';
import { GatewayProcess } from '../../support/gateway-process.js';
import { happens, until } from '../../support/until.js';
import { listen } from './serve.js';

const folder = mkdtempSync(join(tmpdir(), 'megaphone-https-'));
after(() => rmSync(folder, { recursive: true }));
const first = makeCertificate(folder, 'first');
const second = makeCertificate(folder, 'second');
/** What the front is told to use. */
const used = { cert: join(folder, 'used.pem'), key: join(folder, 'used.key') };

function install({ cert, key }: { readonly cert: string; readonly key: string }): void {
  copyFileSync(cert, used.cert);
  copyFileSync(key, used.key);
}

/** Answers every request with whether it came over TLS. */
const service = {
  request(exchange: HttpExchange, { client }: HttpRequest): number {
    exchange.answer(200, [], Buffer.from(`secure: ${client.secure}`));
    return 0;
  },
  closed(): void {},
  release(): void {},
};

let front: BoshServer;
let counters: Counters;
let log: string[] = [];
async function serve(): Promise<void> {
  log = [];
  counters = new Counters();
  front = await listen(
    service,
    { maxConnections: 10, maxBody: 200_000, headerTimeout: 1, certificate: used },
    { counters, log: pino(loggerOptions('info'), { write: (line: string) => void log.push(line) }) },
  );
}
afterEach(() => front?.close());

/** A connection that trusts nothing but that certificate. */
async function open(ca: string, port = front.port): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca });
  await happens(socket, 'secureConnect');
  return socket;
}

async function ask(socket: TLSSocket): Promise<string> {
  socket.write('POST /bosh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi');
  const [answer] = (await happens(socket, 'data')) as [Buffer];
  return answer.toString('latin1');
}

test('requests over TLS are answered, and ejabberd hears that they were secure', async () => {
  install(first);
  await serve();
  const socket = await open(first.pem);
  for (const _ of [1, 2]) assert.match(await ask(socket), /^HTTP\/1\.1 200 OK\r\n.*secure: true$/s);
  socket.destroy();
});

test('a certificate that was replaced is used for new connections, and open ones go on', async () => {
  install(first);
  await serve();
  const early = await open(first.pem);
  install(second);
  front.reloadCertificate();
  const late = await open(second.pem);
  await assert.rejects(open(first.pem), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  for (const socket of [early, late]) {
    assert.match(await ask(socket), /secure: true/);
    socket.destroy();
  }
});

/** A connection's session, for others to take it up. */
async function begin(port: number, maxVersion: SecureVersion): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: first.pem, maxVersion });
  const session = happens(socket, 'session') as Promise<[Buffer]>;
  await happens(socket, 'secureConnect');
  assert.equal(socket.isSessionReused(), false);
  await ask(socket);
  const [ticket] = await session;
  socket.destroy();
  return ticket;
}

/** How many of so many connections took it up. */
async function resume(
  port: number,
  maxVersion: SecureVersion,
  session: Buffer,
  count: number,
): Promise<number> {
  let reused = 0;
  for (let i = 0; i < count; i += 1) {
    const ca = [first.pem, second.pem];
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca, maxVersion, session });
    await happens(socket, 'secureConnect');
    if (socket.isSessionReused()) reused += 1;
    assert.match(await ask(socket), /^HTTP\/1\.1 503 /);
    socket.destroy();
  }
  return reused;
}

for (const workers of [1, 3]) {
  test(`SIGHUP has the files read again, and sessions outlive their worker and certificate: ${workers} worker(s)`, async () => {
    install(first);
    const gateway = await GatewayProcess.start(1024, {
      tls_cert: used.cert,
      tls_key: used.key,
      workers: `${workers}`,
    });
    const { port } = gateway;
    // They are dealt out in turn.
    const count = 2 * workers;
    const ended = happens(gateway.process, 'exit');
    try {
      await gateway.logs(({ msg }) => msg === `BOSH endpoint: https://127.0.0.1:${port}/bosh`);
      const sessions = [
        ['TLSv1.2', await begin(port, 'TLSv1.2')],
        ['TLSv1.3', await begin(port, 'TLSv1.3')],
      ] as const;
      const areTakenUp = async (): Promise<void> => {
        for (const [version, session] of sessions) {
          assert.equal(await resume(port, version, session, count), count, version);
        }
      };
      await areTakenUp();
      const before = await healthOf(gateway);
      for (const { pid } of Object.values(before.workers ?? {}).slice(0, 2)) process.kill(pid, 'SIGKILL');
      await until(async () => isReplaced(before, await healthOf(gateway)));
      await areTakenUp();
      install(second);
      gateway.process.kill('SIGHUP');
      await gateway.logs(({ msg }) => msg.startsWith('new connections get the certificate'), workers);
      await areTakenUp();
      for (let i = 0; i < count; i += 1) (await open(second.pem, port)).destroy();
    } finally {
      gateway.process.kill();
      await ended;
    }
  });
}

async function healthOf({ adminPort }: GatewayProcess): Promise<Health> {
  return (await (await fetch(`http://127.0.0.1:${adminPort}/healthz`)).json()) as Health;
}

/** All are up again, and two of them, where there are as many, are others than before. */
function isReplaced({ workers: before = {} }: Health, { workers = {} }: Health): boolean {
  const names = Object.keys(before);
  const others = names.filter((name) => workers[name]?.pid !== before[name]?.pid);
  return names.every((name) => workers[name]?.up) && others.length === Math.min(2, names.length);
}

test('one that cannot be used leaves the old one, and an error with code and hint', async () => {
  install(first);
  await serve();
  copyFileSync(second.key, used.key);
  front.reloadCertificate();
  const { level, err } = JSON.parse(log[0] ?? '{}');
  assert.equal(level, 50);
  assert.equal(err.code, 'HTTP_CERTIFICATE');
  assert.match(err.hint, /it must be the key of the first certificate/);
  const socket = await open(first.pem);
  assert.match(await ask(socket), /secure: true/);
  socket.destroy();
});

test('at the start, such files are an error that names them', () => {
  const cases = [
    [
      { cert: first.cert, key: second.key },
      /^the certificate in .*first\.pem and the key in .*second\.key cannot/,
    ],
    [{ cert: join(folder, 'missing.pem'), key: first.key }, /^cannot read .*missing\.pem: ENOENT$/],
    [{ cert: first.key, key: first.key }, /cannot be used/],
  ] as const;
  for (const [files, message] of cases) {
    assert.throws(() => loadCertificate(files), { code: 'HTTP_CERTIFICATE', message });
  }
  const garbage = join(folder, 'garbage.pem');
  writeFileSync(garbage, 'no PEM');
  assert.throws(() => loadCertificate({ cert: garbage, key: first.key }), { code: 'HTTP_CERTIFICATE' });
});

test('who speaks no TLS, begins and does not go on, or says nothing, is cut, and counted once', async () => {
  install(first);
  await serve();
  const refused = (): number => counters.refused.handshake;
  for (const text of ['GET /bosh HTTP/1.1\r\nHost: x\r\n\r\n', '\x16\x03\x01\x02', '']) {
    const before = refused();
    const socket = connectPlain(front.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(text);
    socket.resume();
    await happens(socket, 'close');
    await until(() => refused() === before + 1);
  }
  // Who leaves by himself.
  const socket = connectPlain(front.port, '127.0.0.1');
  socket.end();
  await happens(socket, 'close');
  await until(() => refused() === 4);
  (await open(first.pem)).destroy();
  assert.equal(refused(), 4);
});

test('a handshake may come byte by byte, and what follows in any size', async () => {
  install(first);
  await serve();
  const slow = new Duplex({
    read() {},
    write(bytes: Buffer, _, done) {
      for (const byte of bytes) wire.write(Buffer.from([byte]));
      done();
    },
  });
  const wire = connectPlain({ port: front.port, host: '127.0.0.1', noDelay: true });
  wire.on('data', (bytes) => slow.push(bytes));
  const socket = connect({ socket: slow, servername: 'localhost', ca: first.pem });
  await happens(socket, 'secureConnect');
  for (const length of [1, 1000, 1023, 1024, 1025, 17_000, 100_000]) {
    socket.write(
      `POST /bosh HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(length)}`,
    );
    const [answer] = (await happens(socket, 'data')) as [Buffer];
    assert.match(answer.toString('latin1'), /^HTTP\/1\.1 200 OK\r\n.*secure: true$/s);
  }
  wire.destroy();
});

/** Bytes of the heap of malloc(3), in which OpenSSL and the buffers of node:tls are. */
function heapBytes({ pid }: ChildProcess): number {
  const maps = readFileSync(`/proc/${pid}/maps`, 'latin1');
  const [, from = '', to = ''] = /^(\w+)-(\w+) .*\[heap\]$/m.exec(maps) ?? [];
  return Number.parseInt(to, 16) - Number.parseInt(from, 16);
}

test('no connection has 64 kB into which it is read', async () => {
  install(first);
  const gateway = await GatewayProcess.start(2048, { tls_cert: used.cert, tls_key: used.key });
  const ended = happens(gateway.process, 'exit');
  const sockets: TLSSocket[] = [];
  const openSome = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) {
      const socket = await open(first.pem, gateway.port);
      sockets.push(socket);
      assert.match(await ask(socket), /^HTTP\/1\.1 503 /);
    }
  };
  try {
    await openSome(200);
    const before = heapBytes(gateway.process);
    await openSome(400);
    const each = (heapBytes(gateway.process) - before) / 400;
    // It is 18,000; 84,000 where node:tls makes the buffer itself.
    assert.ok(each < 50_000, `${each} bytes for each connection`);
  } finally {
    for (const socket of sockets) socket.destroy();
    gateway.process.kill();
    await ended;
  }
});

test('handshakes that do not go on make room for those that come, the oldest first', async () => {
  install(first);
  await serve();
  const closed: number[] = [];
  const half: Socket[] = [];
  const ends = (): boolean => closed.length + 3 >= half.length;
  for (let i = 0; i < 20; i += 1) {
    const socket = connectPlain(front.port, '127.0.0.1');
    half.push(socket);
    socket.on('error', () => {});
    socket.on('close', () => closed.push(i));
    // What begins a ClientHello.
    socket.write(Buffer.from([22, 3, 1, 2]));
    await happens(socket, 'connect');
    // A quarter of ten connections.
    await until(ends);
  }
  assert.deepEqual(
    closed,
    Array.from({ length: 17 }, (_, i) => i),
  );
  const lines = log.filter((line) => line.includes('HTTP_HANDSHAKES'));
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /"3 TLS handshakes are under way/);
  assert.doesNotMatch(log.join(''), /HTTP_CONNECTIONS/);
  // Others get through, and none of these is counted as a handshake any more.
  const served: TLSSocket[] = [];
  for (let i = 0; i < 8; i += 1) served.push(await open(first.pem));
  for (const socket of served) assert.match(await ask(socket), /secure: true/);
  for (const socket of [...half, ...served]) socket.destroy();
});

test('who asks for another handshake on a connection gets none', async () => {
  install(first);
  await serve();
  const socket = connect({
    port: front.port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: first.pem,
    maxVersion: 'TLSv1.2',
  });
  await happens(socket, 'secureConnect');
  assert.match(await ask(socket), /secure: true/);
  const refused = new Promise<NodeJS.ErrnoException | null>((resolve) => {
    socket.on('error', resolve);
    socket.renegotiate({}, resolve);
  });
  assert.equal((await refused)?.code, 'ERR_SSL_NO_RENEGOTIATION');
  socket.destroy();
});
