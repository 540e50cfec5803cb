/** Gateways that stop, or are drained, under traffic and behind HAProxy: no client sees an error, and nothing is lost. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { nameOf, PASSWORD } from '../../scripts/chaos/person.js';
import { Servers } from '../../scripts/chaos/servers.js';
import { Steady } from '../../scripts/chaos/steady-clients.js';
import { until } from '../support/until.js';
import type { ChatClient } from './support/chat-client.js';
import { type Couple, exchangeInAnyOrder } from './support/scenario.js';
import { strophe } from './support/strophe-client.js';
import { type Kind, TwoGateways } from './support/two-gateways.js';

/** Half of them over BOSH, half over WebSocket with stream management. */
const USERS = 100;
const RATE = 100;
/** Couples with strophe.js over BOSH, beside them. */
const COUPLES = 4;

const kinds: readonly Kind[] = [
  { workers: 1, tls: false },
  { workers: 2, tls: true },
];
for (const kind of kinds) {
  const what = `${kind.workers} worker(s) each, ${kind.tls ? 'HTTPS' : 'HTTP'}`;
  describe(`two gateways behind HAProxy: ${what}`, { timeout: 300_000 }, () => {
    let all: TwoGateways;
    let steady: Steady;
    let couples: readonly Couple[];
    let isOver = false;
    let refusals = 0;
    let talks: Promise<unknown>;

    before(async () => {
      all = await TwoGateways.start(kind);
      refusals = await all.refusals();
      const { instance, url, webSocketUrl } = all;
      const servers = await Servers.connect(instance.var, Number(instance.env.ERL_EPMD_PORT));
      await servers.register(instance.ejabberdNode, 'localhost', USERS + 2 * COUPLES);
      await servers.stop();
      steady = await Steady.start({
        urls: { bosh: url, websocket: webSocketUrl },
        host: 'localhost',
        users: USERS,
        rate: RATE,
        seed: 1,
        folder: join(instance.var, 'steady'),
      });
      const client = (n: number): ChatClient =>
        strophe(url, { jid: `${nameOf(USERS + n)}@localhost`, password: PASSWORD });
      couples = Array.from({ length: COUPLES }, (_, n) => ({ alice: client(2 * n), bob: client(2 * n + 1) }));
      await steady.login();
      const people = couples.flatMap(({ alice, bob }) => [alice, bob]);
      await Promise.all(people.map((person) => person.login()));
      for (const person of people) person.sendPresence();
      // What comes in the instant in which ejabberd empties its storage for somebody is lost.
      await Promise.all(people.map(({ inbox, jid }) => inbox.until(() => inbox.online.has(jid))));
      await steady.talk();
      talks = Promise.all(couples.map((couple) => talk(couple)));
      // Who fails is told where it is waited for.
      talks.catch(() => {});
    });
    after(async () => {
      isOver = true;
      steady?.close();
      await all?.stop();
    });

    /** All that both say comes, once, and in the sessions that they began with. Strophe loses the order by itself. */
    async function talk(couple: Couple): Promise<void> {
      const { alice, bob } = couple;
      const sids = [alice.sid, bob.sid];
      while (!isOver) await exchangeInAnyOrder(couple, 40);
      assert.deepEqual([alice.sid, bob.sid], sids);
    }

    const idle = async (number: number): Promise<boolean> =>
      (await all.metric(number, 'open_exchanges')) + (await all.metric(number, 'websockets')) === 0;
    const busy = async (number: number): Promise<boolean> =>
      (await all.metric(number, 'open_exchanges')) > 0 && (await all.metric(number, 'websockets')) > 0;

    it('one gets SIGTERM: its clients are at the other one, and it ends with 0', async () => {
      await until(() => busy(1));
      const webSockets = await all.metric(1, 'websockets');
      steady.step('SIGTERM to gateway 1');
      assert.equal(await all.endGateway(1), 0);
      assert.ok((await steady.recovered(30)) !== undefined);
      await until(() => steady.now.resumed >= webSockets);
      assert.ok(webSockets > 10);
    });

    it('started again, it gets clients again', async () => {
      await all.startGateway(1);
      await all.serves(1);
      await until(async () => (await all.metric(1, 'open_exchanges')) > 0);
    });

    it('one is drained: its clients are at the other one, and it lives on', async () => {
      await until(() => busy(2));
      steady.step('megaphone drain of gateway 2');
      const said = await all.order(2, 'drain');
      assert.match(said, /draining, \d+ connections, .*\n.*: drained, /);
      await until(() => idle(2));
      await until(async () => (await all.status(2)) === 'MAINT');
      assert.ok((await steady.recovered(30)) !== undefined);
    });

    it('and resumes: it gets clients again', async () => {
      steady.step('megaphone resume of gateway 2');
      assert.match(await all.order(2, 'resume'), /: in service, /);
      await all.serves(2);
      await until(async () => (await all.metric(2, 'open_exchanges')) > 0);
    });

    it('nobody saw an error, or had to log in again, and all that was said was heard once and in order', async () => {
      await sleep(1_000);
      isOver = true;
      await talks;
      await Promise.all(couples.flatMap(({ alice, bob }) => [alice.logout(), bob.logout()]));
      const outcome = await steady.finish();
      assert.equal(
        outcome.lastLine,
        'errors 0 logins 0 lost 0 doubled 0 reordered 0',
        outcome.lines.join('\n'),
      );
      assert.ok(outcome.lines.length > 0);
      assert.equal(await all.refusals(), refusals);
    });

    it('without an ejabberd node HAProxy hears that a gateway is down, and when one is back, that it is up', async () => {
      await all.instance.script('ejabberd.sh', 'stop');
      await until(async () => (await all.status(1)).startsWith('DOWN'));
      await all.instance.script('ejabberd.sh', 'start');
      await all.serves(1);
    });
  });
}
