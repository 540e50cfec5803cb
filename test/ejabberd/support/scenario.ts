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

/**
 * Each sends `count` numbered messages to the other, a few at a time, so that they spread over many requests;
 * `during` happens when half of alice's are with bob. Every message must arrive once and in order.
 */
export async function exchange(
  instance: Instance,
  { alice, bob }: Couple,
  count: number,
  during: () => Promise<void> | void = () => {},
): Promise<void> {
  const fromAlice = { from: instance.alice.jid, bodies: numbered('alice', count) };
  const fromBob = { from: instance.bob.jid, bodies: numbered('bob', count) };
  const before = { alice: alice.inbox.messages.length, bob: bob.inbox.messages.length };
  const received = (client: ChatClient, start: number): number => client.inbox.messages.length - start;

  const halfway = bob.inbox.until(() => received(bob, before.bob) >= count / 2).then(during);
  await Promise.all([
    sendAll(alice, instance.bob.jid, fromAlice.bodies),
    sendAll(bob, instance.alice.jid, fromBob.bodies),
  ]);
  await halfway;
  await Promise.all([
    bob.inbox.until(() => received(bob, before.bob) >= count),
    alice.inbox.until(() => received(alice, before.alice) >= count),
  ]);
  assertInOrder(bob, before.bob, fromAlice);
  assertInOrder(alice, before.alice, fromBob);
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

const numbered = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${name} ${i} of ${count}`);

async function sendAll(client: ChatClient, to: string, bodies: readonly string[]): Promise<void> {
  for (const [i, body] of bodies.entries()) {
    client.sendMessage(to, body);
    if (i % 20 === 19) await sleep(50);
  }
}

function assertInOrder(
  client: ChatClient,
  start: number,
  sent: { from: string; bodies: readonly string[] },
): void {
  const arrived = client.inbox.messages.slice(start);
  assert.deepEqual(
    arrived,
    sent.bodies.map((body) => ({ from: sent.from, body })),
  );
}
