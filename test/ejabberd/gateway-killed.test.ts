/**
 * A gateway holds nothing that cannot be lost: killed in the middle of an exchange and started again,
 * it serves the same sessions, and no message is lost or doubled.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { MakeClient } from './support/chat-client.js';
import { Instance } from './support/instance.js';
import { type Couple, exchange, logIn, logOut } from './support/scenario.js';
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
  describe(`${name}, while the gateway is killed`, { timeout: 180_000 }, () => {
    let couple: Couple;
    before(() => {
      const url = instance.gatewayUrl;
      couple = { alice: makeAlice(url, instance.alice), bob: makeBob(url, instance.bob) };
    });

    it('goes on in the same session, with every message once and in order', async () => {
      await logIn(instance, couple);
      const sids = [couple.alice.sid, couple.bob.sid];
      await exchange(instance, couple, 1000, async () => {
        await instance.killGateway();
        await instance.startGateway();
      });
      assert.deepEqual([couple.alice.sid, couple.bob.sid], sids);
      assert.ok(couple.alice.online && couple.bob.online);
      await logOut(instance, couple);
    });
  });
}
