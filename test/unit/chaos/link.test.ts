/** A relay between a gateway and a node, on real sockets: what it does to bytes is what networks do. */
import assert from 'node:assert/strict';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, test } from 'node:test';
import { Link } from '../../../scripts/chaos/link.js';
import { Namespace } from '../../../scripts/chaos/namespace.js';
import { here } from '../../../scripts/chaos/place.js';
import { within } from '../../../scripts/support/within.js';
import { happens, until } from '../../support/until.js';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

interface Ends {
  readonly link: Link;
  readonly near: Socket;
  readonly far: Socket;
  /** Another connection. */
  readonly again: () => Socket;
}

async function ends(): Promise<Ends> {
  const target = createServer().listen(0, '127.0.0.1');
  const server = createServer().listen(0, '127.0.0.1');
  target.on('connection', (socket) => socket.on('error', () => {}));
  await Promise.all([happens(target, 'listening'), happens(server, 'listening')]);
  const link = new Link(server, (port) => here.connect(port));
  link.target = (target.address() as AddressInfo).port;
  const sockets: Socket[] = [];
  const again = (): Socket => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => {});
    sockets.push(socket);
    return socket;
  };
  const near = again();
  const [far] = (await happens(target, 'connection')) as [Socket];
  await until(() => link.connections === 1);
  closing.push(() => {
    link.close();
    target.close();
    for (const socket of [...sockets, far]) socket.destroy();
  });
  return { link, near, far, again };
}

/** Whatever error it heard. */
const gone = (socket: Socket): Promise<unknown> =>
  within(new Promise((resolve) => socket.once('close', resolve)), () => 'the end of a connection');

async function read(socket: Socket, count: number): Promise<string> {
  let text = '';
  while (text.length < count) text += String((await happens(socket, 'data'))[0]);
  return text;
}

test('passes bytes on, both ways', async () => {
  const { near, far } = await ends();
  near.write('ping');
  assert.equal(await read(far, 4), 'ping');
  far.write('pong');
  assert.equal(await read(near, 4), 'pong');
});

test('holds one direction, and lets all of it go later, while the other goes on', async () => {
  const { link, near, far } = await ends();
  link.treat('there', { kind: 'hold' });
  let arrived = '';
  far.on('data', (chunk) => {
    arrived += chunk;
  });
  near.write('held');
  far.write('goes on');
  assert.equal(await read(near, 7), 'goes on');
  assert.equal(arrived, '');
  link.treat('there', { kind: 'pass' });
  while (arrived.length < 4) await happens(far, 'data');
  assert.equal(arrived, 'held');
});

test('keeps the order of what it delays, and of what follows', async () => {
  const { link, near, far } = await ends();
  link.treat('both', { kind: 'delay', ms: 20 });
  near.write('1');
  near.write('2');
  setTimeout(() => {
    link.treat('both', { kind: 'pass' });
    near.write('3');
  }, 5);
  assert.equal(await read(far, 3), '123');
});

test('cuts a connection whose bytes it dropped, and no other', async () => {
  const { link, near, far } = await ends();
  link.treat('there', { kind: 'drop' });
  link.treat('there', { kind: 'pass' });
  near.write('nothing was dropped');
  await read(far, 19);
  link.treat('there', { kind: 'drop' });
  near.write('dropped');
  far.write('told');
  await read(near, 4);
  while (link.dropped < 7) await new Promise(setImmediate);
  const closed = gone(far);
  link.treat('there', { kind: 'pass' });
  await closed;
  assert.equal(far.bytesRead, 19);
});

test('cuts, and takes new connections', async () => {
  const { link, near, far, again } = await ends();
  const both = Promise.all([gone(near), gone(far)]);
  link.cut();
  await both;
  assert.equal(link.connections, 0);
  again().write('more');
  await until(() => link.connections === 1);
});

test('is down until it is up again', async () => {
  const { link, near, far, again } = await ends();
  const both = Promise.all([gone(near), gone(far)]);
  link.down(true);
  await both;
  await gone(again());
  assert.equal(link.connections, 0);
  link.down(false);
  again();
  await until(() => link.connections === 1);
});

test('of two network namespaces, reaches the one from the other, which nobody else does', async (t) => {
  const made = await Promise.all([Namespace.make(), Namespace.make()]).catch((error: Error) => error.message);
  if (typeof made === 'string') return t.skip(made);
  const [home, abroad] = made;
  const target = await abroad.listen();
  const opened = await home.listen();
  const link = new Link(opened.server, (port) => abroad.connect(port));
  link.target = target.port;
  closing.push(() => {
    link.close();
    target.server.close();
    for (const place of made) place.close();
  });
  await assert.rejects(home.connect(target.port), /nobody listens/);
  await assert.rejects(here.connect(target.port), /ECONNREFUSED/);
  const arrived = happens(target.server, 'connection');
  const near = await home.connect(opened.port);
  const [far] = (await arrived) as [Socket];
  for (const socket of [near, far]) socket.on('error', () => {});
  near.write('ping');
  assert.equal(await read(far, 4), 'ping');
  far.write('pong');
  near.resume();
  assert.equal(await read(near, 4), 'pong');
});
