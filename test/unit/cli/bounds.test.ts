/** `megaphone check URL` against servers that send without end, or nothing: it lets go of them, and says so. */

import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { type TestContext, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { checkUrl } from '../../../src/cli/check-url.js';
import { BoshLink } from '../../../src/cli/endpoint/bosh-link.js';
import { Bounds } from '../../../src/cli/endpoint/bounds.js';
import { elementIn } from '../../../src/cli/endpoint/element.js';
import { hostMeta } from '../../../src/cli/endpoint/host-meta.js';
import { mechanismsOf } from '../../../src/cli/endpoint/login.js';
import { reach } from '../../../src/cli/endpoint/reach.js';
import { linesOf } from '../../../src/cli/finding.js';
import { happens } from '../../support/until.js';
import { portOf } from './stranger.js';

async function stranger(
  t: TestContext,
  answer: RequestListener,
  sendsMessage?: () => string,
): Promise<string> {
  const server = createServer(answer);
  t.after(() => server.close().closeAllConnections());
  if (sendsMessage !== undefined) {
    const sockets = new WebSocketServer({ server, handleProtocols: () => 'xmpp', perMessageDeflate: true });
    sockets.on('connection', (socket) => {
      socket.on('error', () => {});
      const send = (): void => {
        if (socket.readyState === socket.OPEN) socket.send(sendsMessage(), () => setImmediate(send));
      };
      send();
    });
  }
  return `http://127.0.0.1:${await portOf(server)}`;
}

async function check(url: string): Promise<string> {
  const lines: string[] = [];
  const account = { user: undefined, domain: 'localhost', password: '' };
  const origin = new URL(url.replace('ws', 'http')).origin;
  for await (const finding of checkUrl({ url: new URL(url), account, origin }))
    lines.push(...linesOf(finding));
  return lines.join('\n');
}

const CHUNK = Buffer.alloc(65_536, 'a');
/** As much as it is let send; ended by the other side only. */
const endless: RequestListener = (request, response) => {
  request.resume();
  const more = (): void => {
    while (response.write(CHUNK));
  };
  response.on('drain', more);
  more();
};
const TOO_MUCH = 'more than 1 MB was answered\n  → no XMPP server says so much: ';

test('an endless host-meta, and an endless answer to BOSH', { timeout: 60_000 }, async (t) => {
  const said = await check(await stranger(t, endless));
  assert.ok(said.includes(`✘ host-meta: ${TOO_MUCH}`), said);
  assert.match(said, /✘ BOSH: open the stream: more than 1 MB was answered .*\n {2}→ no XMPP/);
});

test('WebSocket messages without end', { timeout: 60_000 }, async (t) => {
  const origin = await stranger(t, endless, () => 'a'.repeat(10_000));
  const said = await check(`${origin.replace('http', 'ws')}/ws`);
  assert.match(said, /✘ WebSocket: open the stream: more than 1 MB was answered .*\n {2}→ no XMPP/);
});

test('a WebSocket message of more than 1 MB, that is small before it is unpacked', {
  timeout: 60_000,
}, async (t) => {
  const origin = await stranger(t, endless, () => 'a'.repeat(2_000_000));
  const said = await check(`${origin.replace('http', 'ws')}/ws`);
  assert.match(said, /✘ WebSocket: open the stream: a message of more than 1 MB came, .*\n {2}→ no XMPP/);
});

const LATE = { message: 'no answer for 0.3 s', hint: /^something on the way keeps it/ };

const SLOW: Readonly<Record<string, RequestListener>> = {
  'says nothing': (request) => request.resume(),
  'says a little, now and then': (request, response) => {
    request.resume();
    const drip = setInterval(() => response.write(' '), 10);
    response.on('close', () => clearInterval(drip));
  },
};
for (const [what, answer] of Object.entries(SLOW)) {
  test(`a server that ${what} is let go of in time`, { timeout: 60_000 }, async (t) => {
    const gone: Promise<unknown>[] = [];
    const origin = await stranger(t, (request, response) => {
      gone.push(happens(response, 'close'));
      answer(request, response);
    });
    await assert.rejects(hostMeta(new URL(origin), new Bounds(300)), LATE);
    const bounds = new Bounds(300);
    const link = new BoshLink(new URL('/bosh', origin), origin, 'localhost', bounds);
    await assert.rejects(
      bounds.step(() => link.open()),
      LATE,
    );
    await Promise.all(gone);
  });
}

test('a TLS handshake that is not answered is given up', { timeout: 60_000 }, async (t) => {
  const { createServer: createTcp } = await import('node:net');
  let gone: Promise<unknown> | undefined;
  const server = createTcp((socket) => {
    socket.resume();
    gone = happens(socket, 'close');
  });
  t.after(() => server.close());
  const url = new URL(`https://127.0.0.1:${await portOf(server)}`);
  const bounds = new Bounds(200);
  await assert.rejects(
    bounds.step(() => reach(url, bounds.signal)),
    { message: 'no answer for 0.2 s' },
  );
  await gone;
});

test('an element is found with its prefix, attributes and contents', () => {
  assert.deepEqual(elementIn("x<a/><s:b c='d'>e<f/></s:b>", 'b|g'), {
    name: 'b',
    prefix: 's',
    attributes: " c='d'",
    inner: 'e<f/>',
    text: "<s:b c='d'>e<f/></s:b>",
  });
  assert.equal(elementIn("<a id='1'>x</a><a id='2'/>", 'a', / id='2'/)?.text, "<a id='2'/>");
  assert.equal(elementIn('<ab>x</ab>', 'a'), undefined);
  assert.deepEqual(mechanismsOf('<mechanisms/>'), []);
});

test('a look through starts without an end does not take the square of their number', {
  timeout: 60_000,
}, () => {
  for (const start of ['<a>', '<a ', "<a id='1'", "<a id='1'>"])
    assert.equal(elementIn(start.repeat(1_000_000 / start.length), 'a', / id='1'/), undefined);
});
