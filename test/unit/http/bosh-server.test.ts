/** The HTTP front over real sockets, before a gateway whose node is never reached: it parks requests, so they stay held. */

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { configSchema } from '../../../src/config/schema.js';
import { tagOf } from '../../../src/gateway/sid.js';
import { Cookie } from '../../../src/node/cookie.js';
import { Service } from '../../../src/service/service.js';
import { happens, until } from '../../support/until.js';

const HELD = `<body sid='${tagOf('ejabberd@localhost')}.1'/>`;
const services: Service[] = [];

async function serve(settings: Readonly<Record<string, unknown>> = {}): Promise<Service> {
  const config = configSchema.parse({
    nodes: 'ejabberd@localhost=127.0.0.1:1',
    epmd_port: 0,
    http_ip: '127.0.0.1',
    http_port: 0,
    node_return_wait: '5 min',
    ...settings,
  });
  const service = await Service.start(config, new Cookie('http-tests'), pino({ level: 'silent' }));
  services.push(service);
  return service;
}

const url = (service: Service, path = '/bosh'): string => `http://127.0.0.1:${service.bosh.port}${path}`;

/** A connection that sends `text` and collects what comes back. */
class RawClient {
  readonly socket: Socket;
  received = '';

  constructor(service: Service, text: string) {
    this.socket = connect(service.bosh.port, '127.0.0.1');
    this.socket.setEncoding('latin1');
    this.socket.on('data', (data) => {
      this.received += data;
    });
    this.socket.on('error', () => {});
    this.socket.write(text);
  }

  async closed(): Promise<string> {
    if (!this.socket.destroyed) await happens(this.socket, 'close');
    return this.received;
  }

  async receives(pattern: RegExp): Promise<void> {
    await until(() => pattern.test(this.received));
  }
}

const rawPost = (body: string): string =>
  `POST /bosh HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

let usual: Service;
before(async () => {
  usual = await serve({ max_body: '2 KB' });
});
after(() => Promise.all(services.map((service) => service.stop())));

test('GET answers a human with a short page, HEAD the same without it', async () => {
  const page = await fetch(url(usual));
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-type') ?? '', /^text\/plain/);
  assert.match(await page.text(), /BOSH/);
  const head = await fetch(url(usual), { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(await head.text(), '');
});

test('both paths are the endpoint, a query does not matter, others are 404', async () => {
  assert.equal((await fetch(url(usual, '/http-bind'))).status, 200);
  assert.equal((await fetch(url(usual, '/bosh?x=1'))).status, 200);
  assert.equal((await fetch(url(usual, '/http-bind/?x'))).status, 200);
  assert.equal((await fetch(url(usual, '/bosh/'))).status, 200);
  assert.equal((await fetch(url(usual, '/bosh//'))).status, 404);
  assert.equal((await fetch(url(usual, '/'), { method: 'POST', body: 'x' })).status, 404);
});

for (const [line, status] of [
  ['POST http://gateway.example/bosh', 503],
  ['POST HTTPS://gateway.example:8443/http-bind/?x', 503],
  ['GET http://[::1]:8080/bosh', 200],
  ['GET http://gateway.example', 404],
  ['GET http://gateway.example?/bosh', 404],
  ['GET ftp://gateway.example/bosh', 404],
  ['OPTIONS *', 204],
  ['POST *', 400],
  ['CONNECT gateway.example:443', 405],
  ['POST gateway.example:443', 400],
] as const) {
  test(`${line} is answered ${status}`, async () => {
    const client = new RawClient(usual, `${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    assert.match(await client.closed(), new RegExp(`^HTTP/1\\.1 ${status} `));
  });
}

test('other methods are 405 and hear which ones there are', async () => {
  const response = await fetch(url(usual), { method: 'PUT', body: 'x' });
  assert.equal(response.status, 405);
  assert.equal(response.headers.get('allow'), 'GET, HEAD, POST, OPTIONS');
});

for (const headers of [{}, { origin: 'https://a.example' }]) {
  test(`OPTIONS is answered, with ${JSON.stringify(headers)}`, async () => {
    const response = await fetch(url(usual), { method: 'OPTIONS', headers });
    assert.equal(response.status, 204);
    assert.equal(response.headers.get('access-control-allow-origin'), '*');
    assert.match(response.headers.get('access-control-allow-methods') ?? '', /POST/);
    assert.match(response.headers.get('access-control-allow-headers') ?? '', /Content-Type/);
    assert.equal(response.headers.get('access-control-max-age'), '86400');
    assert.equal(response.headers.get('vary'), null);
  });
}

test('with listed origins only those are allowed, and caches are told that it depends on Origin', async () => {
  const listed = await serve({ cors_origins: ['https://a.example', 'https://b.example:8443'] });
  for (const [origin, allowed] of [
    ['https://a.example', 'https://a.example'],
    ['https://b.example:8443', 'https://b.example:8443'],
    ['https://b.example', null],
    ['null', null],
  ] as const) {
    const response = await fetch(url(listed), { method: 'POST', body: 'x', headers: { origin } });
    assert.equal(response.headers.get('access-control-allow-origin'), allowed);
    assert.equal(response.headers.get('vary'), 'Origin');
  }
});

