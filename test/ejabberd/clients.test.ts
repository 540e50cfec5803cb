/**
 * Real web chat clients do the same things through ejabberd's own BOSH and through the gateway.
 * None of them knows which of the two it talks to.
 *
 * When messages come and go at once, a client has two requests under way, and these clients take the two answers as
 * they come, not in the order of their rids. ejabberd's own BOSH sends each from a process of its own, so that one may
 * overtake the other; the gateway sends them in order, which a busy client may not see. So both at once is tested with
 * the gateway alone, and without the order.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Instance } from '../../scripts/support/instance.js';
import { COUPLES } from './support/couples.js';
import { CuttingProxy } from './support/cutting-proxy.js';
import {
  type Couple,
  exchangeInAnyOrder,
  exchangeInTurns,
  logIn,
  logOut,
  throwOut,
} from './support/scenario.js';

const MESSAGES = 400;

let instance: Instance;
before(async () => {
  instance = await Instance.start();
});
after(() => instance.stop());

const servers = [
  ['ejabberd', () => instance.ejabberdUrl],
  ['the gateway', () => instance.gatewayUrl],
] as const;

for (const [server, url] of servers) {
  for (const [name, makeAlice, makeBob] of COUPLES) {
    describe(`${name} through ${server}`, { timeout: 300_000 }, () => {
      let proxy: CuttingProxy;
      let couple: Couple;
      before(async () => {
        proxy = await CuttingProxy.start(url());
        couple = { alice: makeAlice(proxy.url, instance.alice), bob: makeBob(proxy.url, instance.bob) };
      });
      after(async () => {
        await throwOut(instance);
        proxy.stop();
      });

      it('logs in with SCRAM and exchanges presence', () => logIn(couple));

      it(`exchanges ${MESSAGES} messages each way`, () => exchangeInTurns(couple, MESSAGES));

      it('goes on in the same session after the network cut every connection', async () => {
        const sids = [couple.alice.sid, couple.bob.sid];
        proxy.cut();
        await exchangeInTurns(couple, 40);
        assert.deepEqual([couple.alice.sid, couple.bob.sid], sids);
      });

      if (server === 'the gateway') {
        it(`exchanges ${MESSAGES} messages each way at once, and the network cuts every connection meanwhile`, async () => {
          const sids = [couple.alice.sid, couple.bob.sid];
          await exchangeInAnyOrder(couple, MESSAGES, () => proxy.cut());
          assert.deepEqual([couple.alice.sid, couple.bob.sid], sids);
        });
      }

      it('logs out', () => logOut(instance, couple));

      it('logs in again, into new sessions', async () => {
        const sids = [couple.alice.sid, couple.bob.sid];
        await logIn(couple);
        assert.notEqual(couple.alice.sid, sids[0]);
        assert.notEqual(couple.bob.sid, sids[1]);
        await exchangeInTurns(couple, 20);
        await logOut(instance, couple);
      });
    });
  }
}
