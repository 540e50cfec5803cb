/**
 * Clients that begin sessions and do not log in, as fast as the gateway takes them: the server stays there for all
 * others. Its table of processes is small here, so that it would be full within a second.
 */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Instance } from '../../scripts/support/instance.js';
import { setModuleOptions, setTopOptions } from '../../scripts/support/module-options.js';
import { atom, type Pid, type Term, tuple } from '../../src/etf/terms.js';
import { tagOf } from '../../src/gateway/sid.js';
import { until } from '../support/until.js';
import {
  type Answer,
  BoshSession,
  condition,
  ping,
  send,
  USUAL,
  wrapper,
} from './conformance/bosh-session.js';
import { CreationFlood, type Habit } from './support/creation-flood.js';
import { type Couple, exchangeInTurns, logIn, logOut } from './support/scenario.js';
import { ServerNode } from './support/server-node.js';
import { stanza } from './support/stanza-client.js';
import { strophe } from './support/strophe-client.js';

const HABITS: readonly Habit[] = ['forget', 'vanish', 'poll', 'stop halfway'];
const MAX = 400;
const PER_ADDRESS = 20;

let instance: Instance;
let server: ServerNode;
before(async () => {
  process.env.EJABBERD_PROCESSES = '4096';
  instance = await Instance.start();
  server = await ServerNode.connect(instance);
  // Seconds; by default 30.
  await setTopOptions(instance, { negotiation_timeout: 8 });
});
after(async () => {
  await server.stop();
  await instance.stop();
});

/** What the gateway refused, by reason. */
const refused = async (reason: string): Promise<number> =>
  Number(await server.gatewayTells('stats', 'refused', reason));
const processes = async (what: string): Promise<number> =>
  Number(await server.call('erlang', 'system_info', atom(what)));

const noStrangers = (): Promise<void> =>
  until(async () => (await server.counted('sessions_unauthenticated')) === 0);

/** Logs in, and again where it is told to come later; the session is then ended. */
async function logInWhenThereIsRoom(): Promise<void> {
  for (;;) {
    try {
      await (await BoshSession.login(instance.gatewayUrl)).terminate();
      return;
    } catch (error) {
      if (!(error instanceof assert.AssertionError)) throw error;
      await sleep(200);
    }
  }
}

const oneEach = (connection: number): string => `127.0.1.${connection + 1}`;

