/** What ejabberd's modules do for a user goes on after the session moved, and the user's contacts notice nothing. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { Account } from '../../scripts/support/instance.js';
import { addModule } from '../../scripts/support/module-options.js';
import { formatTerm } from '../../src/etf/format.js';
import { until } from '../support/until.js';
import { message } from './conformance/bosh-session.js';
import { gatewayOf, move, other, place } from './support/moving.js';
import { befriend, makeAccounts } from './support/people.js';
import { ServerCluster } from './support/server-cluster.js';
import { WebSocketSession } from './support/websocket-session.js';

let cluster: ServerCluster;
let gateway: Awaited<ReturnType<typeof gatewayOf>>;
let accounts: Account[];
before(async () => {
  cluster = await ServerCluster.start(2, async (instance) => {
    await addModule(instance, 'mod_mam', { default: 'always' });
    await addModule(instance, 'mod_muc', {});
    await addModule(instance, 'mod_pubsub', { plugins: ['flat', 'pep'] });
    await addModule(instance, 'mod_push', { include_body: true });
  });
  gateway = await gatewayOf(cluster);
  accounts = await makeAccounts(
    cluster.member(1).server,
    Array.from({ length: 40 }, (_, i) => `friend${i}`),
  );
});
after(async () => {
  await gateway?.service.stop();
  await cluster?.stop();
});

const account = (): Account => accounts.pop() ?? assert.fail('no more accounts');
const login = (as: Account, more: { resource?: string; managed?: boolean; presence?: string } = {}) =>
  WebSocketSession.login(gateway.webSocketUrl, { ...as, resource: 'web', ...more });

/** Two who see each other's presence. */
async function friends(): Promise<[Account, Account]> {
  const [bob, alice] = [account(), account()];
  await befriend(cluster.member(1).server, [[bob, alice]]);
  return [bob, alice];
}

async function moves(who: WebSocketSession): Promise<void> {
  const to = other(await place(cluster, who));
  assert.equal(await move(cluster, who, to), 'moved');
  assert.equal(await place(cluster, who), to);
}

/** One there and one back. */
const TIMES = ['there', 'and back'];
const bare = (jid: string): string => jid.split('/')[0] as string;
const iq = (type: string, id: string, payload: string, to = ''): string =>
  `<iq type='${type}' id='${id}'${to} xmlns='jabber:client'>${payload}</iq>`;

const MOOD = 'http://jabber.org/protocol/mood';
const FEATURES = ['http://jabber.org/protocol/disco#info', `${MOOD}+notify`];
/** XEP-0115 §5.1. */
const VERSION = createHash('sha1')
  .update(`client/web//<${FEATURES.join('<')}<`)
  .digest('base64');
const CAPS = `<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:test' ver='${VERSION}'/>`;

/** As a client that wants to hear of moods: it says so when the server asks what its presence means. */
function tellsFeatures(session: WebSocketSession): void {
  session.socket.on('message', (data) => {
    const [id] = /^<iq\b.*type='get'.*disco#info/s.test(`${data}`)
      ? (/(?<= id=')[^']+/.exec(`${data}`) ?? [])
      : [];
    if (id === undefined) return;
    const features = FEATURES.map((feature) => `<feature var='${feature}'/>`).join('');
    const query = `<query xmlns='${FEATURES[0]}'><identity category='client' type='web'/>${features}</query>`;
    session.send(iq('result', id, query, ` to='${session.jid}'`));
  });
}

/** At its node: each has to ask, for they do not tell each other. */
async function areFeaturesKnown(session: WebSocketSession): Promise<void> {
  const { server } = cluster.member(await place(cluster, session));
  const known = `mnesia:dirty_read(caps_features, {<<"urn:test">>, <<"${VERSION}">>}) =/= []`;
  await until(async () => (await server.print(known)) === 'true');
}

