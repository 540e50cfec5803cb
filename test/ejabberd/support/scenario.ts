/** What two people do with a chat client, whichever it is and whoever serves it. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Instance } from '../../../scripts/support/instance.js';
import { until } from '../../support/until.js';
import type { ChatClient } from './chat-client.js';

export interface Couple {
  readonly alice: ChatClient;
  readonly bob: ChatClient;
}

/** Both log in, with SCRAM and nothing weaker, and see each other's presence. */
export async function logIn({ alice, bob }: Couple): Promise<void> {
  for (const client of [alice, bob]) {
    await client.login();
    assert.match(client.mechanism, /^SCRAM-SHA-/);
    client.sendPresence();
  }
  await alice.inbox.until(() => alice.inbox.online.has(bob.jid));
  await bob.inbox.until(() => bob.inbox.online.has(alice.jid));
}

/** What else happens during an exchange, when half of the messages of one direction have arrived. */
type Event = () => Promise<void> | void;
const nothing: Event = () => {};

/** Alice sends `count` messages to bob, and when he has them all, bob as many to alice; `halfway` happens in both turns. */
export async function exchangeInTurns(
  { alice, bob }: Couple,
  count: number,
  halfway = nothing,
): Promise<void> {
  assertInOrder(await deliver(alice, bob, count, halfway));
  assertInOrder(await deliver(bob, alice, count, halfway));
}

/**
 * Both send at once; `halfway` happens when half of alice's messages are with bob. A client has two requests under way then, and
 * loses the order of their answers by itself: nothing may be lost or doubled.
 */
export async function exchangeInAnyOrder(couple: Couple, count: number, halfway = nothing): Promise<void> {
  for (const { sent, arrived } of await deliverBoth(couple, count, halfway)) {
    assert.deepEqual([...arrived].sort(), [...sent].sort());
  }
}

/** Both log out, bob after he saw alice go, and the server forgets them. */
export async function logOut(instance: Instance, { alice, bob }: Couple): Promise<void> {
  await alice.logout();
  await bob.inbox.until(() => !bob.inbox.online.has(alice.jid));
  await bob.logout();
  await until(async () => (await instance.connectedUsers()).length === 0);
}

/** Ends what a failed test left: sessions that would get the next one's messages. */
export async function throwOut(instance: Instance): Promise<void> {
  for (const { jid } of [instance.alice, instance.bob]) {
    await instance.ctl('kick_user', ...jid.split('@'));
  }
}

interface Delivery {
  readonly sent: readonly string[];
  readonly arrived: readonly string[];
}

function deliverBoth({ alice, bob }: Couple, count: number, halfway: Event): Promise<Delivery[]> {
  return Promise.all([deliver(alice, bob, count, halfway), deliver(bob, alice, count, nothing)]);
}

/** Sends numbered messages, a few at a time, so that they spread over many requests, until as many have arrived. */
async function deliver(sender: ChatClient, to: ChatClient, count: number, halfway: Event): Promise<Delivery> {
  const { inbox } = to;
  const start = inbox.messages.length;
  const arrived = (): number => inbox.messages.length - start;
  const event = inbox.until(() => arrived() >= count / 2).then(halfway);
  const bodies = Array.from({ length: count }, (_, i) => `${i} of ${count}`);
  for (const [i, body] of bodies.entries()) {
    sender.sendMessage(to.jid, body);
    if (i % 20 === 19) await sleep(50);
  }
  await event;
  await inbox.until(() => arrived() >= count);
  return { sent: bodies.map((body) => `${sender.jid}: ${body}`), arrived: inbox.messages.slice(start) };
}

function assertInOrder({ sent, arrived }: Delivery): void {
  assert.deepEqual(arrived, sent);
}
