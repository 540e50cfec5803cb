/** One client sends numbered messages to another: each must come once, and in order. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/until.js';
import type { ChatClient } from './chat-client.js';

/** Conversations so far: each has texts of its own. */
let begun = 0;

/**
 * Sends a few at a time, so that other things happen in between, and none while its client says that it is not connected.
 * @param exact without it a client may mix up what it sends again, or ask again for what it has: nothing is lost
 */
export async function converse(
  sender: ChatClient,
  to: ChatClient,
  count: number,
  { exact = true } = {},
): Promise<void> {
  const { inbox } = to;
  const start = inbox.messages.length;
  const texts = Array.from({ length: count }, (_, i) => `${begun}.${i}`);
  begun += 1;
  for (const [i, text] of texts.entries()) {
    await until(() => sender.online);
    sender.sendMessage(to.jid, text);
    if (i % 20 === 19) await sleep(20);
  }
  const sent = texts.map((text) => `${sender.jid}: ${text}`);
  const arrived = (): readonly string[] => {
    const all = inbox.messages.slice(start);
    return exact ? all : sent.filter((text) => all.includes(text));
  };
  try {
    // A page on a busy machine takes long for all, not for one more.
    while (inbox.messages.length < start + count || arrived().length < count) {
      const seen = inbox.messages.length;
      await until(() => inbox.messages.length > seen);
    }
  } finally {
    expectAll(sent, arrived(), `${sender.jid} to ${to.jid}`);
  }
}

/** @param who names the direction where something is lost, doubled or out of order */
export function expectAll(sent: readonly string[], arrived: readonly string[], who: string): void {
  const came = new Set(arrived);
  const wanted = new Set(sent);
  const wrong = {
    lost: sent.filter((text) => !came.has(text)),
    doubled: arrived.filter((text, i) => arrived.indexOf(text) !== i),
    strange: arrived.filter((text) => !wanted.has(text)),
  };
  assert.equal(tell(wrong), '', who);
  const late = arrived.findIndex((text, i) => text !== sent[i]);
  assert.ok(
    late < 0,
    `${who}: out of order from ${brief(arrived[late])} on, which came for ${brief(sent[late])}`,
  );
}

const tell = (wrong: Readonly<Record<string, readonly string[]>>): string =>
  Object.entries(wrong)
    .filter(([, texts]) => texts.length > 0)
    .map(([what, texts]) => `${texts.length} ${what} (${texts.slice(0, 5).map(brief).join(', ')} …)`)
    .join('; ');

export const brief = (text = ''): string => text.slice(0, 40);