describe('after a move', () => {
  it('contacts have heard no presence, and probes are answered', async () => {
    const [asBob, asAlice] = await friends();
    const alice = await login(asAlice);
    const bob = await login(asBob, {
      presence: "<presence xmlns='jabber:client'><status>here</status></presence>",
    });
    await alice.until(bob.jid);
    const before = alice.frames.length;
    for (const _ of TIMES) {
      await moves(bob);
      await alice.roundTrip();
      // His presence may come before its own.
      const late = await login(asAlice, { resource: 'late', presence: '' });
      late.send("<presence xmlns='jabber:client'/>");
      assert.match(await late.until(`from='${bob.jid}'`), /<status>here<\/status>/);
      await late.leave();
    }
    await alice.roundTrip();
    const heard = alice.frames.slice(before).filter((frame) => frame.includes(bob.jid));
    assert.deepEqual(heard, []);
    // And the end of the session is heard, once.
    await bob.leave();
    await alice.until("type='unavailable'");
  });

  it('rosters are pushed', async () => {
    const [asBob] = await friends();
    const bob = await login(asBob);
    await bob.ask(iq('get', 'roster', "<query xmlns='jabber:iq:roster'/>"), "'roster'");
    for (const [i, _] of TIMES.entries()) {
      await moves(bob);
      const user = bare(bob.jid).split('@')[0];
      await cluster
        .member(1 + i)
        .server.evaluate(
          `mod_admin_extra:add_rosteritem(<<"${user}">>, <<"localhost">>, <<"new${i}">>, <<"localhost">>, <<"new">>, <<>>, <<"none">>).`,
        );
      assert.match(await bob.until(`new${i}@localhost`), /type='set'.*jabber:iq:roster/);
    }
    await bob.leave();
  });

  it('carbons come, of what another resource sends and gets (XEP-0280)', async () => {
    const [asBob, asAlice] = await friends();
    const [bob, phone, alice] = [
      await login(asBob),
      await login(asBob, { resource: 'phone' }),
      await login(asAlice),
    ];
    await bob.ask(iq('set', 'carbons', "<enable xmlns='urn:xmpp:carbons:2'/>"), "'carbons'");
    for (const time of TIMES) {
      await moves(bob);
      await phone.say(alice.jid, `sent ${time}`);
      assert.match(await bob.until(`sent ${time}`), /<sent xmlns='urn:xmpp:carbons:2'/);
      await alice.say(phone.jid, `got ${time}`);
      assert.match(await bob.until(`got ${time}`), /<received xmlns='urn:xmpp:carbons:2'/);
    }
    for (const session of [bob, phone, alice]) await session.leave();
  });

  it('an inactive client is spared presence still, and gets it later (XEP-0352)', async () => {
    const [asBob, asAlice] = await friends();
    const [bob, alice] = [await login(asBob), await login(asAlice)];
    await bob.until(alice.jid);
    bob.send("<inactive xmlns='urn:xmpp:csi:0'/>");
    await bob.roundTrip();
    alice.send("<presence xmlns='jabber:client'><status>before</status></presence>");
    await alice.roundTrip();
    await moves(bob);
    const before = bob.frames.length;
    alice.send("<presence xmlns='jabber:client'><status>after</status></presence>");
    await alice.roundTrip();
    await bob.roundTrip();
    assert.ok(!bob.frames.slice(before).some((frame) => frame.includes('<presence')));
    bob.send("<active xmlns='urn:xmpp:csi:0'/>");
    await bob.until('<status>after</status>');
    await bob.leave();
    await alice.leave();
  });

  it('the archive has what came before and after, once (XEP-0313)', async () => {
    const [asBob, asAlice] = await friends();
    const [bob, alice] = [await login(asBob), await login(asAlice)];
    await alice.say(bob.jid, 'first');
    for (const time of TIMES) {
      await moves(bob);
      await alice.say(bob.jid, time);
      await bob.say(alice.jid, `answer ${time}`);
    }
    await bob.messages(3);
    const before = bob.frames.length;
    await bob.ask(iq('set', 'archive', "<query xmlns='urn:xmpp:mam:2'/>"), "'archive'");
    const found = bob.frames.slice(before).filter((frame) => frame.includes('urn:xmpp:mam:2'));
    const texts = found.flatMap((frame) => /<body[^>]*>([^<]*)</.exec(frame)?.[1] ?? []);
    assert.deepEqual(texts, ['first', 'there', 'answer there', 'and back', 'answer and back']);
    await bob.leave();
    await alice.leave();
  });

  it('personal events come, and go out (XEP-0163)', async () => {
    const [asBob] = await friends();
    const login = async (resource: string): Promise<WebSocketSession> => {
      const session = await WebSocketSession.login(gateway.webSocketUrl, {
        ...asBob,
        resource,
        presence: '',
      });
      tellsFeatures(session);
      await session.ask(`<presence xmlns='jabber:client'>${CAPS}</presence>`, '<presence');
      await areFeaturesKnown(session);
      return session;
    };
    // Only the first of the two nodes knows what its client can do.
    const bob = await login('web');
    await moves(bob);
    await areFeaturesKnown(bob);
    const phone = await login('phone');
    const publish = (mood: string): string =>
      `<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='${MOOD}'><item id='1'><mood xmlns='${MOOD}'><${mood}/></mood></item></publish></pubsub>`;
    for (const [from, to, mood] of [
      [phone, bob, 'happy'],
      [bob, phone, 'sad'],
      [phone, bob, 'calm'],
    ] as const) {
      await moves(bob);
      from.send(iq('set', mood, publish(mood)));
      assert.match(await to.until(`<${mood}/>`), /pubsub#event/);
    }
    await bob.leave();
    await phone.leave();
  });

  it('rooms know their occupants still, those of the old node and of the new one (XEP-0045)', async () => {
    const [asBob, asAlice] = await friends();
    const [bob, alice] = [await login(asBob), await login(asAlice)];
    if ((await place(cluster, alice)) === (await place(cluster, bob))) await moves(alice);
    const join = (room: string, nick: string): string =>
      `<presence to='${room}@conference.localhost/${nick}' xmlns='jabber:client'><x xmlns='http://jabber.org/protocol/muc'/></presence>`;
    // A room lives where it was made.
    for (const [maker, guest, room, nicks] of [
      [bob, alice, `of-bob-${process.pid}`, ['bob', 'alice']],
      [alice, bob, `of-alice-${process.pid}`, ['alice', 'bob']],
    ] as const) {
      await maker.ask(join(room, nicks[0]), "code='110'");
      await maker.ask(
        iq(
          'set',
          'room',
          "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>",
          ` to='${room}@conference.localhost'`,
        ),
        "'room'",
      );
      await guest.ask(join(room, nicks[1]), "code='110'");
      await maker.until(`${room}@conference.localhost/${nicks[1]}`);
    }
    const before = alice.frames.length;
    const say = (room: string, text: string): string =>
      `<message to='${room}@conference.localhost' type='groupchat' xmlns='jabber:client'><body>${text}</body></message>`;
    for (const time of TIMES) {
      await moves(bob);
      for (const room of [`of-bob-${process.pid}`, `of-alice-${process.pid}`]) {
        bob.send(say(room, `${room} bob ${time}`));
        await alice.until(`${room} bob ${time}`);
        alice.send(say(room, `${room} alice ${time}`));
        await bob.until(`${room} alice ${time}`);
      }
    }
    assert.ok(!alice.frames.slice(before).some((frame) => frame.includes("type='unavailable'")));
    await bob.leave();
    await alice.until("type='unavailable'");
    await alice.leave();
  });

  it('who may come back is woken by push (XEP-0357)', async () => {
    const [asBob, asAlice] = await friends();
    const pushed: string[] = [];
    await cluster.member(1).server.watch('push.localhost', (stanza) => pushed.push(formatTerm(stanza)));
    const [bob, alice] = [await login(asBob, { managed: true }), await login(asAlice)];
    await bob.ask(
      iq('set', 'push', "<enable xmlns='urn:xmpp:push:0' jid='push.localhost' node='device'/>"),
      "'push'",
    );
    await moves(bob);
    bob.cut();
    await bob.closed;
    await alice.say(bob.jid, 'wake up');
    await until(() => pushed.length > 0);
    const first = pushed.length;
    await moves(bob);
    await alice.say(bob.jid, 'once more');
    await until(() => pushed.length > first);
    const again = await WebSocketSession.resume(gateway.webSocketUrl, bob, asBob);
    assert.deepEqual(await again.messages(2), ['wake up', 'once more']);
    again.send(message(alice.jid, 'awake'));
    await alice.until('awake');
    await again.leave();
    await alice.leave();
  });
});
