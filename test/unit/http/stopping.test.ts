/** SIGTERM to the program, with one process and with several: what each connection hears before it is closed. */

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { tagOf } from '../../../src/gateway/sid.js';
import { GatewayProcess } from '../../support/gateway-process.js';
import { happens, until } from '../../support/until.js';

/** Held, as its node is not there. */
const HELD = `<body sid='${tagOf('ejabberd@localhost')}.1'/>`;
const POST = `POST /bosh HTTP/1.1\r\nHost: x\r\nContent-Length: ${HELD.length}\r\n\r\n${HELD}`;
const GET = 'GET /bosh HTTP/1.1\r\nHost: x\r\n\r\n';
const LAST = /^HTTP\/1\.1 503 [^~]*\r\nconnection: close\r\n[^~]*\r\n\r\nThis gateway is stopping\.\n$/;

function assertTwo(received: string): void {
  const [first = '', second = ''] = received.split(/(?<=\n)(?=HTTP)/);
  assert.match(first, /^HTTP\/1\.1 503 [^~]*connection: keep-alive/);
  assert.match(second, LAST);
}

class Client {
  readonly socket: Socket;
  received = '';

  constructor(port: number, text: string) {
    this.socket = connect({ port, host: '127.0.0.1' });
    this.socket.setEncoding('latin1').on('data', (data) => {
      this.received += data;
    });
    this.socket.write(text);
  }

  /** All that came before the end; a reset would be an error. */
  async ended(): Promise<string> {
    if (!this.socket.readableEnded) await happens(this.socket, 'end');
    return this.received;
  }
}

for (const workers of ['1', '2']) {
  test(`every request hears 503 with connection: close, and then the end: ${workers} worker(s)`, async () => {
    const gateway = await GatewayProcess.start(1024, { workers, node_return_wait: '5 min' });
    const { port, adminPort } = gateway;
    const opened = async (count: number): Promise<void> => {
      const line = new RegExp(`^megaphone_connections ${count}$`, 'm');
      await until(async () => line.test(await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text()));
    };
    // As many of each kind as workers, for they are dealt out in turns.
    const each = (text: string): Client[] =>
      Array.from({ length: Number(workers) }, () => new Client(port, text));
    const held = each(POST);
    const pipelined = each(POST + POST);
    const idle = each(GET);
    const half = each(POST.slice(0, 50));
    const behind = each(POST + POST.slice(0, 50));
    const never = each(POST.slice(0, 70));
    const ahead = each('');
    await opened(7 * Number(workers));
    for (const client of idle) while (!client.received.endsWith('\n')) await sleep(5);

    const exited = happens(gateway.process, 'exit');
    gateway.process.kill('SIGTERM');
    await gateway.logs(({ msg }) => msg === 'SIGTERM: stopping');
    for (const client of idle) assert.match(await client.ended(), /^HTTP\/1\.1 200 /);
    for (const client of half) client.socket.write(POST.slice(50));
    for (const client of behind) client.socket.write(POST.slice(50));
    for (const client of ahead) client.socket.write(POST);
    // Only the last answer of a connection says so.
    for (const client of pipelined) assertTwo(await client.ended());
    for (const client of [...held, ...half, ...ahead, ...never]) assert.match(await client.ended(), LAST);
    for (const client of behind) assertTwo(await client.ended());
    const [code] = await exited;
    assert.equal(code, 0);
  });
}
