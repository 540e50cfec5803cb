/** The one limit for all requests that are coming in: by a model, and before connections that never finish theirs. */

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import type { HttpExchange, HttpRequest } from '../../../src/gateway/ports.js';
import { Receiving, type Slow } from '../../../src/http/receiving.js';
import { RequestParser } from '../../../src/http/request-parser.js';
import { Counters } from '../../../src/observe/counters.js';
import { happens, until } from '../../support/until.js';
import { listen } from './serve.js';

class Request implements Slow {
  bytes = 0;
  older: Slow | undefined = undefined;
  newer: Slow | undefined = undefined;
  readonly refused: Request[];

  constructor(refused: Request[]) {
    this.refused = refused;
  }

  refuse(): void {
    this.refused.push(this);
  }
}

test('the oldest make room, in order and no more of them than needed, and one alone may take all', () => {
  const MAX = 100;
  /** Of which request, and its bytes; 0: it ended. */
  const step = fc.tuple(fc.nat({ max: 9 }), fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 150 })));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const receiving = new Receiving(MAX);
      const refused: Request[] = [];
      const requests = Array.from({ length: 10 }, () => new Request(refused));
      /** By age. */
      let held: [Request, number][] = [];
      const sum = (): number => held.reduce((total, [, bytes]) => total + bytes, 0);
      for (const [which, bytes] of steps) {
        const request = requests[which];
        assert.ok(request);
        refused.length = 0;
        const expected: Request[] = [];
        if (bytes === 0) {
          receiving.release(request);
          held = held.filter(([each]) => each !== request);
        } else {
          receiving.hold(request, bytes);
          const known = held.find(([each]) => each === request);
          if (known === undefined) held.push([request, bytes]);
          else known[1] = bytes;
          while (sum() > MAX && held.length > 1) expected.push(held.shift()?.[0] ?? assert.fail());
        }
        assert.deepEqual(
          refused.map((each) => requests.indexOf(each)),
          expected.map((each) => requests.indexOf(each)),
        );
        assert.equal(receiving.bytes, sum());
      }
    }),
    { numRuns: 1000 },
  );
});

test('a request tells no less than what its body takes, and not much more than twice its size', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(sizes, (pieces) => {
      const parser = new RequestParser(50_000);
      parser.read(
        Buffer.from(
          'POST /bosh HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n'.replace('1000000', '50000'),
        ),
        0,
      );
      let length = 0;
      for (const size of pieces) {
        if (length + size >= 50_000) break;
        length += size;
        parser.read(Buffer.alloc(size, 'x'), 0);
        assert.ok(parser.memory >= parser.body.buffer.byteLength);
        assert.ok(parser.memory <= 2 * length + 3000, `${parser.memory} for ${length}`);
      }
      parser.release();
    }),
  );
});

test('a head that comes byte by byte is charged for each of its pieces', () => {
  const parser = new RequestParser(1000);
  const text = `POST /bosh HTTP/1.1\r\nHost: x\r\nUser-Agent: ${'u'.repeat(10_000)}`;
  for (const byte of Buffer.from(text)) parser.read(Buffer.of(byte), 0);
  // A string of V8 that was put together from two takes 32 bytes.
  assert.ok(parser.memory > 32 * text.length);
  parser.release();
});

/** Answers each request with the size of its body. */
const service = {
  request(exchange: HttpExchange, { body }: HttpRequest): number {
    exchange.answer(200, [], Buffer.from(`${body.length} bytes`));
    return 0;
  },
  closed(): void {},
  release(): void {},
};

test('connections that never finish take no more than the limit, whatever they send, and others are served', async () => {
  const maxReceiving = 1_000_000;
  const counters = new Counters();
  const front = await listen(service, { maxBody: 100_000, maxReceiving, maxConnections: 500 }, { counters });
  const open = (): { socket: Socket; answer: () => string } => {
    let answer = '';
    const socket = connect(front.port, '127.0.0.1');
    socket
      .on('error', () => {})
      .setEncoding('latin1')
      .on('data', (text) => {
        answer += text;
      });
    return { socket, answer: () => answer };
  };
  const head = (length: number): string =>
    `POST /bosh HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;
  const chunk = `7530\r\n${'x'.repeat(30_000)}\r\n`;
  const endless = [
    `${head(90_000)}${'x'.repeat(60_000)}`,
    `POST /bosh HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(2)}`,
    `POST /bosh HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(12_000)}`,
  ];
  const slow = Array.from({ length: 90 }, open);
  let most = 0;
  // In turns, so that none is much older than the others.
  for (let at = 0; at < 60_100; at += 6_010) {
    for (const [i, { socket }] of slow.entries()) {
      if (!socket.destroyed) socket.write(endless[i % 3]?.slice(at, at + 6_010) ?? '');
      await new Promise(setImmediate);
      most = Math.max(most, front.receiving);
    }
  }
  await until(() => counters.refused.receiving > 30);
  assert.ok(most <= maxReceiving, `${most}`);
  assert.ok(most > maxReceiving / 2, `${most}`);

  const whole = open();
  whole.socket.write(head(90_000) + 'x'.repeat(90_000));
  const halved = open();
  halved.socket.write(head(2_000) + 'x'.repeat(1_000));
  await until(() => whole.answer().endsWith('90000 bytes'));
  halved.socket.write('x'.repeat(1_000));
  await until(() => halved.answer().endsWith('2000 bytes'));

  const { length } = slow.filter(({ answer }) => answer() !== '');
  assert.equal(length, counters.refused.receiving);
  for (const { socket, answer } of slow) {
    if (answer() === '') continue;
    assert.match(answer(), /^HTTP\/1\.1 503 .*\r\nconnection: close\r\n.*retry-after: 2\r\n/s);
    if (!socket.destroyed && !socket.readableEnded) await happens(socket, 'end');
  }
  for (const { socket } of [...slow, whole, halved]) socket.destroy();
  await until(() => front.connections === 0);
  assert.equal(front.receiving, 0);
  await front.close();
});
