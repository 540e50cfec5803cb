/**
 * Megaphone's side of `make bench-link`, with the arguments, input and output of `ei_subject.c` (and behind those the three
 * files with which it speaks TLS, where it does): the hidden node, the
 * gateway's writer of requests and its reader of answers, without HTTP and without the table of exchanges.
 */

import { createInterface } from 'node:readline';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { AnswerReader } from '../../../src/gateway/answer-reader.js';
import { RequestEncoder } from '../../../src/gateway/requests.js';
import { Cookie } from '../../../src/node/cookie.js';
import { HiddenNode } from '../../../src/node/hidden-node.js';
import { TlsCredentials } from '../../../src/node/tls-credentials.js';

const [alive = '', cookie = '', peerAlive = '', countText = '', bytes = '', ...tlsFiles] =
  process.argv.slice(2);
const peer = `${peerAlive}@localhost`;
const count = Number(countText);
const [cert, key = '', ca = ''] = tlsFiles;
const SLOT = 1;
const GENERATION = 0;
/** Sent in one turn, as when as many clients have something to say at once. */
const TURN = 256;

const node = await HiddenNode.start({
  name: `${alive}@localhost`,
  cookie: new Cookie(cookie),
  epmd: { port: Number(process.env.ERL_EPMD_PORT) },
  ...(cert === undefined ? {} : { tls: new TlsCredentials({ cert, key, ca }) }),
  // Far more than a socket takes: the connection never runs dry.
  maxQueuedBytes: 4 * 1024 * 1024,
});
const encoder = new RequestEncoder(node.name, node.creation);
const answers = new AnswerReader(node.name, node.creation);
const body = Buffer.alloc(Number(bytes), 'x');
const announcement = Buffer.from(countText);

let left = 0;
let finished = (): void => {};

node.adoptPids({
  isAlive: () => true,
  deliver: (_to, received, start, end) => {
    const answer = answers.read(received, start, end);
    if (answer?.connId.id !== SLOT || answer.connId.serial !== GENERATION) throw new Error('the ConnId');
    left -= 1;
    if (left === 0) finished();
  },
});

function sendTo(name: string, bytes: Buffer): boolean {
  return node.sendToName(peer, name, encoder.requestHead(SLOT, GENERATION, bytes.length, false), bytes);
}

/** Resolves with the last of that many messages. */
function messages(expected: number): Promise<void> {
  left = expected;
  return new Promise((resolve) => {
    finished = resolve;
  });
}

function receive(): Promise<void> {
  sendTo('source', announcement);
  return messages(count);
}

async function send(): Promise<void> {
  const all = messages(1);
  sendTo('sink', announcement);
  for (let sent = 0; sent < count; ) {
    const end = Math.min(count, sent + TURN);
    while (sent < end && sendTo('sink', body)) sent += 1;
    // Refused: the peer has not read yet what waits for it.
    await (sent < end ? sleep(1) : nextTurn());
  }
  await all;
}

await node.connect(peer);
process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  const [begin, cpu] = [performance.now(), process.cpuUsage()];
  await (line === 'receive' ? receive() : send());
  const { user, system } = process.cpuUsage(cpu);
  process.stdout.write(`${(performance.now() - begin) / 1e3} ${(user + system) / 1e6}\n`);
}
await node.stop();
