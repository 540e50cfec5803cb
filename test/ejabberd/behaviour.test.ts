/** A session through the gateway behaves like any other of ejabberd's: its limits, rules, commands and modules apply. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Instance } from '../../scripts/support/instance.js';
import { until } from '../support/until.js';
import { type Answer, BoshSession, bodies, condition, message, ping } from './conformance/bosh-session.js';
import { startInstance } from './conformance/configure.js';

let instance: Instance;
before(async () => {
  instance = await startInstance();
  await instance.ctl('register', 'mallory', 'localhost', 'secret');
});
after(() => instance.stop());

const login = (resource: string, attributes = {}): Promise<BoshSession> =>
  BoshSession.login(instance.gatewayUrl, attributes, { ...instance.bob, resource });
const anonymous = (attributes = {}): Promise<BoshSession> =>
  BoshSession.login(instance.gatewayUrl, attributes);

/** Reads on until the session ends. */
async function end(session: BoshSession): Promise<Answer> {
  let answer = await session.ask();
  while (answer.attributes.type === undefined) answer = await session.ask();
  return answer;
}

describe('ejabberd', { timeout: 120_000 }, () => {
  it('shows the user with its address, and the session by its id', async () => {
    const bob = await login('shown');
    // Commands may take longer than it may be silent.
    bob.next();
    assert.match(await instance.ctl('connected_users_info'), /bob@localhost\/shown\thttp_bind\t127\.0\.0\.1/);
    const listed = (await instance.ctl('megaphone_sessions'))
      .split('\n')
      .find((line) => line.startsWith(bob.sid));
    assert.match(`${listed}`, /\tbob@localhost\/shown\t127\.0\.0\.1\tbosh\testablished\t/);
    await bob.terminate();
  });

  it('refuses whom its access rules deny', async () => {
    const session = await BoshSession.create(instance.gatewayUrl);
    const auth = Buffer.from('\0mallory\0secret').toString('base64');
    await session.ask({}, `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${auth}</auth>`);
    await session.ask({ 'xmpp:restart': 'true' });
    const bind =
      "<iq type='set' id='b' xmlns='jabber:client'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
    assert.match((await session.ask({}, bind)).xml, /<not-allowed /);
  });

  it('refuses a wrong password', async () => {
    const session = await BoshSession.create(instance.gatewayUrl);
    const auth = Buffer.from('\0bob\0wrong').toString('base64');
    const answer = await session.ask(
      {},
      `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${auth}</auth>`,
    );
    assert.match(answer.xml, /<not-authorized/);
  });

  it('ends the oldest session beyond max_user_sessions', async () => {
    const oldest = await login('1');
    const ending = end(oldest);
    for (let i = 2; i <= 11; i++) await login(`${i}`);
    assert.equal(condition(await ending), 'remote-stream-error');
  });

  it('kicks a user, whose client hears why', async () => {
    const session = await anonymous();
    const ending = end(session);
    const [user, rest = ''] = session.jid.split('@');
    await instance.ctl('kick_session', `${user}`, 'localhost', `${rest.split('/')[1]}`, 'out');
    const last = await ending;
    assert.equal(condition(last), 'remote-stream-error');
    assert.match(last.xml, /out/);
  });

  it('closes a session by its sid', async () => {
    const session = await anonymous();
    const ending = end(session);
    await instance.ctl('megaphone_close_session', session.sid);
    assert.equal(condition(await ending), 'policy-violation');
    await assert.rejects(instance.ctl('megaphone_close_session', session.sid));
  });

  it('serves several virtual hosts', async () => {
    const session = await BoshSession.create(instance.gatewayUrl, { to: 'second.localhost' });
    assert.equal(session.creation.attributes.from, 'second.localhost');
    assert.equal(session.creation.payloads[0]?.localName, 'features');
  });

  it('resumes a managed stream (XEP-0198) in a new session, and resends what was not acknowledged', async () => {
    const bob = await login('managed');
    const enabled = await bob.until(
      ({ xml }) => xml.includes('<enabled'),
      "<enable xmlns='urn:xmpp:sm:3' resume='true'/>",
    );
    const id = /<enabled [^>]*\bid='([^']+)'/.exec(enabled.xml)?.[1];
    const sender = await anonymous();
    await sender.until((answer) => answer.xml.includes("'ping'"), message(bob.jid, 'once') + ping());
    await bob.until((answer) => bodies(answer).includes('once'));
    await until(async () => !(await instance.ctl('megaphone_sessions')).includes(bob.sid));

    const session = await BoshSession.create(instance.gatewayUrl);
    const auth = Buffer.from(`\0bob\0${instance.bob.password}`).toString('base64');
    await session.ask({}, `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${auth}</auth>`);
    await session.ask({ 'xmpp:restart': 'true' });
    const resumed = await session.ask({}, `<resume xmlns='urn:xmpp:sm:3' previd='${id}' h='0'/>`);
    assert.match(resumed.xml, /<resumed /);
    assert.deepEqual(bodies(resumed), ['once']);
    await session.terminate();
  });

  it('holds presence back for a client that says it is inactive', async () => {
    const bob = await login('idle');
    await bob.until((answer) => answer.xml.includes("'ping'"), `<inactive xmlns='urn:xmpp:csi:0'/>${ping()}`);
    const held = bob.next();
    const other = await login('other');
    await other.until((answer) => answer.xml.includes("'ping'"), message(bob.jid, 'wake up') + ping());
    // The message takes the presence that came before it along.
    assert.deepEqual(
      (await held.answer).payloads.map((payload) => payload.localName),
      ['presence', 'message'],
    );
    await Promise.all([bob.terminate(), other.terminate()]);
  });

  it('slows a client that sends more than its shaper allows, and loses nothing of it', async () => {
    const sender = await anonymous();
    const receiver = await anonymous();
    const texts = Array.from({ length: 13 }, (_, i) => `${i} ${'x'.repeat(200_000)}`);
    const sending = (async () => {
      for (const text of texts) await sender.ask({}, message(receiver.jid, text) + ping());
    })();
    const seen: string[] = [];
    while (seen.length < texts.length) seen.push(...bodies(await receiver.ask()));
    assert.deepEqual(seen, texts);
    await sending;
  });

  it('counts what sessions do', async () => {
    const before = await stats();
    const session = await anonymous();
    await session.at(session.rid).answer;
    await session.terminate();
    const after = await stats();
    const grown = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0);
    assert.equal(grown('sessions_opened'), 1);
    assert.equal(grown('requests_repeated'), 1);
    assert.equal(grown('terminated_client'), 1);
    assert.ok(
      grown('bytes_in') > 0 &&
        grown('bytes_out') > 0 &&
        grown('stanzas_in') >= 3 &&
        grown('stanzas_out') >= 3,
    );
  });
});

async function stats(): Promise<Map<string, number>> {
  const lines = (await instance.ctl('megaphone_stats')).trim().split('\n');
  return new Map(lines.map((line) => line.split('\t')).map(([name, value]) => [`${name}`, Number(value)]));
}
