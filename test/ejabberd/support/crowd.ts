/** Many who chat for a while, as people do: now more, now fewer; some over BOSH. For pictures, not for figures. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Instance } from '../../../scripts/support/instance.js';
import { BoshSession } from '../conformance/bosh-session.js';
import { WebSocketSession } from './websocket-session.js';

const TALKERS = 60;
const LISTENERS = 25;
/** A second. */
const FEWEST = 40;
const MOST = 160;

/** Until the signal comes. */
export async function chat(instance: Instance, { signal }: AbortController): Promise<void> {
  const listeners: BoshSession[] = [];
  const talkers: WebSocketSession[] = [];
  let turn = 0;
  while (!signal.aborted) {
    if (talkers.length < TALKERS) talkers.push(await WebSocketSession.login(instance.gatewayWebSocketUrl));
    if (listeners.length < LISTENERS) {
      const session = await BoshSession.login(instance.gatewayUrl);
      listeners.push(session);
      listen(session);
    }
    // Somebody always goes, and somebody comes.
    if (turn % 50 === 49) await talkers.shift()?.leave();
    const rate = FEWEST + (MOST - FEWEST) * Math.sin(turn / 90) ** 2;
    const [from, to] = [0, 1].map(() => talkers[Math.floor(Math.random() * talkers.length)]);
    from?.send(
      `<message xmlns='jabber:client' type='chat' to='${to?.jid}'><body>${'hello '.repeat(turn % 40)}</body></message>`,
    );
    turn += 1;
    await sleep(1000 / rate);
  }
  for (const one of talkers) one.cut();

  function listen(session: BoshSession): void {
    session.next().answer.then(
      ({ status }) => !signal.aborted && status === 200 && listen(session),
      () => {},
    );
  }
}
