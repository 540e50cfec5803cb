/** Two accounts of a load (scripts/chaos/person.ts) that are logged in with strophe.js. */
import assert from 'node:assert/strict';
import { nameOf, PASSWORD } from '../../../scripts/chaos/person.js';
import type { ChatClient } from './chat-client.js';
import type { Couple } from './scenario.js';
import { strophe } from './strophe-client.js';

/** @param first the number of the first of them */
export async function stropheCouple(url: string, first: number): Promise<Couple> {
  const people = [first, first + 1].map(
    (n): ChatClient => strophe(url, { jid: `${nameOf(n)}@localhost`, password: PASSWORD }),
  );
  for (const person of people) {
    await person.login();
    person.sendPresence();
    // What comes in the instant in which ejabberd empties its storage for somebody is lost.
    await person.inbox.until(() => person.inbox.online.has(person.jid));
  }
  const [alice, bob] = people;
  assert.ok(alice && bob);
  return { alice, bob };
}
