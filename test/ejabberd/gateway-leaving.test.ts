/** What a BOSH client's connection hears from a gateway that stops or drains, whatever it is at; its session goes on at another. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import * as tls from 'node:tls';
import { makeCertificate, type TestCertificate } from '../../scripts/support/certificate.js';
import { Instance } from '../../scripts/support/instance.js';
import type { Service } from '../../src/service/service.js';
import { until } from '../support/until.js';
import { BoshSession, bodies, message, ping, wrapper } from './conformance/bosh-session.js';
import { gatewayBeside } from './support/gateway-beside.js';

let instance: Instance;
let certificate: TestCertificate;
/** The other one. */
let staying: Service;
let stayingUrl: string;
before(async () => {
  instance = await Instance.start({ gateway: false });
  certificate = makeCertificate(instance.var, 'web');
  ({ service: staying, url: stayingUrl } = await gatewayBeside(instance));
});
after(async () => {
  await staying?.stop();
  await instance?.stop();
});

interface Heard {
  readonly status: number;
  readonly connection: string;
  readonly body: string;
}

/** A connection of a client that writes what it is told to. */
class Raw {
  readonly #socket: Socket;
  #received = '';

  constructor(port: number, isTls: boolean) {
    const at = { port, host: '127.0.0.1' };
    this.#socket = isTls ? tls.connect({ ...at, rejectUnauthorized: false }) : connect(at);
    this.#socket.setEncoding('utf8').on('data', (text) => {
      this.#received += text;
    });
  }

  send(text: string): void {
    this.#socket.write(text);
  }

  get answers(): readonly Heard[] {
    return this.#received.split(/(?=HTTP\/1\.1 \d)/).map((answer) => {
      const [head = '', body = ''] = answer.split('\r\n\r\n');
      const [, status] = /^HTTP\/1\.1 (\d+)/.exec(head) ?? [];
      const [, connection = ''] = /^connection: (.*)$/im.exec(head) ?? [];
      return { status: Number(status), connection: connection.trim(), body };
    });
  }

  /** What came before the end, which is to come without an error. */
  async ended(): Promise<readonly Heard[]> {
    await until(() => this.#socket.readableEnded);
    return this.answers;
  }
}

const post = (body: string, version = '1.1', headers = ''): string =>
  `POST /bosh HTTP/${version}\r\nHost: x\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

/** The next request of a session, in bytes. */
function next(session: BoshSession, payload = ''): string {
  session.rid += 1;
  return wrapper({ rid: session.rid, sid: session.sid }, payload);
}

function assertLast(heard: Heard | undefined): void {
  assert.deepEqual([heard?.status, heard?.connection], [200, 'close'], heard?.body);
  assert.match(heard?.body ?? '', /^<body [^>]*?(?:\/>|>.*<\/body>)$/s);
  assert.doesNotMatch(heard?.body ?? '', /terminate/);
}

for (const isTls of [false, true]) {
  describe(`a gateway that serves ${isTls ? 'HTTPS' : 'HTTP'}`, { timeout: 120_000 }, () => {
    let leaving: Service;
    before(async () => {
      const files = isTls ? { tls_cert: certificate.cert, tls_key: certificate.key } : {};
      const node = `leaving${Number(isTls)}_${process.pid}@localhost`;
      ({ service: leaving } = await gatewayBeside(instance, { node, ...files }));
    });
    after(() => leaving?.stop());

    const open = (text: string): Raw => {
      const raw = new Raw(leaving.port, isTls);
      raw.send(text);
      return raw;
    };
    /** Both gateways take requests of any session. */
    const login = (): Promise<BoshSession> => BoshSession.login(stayingUrl);
    const held = (count: number): Promise<void> => until(() => leaving.gateway.openExchanges === count);

    it('drained, it answers what it holds, and holds what comes all the same', async () => {
      const session = await login();
      const first = open(post(next(session)));
      await held(1);
      await leaving.enter('releasing');
      await leaving.enter('drained');
      const [answer, ...more] = await first.ended();
      assertLast(answer);
      assert.deepEqual(more, []);
      const second = open(post(next(session)));
      await held(1);
      // An answer of its own accord.
      const other = open(post(next(session, ping())));
      assertLast((await second.ended())[0]);
      const [pong] = await other.ended().catch(() => []);
      assert.equal(pong === undefined || pong.status === 200, true);
      await leaving.enter('serving');
      const third = open(post(next(session, ping())));
      await until(() => third.answers[0]?.status === 200);
      assert.equal(third.answers[0]?.connection, 'keep-alive');
      await session.terminate();
    });

    it('stopping, it answers every request, and each session goes on elsewhere', async () => {
      const sessions = await Promise.all(Array.from({ length: 5 }, login));
      const [waiting, pipelined, half, old, behind] = sessions as [
        BoshSession,
        BoshSession,
        BoshSession,
        BoshSession,
        BoshSession,
      ];
      const ofWaiting = open(post(next(waiting)));
      const ofPipelined = open(post(next(pipelined)) + post(next(pipelined)));
      const ofOld = open(post(next(old), '1.0', 'Connection: keep-alive\r\n'));
      const told = post(next(half, message(waiting.jid, 'half')));
      const ofHalf = open(told.slice(0, -20));
      const wish = post(next(behind));
      const toldBehind = post(next(behind, message(waiting.jid, 'behind')));
      const ofBehind = open(wish + toldBehind.slice(0, 30));
      const ofIdle = open('GET /bosh HTTP/1.1\r\nHost: x\r\n\r\n');
      await until(() => ofIdle.answers[0]?.status === 200 && ofPipelined.answers[0]?.status === 200);
      await held(4);

      const stopped = leaving.stop();
      const [inTime] = await ofWaiting.ended();
      assertLast(inTime);
      ofHalf.send(told.slice(-20));
      ofBehind.send(toldBehind.slice(30));
      const [first, second, ...more] = await ofPipelined.ended();
      assert.deepEqual([first?.status, first?.connection], [200, 'keep-alive']);
      assertLast(second);
      assert.deepEqual(more, []);
      assertLast((await ofOld.ended())[0]);
      const [, tail, ...rest] = await ofBehind.ended();
      assertLast(tail);
      assert.deepEqual(rest, []);
      assertLast((await ofHalf.ended())[0]);
      assert.equal((await ofIdle.ended()).length, 1);
      await stopped;

      const heard: string[] = [];
      for (const session of [...sessions, waiting]) {
        await session.until((answer) => {
          heard.push(...bodies(answer));
          return answer.xml.includes("'ping'");
        }, ping());
      }
      assert.deepEqual(heard.sort(), ['behind', 'half']);
    });
  });
}
