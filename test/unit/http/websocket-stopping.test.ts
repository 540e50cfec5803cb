/** SIGTERM to the program, with one process and with several: what each WebSocket hears before it is closed. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { playNode } from '../../../scripts/bench/http/node-in-play.js';
import { Atom, atom, type Term, Tuple } from '../../../src/etf/terms.js';
import { PROCESS_NAME } from '../../../src/gateway/megaphone-process.js';
import { Cookie } from '../../../src/node/cookie.js';
import type { HiddenNode } from '../../../src/node/hidden-node.js';
import { GatewayProcess } from '../../support/gateway-process.js';
import { happens, until } from '../../support/until.js';

const isClosed = (term: Term | undefined): boolean => term instanceof Atom && term.name === 'closed';
let node: HiddenNode;
/** Codes of the ends that the sessions were told of. */
let ends: Term[] = [];
before(async () => {
  node = await playNode(new Cookie('test'), (message) => {
    if (message instanceof Tuple && isClosed(message.elements[1])) ends.push(message.elements[2] ?? 0);
  });
});
after(() => node.stop());

class Client {
  readonly socket: WebSocket;
  readonly messages: string[] = [];
  code = 0;

  constructor(port: number) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, 'xmpp');
    this.socket.on('error', () => {});
    this.socket.on('message', (text) => this.messages.push(`${text}`));
    this.socket.on('close', (code) => {
      this.code = code;
    });
  }
}

async function start(workers: string, settings: Readonly<Record<string, string>>) {
  const gateway = await GatewayProcess.start(1024, {
    workers,
    nodes: `${node.name}=127.0.0.1:${node.port}`,
    ...settings,
  });
  await gateway.logs(({ msg }) => msg.includes('is in service'), Number(workers));
  const clients = Array.from({ length: 10 }, () => new Client(gateway.port));
  await Promise.all(clients.map(({ socket }) => happens(socket, 'open')));
  return { gateway, clients };
}

for (const workers of ['1', '2']) {
  test(`each is sent elsewhere and closed with 1012, and its session told: ${workers} worker(s)`, async () => {
    ends = [];
    const { gateway, clients } = await start(workers, {
      drain_time: '500 ms',
      see_other_uri: 'wss://b.example/ws',
    });
    const exited = happens(gateway.process, 'exit');
    gateway.process.kill('SIGTERM');
    const [code] = await exited;
    assert.equal(code, 0);
    await until(() => clients.every((client) => client.code > 0));
    for (const client of clients) {
      assert.equal(client.code, 1012);
      assert.deepEqual(client.messages, [
        "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing' see-other-uri='wss://b.example/ws'/>",
      ]);
    }
    await until(() => ends.length === clients.length);
    assert.deepEqual(new Set(ends), new Set([1012]));
  });

  test(`from the beginning it says that it is not available: ${workers} worker(s)`, async () => {
    const { gateway, clients } = await start(workers, { drain_delay: '5 min' });
    const health = async (): Promise<number> =>
      (await fetch(`http://127.0.0.1:${gateway.adminPort}/healthz`)).status;
    await until(async () => (await health()) === 200);
    gateway.process.kill('SIGTERM');
    await until(async () => (await health()) === 503);
    assert.ok(clients.some((client) => client.code === 0));
    const exited = happens(gateway.process, 'exit');
    gateway.process.kill('SIGTERM');
    await exited;
    await until(() => clients.every((client) => client.code > 0));
  });

  test(`a second signal ends it at once: ${workers} worker(s)`, async () => {
    const { gateway, clients } = await start(workers, { drain_delay: '5 min' });
    const exited = happens(gateway.process, 'exit');
    gateway.process.kill('SIGTERM');
    await gateway.logs(({ msg }) => msg === 'SIGTERM: stopping');
    gateway.process.kill('SIGTERM');
    const [, signal] = await exited;
    assert.equal(signal, 'SIGTERM');
    await until(() => clients.every((client) => client.code > 0));
  });
}

test('drained, no further one is opened, and BOSH goes on, a request for each connection; resumed, all is as before', async () => {
  const { gateway, clients } = await start('1', {});
  const order = async (what: string): Promise<void> =>
    void (await node.call(`test${process.pid}@localhost`, PROCESS_NAME, atom(what), 5_000));
  const url = `http://127.0.0.1:${gateway.port}`;
  const bosh = async (): Promise<[number, string | null]> => {
    const { status, headers } = await fetch(`${url}/bosh`);
    return [status, headers.get('connection')];
  };
  assert.deepEqual(await bosh(), [200, 'keep-alive']);
  await order('drain');
  await until(() => clients.every((client) => client.code === 1012));
  const refused = new WebSocket(`${url.replace('http', 'ws')}/ws`, 'xmpp');
  refused.on('error', () => {});
  const [, response] = await happens(refused, 'unexpected-response');
  assert.deepEqual([response.statusCode, response.headers['retry-after']], [503, '2']);
  assert.deepEqual(await bosh(), [200, 'close']);
  await order('resume');
  assert.deepEqual(await bosh(), [200, 'keep-alive']);
  const { socket } = new Client(gateway.port);
  await happens(socket, 'open');
  const exited = happens(gateway.process, 'exit');
  gateway.process.kill('SIGTERM');
  await exited;
});
