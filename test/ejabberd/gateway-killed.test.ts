/**
 * A gateway holds nothing that cannot be lost: killed in the middle of an exchange and started again,
 * it serves the same sessions, and no message is lost or doubled.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { MakeClient } from './support/chat-client.js';
import { Instance } from './support/instance.js';
import {
  type Couple,
  exchangeInAnyOrder,
  exchangeInTurns,
  logIn,
  logOut,
  throwOut,
} from './support/scenario.js';
import { stanza } from './support/stanza-client.js';
import { strophe } from './support/strophe-client.js';

let instance: Instance;
before(async () => {
  instance = await Instance.start();
});
after(() => instance.stop());

const couples: readonly (readonly [string, MakeClient, MakeClient])[] = [
  ['Strophe', strophe, strophe],
  ['stanza', stanza, stanza],
  ['Strophe with stanza', strophe, stanza],
];

for (const [name, makeAlice, makeBob] of couples) {
  describe(`${name}, while the gateway is killed`, { timeout: 300_000 }, () => {
    let couple: Couple;
    before(() => {
      const url = instance.gatewayUrl;
      couple = { alice: makeAlice(url, instance.alice), bob: makeBob(url, instance.bob) };
    });

    after(() => throwOut(instance));

    async function killAndStart(): Promise<void> {
      await instance.killGateway();
      await instance.startGateway();
    }

    it('logs in', () => logIn(couple));

    it('gets every message once and in order, in the same session', async () => {
      const sids = [couple.alice.sid, couple.bob.sid];
      await exchangeInTurns(couple, 200, killAndStart);
      assert.deepEqual([couple.alice.sid, couple.bob.sid], sids);
    });

    // When both requests of a client die with the gateway, stanza repeats each after a random time, and takes the
    // answers as they come.
    it('gets every message once when both send at once, in the same session', async () => {
      const sids = [couple.alice.sid, couple.bob.sid];
      await exchangeInAnyOrder(couple, 1000, killAndStart);
      assert.deepEqual([couple.alice.sid, couple.bob.sid], sids);
    });

    it('logs out', () => logOut(instance, couple));
  });
}
