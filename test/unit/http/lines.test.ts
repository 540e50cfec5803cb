/** The port for lines over real sockets: nothing is answered where all is well, and nothing is lost by who does not wait for an answer. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { LinesServer } from '../../../src/http/lines-server.js';
import type { Read } from '../../../src/outside/line-reader.js';
import { happens, until } from '../../support/until.js';

let said: string[] = [];
const aMoment = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));
let wait = aMoment;
const desk = {
  say: async (line: Read) => {
    await wait();
    said.push(typeof line === 'string' ? line : line.code);
    return typeof line === 'string' && !line.startsWith('bad') ? undefined : 'it is bad';
  },
};
let server: LinesServer;
before(async () => {
  server = await LinesServer.listen('127.0.0.1', 0, desk);
});
after(() => server.close());
beforeEach(() => {
  said = [];
  wait = aMoment;
});

async function open(to = server): Promise<{ socket: Socket; heard: () => string }> {
  const socket = connect({ port: to.port, host: '127.0.0.1', allowHalfOpen: true });
  let all = '';
  socket.on('error', () => {});
  socket.setEncoding('utf8').on('data', (data) => {
    all += data;
  });
  await happens(socket, 'connect');
  return { socket, heard: () => all };
}

test('lines are said in their order, and nothing is answered; the last may lack its end', async () => {
  const { socket, heard } = await open();
  socket.write('one\r\ntwo\n\nth');
  await until(() => said.length === 2);
  socket.end('ree');
  await happens(socket, 'close');
  assert.deepEqual(said, ['one', 'two', 'three']);
  assert.equal(heard(), '');
});

test('what is wrong is answered with the number of its line: while the connection goes on, and at its end', async () => {
  const { socket, heard } = await open();
  socket.write(`fine\nbad\n${'x'.repeat(10_000)}\n`);
  await until(() => heard() === 'line 2: it is bad\nline 3: it is bad\n');
  socket.end('bad\n');
  await happens(socket, 'close');
  assert.equal(heard(), 'line 2: it is bad\nline 3: it is bad\nline 4: it is bad\n');
});

test('a request of HTTP, as any page has a browser send it, or anything but lines of text: nothing is said', async () => {
  const head = 'Host: localhost:12345\r\nOrigin: https://evil.example\r\n\r\n';
  for (const [begin, what] of [
    ['POST / HTTP/1.1\r\n', 'HTTP'],
    ['patch /x?%ln HTTP/1.0\r\n', 'HTTP of any method'],
    [`GET /${'x'.repeat(10_000)} HTTP/1.1\r\n`, 'a long request line'],
    ['\x16\x03\x01\x0a', 'TLS'],
    ['\xff\n', 'no UTF-8'],
  ] as const) {
    const { socket, heard } = await open();
    socket.write(Buffer.from(`${begin}${head}%ln csrf\n#ops `, 'latin1'));
    socket.end('and more\n'.repeat(1000));
    await happens(socket, 'close');
    // What of it was not read when it ended may cost it the answer.
    assert.ok(['', 'line 1: it is bad\n'].includes(heard()), what);
  }
  assert.deepEqual(said, Array(5).fill('OUTSIDE_NO_LINES'));
  await assert.rejects(
    fetch(`http://127.0.0.1:${server.port}`, { method: 'POST', body: '%ln csrf\n#ops x' }),
  );
  assert.deepEqual(said, Array(6).fill('OUTSIDE_NO_LINES'));
});

test('of many that are wrong some are told, and how many more there are', async () => {
  const { socket, heard } = await open();
  socket.end('bad\n'.repeat(250));
  await happens(socket, 'close');
  const told = heard().trim().split('\n');
  assert.equal(told.length, 101);
  assert.equal(told.at(-1), 'and 150 more lines');
});

test('who leaves at once, as nc -q0 does, has all its lines said, also behind one that is wrong', async () => {
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  wait = () => released;
  const { socket } = await open();
  const lines = Array.from({ length: 900 }, (_, at) => `${at % 7 === 0 ? 'bad' : 'line'} ${at}`);
  const padding = ' '.repeat(500);
  // More than is read at once: the rest waits in the kernel, when its sender is gone.
  socket.end(lines.map((line) => `${line}${padding}\n`).join(''), () => socket.destroy());
  await happens(socket, 'close');
  release();
  await until(() => said.length === lines.length);
  assert.deepEqual(
    said.map((line) => line.trim()),
    lines,
  );
});

test('a sender that is faster than its lines are said waits; another one does not wait for it', async () => {
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const own = await LinesServer.listen('127.0.0.1', 0, {
    say: async (line) => {
      if (line !== 'hello') await released;
      return desk.say(line);
    },
  });
  const fast = await open(own);
  const chunk = `${'x'.repeat(1000)}\n`.repeat(1000);
  for (let count = 0; count < 10; count += 1) fast.socket.write(chunk);
  await until(() => fast.socket.writableLength > 0);
  const other = await open(own);
  other.socket.end('hello\n');
  await happens(other.socket, 'close');
  assert.deepEqual(said, ['hello']);
  assert.ok(fast.socket.writableLength > 0);
  fast.socket.resetAndDestroy();
  release();
  await own.close();
});

test('a hundred who stay, silent or with half a line, keep nobody out: the longest silent makes room, and is told', async () => {
  const heard: Read[] = [];
  const own = await LinesServer.listen('127.0.0.1', 0, {
    say: async (line) => {
      heard.push(line);
      return undefined;
    },
  });
  const [first, second, ...others] = await Promise.all(Array.from({ length: 100 }, () => open(own)));
  assert.ok(first && second);
  for (const { socket } of others) socket.write('a line\nand half a line');
  await until(() => heard.length === 98);
  second.socket.write('a line\n');
  await until(() => heard.length === 99);
  first.socket.write('a line\n');
  await until(() => heard.length === 100);
  for (let count = 1; count <= 30; count += 1) {
    const { socket } = await open(own);
    socket.end('hello\n');
    await happens(socket, 'close');
  }
  assert.equal(heard.filter((line) => line === 'hello').length, 30);
  const cut = [first, second, ...others].filter((one) => one.heard() !== '');
  assert.equal(cut.length, 1);
  assert.equal(cut[0]?.heard(), 'as many send lines as may: 100\n');
  assert.ok(cut[0] !== first && cut[0] !== second);
  for (const { socket } of [first, second, ...others]) socket.destroy();
  await own.close();
});

test('where all of a hundred have lines being said, one more is told so', async () => {
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let asked = 0;
  const own = await LinesServer.listen('127.0.0.1', 0, {
    say: async () => {
      asked += 1;
      await released;
      return undefined;
    },
  });
  const all = await Promise.all(Array.from({ length: 100 }, () => open(own)));
  for (const { socket } of all) socket.write('a line\n');
  await until(() => asked === 100);
  const one = await open(own);
  await until(() => one.heard() !== '');
  assert.equal(one.heard(), 'as many send lines as may: 100\n');
  release();
  for (const { socket } of [...all, one]) socket.destroy();
  await own.close();
});

test('close: what has come is said before', async () => {
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const heard: Read[] = [];
  const own = await LinesServer.listen('127.0.0.1', 0, {
    say: async (line) => {
      heard.push(line);
      await released;
      return undefined;
    },
  });
  const { socket } = await open(own);
  socket.write('one\ntwo\n');
  await until(() => heard.length === 1);
  const closed = own.close();
  release();
  await closed;
  assert.deepEqual(heard, ['one', 'two']);
  socket.destroy();
});
