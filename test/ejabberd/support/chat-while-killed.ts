/** Real clients chat while something in their way is killed: they go on in their sessions, nothing is lost or doubled. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Instance } from '../../../scripts/support/instance.js';
import { COUPLES } from './couples.js';
import { type Couple, exchangeInAnyOrder, exchangeInTurns, logIn, logOut, throwOut } from './scenario.js';

/**
 * @param what is killed, for the tests' names
 * @param kill resolves when it is there again
 */
export function chatWhileKilled(what: string, instance: () => Instance, kill: () => Promise<void>): void {
  for (const [name, makeAlice, makeBob] of COUPLES) {
    describe(`${name}, while ${what} is killed`, { timeout: 300_000 }, () => {
      let couple: Couple;
      before(() => {
        const { gatewayUrl, alice, bob } = instance();
        couple = { alice: makeAlice(gatewayUrl, alice), bob: makeBob(gatewayUrl, bob) };
      });

      after(() => throwOut(instance()));

      it('logs in', () => logIn(couple));

      it('gets every message once and in order, in the same session', async () => {
        const sids = [couple.alice.sid, couple.bob.sid];
        await exchangeInTurns(couple, 200, kill);
        assert.deepEqual([couple.alice.sid, couple.bob.sid], sids);
      });

      // When both requests of a client die, stanza repeats each after a random time, and takes the answers as they come.
      it('gets every message once when both send at once, in the same session', async () => {
        const sids = [couple.alice.sid, couple.bob.sid];
        await exchangeInAnyOrder(couple, 1000, kill);
        assert.deepEqual([couple.alice.sid, couple.bob.sid], sids);
      });

      it('logs out', () => logOut(instance(), couple));
    });
  }
}
