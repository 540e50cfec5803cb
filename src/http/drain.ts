/** WebSockets when this gateway stops: each is told to go, and not all at once, for they all come back somewhere. */

import { setTimeout } from 'node:timers/promises';
import { escapeXml } from './host-meta.js';

/** Milliseconds between two parts of them. */
const STEP_MS = 10;

interface Time {
  /** Milliseconds, never running backwards. */
  now(): number;
  sleep(milliseconds: number): Promise<unknown>;
}
const TIME: Time = { now: () => performance.now(), sleep: (milliseconds) => setTimeout(milliseconds) };

/** What is said before (RFC 7395 §3.6.1); `undefined`: nothing. */
export const seeOther = (uri: string): Buffer | undefined =>
  uri === ''
    ? undefined
    : Buffer.from(`<close xmlns='urn:ietf:params:xml:ns:xmpp-framing' see-other-uri='${escapeXml(uri)}'/>`);

/** Resolves when all were told, evenly over so many seconds. */
export async function drain(
  sockets: readonly { stop(): void }[],
  seconds: number,
  time = TIME,
): Promise<void> {
  const start = time.now();
  let told = 0;
  while (told < sockets.length) {
    const part = seconds === 0 ? 1 : (time.now() - start) / (1000 * seconds);
    const due = Math.min(sockets.length, Math.ceil(part * sockets.length));
    for (; told < due; told += 1) sockets[told]?.stop();
    if (told < sockets.length) await time.sleep(STEP_MS);
  }
}
