/** What two people do with a chat client, whichever it is and whoever serves it. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChatClient } from './chat-client.js';
import type { Instance } from './instance.js';

export interface Couple {
  readonly alice: ChatClient;
  readonly bob: ChatClient;
}

/** Both log in, with SCRAM and nothing weaker, and see each other's presence. */
export async function logIn(instance: Instance, { alice, bob }: Couple): Promise<void> {
  for (const client of [alice, bob]) {
    await client.login();
    assert.match(client.mechanism, /^SCRAM-SHA-/);
    client.sendPresence();
  }
  await alice.inbox.until(() => alice.inbox.online.has(instance.bob.jid));
  await bob.inbox.until(() => bob.inbox.online.has(instance.alice.jid));
}

/** Alice sends `count` messages to bob, and when he has them all, bob as many to alice. */
export async function exchangeInTurns(
  instance: Instance,
  { alice, bob }: Couple,
  count: number,
): Promise<void> {
  await deliver(alice, instance.alice.jid, bob, instance.bob.jid, count);
  await deliver(bob, instance.bob.jid, alice, instance.alice.jid, count);
}

/** Both send at once; `during` happens when half of alice's messages are with bob. */
export async function exchange(
  instance: Instance,
  { alice, bob }: Couple,
  count: number,
  during: () => Promise<void> | void = () => {},
): Promise<void> {
  await Promise.all([
    deliver(alice, instance.alice.jid, bob, instance.bob.jid, count, during),
    deliver(bob, instance.bob.jid, alice, instance.alice.jid, count),
  ]);
}

/** Both log out, bob after he saw alice go, and the server forgets them. */
export async function logOut(instance: Instance, { alice, bob }: Couple): Promise<void> {
  await alice.logout();
  await bob.inbox.until(() => !bob.inbox.online.has(instance.alice.jid));
  await bob.logout();
  let online = await instance.connectedUsers();
  while (online.length > 0) {
    await sleep(100);
    online = await instance.connectedUsers();
  }
}

/**
 * Sends numbered messages, a few at a time, so that they spread over many requests. Each must arrive once and in order.
 * `halfway` happens when half of them have arrived.
 */
async function deliver(
  sender: ChatClient,
  from: string,
  { inbox }: ChatClient,
  to: string,
  count: number,
  halfway: () => Promise<void> | void = () => {},
): Promise<void> {
  const start = inbox.messages.length;
  const arrived = (): number => inbox.messages.length - start;
  const event = inbox.until(() => arrived() >= count / 2).then(halfway);
  const sent = Array.from({ length: count }, (_, i) => ({ from, body: `${i} of ${count}` }));
  for (const [i, { body }] of sent.entries()) {
    sender.sendMessage(to, body);
    if (i % 20 === 19) await sleep(50);
  }
  await event;
  await inbox.until(() => arrived() >= count);
  assert.deepEqual(inbox.messages.slice(start), sent);
}
