/**
 * What a conformant BOSH connection manager does (XEP-0124 v1.11.2, XEP-0206), one case at a time. Each
 * runs over HTTP against a real server and knows nothing of which; a case that fails says what it saw.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Instance } from '../../../scripts/support/instance.js';
import { until } from '../../support/until.js';
import { BoshSession, bodies, condition, message, ping, send, USUAL, wrapper } from './bosh-session.js';
import type { Case } from './case.js';

/** Seconds; short, so that expiry can be waited for. The test configures both servers with it. */
export const INACTIVITY = 4;

/** The virtual host that ends the session of a client that asks too early or too much. */
export const STRICT_HOST = 'second.localhost';

const create = (url: string, attributes = {}) => BoshSession.create(url, attributes);
const login = BoshSession.login;
const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');

/** Two users; what is sent to the second comes from the first. */
async function couple(url: string, attributes = {}): Promise<[BoshSession, BoshSession]> {
  return [await login(url), await login(url, attributes)];
}

/** Sends messages, and resolves when the server has processed them. */
async function deliver(from: BoshSession, to: BoshSession, ...texts: string[]): Promise<void> {
  await from.until(
    (a) => a.xml.includes("'ping'"),
    texts.map((text) => message(to.jid, text)).join('') + ping(),
  );
}

/** Resolves once ejabberd knows the user no more. */
async function gone(instance: Instance, jid: string): Promise<void> {
  await until(async () => !(await instance.connectedUsers()).includes(jid));
}