test("refusals carry the origin's headers too, so that a browser shows their status to the page", async () => {
  const response = await fetch(url(usual), {
    method: 'POST',
    body: '<body/>',
    headers: { origin: 'https://a.example' },
  });
  assert.equal(response.status, 503);
  assert.equal(response.headers.get('access-control-allow-origin'), '*');
});

test('a body beyond the limit is 413 before it is sent: Content-Length, and Expect: 100-continue', async () => {
  const announced = 'POST /bosh HTTP/1.1\r\nHost: x\r\nContent-Length: 2049\r\n';
  for (const head of [`${announced}\r\n`, `${announced}Expect: 100-continue\r\n\r\n`]) {
    const client = new RawClient(usual, head);
    await client.receives(/^HTTP\/1\.1 413 /);
    client.socket.destroy();
  }
});

test('a body that is invited by 100-continue is taken', async () => {
  const client = new RawClient(
    usual,
    'POST /bosh HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n',
  );
  await client.receives(/^HTTP\/1\.1 100 Continue/);
  client.socket.write('<body/>');
  await client.receives(/HTTP\/1\.1 503 /);
  client.socket.destroy();
});

test('a body in chunks that grows beyond the limit is 413, and the connection goes on', async () => {
  const chunk = `400\r\n${'x'.repeat(1024)}\r\n`;
  const client = new RawClient(
    usual,
    `POST /bosh HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(20)}`,
  );
  await client.receives(/^HTTP\/1\.1 413 /);
  client.socket.write('0\r\n\r\nGET /bosh HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  assert.match(await client.closed(), /HTTP\/1\.1 200 OK/);
});

test('a body of exactly the limit is taken, in one piece or in chunks', async () => {
  const body = HELD + ' '.repeat(2048 - HELD.length);
  const open = usual.gateway.openExchanges;
  const chunked = `POST /bosh HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n${body.slice(0, 1024)}\r\n400\r\n${body.slice(1024)}\r\n0\r\n\r\n`;
  const clients = [new RawClient(usual, rawPost(body)), new RawClient(usual, chunked)];
  await until(() => usual.gateway.openExchanges === open + 2);
  for (const { socket } of clients) socket.destroy();
  await until(() => usual.gateway.openExchanges === open);
});

test('connections beyond the maximum are answered 503 with Retry-After, and closed', async () => {
  const small = await serve({ max_connections: 2 });
  const first = new RawClient(small, rawPost(HELD));
  const second = new RawClient(small, rawPost(HELD));
  await until(() => small.gateway.openExchanges === 2);
  const refused = await new RawClient(small, rawPost(HELD)).closed();
  assert.match(refused, /^HTTP\/1\.1 503 /);
  assert.match(refused, /retry-after: 2\r\n/i);
  assert.match(refused, /access-control-allow-origin: \*\r\n/i);
  assert.equal(small.gateway.counters.refused.overload, 1);
  first.socket.destroy();
  await until(() => small.bosh.connections === 1);
  const admitted = new RawClient(small, rawPost(HELD));
  await until(() => small.gateway.openExchanges === 2);
  admitted.socket.destroy();
  second.socket.destroy();
});

test('one connection cannot take many exchanges by sending on without waiting', async () => {
  const service = await serve();
  const client = new RawClient(service, rawPost(HELD).repeat(8));
  await until(() => service.gateway.openExchanges === 8);
  client.socket.write(rawPost(HELD));
  assert.equal(await client.closed(), '');
  await until(() => service.gateway.openExchanges === 0);
});

test('clients that are slow to send headers or a body, or stay idle, are cut', async () => {
  const strict = await serve({ header_timeout: '1 s', request_timeout: '1 s', keep_alive_timeout: '1 s' });
  const answers = await Promise.all([
    new RawClient(strict, '').closed(),
    new RawClient(strict, 'POST /bosh HTTP/1.1\r\nHost:').closed(),
    new RawClient(strict, 'POST /bosh HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n<bo').closed(),
    new RawClient(strict, 'GET /bosh HTTP/1.1\r\nHost: x\r\n\r\n').closed(),
  ]);
  assert.match(answers[1] ?? '', /^HTTP\/1\.1 503 /);
  assert.match(answers[2] ?? '', /^HTTP\/1\.1 503 /);
  assert.match(answers[3] ?? '', /^HTTP\/1\.1 200 /);
  assert.equal(strict.gateway.openExchanges, 0);
});

test('what is no HTTP is answered 400', async () => {
  assert.match(await new RawClient(usual, 'SSH-2.0-x\r\n\r\n').closed(), /^HTTP\/1\.1 400 /);
});

test('a port that is taken is an error that says so', async () => {
  await assert.rejects(serve({ http_port: usual.bosh.port }), {
    code: 'HTTP_LISTEN',
    message: `cannot listen on 127.0.0.1 port ${usual.bosh.port}: EADDRINUSE`,
    hint: /another program listens there/,
  });
});
