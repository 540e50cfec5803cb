/** POST /publish over real sockets, by a library of GRIP and by hand: who may, what is answered, and who may stay for the next one. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { type PublishException, Publisher } from '@fanoutio/grip';
import { pino } from 'pino';
import type { Publication } from '../../../src/comet/ports.js';
import { MegaphoneError } from '../../../src/errors.js';
import {
  ADMIN_CONNECTION,
  type AdminEvent,
  type AdminPhase,
  MAX_TRUSTED,
} from '../../../src/http/admin-connection.js';
import { AdminServer } from '../../../src/http/admin-server.js';
import { NOT_ASKED, type Reports } from '../../../src/observe/report.js';
import { NOTHING } from '../../../src/observe/totals.js';
import { headerTable, NEVER, SAME } from '../../support/header-table.js';
import { happens, until } from '../../support/until.js';
import { NO_DESK } from './no-desk.js';

const TOKEN = 'correct-horse-battery-staple';
const folder = mkdtempSync(join(tmpdir(), 'megaphone-publish-'));
after(() => rmSync(folder, { recursive: true }));

const reports: Reports = {
  state: () => 'in_service',
  health: () => ({ status: 'ok', state: 'in_service', nodes: {} }),
  stats: () => ({ ...NOTHING, status: 'ok', node: 'megaphone@h', uptime_seconds: 1, state: 'in_service' }),
  asked: async () => NOT_ASKED,
};

let published: Publication[] = [];
let taken: () => Promise<void> = async () => {};
let admin: AdminServer;
before(async () => {
  const file = join(folder, 'token');
  writeFileSync(file, TOKEN, { mode: 0o400 });
  const desk = {
    ...NO_DESK,
    publish: (publications: readonly Publication[]) => {
      published.push(...publications);
      return taken();
    },
  };
  const config = {
    ...{ node: 'megaphone@gateway.internal', admin_ip: '127.0.0.1', admin_port: 0, admin_hosts: [] },
    admin_token_file: file,
  };
  admin = await AdminServer.listen(config, reports, desk, pino({ level: 'silent' }));
});
after(() => admin.close());
beforeEach(() => {
  published = [];
  taken = async () => {};
});

const said = (): string[] => published.map(({ ids, body }) => `${ids.join()}: ${body}`);
const bodyOf = (...texts: readonly string[]): string =>
  JSON.stringify({
    items: texts.map((content) => ({ channel: '123', formats: { 'http-stream': { content } } })),
  });

async function publish(body: string, authorization = `Bearer ${TOKEN}`, path = '/publish') {
  const response = await fetch(`http://127.0.0.1:${admin.port}${path}`, {
    method: 'POST',
    headers: authorization === '' ? {} : { authorization },
    body,
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/** A request by hand. */
const request = (body: string, authorization = `Bearer ${TOKEN}`, more = ''): string =>
  `POST /publish/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\n${more}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

function open(): { socket: Socket; heard: () => string } {
  const socket = connect({ port: admin.port, host: '127.0.0.1', allowHalfOpen: true });
  let all = '';
  socket.on('error', () => {});
  socket.setEncoding('utf8').on('data', (data) => {
    all += data;
  });
  return { socket, heard: () => all };
}

const answers = (all: string): string[] =>
  [...all.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code = '']) => code);

// The first test of all: a timer of another's connection would not be stopped while time is the test's.
test('a publisher is answered, however long the router takes; a stranger is cut', async ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const isAsked = new Promise<() => void>((asked) => {
    taken = () => new Promise((resolve) => asked(resolve));
  });
  const [publisher, stranger] = [open(), open()];
  stranger.socket.write(request(bodyOf('x')).slice(0, -1).replace(TOKEN, 'wrong'));
  publisher.socket.write(request(bodyOf('slow')));
  const release = await isAsked;
  mock.timers.tick(10_000);
  // By a reset, where what he wrote is not read yet. No clock bounds these waits but the test runner's.
  const settles = ({ socket }: typeof stranger): Promise<unknown> =>
    new Promise((resolve) => socket.once('data', resolve).once('end', resolve).once('error', resolve));
  await settles(stranger);
  release();
  await settles(publisher);
  assert.deepEqual([answers(publisher.heard()), answers(stranger.heard())], [['200'], []]);
  for (const { socket } of [publisher, stranger]) socket.destroy();
});

test('a library of GRIP publishes, with its key as it is, as a password and as what signs a JWT', async () => {
  const control_uri = `http://127.0.0.1:${admin.port}/`;
  for (const config of [
    { control_uri, key: TOKEN },
    { control_uri, control_iss: 'realm', key: TOKEN },
    { control_uri, user: 'anybody', pass: TOKEN },
    `${control_uri}?key=${TOKEN}`,
  ])
    await new Publisher(config).publishHttpStream('123', 'Hello', '2', '1');
  assert.deepEqual(
    said(),
    Array.from({ length: 4 }, () => '123: Hello'),
  );
  assert.deepEqual(published[0]?.meta, { id: '2', prev_id: '1' });
  for (const config of [
    { control_uri },
    { control_uri, key: `${TOKEN}x` },
    { control_uri, control_iss: 'realm', key: `${TOKEN}x` },
    { control_uri, user: TOKEN, pass: 'x' },
  ])
    await assert.rejects(
      new Publisher(config).publishHttpStream('123', 'Hello'),
      (error: PublishException) => error.context.statusCode === 401,
    );
  assert.equal(published.length, 4);
});

