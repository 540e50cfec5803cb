/**
 * Megaphone's side of `make bench-link`, with the arguments, input and output of `ei_subject.c`: the hidden node, the
 * gateway's writer of requests and its reader of answers, without HTTP and without the table of exchanges.
 */

import { createInterface } from 'node:readline';
import { decodeVersioned } from '../../../src/etf/decode.js';
import { readAnswer } from '../../../src/gateway/answers.js';
import { RequestEncoder } from '../../../src/gateway/requests.js';
import { Cookie } from '../../../src/node/cookie.js';
import { HiddenNode } from '../../../src/node/hidden-node.js';

const [alive = '', cookie = '', peerAlive = '', countText = '', bytes = ''] = process.argv.slice(2);
const peer = `${peerAlive}@localhost`;
const count = Number(countText);
const SLOT = 1;
const GENERATION = 0;
/** Sent in one turn, as when as many clients have something to say at once. */
const TURN = 256;

const node = await HiddenNode.start({
  name: `${alive}@localhost`,
  cookie: new Cookie(cookie),
  epmd: { port: Number(process.env.ERL_EPMD_PORT) },
});
const encoder = new RequestEncoder(node.name, node.creation);
const body = Buffer.alloc(Number(bytes), 'x');
const announcement = Buffer.from(countText);

let left = 0;
let finished = (): void => {};

node.adoptPids({
  isAlive: () => true,
  deliver: (_to, payload) => {
    const answer = readAnswer(decodeVersioned(payload));
    if (answer?.connId?.id !== SLOT || answer.connId.serial !== GENERATION) throw new Error('the ConnId');
    left -= 1;
    if (left === 0) finished();
  },
});

function sendTo(name: string, bytes: Buffer): boolean {
  return node.sendToName(peer, name, encoder.request(SLOT, GENERATION, bytes, undefined));
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
    // Refused: the peer has not read yet what waits for it.
    while (sent < end && sendTo('sink', body)) sent += 1;
    await new Promise((resolve) => setImmediate(resolve));
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
