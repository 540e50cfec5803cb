/** Pages of a whole gateway, over every transport and with real clients; an Erlang shell sends, and no node has the application. */

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, afterEach, before, test } from 'node:test';
import type { Erl } from '../../../scripts/support/erl.js';
import type { Service } from '../../../src/service/service.js';
import { until } from '../../support/until.js';
import { Cluster } from '../gateway/support.js';
import { Curl, eventSource, type Heard, Poller, urlOf, webSocket } from './pages.js';

let cluster: Cluster;
let shell: Erl;
let service: Service;
before(async () => {
  cluster = await Cluster.start();
  shell = await cluster.erl('shell');
  service = await cluster.gateway({ nodes: [], comet_anyone: true, cors_origins: '*, https://app.example' });
  await shell.evaluate(`true = net_kernel:connect_node('${service.node.name}')`);
});
after(() => cluster.stop());

const pages: Heard[] = [];
afterEach(async () => {
  for (const page of pages.splice(0)) page.close();
  const { listeners } = service.gateway.counters.comet;
  await until(() => Object.values(listeners).every((count) => count === 0));
});

const send = (id: string, text: string, meta = '#{}') =>
  shell.evaluate(`{any, '${service.node.name}'} ! {${id}, <<"${text}">>, ${meta}}`);

test('what a shell sends comes to a user, whatever he listens with, in order', async () => {
  assert.equal(await shell.text('nodes(hidden)'), `[${service.node.name}]`);
  const url = urlOf(service, '123');
  pages.push(await eventSource(url), await webSocket(url), await Poller.start(url));
  const plain = new Curl(url);
  const old = new Curl(url, '--http1.0');
  const { listeners } = service.gateway.counters.comet;
  await until(() => listeners.chunked === 1 && listeners.raw === 1);
  const expected = Array.from({ length: 20 }, (_, number) => `Hello World ${number}`);
  for (const text of expected) await send('123', text);
  await until(() => pages.every(({ data }) => data.length >= expected.length));
  for (const { data } of pages) assert.deepEqual(data, expected);
  for (const page of [plain, old]) {
    await until(() => page.output.endsWith(expected.join('')));
    await page.kill();
  }
  assert.match(old.output, /\r\nconnection: close\r\n\r\nHello/);
});

test('several ids over one connection, names of events, ids of any text', async () => {
  const source = await eventSource(urlOf(service, 'a%2Cb,%F0%9F%93%A3'), ['greeting']);
  pages.push(source);
  await send('<<"a,b">>', 'one', '#{event => greeting}');
  await send('<<240,159,147,163>>', 'two', '#{event => greeting}');
  await until(() => source.data.length === 2);
  assert.deepEqual(source.data, ['one', 'two']);
});

test('a page that does not read is cut, comes back with its place, and misses nothing', async () => {
  const texts = Array.from({ length: 60 }, (_, number) => `${number}:`.padEnd(200_000, 'x'));
  const client = new PausedReader(service, 'slow');
  await client.open();
  client.pause();
  for (const text of texts) await send('slow', text);
  // Whatever the kernel takes: this is more.
  await until(() => service.gateway.counters.comet.slow_readers > 0);
  while (client.data.length < texts.length) {
    client.resume();
    await until(() => client.data.length === texts.length || client.isClosed);
    if (client.isClosed) await client.open();
  }
  assert.deepEqual(client.data, texts);
  assert.equal(service.gateway.counters.comet.gaps, 0);
  client.close();
});

test('which pages may read: those that are named get their credentials through', async () => {
  const ask = (origin: string) => fetch(urlOf(service, '1'), { method: 'HEAD', headers: { origin } });
  const named = await ask('https://app.example');
  assert.equal(named.headers.get('access-control-allow-origin'), 'https://app.example');
  assert.equal(named.headers.get('access-control-allow-credentials'), 'true');
  const other = await ask('https://evil.example');
  assert.equal(other.headers.get('access-control-allow-origin'), '*');
  assert.equal(other.headers.get('access-control-allow-credentials'), null);
});

/** Server-sent events by hand, from a socket that may stop to read. */
class PausedReader {
  readonly data: string[] = [];
  isClosed = false;
  #place: string | undefined;
  #text = '';
  #socket: Socket | undefined;
  readonly #service: Service;
  readonly #id: string;

  constructor(of: Service, id: string) {
    this.#service = of;
    this.#id = id;
  }

  async open(): Promise<void> {
    this.isClosed = false;
    this.#text = '';
    const socket = connect(this.#service.bosh.port, '127.0.0.1').on('error', () => {});
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (text) => this.#read(String(text)));
    socket.on('close', () => {
      this.isClosed = true;
    });
    const place = this.#place === undefined ? '' : `Last-Event-ID: ${this.#place}\r\n`;
    socket.write(`GET /comet/${this.#id}?sse HTTP/1.1\r\nHost: x\r\n${place}\r\n`);
    await until(() => this.#place !== undefined);
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  close(): void {
    this.#socket?.destroy();
  }

  #read(text: string): void {
    const [rest = '', ...events] = `${this.#text}${text}`.split('\n\n').reverse();
    this.#text = rest;
    for (const event of events.reverse()) {
      this.#place = /^id: (.*)$/m.exec(event)?.[1] ?? this.#place;
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (data !== undefined) this.data.push(data);
    }
  }
}