test('a JWT counts by HS256 alone, signed by the token, until it ends, and for nothing but this', async () => {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const jwt = (head: object, claims: object, key = TOKEN): string => {
    const signed = `${encode(head)}.${encode(claims)}`;
    return `Bearer ${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
  };
  const now = Math.floor(Date.now() / 1000);
  const good = jwt({ alg: 'HS256' }, { exp: now + 60 });
  assert.equal((await publish(bodyOf('x'), good)).status, 200);
  for (const bad of [
    jwt({ alg: 'HS256' }, { exp: now - 1 }),
    jwt({ alg: 'HS256' }, {}),
    jwt({ alg: 'HS256' }, { exp: now + 60, nbf: now + 30 }),
    jwt({ alg: 'none' }, { exp: now + 60 }),
    jwt({ alg: 'HS512' }, { exp: now + 60 }),
    jwt({ alg: 'HS256' }, { exp: now + 60 }, 'another-token-of-twenty'),
    `Bearer ${encode({ alg: 'none' })}.${encode({ exp: now + 60 })}.`,
    `${good}.x`,
    'Bearer ..',
    'Basic ',
  ])
    assert.equal((await publish(bodyOf('x'), bad)).status, 401, bad);
  const drain = await fetch(`http://127.0.0.1:${admin.port}/api/drain`, {
    method: 'POST',
    headers: { authorization: good },
  });
  assert.equal(drain.status, 401);
  assert.deepEqual(said(), ['123: x']);
});

