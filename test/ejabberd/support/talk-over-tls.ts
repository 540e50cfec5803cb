/**
 * Two couples with strophe.js that talk through a proxy over TLS, one over BOSH and one over WebSocket: a process of its own, for
 * NODE_EXTRA_CA_CERTS is read at its start. It tells its parent how often both have had their turn, until that tells it to end:
 * then everybody must be in the session that he began with.
 *
 *   talk-over-tls.js PORT NUMBER     of the first of four accounts (scripts/chaos/person.ts)
 */
import assert from 'node:assert/strict';
import { converse } from './conversation.js';
import { type Couple, exchangeInAnyOrder } from './scenario.js';
import { stropheCouple } from './strophe-couple.js';
import { XmlHttpRequest } from './xml-http-request.js';

/** What it tells. */
export interface Told {
  /** Turns of the couple that had fewer. */
  readonly turns: number;
  /** Of the answers over BOSH, and how many had it; 0 where there was none. */
  readonly statuses: Readonly<Record<number, number>>;
}

const [port, number] = process.argv.slice(2).map(Number) as [number, number];
const turns = [0, 0];
const statuses: Record<number, number> = {};
let isOver = false;

class Counted extends XmlHttpRequest {
  constructor() {
    super();
    this.addEventListener('loadend', () => {
      statuses[this.status] = (statuses[this.status] ?? 0) + 1;
    });
  }
}
Object.assign(globalThis, { XMLHttpRequest: Counted });

async function talk(which: number, { alice, bob }: Couple, turn: () => Promise<unknown>): Promise<void> {
  const sids = [alice.sid, bob.sid];
  while (!isOver) {
    await turn();
    turns[which] = (turns[which] ?? 0) + 1;
    process.send?.({ turns: Math.min(...turns), statuses } satisfies Told);
  }
  assert.deepEqual([alice.sid, bob.sid], sids);
  await Promise.all([alice.logout(), bob.logout()]);
}

process.once('message', () => {
  isOver = true;
});
process.on('disconnect', () => process.exit(1));
const [bosh, webSocket] = await Promise.all([
  stropheCouple(`https://localhost:${port}/bosh`, number),
  stropheCouple(`wss://localhost:${port}/ws`, number + 2),
]);
await Promise.all([
  // Over BOSH strophe.js takes two answers as they come, which on a busy machine need not be as they left.
  talk(0, bosh, () => exchangeInAnyOrder(bosh, 20)),
  talk(1, webSocket, () =>
    Promise.all([converse(webSocket.alice, webSocket.bob, 10), converse(webSocket.bob, webSocket.alice, 10)]),
  ),
]);
process.exit();