describe('strangers', { timeout: 600_000 }, () => {
  for (const habit of HABITS) {
    it(`that ${habit}: processes stay bounded, and a couple chats on`, async (t) => {
      const couple: Couple = {
        alice: strophe(instance.gatewayUrl, instance.alice),
        bob: stanza(instance.gatewayUrl, instance.bob),
      };
      await logIn(couple);
      const most = Math.floor(((await processes('process_limit')) * 9) / 10);
      const before = await server.counted('refused_processes');
      const flood = new CreationFlood(instance.gatewayUrl, { habit, connections: 40, address: oneEach });
      t.after(() => flood.stop());
      await until(async () => (await server.counted('refused_processes')) > before);

      const counts: number[] = [];
      let chatting = true;
      const chat = exchangeInTurns(couple, 200).finally(() => {
        chatting = false;
      });
      while (chatting) {
        counts.push(await processes('process_count'));
        await sleep(20);
      }
      await chat;
      await instance.ctl('status');
      const another = await ServerNode.connect(instance, 'another');
      await another.gatewayTells('health');
      await another.stop();
      // What is not ours may take from the rest: a few processes come and go with each second.
      assert.ok(Math.max(...counts) < most + 100, `${Math.max(...counts)} of ${most}`);
      assert.ok((await refused('full')) > 0);
      await flood.stop();
      if (habit !== 'vanish') assert.ok(flood.retryAfter > 0, JSON.stringify(flood.statuses));
      await logInWhenThereIsRoom();
      await logOut(instance, couple);
      t.diagnostic(`at most ${Math.max(...counts)} processes; answers: ${JSON.stringify(flood.statuses)}`);
    });
  }

  it('of one address have their share while many are there; others log in at once', async (t) => {
    await setModuleOptions(instance, {
      mod_megaphone: { max_unauthenticated: MAX, max_unauthenticated_per_address: PER_ADDRESS },
    });
    await noStrangers();
    // The hub takes new options once a second: until then all of the flood would be let in.
    await until(async () =>
      (await server.print('sys:get_state(mod_megaphone)')).includes(`per_address => ${PER_ADDRESS}`),
    );
    await logInWhenThereIsRoom();
    const before = await refused('full');
    const refusedBefore = await server.counted('refused_address');
    const flood = new CreationFlood(instance.gatewayUrl, {
      habit: 'stop halfway',
      connections: 40,
      address: () => '127.0.0.2',
    });
    t.after(() => flood.stop());
    await until(async () => (await server.counted('refused_address')) > refusedBefore + 100);
    for (let login = 0; login < 20; login += 1) {
      await (await BoshSession.login(instance.gatewayUrl)).terminate();
    }
    assert.ok((await server.counted('sessions_unauthenticated')) <= MAX / 2 + PER_ADDRESS);
    assert.equal(await refused('full'), before);
    await flood.stop();
  });

  it('of many addresses are bounded in number; the node says that it is full', async (t) => {
    await noStrangers();
    const before = await refused('full');
    const flood = new CreationFlood(instance.gatewayUrl, {
      habit: 'poll',
      connections: 100,
      address: oneEach,
    });
    t.after(() => flood.stop());
    await until(
      async () => (await server.counted('refused_unauthenticated')) > 0 && (await refused('full')) > before,
    );
    for (let look = 0; look < 50; look += 1) {
      assert.ok((await server.counted('sessions_unauthenticated')) <= MAX);
      await sleep(20);
    }
    await flood.stop();
    await logInWhenThereIsRoom();
  });

  it('are no more counted, however their session ends', async () => {
    await noStrangers();
    const create = (): Promise<BoshSession> => BoshSession.create(instance.gatewayUrl);
    const stranger = async (session: BoshSession): Promise<Pid> => {
      const { elements } = (await server.call('megaphone_sessions', 'find', Buffer.from(session.sid))) as {
        elements: Term[];
      };
      return elements[1] as Pid;
    };
    const ends: Readonly<Record<string, () => Promise<unknown>>> = {
      login: () => BoshSession.login(instance.gatewayUrl),
      terminate: async () => (await create()).terminate(),
      'an unknown host': () => send(instance.gatewayUrl, wrapper({ ...USUAL, to: 'nowhere.example' })).answer,
      'a bad request': () => send(instance.gatewayUrl, '<body><').answer,
      'a violation': async () => (await create()).ask({}, "<message xmlns='jabber:client'/>"),
      kill: async () => server.call('erlang', 'exit', await stranger(await create()), atom('kill')),
      crash: async () =>
        server.call(
          'erlang',
          'send',
          await stranger(await create()),
          tuple(atom('bosh_request'), atom('no'), atom('request')),
        ),
      'a command': async () => instance.ctl('megaphone_close_session', (await create()).sid),
      'a hub that is killed before the login': async () => {
        const session = await create();
        await killHub();
        assert.equal(await server.counted('sessions_unauthenticated'), 1);
        await session.ask({}, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>");
        await session.ask({ 'xmpp:restart': 'true', to: 'localhost' });
        await session.ask(
          {},
          "<iq type='set' id='b' xmlns='jabber:client'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
        );
      },
      'a hub that is killed before the end': async () => {
        const session = await create();
        await killHub();
        await server.call('erlang', 'exit', await stranger(session), atom('kill'));
      },
    };
    for (const [name, end] of Object.entries(ends)) {
      await end();
      await Promise.race([
        noStrangers(),
        sleep(20_000).then(() => assert.fail(`still counted after ${name}`)),
      ]);
    }
  });

  it('may say only so much, and of size nothing before its turn', async () => {
    const big = 'x'.repeat(17_000);
    const create = (attributes = {}): Promise<BoshSession> =>
      BoshSession.create(instance.gatewayUrl, attributes);
    assert.equal(condition((await create({ pad: big })).creation), 'policy-violation');
    const auth = (text: string): string =>
      `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>${btoa(text)}</auth>`;
    assert.equal(condition(await (await create()).ask({}, auth(`n,,n=alice,r=${big}`))), 'policy-violation');
    assert.equal(condition((await create({ pad: 'x'.repeat(200_000) })).creation), 'policy-violation');
    const first = async (payload: string): Promise<string> =>
      condition(await (await create()).ask({}, payload));
    // The server's own word for a stanza before the login is `not-authorized'.
    const iq = (content: string): string => `<iq type='get' id='a' xmlns='jabber:client'>${content}</iq>`;
    assert.equal(await first(iq('<a/>'.repeat(240))), 'remote-stream-error');
    assert.equal(await first(iq('<a/>'.repeat(300))), 'bad-request');
    assert.equal(await first(iq("<a b='c' d='e'/>".repeat(90))), 'bad-request');
    assert.equal(await first(iq('').repeat(8)), 'remote-stream-error');
    assert.equal(await first(iq('').repeat(9)), 'policy-violation');
    const early = await create();
    assert.equal(
      condition(await early.at(early.rid + 2, {}, `<a>${'x'.repeat(2_100)}</a>`).answer),
      'policy-violation',
    );
    // An account may send what the server takes.
    const user = await BoshSession.login(instance.gatewayUrl);
    const answers = [2, 1].map((ahead) => user.at(user.rid + ahead, { pad: big.repeat(10) }, ping()).answer);
    assert.equal((await Promise.race(answers)).attributes.type, undefined);
    assert.equal((await user.at(user.rid + 3, {}, ping()).answer).attributes.type, undefined);
  });

  it('have negotiation_timeout to log in, whatever they do meanwhile', async () => {
    const untilItEnds = async (
      next: () => Promise<{ readonly attributes: Readonly<Record<string, string>> }>,
    ) => {
      let answer = await next();
      while (answer.attributes.type !== 'terminate') answer = await next();
      return answer.attributes.condition;
    };
    const create = (attributes = {}): Promise<BoshSession> =>
      BoshSession.create(instance.gatewayUrl, attributes);
    const auth = (mechanism: string, text = ''): string =>
      `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='${mechanism}'>${btoa(text)}</auth>`;
    const holds = await create();
    const polls = await create({ wait: 0, hold: 0 });
    const stops = await create();
    await stops.ask({}, auth('SCRAM-SHA-1', 'n,,n=alice,r=nonce'));
    const bindsNothing = await create();
    await bindsNothing.ask({}, auth('ANONYMOUS'));
    await bindsNothing.ask({ 'xmpp:restart': 'true', to: 'localhost' });
    const pauses = await create();
    await pauses.ask({ pause: 100 });
    const silent = await create();
    const ofPolling = untilItEnds(async () => {
      await sleep(5_500);
      return polls.ask();
    });
    // At once: who is asked behind the others may have been silent for too long.
    const asking = [holds, stops, bindsNothing].map((session) => untilItEnds(() => session.ask()));
    for (const end of await Promise.all(asking)) assert.equal(end, 'remote-stream-error');
    // After so many other strangers its end may not be kept for it.
    assert.match(`${await ofPolling}`, /^(remote-stream-error|item-not-found)$/);
    await noStrangers();
    for (const session of [pauses, silent]) assert.equal((await session.ask()).attributes.type, 'terminate');
  });

  it('that hold their requests make room for who logs in, where they have all places', async () => {
    await setModuleOptions(instance, {
      mod_megaphone: { max_unauthenticated: 4, max_unauthenticated_per_address: 0 },
    });
    await noStrangers();
    const before = await server.counted('refused_unauthenticated');
    const held: Promise<Answer>[] = [];
    // More than four until the hub has heard of the option; none while the module is away for its new options.
    while ((await server.counted('refused_unauthenticated')) === before) {
      const session = await BoshSession.create(instance.gatewayUrl);
      if (session.creation.status !== 503) held.push(session.next().answer);
    }
    // Well below the negotiation timeout, which would end them, too.
    await sleep(6_000);
    await (await BoshSession.login(instance.gatewayUrl)).terminate();
    assert.equal(condition(await Promise.race(held)), 'item-not-found');
    await Promise.all(held);
  });
});

/** Resolves when another answers: the gateway keeps a request until its node is back. */
async function killHub(): Promise<void> {
  await server.call(
    'erlang',
    'exit',
    await server.call('erlang', 'whereis', atom('mod_megaphone')),
    atom('kill'),
  );
  const request = wrapper({ sid: `${tagOf(instance.ejabberdNode)}.unknown`, rid: 1 });
  await until(async () => (await send(instance.gatewayUrl, request).answer).status === 200);
}