test('what is wrong is answered with a code and what mends it; who cannot take it, by 503', async () => {
  const failing = (code: `COMET_${string}`) => () =>
    Promise.reject(new MegaphoneError(code, 'nobody', { hint: 'look there' }));
  const told = async (body: string) => {
    const { status, text: answer } = await publish(body);
    return [status, (JSON.parse(answer) as { code?: string }).code];
  };
  assert.deepEqual(await told('{'), [400, 'OUTSIDE_BAD_PUBLICATION']);
  assert.deepEqual(
    await told(JSON.stringify({ items: [{ channel: 'a', 'http-stream': { action: 'close' } }] })),
    [400, 'OUTSIDE_NOT_SUPPORTED'],
  );
  assert.deepEqual(await told(bodyOf(...Array.from({ length: 1001 }, () => 'x'))), [413, 'OUTSIDE_TOO_MANY']);
  assert.deepEqual(await told(bodyOf('x'.repeat(MAX_TRUSTED))), [413, undefined]);
  assert.deepEqual(said(), []);
  taken = failing('COMET_NO_ROUTER');
  assert.deepEqual(await told(bodyOf('x')), [503, 'COMET_NO_ROUTER']);
  taken = () => Promise.reject(new TypeError('a fault'));
  assert.equal((await publish(bodyOf('x'))).status, 500);
  const wrong = await fetch(`http://127.0.0.1:${admin.port}/publish`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'POST']);
  const { status } = await fetch(`http://127.0.0.1:${admin.port}/publish`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}`, origin: 'https://evil.example' },
    body: bodyOf('x'),
  });
  assert.equal(status, 403);
});

test('requests on one connection are answered one after the other, in any pieces, each by a parser of its own', async () => {
  const { socket, heard } = open();
  const bytes = Buffer.from(
    ['one', 'two', 'three'].map((word) => request(bodyOf(word, `${word}!`))).join(''),
  );
  socket.write(bytes);
  await until(() => answers(heard()).length === 3);
  for (const byte of bytes) socket.write(Buffer.of(byte));
  await until(() => answers(heard()).length === 6);
  const once = ['one', 'one!', 'two', 'two!', 'three', 'three!'].map((word) => `123: ${word}`);
  assert.deepEqual(said(), [...once, ...once]);
  // What is wrong with one is not the next one's, as long as its end is known.
  socket.write(`${request('{')}${request(bodyOf('four'))}`);
  await until(() => answers(heard()).length === 8);
  assert.deepEqual(answers(heard()).slice(6), ['400', '200']);
  // A stranger's request is the last one.
  socket.write(`${request(bodyOf('x'), 'Bearer wrong')}${request(bodyOf('five'))}`);
  await until(() => socket.readableEnded);
  assert.deepEqual(answers(heard()).slice(8), ['401']);
  assert.equal(published.length, 13);
  socket.destroy();
});

test('what waits behind a request that is not taken yet is not read on and on', async () => {
  let release = (): void => {};
  taken = () =>
    new Promise((resolve) => {
      release = resolve;
    });
  const { socket, heard } = open();
  const one = request(bodyOf('x'.repeat(900_000)));
  socket.write(one.repeat(20));
  await until(() => published.length === 1);
  // Twenty are more than sockets hold.
  assert.ok(socket.writableLength > 0);
  for (let count = 1; count <= 20; count += 1) {
    await until(() => published.length === count);
    release();
  }
  await until(() => answers(heard()).length === 20);
  socket.destroy();
});

test('who says close, speaks HTTP/1.0 or ends his side has one answer, and then the end', async () => {
  const { socket: closing } = open();
  closing.end(request(bodyOf('a'), undefined, 'Connection: close\r\n'));
  const { socket: ending } = open();
  ending.end(request(bodyOf('b')));
  const { socket: old } = open();
  old.end(request(bodyOf('c')).replace('HTTP/1.1', 'HTTP/1.0'));
  for (const socket of [closing, ending, old]) {
    await until(() => socket.readableEnded);
    socket.destroy();
  }
  assert.equal(published.length, 3);
});

test('curl waits for 100 Continue, and hears it once', async () => {
  const { socket, heard } = open();
  const whole = request(bodyOf('late'), undefined, 'Expect: 100-continue\r\n');
  const at = whole.indexOf('\r\n\r\n') + 4;
  socket.write(whole.slice(0, at));
  await until(() => answers(heard()).length === 1);
  socket.write(whole.slice(at, at + 5));
  socket.write(whole.slice(at + 5));
  await until(() => answers(heard()).length === 2);
  assert.deepEqual(answers(heard()), ['100', '200']);
  socket.destroy();
});

test('publishers stay while strangers crowd the port; a stranger gets no room for a large body', async () => {
  const publisher = open();
  publisher.socket.write(request(bodyOf('first')));
  await until(() => answers(publisher.heard()).length === 1);
  const crowd = Array.from({ length: 150 }, () => open());
  for (const { socket } of crowd) socket.write('POST /publish HTTP/1.1\r\nHost: ');
  const large = open();
  large.socket.write(request(bodyOf('x'.repeat(100_000)), 'Bearer wrong'));
  await until(() => large.socket.readableEnded);
  assert.deepEqual(answers(large.heard()), ['401']);
  publisher.socket.write(request(bodyOf('second')));
  await until(() => answers(publisher.heard()).length === 2);
  assert.deepEqual(said(), ['123: first', '123: second']);
  for (const { socket } of [...crowd, publisher, large]) socket.destroy();
});

test('a request that is cut at any byte publishes nothing', async () => {
  const whole = request(bodyOf('x'));
  const all = await Promise.all(
    Array.from({ length: whole.length }, async (_, length) => {
      const { socket } = open();
      await happens(socket, 'connect');
      socket.end(whole.slice(0, length));
      await happens(socket, 'close');
    }),
  );
  assert.ok(all.length > 150);
  assert.deepEqual(said(), []);
  assert.equal((await publish(bodyOf('y'))).status, 200);
});

test('a publisher who stays is asked for the token with each request, and for the new one once it is read', async () => {
  const { socket, heard } = open();
  socket.write(request(bodyOf('before')));
  await until(() => answers(heard()).length === 1);
  const file = join(folder, 'token');
  rmSync(file);
  writeFileSync(file, `${TOKEN}-anew`, { mode: 0o400 });
  admin.reload();
  socket.write(request(bodyOf('behind')));
  await happens(socket, 'end');
  assert.deepEqual(answers(heard()), ['200', '401']);
  socket.destroy();
  rmSync(file);
  writeFileSync(file, TOKEN, { mode: 0o400 });
  admin.reload();
  assert.equal((await publish(bodyOf('again'))).status, 200);
  assert.deepEqual(said(), ['123: before', '123: again']);
});

test('a publisher that leaves before its answer harms nobody', async () => {
  let release = (): void => {};
  taken = () =>
    new Promise((resolve) => {
      release = resolve;
    });
  const { socket } = open();
  socket.write(request(bodyOf('x')));
  await until(() => published.length === 1);
  socket.resetAndDestroy();
  await happens(socket, 'close');
  release();
  taken = async () => {};
  assert.equal((await publish(bodyOf('y'))).text, 'Published\n');
});

test('the table of a connection in its file is what it does', () => {
  const { columns, rows } = headerTable('src/http/admin-connection.ts', 'event');
  assert.deepEqual(
    rows.map(([event]) => event),
    Object.keys(ADMIN_CONNECTION),
  );
  for (const [event, ...cells] of rows) {
    for (const [index, cell] of cells.entries()) {
      const to = ADMIN_CONNECTION[event as AdminEvent][columns[index] as AdminPhase];
      assert.equal(to ?? '', cell === SAME || cell === NEVER ? '' : cell, `${event} ${columns[index]}`);
    }
  }
});

test('an answer of text alone: a page of it could do nothing', async () => {
  const { headers } = await publish(bodyOf('x'));
  assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'/);
  assert.equal(headers.get('keep-alive'), 'timeout=60');
});