export const boshCases: readonly Case[] = [
  {
    section: '§5',
    name: 'POST with any Content-Type is taken, the answer is text/xml; charset=utf-8',
    run: async (url) => {
      const body = wrapper(USUAL);
      const answer = await send(url, body, {
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      }).answer;
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['content-type'], 'text/xml; charset=utf-8');
      assert.ok(answer.attributes.sid);
    },
  },
  {
    section: '§5',
    name: 'GET answers a human with a page',
    run: async (url) => {
      const answer = await send(url, '', { method: 'GET' }).answer;
      assert.equal(answer.status, 200);
      assert.match(`${answer.headers['content-type']}`, /^text\//);
      assert.match(answer.xml, /BOSH/i);
    },
  },
  {
    section: '§5',
    name: 'OPTIONS is answered for browsers, with Origin and without',
    run: async (url) => {
      for (const headers of [
        {},
        { origin: 'https://chat.example.org', 'access-control-request-method': 'POST' },
      ]) {
        const answer = await send(url, '', { method: 'OPTIONS', headers }).answer;
        assert.ok(answer.status === 200 || answer.status === 204, `${answer.status}`);
        assert.ok(answer.headers['access-control-allow-origin']);
      }
    },
  },
  {
    section: '§5',
    name: "the client's content is the Content-Type of all answers",
    run: async (url) => {
      const session = await create(url, { content: 'text/plain; charset=utf-8' });
      assert.equal(session.creation.headers['content-type'], 'text/plain; charset=utf-8');
      assert.equal((await session.ask({}, ping())).headers['content-type'], 'text/plain; charset=utf-8');
    },
  },
  {
    section: '§5',
    name: 'a content that is no media type, such as one that brings headers of its own, is not used',
    run: async (url) => {
      const session = await create(url, { content: 'text/html&#13;&#10;X-Injected: yes' });
      assert.equal(session.creation.status, 200);
      assert.equal(session.creation.headers['content-type'], 'text/xml; charset=utf-8');
      assert.equal(session.creation.headers['x-injected'], undefined);
    },
  },
  {
    section: '§5',
    name: 'a content that a browser shows as a document, in which scripts run, is not used',
    run: async (url) => {
      for (const content of [
        'text/html',
        'TEXT/HTML; charset=utf-8',
        'application/xhtml+xml',
        'image/svg+xml',
        'application/xml',
        'text/xsl',
        'application/x-unknown',
        'multipart/x-mixed-replace',
        'text/plain; charset=utf-7',
        'text/plain, text/html',
      ]) {
        const session = await create(url, { content });
        assert.equal(session.creation.headers['content-type'], 'text/xml; charset=utf-8', content);
      }
    },
  },
  ...[
    ['a comment', '<!-- c -->'],
    ['a processing instruction', '<?p i?>'],
    ['an unknown entity', '<x>&unknown;</x>'],
    ['stray text', 'text'],
    ['an element that does not end', '<x>'],
  ].map(
    ([what, content]): Case => ({
      section: '§6',
      name: `a wrapper with ${what} is refused with bad-request`,
      run: async (url) => {
        const session = await create(url);
        assert.equal(condition(await session.ask({}, content)), 'bad-request');
      },
    }),
  ),
  {
    section: '§6',
    name: 'a DTD is refused with bad-request',
    run: async (url) => {
      const body = `<!DOCTYPE body [<!ENTITY a 'b'>]>${wrapper({ rid: 1, to: 'localhost', ver: '1.6' })}`;
      assert.equal(condition(await send(url, body).answer), 'bad-request');
    },
  },
  {
    section: '§6',
    name: 'an encoding other than UTF-8, in which a comment is not seen, is refused',
    run: async (url) => {
      const body = wrapper(USUAL, '<!-- c -->');
      const inUtf16 = Buffer.from(`\ufeff${body}`, 'utf16le');
      for (const bytes of [inUtf16, Buffer.from(inUtf16).swap16(), inUtf16.subarray(2)])
        assert.equal((await send(url, bytes).answer).status, 400);
      const declared = `<?xml version='1.0' encoding='ISO-8859-1'?>${wrapper(USUAL)}`;
      assert.equal(condition(await send(url, declared).answer), 'bad-request');
      const invalid = Buffer.from(wrapper({ ...USUAL, 'xml:lang': '\xff' }), 'latin1');
      assert.equal(condition(await send(url, invalid).answer), 'bad-request');
    },
  },
  {
    section: '§6',
    name: 'more of anything than stanzas have is refused with bad-request',
    run: async (url) => {
      const attributes = (count: number): string =>
        Array.from({ length: count }, (_, i) => ` a${i}='x'`).join('');
      for (const content of [
        `<x${attributes(20_000)}/>`,
        `${'<x>'.repeat(30_000)}${'</x>'.repeat(30_000)}`,
        `<${'x'.repeat(200_000)}/>`,
      ]) {
        // Before the login so much is too much, whatever it is.
        const session = await BoshSession.login(url);
        assert.equal(condition(await session.ask({}, content)), 'bad-request');
      }
      const spaced = `${' '.repeat(200)}${wrapper(USUAL)}`;
      assert.equal(condition(await send(url, spaced).answer), 'bad-request');
    },
  },
  {
    section: '§6',
    name: 'a wrapper in another namespace is refused with bad-request',
    run: async (url) => {
      const body = "<body xmlns='jabber:client' rid='1' to='localhost' ver='1.6' wait='60' hold='1'/>";
      assert.equal(condition(await send(url, body).answer), 'bad-request');
    },
  },
  {
    section: '§6',
    name: 'an XML declaration in front is accepted',
    run: async (url) => {
      const body = wrapper(USUAL);
      const answer = await send(url, `<?xml version='1.0' encoding='UTF-8'?>\n${body}`).answer;
      assert.ok(answer.attributes.sid, answer.xml);
    },
  },
  {
    section: '§7.1',
    name: 'no `to` is improper-addressing, an unknown one host-unknown',
    run: async (url) => {
      assert.equal(condition((await create(url, { to: undefined })).creation), 'improper-addressing');
      assert.equal(condition((await create(url, { to: 'nowhere.example' })).creation), 'host-unknown');
    },
  },
  {
    section: '§7.2',
    name: 'the session creation response has all attributes, within what the client asked for',
    run: async (url) => {
      const { creation } = await create(url, { wait: 20, hold: 1, ver: '1.8' });
      const { sid, wait, requests, hold, ver, polling, inactivity, maxpause, from } = creation.attributes;
      assert.deepEqual(
        { wait, requests, hold, ver, from },
        { wait: '20', requests: '2', hold: '1', ver: '1.8', from: 'localhost' },
      );
      assert.ok(Number(polling) >= 0 && Number(inactivity) > 0 && Number(maxpause) > 0, creation.xml);
      assert.ok(`${sid}`.length >= 24, 'an unguessable sid');
    },
  },
  {
    section: '§7.2',
    name: 'sids are unique, ver is never above ours, and hold never above what was asked',
    run: async (url) => {
      const sessions = await Promise.all(
        Array.from({ length: 20 }, () => create(url, { ver: '9.9', hold: 9 })),
      );
      assert.equal(new Set(sessions.map((session) => session.sid)).size, 20);
      const { ver, hold, requests } = sessions[0]?.creation.attributes ?? {};
      assert.match(`${ver}`, /^1\.1[01]$/);
      assert.ok(Number(hold) <= 9);
      assert.equal(Number(requests), Number(hold) + 1);
    },
  },
  {
    section: '§7.2',
    name: 'the stream features come with the creation response, and nothing of it is repeated later',
    run: async (url) => {
      const session = await create(url);
      assert.equal(session.creation.payloads[0]?.localName, 'features');
      const later = await session.ask(
        {},
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>",
      );
      for (const name of ['sid', 'wait', 'requests', 'polling', 'inactivity', 'hold', 'maxpause', 'ver'])
        assert.equal(later.attributes[name], undefined, later.xml);
    },
  },
  {
    section: '§8',
    name: 'an empty body comes at the end of wait',
    run: async (url) => {
      const session = await login(url, { wait: 1 });
      const answer = await session.ask();
      assert.equal(answer.status, 200);
      assert.deepEqual(answer.payloads, []);
      assert.equal(answer.attributes.type, undefined);
    },
  },
  {
    section: '§8',
    name: 'a payload from the server answers the held request at once',
    run: async (url) => {
      const [alice, bob] = await couple(url);
      const held = bob.next();
      await deliver(alice, bob, 'hello');
      assert.deepEqual(bodies(await held.answer), ['hello']);
    },
  },
  {
    section: '§8',
    name: 'never more than hold are held: a second request releases the first',
    run: async (url) => {
      const session = await login(url);
      const first = session.next();
      const second = session.next({}, "<presence xmlns='jabber:client'/>");
      await first.answer;
      assert.equal(second.settled(), undefined);
    },
  },
  {
    section: '§9.1',
    name: 'a client that acknowledges gets ack: the highest rid received, left out where it is the answered one',
    run: async (url) => {
      const session = await login(url, { ack: 1 });
      assert.equal(session.creation.attributes.ack, '1000');
      assert.equal((await session.ask({}, ping())).attributes.ack, undefined);
      const held = session.next();
      session.next({}, message('nobody@localhost', 'x'));
      assert.equal((await held.answer).attributes.ack, `${session.rid}`);
    },
  },
  {
    section: '§9.2',
    name: 'a client whose own ack lags gets report and time, and the missed answer when it repeats the request',
    run: async (url) => {
      const session = await login(url, { ack: 1 });
      const missed = await session.ask({}, ping('missed'));
      const late = await session.ask({ ack: session.rid - 1 });
      assert.equal(late.attributes.report, `${session.rid - 1}`, late.xml);
      assert.match(`${late.attributes.time}`, /^\d+$/);
      assert.equal((await session.at(session.rid - 1, {}, ping('missed')).answer).xml, missed.xml);
    },
  },
  {
    section: '§10',
    name: 'a session with no request open expires, silently, and then is item-not-found',
    run: async (url, instance) => {
      const session = await login(url);
      await gone(instance, session.jid);
      assert.equal(condition(await session.ask()), 'item-not-found');
    },
  },
  {
    section: '§10',
    name: 'pause answers every pending request, itself included, with no payload',
    run: async (url) => {
      const session = await login(url);
      const held = session.next();
      const pausing = session.next({ pause: 60 });
      for (const answer of await Promise.all([held.answer, pausing.answer]))
        assert.deepEqual(answer.payloads, [], answer.xml);
    },
  },
  {
    section: '§10',
    name: 'what comes during a pause is delivered after it, and the pause outlasts inactivity',
    run: async (url, instance) => {
      const [alice, bob] = await couple(url);
      const brief = await login(url);
      await Promise.all([alice.ask({ pause: 60 }), bob.ask({ pause: 60 })]);
      // One that does not pause shows how long that is.
      await gone(instance, brief.jid);
      await deliver(alice, bob, 'hello');
      assert.deepEqual(bodies(await bob.until((answer) => answer.payloads.length > 0)), ['hello']);
    },
  },
  {
    section: '§10',
    name: 'a pause beyond maxpause is a policy-violation',
    run: async (url) => {
      const session = await login(url);
      assert.equal(condition(await session.ask({ pause: 100_000 })), 'policy-violation');
    },
  },
  {
    section: '§11',
    name: 'where it is strict, an empty request on top of `hold` others, sooner than polling, is a policy-violation',
    run: async (url) => {
      const session = await login(url, { to: STRICT_HOST });
      assert.ok(Number(session.creation.attributes.polling) > 0, 'polling is advertised');
      const held = session.next();
      // What is held is held for sure once another session got an answer on the same way.
      await login(url);
      const tooMuch = await session.ask();
      const answers = [await held.answer, tooMuch];
      assert.ok(
        answers.some((answer) => answer.attributes.condition === 'policy-violation'),
        tooMuch.xml,
      );
    },
  },
  {
    section: '§11',
    name: 'elsewhere such a request is taken: the first is answered, and the session goes on',
    run: async (url) => {
      const [alice, bob] = await couple(url);
      const held = bob.next();
      await login(url);
      const second = bob.next();
      assert.equal((await held.answer).attributes.type, undefined);
      await deliver(alice, bob, 'hello');
      assert.deepEqual(bodies(await second.answer), ['hello']);
    },
  },
  {
    section: '§11',
    name: 'of more than `requests` open at once, the oldest are answered',
    run: async (url) => {
      const [alice, bob] = await couple(url);
      const open = [bob.next()];
      await login(url);
      for (let i = 0; i < 2; i++) open.push(bob.next({}, message(alice.jid, `${i}`)));
      const [first, second, last] = open;
      for (const answered of [first, second])
        assert.equal((await answered?.answer)?.attributes.type, undefined);
      await deliver(alice, bob, 'hello');
      assert.ok((await last?.answer)?.xml.includes('hello'));
    },
  },
  ...['wait', 'hold'].map(
    (which): Case => ({
      section: '§12',
      name: `${which}=0 is a polling session: every request is answered at once, and payload comes with the next poll`,
      run: async (url) => {
        const [alice, bob] = await couple(url, { [which]: 0 });
        await deliver(alice, bob, 'hello');
        const answer = await bob.ask({}, ping());
        assert.ok(
          bodies(answer).includes('hello') || bodies(await bob.ask({}, ping())).includes('hello'),
          answer.xml,
        );
      },
    }),
  ),
  {
    section: '§12',
    name: 'where it is strict, polling again sooner than `polling` after an empty answer is a policy-violation',
    run: async (url) => {
      const session = await login(url, { hold: 0, to: STRICT_HOST });
      let last = await session.ask({}, ping());
      // The answer to the ping comes with the first poll or the second.
      for (let i = 0; i < 3 && last.attributes.type === undefined; i++) last = await session.ask();
      assert.equal(condition(last), 'policy-violation');
    },
  },
  {
    section: '§12',
    name: 'elsewhere such a poll is answered when its time has come, or something for it',
    run: async (url) => {
      const [alice, bob] = await couple(url, { hold: 0 });
      await bob.until((answer) => answer.payloads.length === 0);
      const early = bob.next();
      await login(url);
      assert.equal(early.settled(), undefined);
      await deliver(alice, bob, 'hello');
      assert.deepEqual(bodies(await early.answer), ['hello']);
    },
  },
  {
    section: '§13',
    name: 'terminate carries its payload through, and every pending request is answered',
    run: async (url, instance) => {
      const [alice, bob] = await couple(url);
      const waiting = bob.next();
      const held = alice.next();
      const end = alice.next({ type: 'terminate' }, message(bob.jid, 'goodbye'));
      await held.answer;
      assert.equal((await end.answer).attributes.condition, undefined);
      assert.deepEqual(bodies(await waiting.answer), ['goodbye']);
      await gone(instance, alice.jid);
    },
  },
  {
    section: '§14.1',
    name: 'rids up to 2^53−1 are taken, beyond that and what is no number is refused',
    run: async (url) => {
      const session = await login(url, { rid: 2 ** 53 - 100 });
      assert.equal((await session.ask({}, ping())).status, 200);
      assert.equal(condition((await create(url, { rid: '9007199254740992' })).creation), 'bad-request');
      assert.equal(condition((await create(url, { rid: '0' })).creation), 'bad-request');
      assert.equal(condition((await create(url, { rid: 'one' })).creation), 'bad-request');
      assert.equal(condition((await create(url, { rid: undefined })).creation), 'bad-request');
    },
  },
  {
    section: '§14.2',
    name: 'a rid beyond the window is item-not-found',
    run: async (url) => {
      const session = await login(url);
      assert.equal(condition(await session.at(session.rid + 10).answer), 'item-not-found');
    },
  },
  {
    section: '§14.2',
    name: 'requests that overtake each other are processed in rid order',
    run: async (url) => {
      const [alice, bob] = await couple(url);
      const held = bob.next();
      const later = alice.at(alice.rid + 2, {}, message(bob.jid, 'second'));
      // The way is the same for all: when this one is answered, the later request has arrived.
      await login(url);
      alice.at(alice.rid + 1, {}, message(bob.jid, 'first'));
      const seen = bodies(await held.answer);
      while (seen.length < 2) seen.push(...bodies(await bob.ask()));
      assert.deepEqual(seen, ['first', 'second']);
      later.cut();
    },
  },
  {
    section: '§14.3',
    name: 'a repeated rid gets exactly the same bytes, and its payload is not processed again',
    run: async (url) => {
      const [alice, bob] = await couple(url);
      const held = bob.next();
      const text = message(bob.jid, 'once') + ping();
      const first = await alice.ask({}, text);
      for (let i = 0; i < 2; i++) assert.equal((await alice.at(alice.rid, {}, text).answer).xml, first.xml);
      await deliver(alice, bob, 'end');
      const seen = bodies(await held.answer);
      while (!seen.includes('end')) seen.push(...bodies(await bob.ask()));
      assert.deepEqual(seen, ['once', 'end']);
    },
  },
  {
    section: '§14.3',
    name: 'a repeated rid that is still held releases the old request, and the new one gets the answer',
    run: async (url) => {
      const [alice, bob] = await couple(url);
      const old = bob.next();
      await login(url);
      const repeat = bob.at(bob.rid);
      assert.deepEqual(bodies(await old.answer), []);
      await deliver(alice, bob, 'hello');
      assert.deepEqual(bodies(await repeat.answer), ['hello']);
    },
  },
  {
    section: '§14.3',
    name: 'a repeated rid that is no longer kept is item-not-found, and the session goes on',
    run: async (url) => {
      const session = await login(url);
      const old = session.rid;
      for (let i = 0; i < 8; i++) await session.ask({}, ping());
      assert.equal(condition(await session.at(old - 2).answer), 'item-not-found');
      assert.match((await session.ask({}, ping('on'))).xml, /'on'/);
    },
  },
  {
    section: '§14.3',
    name: 'with ack, an answer is kept until it is acknowledged, and no longer',
    run: async (url) => {
      const session = await login(url, { ack: 1 });
      const seen = session.rid;
      const first = await session.ask({}, ping('kept'));
      for (let i = 0; i < 5; i++) await session.ask({ ack: seen }, ping());
      assert.equal((await session.at(seen + 1, {}, ping('kept')).answer).xml, first.xml);
      await session.ask({}, ping());
      assert.equal(condition(await session.at(seen + 1, {}, ping('kept')).answer), 'item-not-found');
    },
  },
  {
    section: '§15',
    name: 'key sequences: right keys go on, also from a new sequence',
    run: async (url) => {
      const session = await create(url, { newkey: sha1(sha1('seed')) });
      const auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>";
      const one = await session.ask({ key: sha1('seed'), newkey: sha1(sha1('other')) }, auth);
      assert.equal(one.payloads[0]?.localName, 'success');
      const two = await session.ask({ key: sha1('other'), 'xmpp:restart': 'true', to: 'localhost' });
      assert.equal(two.payloads[0]?.localName, 'features');
    },
  },
  ...[sha1('wrong'), undefined].map(
    (key): Case => ({
      section: '§15',
      name: `a ${key ? 'wrong' : 'missing'} key is item-not-found`,
      run: async (url) => {
        const session = await create(url, { newkey: sha1(sha1('seed')) });
        assert.equal(condition(await session.ask({ key }, ping())), 'item-not-found');
      },
    }),
  ),
  {
    section: '§15',
    name: 'keys are checked on repeats, too',
    run: async (url) => {
      const session = await create(url, { newkey: sha1(sha1('seed')) });
      const auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>";
      const first = await session.ask({ key: sha1('seed') }, auth);
      assert.equal((await session.at(session.rid, { key: sha1('seed') }, auth).answer).xml, first.xml);
      assert.equal(
        condition(await session.at(session.rid, { key: sha1('x') }, auth).answer),
        'item-not-found',
      );
    },
  },
  {
    section: '§16',
    name: 'several streams are not offered, and their attribute is ignored',
    run: async (url) => {
      const session = await login(url);
      assert.equal(session.creation.attributes.stream, undefined);
      assert.match((await session.ask({ stream: 'other' }, ping())).xml, /'ping'/);
    },
  },
  {
    section: '§17.1',
    name: 'a client that sent no ver gets 400, 403 and 404 instead of conditions',
    run: async (url) => {
      const legacy = { ver: undefined };
      assert.equal((await create(url, { ...legacy, rid: 'x' })).creation.status, 400);
      const session = await create(url, legacy);
      assert.equal((await session.ask({ pause: 100_000 })).status, 403);
      const other = await create(url, legacy);
      assert.equal((await other.at(other.rid + 10).answer).status, 404);
    },
  },
  {
    section: '§17.2',
    name: 'a stream error travels with remote-stream-error',
    run: async (url) => {
      const session = await create(url);
      const answer = await session.ask(
        {},
        "<iq type='set' id='1' xmlns='jabber:client'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
      );
      assert.equal(condition(answer), 'remote-stream-error');
      assert.equal(answer.payloads[0]?.localName, 'error');
      assert.equal(answer.payloads[0]?.namespaceURI, 'http://etherx.jabber.org/streams');
    },
  },
  {
    section: 'XEP-0206',
    name: 'a client that binds xmpp to urn:xmpp:bosh, which does not exist, logs in',
    run: async (url) => {
      // As Swiften writes its requests; libpurple makes the same mistake.
      const creation = await send(
        url,
        "<body content='text/xml; charset=utf-8' hold='1' to='localhost' rid='7001' ver='1.6' wait='60' xml:lang='en' xmlns:xmpp='urn:xmpp:bosh' xmpp:version='1.0' xmlns='http://jabber.org/protocol/httpbind' />",
      ).answer;
      assert.match(creation.xml, /<mechanism>ANONYMOUS</);
      const sid = creation.attributes.sid ?? '';
      const ask = (rid: number, more: string, payload: string) =>
        send(
          url,
          `<body rid='${rid}' sid='${sid}'${more} xmlns='http://jabber.org/protocol/httpbind'>${payload}</body>`,
        ).answer;
      const auth = '<auth mechanism="ANONYMOUS" xmlns="urn:ietf:params:xml:ns:xmpp-sasl"></auth>';
      assert.match((await ask(7002, '', auth)).xml, /<success/);
      const restarted = await ask(7003, " xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh'", '');
      assert.match(restarted.xml, /urn:ietf:params:xml:ns:xmpp-bind/);
      const bind = '<iq id="bind" type="set"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"></bind></iq>';
      assert.match((await ask(7004, '', bind)).xml, /<jid>/);
    },
  },
  {
    section: 'XEP-0206',
    name: 'xmpp:version and xmpp:restartlogic are in the creation response, and xmpp:restart opens a new stream',
    run: async (url) => {
      const session = await create(url);
      assert.equal(session.creation.attributes['xmpp:version'], '1.0');
      assert.equal(session.creation.attributes['xmpp:restartlogic'], 'true');
      await session.ask({}, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>");
      const restarted = await session.ask({ 'xmpp:restart': 'true', to: 'localhost' });
      assert.match(restarted.xml, /urn:ietf:params:xml:ns:xmpp-bind/);
    },
  },
  {
    section: 'XEP-0206',
    name: "payload stanzas are in jabber:client, and the client's xml:lang is respected",
    run: async (url) => {
      const session = await login(url, { 'xml:lang': 'de' });
      const answer = await session.until((a) => a.xml.includes("'ping'"), ping());
      assert.equal(answer.payloads[0]?.namespaceURI, 'jabber:client');
      const [alice, bob] = [session, await login(url)];
      const held = bob.next();
      await deliver(alice, bob, 'Grüße');
      const got = await held.answer;
      assert.deepEqual(bodies(got), ['Grüße']);
      assert.equal(got.payloads.find((p) => p.localName === 'message')?.getAttribute('xml:lang'), 'de');
    },
  },
  {
    section: 'XEP-0206',
    name: 'a session that is replaced by the same resource ends with its stream error',
    run: async (url, { alice }) => {
      const first = await login(url, {}, { ...alice, resource: 'same' });
      const held = first.next();
      await login(url, {}, { ...alice, resource: 'same' });
      const end = await held.answer;
      assert.equal(condition(end), 'remote-stream-error');
      assert.match(end.xml, /<conflict /);
    },
  },
  // What users of connection managers lost or hit.
  {
    section: 'field',
    name: 'a duplicated future rid does no harm',
    run: async (url) => {
      const [alice, bob] = await couple(url);
      const held = bob.next();
      for (let i = 0; i < 2; i++) alice.at(alice.rid + 2, {}, message(bob.jid, 'second'));
      await login(url);
      alice.at(alice.rid + 1, {}, message(bob.jid, 'first'));
      const seen = bodies(await held.answer);
      while (seen.length < 2) seen.push(...bodies(await bob.ask()));
      assert.deepEqual(seen, ['first', 'second']);
    },
  },
  {
    section: 'field',
    name: 'a session lives on when a proxy cuts the held request, and the repeat gets the message sent meanwhile',
    run: async (url) => {
      const [alice, bob] = await couple(url);
      const held = bob.next();
      await login(url);
      held.cut();
      await deliver(alice, bob, 'while away');
      assert.deepEqual(bodies(await bob.at(bob.rid).answer), ['while away']);
    },
  },
  {
    section: 'field',
    name: 'both requests die at once, and both rids are resent, in the wrong order',
    run: async (url) => {
      const [alice, bob] = await couple(url);
      const first = bob.next();
      const second = bob.next({}, message(alice.jid, 'from bob'));
      await login(url);
      first.cut();
      second.cut();
      await deliver(alice, bob, 'one');
      const later = bob.at(bob.rid, {}, message(alice.jid, 'from bob'));
      const earlier = bob.at(bob.rid - 1);
      // A client reads answers in the order of its requests.
      const seen = bodies(await earlier.answer);
      if (seen.length === 0) seen.push(...bodies(await later.answer));
      assert.deepEqual(seen, ['one']);
    },
  },
  {
    section: 'field',
    name: 'the same rid three times: the last one gets the answer',
    run: async (url) => {
      const [alice, bob] = await couple(url);
      const requests = [bob.next()];
      for (let i = 0; i < 2; i++) {
        await login(url);
        requests.push(bob.at(bob.rid));
      }
      await login(url);
      await deliver(alice, bob, 'hello');
      const answers = await Promise.all(requests.map((request) => request.answer));
      assert.deepEqual(answers.map(bodies), [[], [], ['hello']]);
    },
  },
  {
    section: 'field',
    name: 'a dead session does not hold its resource',
    run: async (url, { alice }) => {
      const first = await login(url, {}, { ...alice, resource: 'phone' });
      first.next().cut();
      const second = await login(url, {}, { ...alice, resource: 'phone' });
      assert.equal(second.jid, 'alice@localhost/phone');
    },
  },
  {
    section: 'field',
    name: "the client's address behind a proxy is the one ejabberd shows",
    run: async (url, instance) => {
      const session = await login(url, {}, { headers: { 'x-forwarded-for': '192.0.2.77' } });
      const users = (await instance.ctl('connected_users_info')).split('\n');
      assert.match(`${users.find((line) => line.startsWith(session.jid))}`, /192\.0\.2\.77/);
    },
  },
];
