/** A WebSocket user is any other of ejabberd's users: its limits, rules, commands and modules apply, and its ends are told. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Instance } from '../../scripts/support/instance.js';
import { until } from '../support/until.js';
import { BoshSession, bodies, message, ping } from './conformance/bosh-session.js';
import { startInstance } from './conformance/configure.js';
import { gatewayBeside } from './support/gateway-beside.js';
import { makeAccounts } from './support/people.js';
import { ServerNode } from './support/server-node.js';
import { type Login, openFrame, WebSocketSession } from './support/websocket-session.js';
import { OWN, webSocketUrl } from './support/websocket-url.js';

const STREAM_ERROR = /^<stream:error xmlns:stream='http:\/\/etherx\.jabber\.org\/streams'>/;

let instance: Instance;
let server: ServerNode;
let url: string;
before(async () => {
  instance = await startInstance();
  server = await ServerNode.connect(instance);
  await makeAccounts(server, [
    'mallory',
    'banned',
    'crowd',
    'away',
    'carbon',
    'idle',
    'managed',
    'both',
    'gone',
  ]);
  url = webSocketUrl(instance);
});
after(async () => {
  await server?.stop();
  await instance?.stop();
});

const account = (name: string, more: Login = {}): Login => ({
  jid: `${name}@localhost`,
  password: 'secret',
  ...more,
});
const login = (name: string, more: Login = {}): Promise<WebSocketSession> =>
  WebSocketSession.login(url, account(name, more));
const anonymous = (): Promise<WebSocketSession> => WebSocketSession.login(url);

/** The stream ends with this error, behind it comes `<close/>`, and nothing more (RFC 7395 §3.4, §3.6). */
async function endsWith(session: WebSocketSession, condition: string): Promise<string> {
  const { code } = await session.closed;
  const [error = '', close = ''] = session.frames.slice(-2);
  assert.match(error, STREAM_ERROR, `${session.jid}: ${session.frames.slice(-3).join(' ')} ${code}`);
  assert.ok(error.includes(`<${condition} `), error);
  assert.match(close, /^<close /);
  return error;
}

describe('ejabberd over WebSocket', { timeout: 120_000, concurrency: true }, () => {
  it('shows the user with its address', async () => {
    const session = await login('both', { resource: 'shown' });
    assert.match(await shown(session), /"websocket",.*"(?:::ffff:)?127\.0\.0\.1"/);
    await session.leave();
  });

  it('shows the address that a trusted proxy tells of', async () => {
    const session = await login('both', {
      resource: 'proxied',
      headers: { 'x-forwarded-for': '192.0.2.7' },
    });
    assert.match(await shown(session), /"websocket",.*"(?:::ffff:)?192\.0\.2\.7"/);
    await session.leave();
  });

  it('refuses whom its access rules deny', async () => {
    const session = await WebSocketSession.authenticate(url, account('mallory'));
    const bind =
      "<iq type='set' id='b' xmlns='jabber:client'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
    assert.match(await session.ask(bind, '<iq'), /<not-allowed /);
    session.cut();
  });

  it('refuses a wrong password', async () => {
    const session = await WebSocketSession.open(url);
    const auth = Buffer.from('\0both\0wrong').toString('base64');
    const sent = `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${auth}</auth>`;
    assert.match(await session.ask(sent, '<failure'), /<not-authorized/);
    session.cut();
  });

  it('serves several virtual hosts, and no unknown one', async () => {
    const second = await WebSocketSession.open(url, 'second.localhost');
    assert.match(`${second.frames[0]}`, /^<open [^>]*from='second\.localhost'/);
    second.cut();
    const unknown = await WebSocketSession.connect(url);
    unknown.send(openFrame('unknown.example'));
    await endsWith(unknown, 'host-unknown');
    assert.match(`${unknown.frames[0]}`, /^<open /);
  });

  it('ends the oldest session beyond max_user_sessions', async () => {
    const sessions: WebSocketSession[] = [];
    for (let i = 1; i <= 11; i += 1) sessions.push(await login('crowd', { resource: `${i}`, presence: '' }));
    const [oldest, ...others] = sessions;
    assert.ok(oldest);
    await endsWith(oldest, 'conflict');
    for (const session of others) await session.leave();
  });

  it('kicks a user, whose client hears why', async () => {
    const session = await anonymous();
    const [user = '', rest = ''] = session.jid.split('@');
    await server.evaluate(
      `mod_admin_extra:kick_session(<<"${user}">>, <<"localhost">>, <<"${rest.split('/')[1]}">>, <<"out of here">>).`,
    );
    assert.match(await endsWith(session, 'conflict'), /out of here/);
  });

  it('bans a user, whose client hears it', async () => {
    const session = await login('banned');
    await server.evaluate('mod_admin_extra:ban_account(<<"banned">>, <<"localhost">>, <<"for good">>).');
    await endsWith(session, 'conflict');
    await assert.rejects(login('banned'));
  });

  it('ends a session whose resource another one takes, with what that one does not get', async () => {
    const first = await login('both', { resource: 'taken' });
    const second = await login('both', { resource: 'taken', presence: '' });
    await endsWith(first, 'conflict');
    await second.say(second.jid, 'still here');
    assert.deepEqual(second.bodies, ['still here']);
    await second.leave();
  });

  it('ends a stream that is not well-formed', { skip: OWN }, async () => {
    const session = await anonymous();
    session.send("<message xmlns='jabber:client'><body></message>");
    await endsWith(session, 'not-well-formed');
  });

  it('ends a stream with a stanza larger than max_stanza_size, and the gateway one with a frame larger than max_body', {
    skip: OWN,
  }, async () => {
    const large = message('somebody@localhost', 'x'.repeat(300_000));
    const refused = await anonymous();
    refused.send(large);
    assert.equal((await refused.closed).code, 1009);
    const { service, webSocketUrl } = await gatewayBeside(instance, { max_body: '1 MB' });
    const session = await WebSocketSession.login(webSocketUrl);
    session.send(large);
    await endsWith(session, 'policy-violation');
    await service.stop();
  });

  it('answers <close/> with the same, and 1000', async () => {
    const session = await anonymous();
    assert.equal((await session.leave()).code, 1000);
    assert.match(`${session.frames.at(-1)}`, /^<close /);
    await until(async () => !(await isOnline(session)));
  });

  it('holds presence back for a client that says it is inactive (XEP-0352)', async () => {
    const session = await login('idle', { resource: 'sleepy' });
    session.send("<inactive xmlns='urn:xmpp:csi:0'/>");
    await session.roundTrip();
    const from = session.frames.length;
    const other = await login('idle', { resource: 'lively' });
    await other.say(session.jid, 'wake up');
    await session.until('wake up');
    const names = session.frames.slice(from).map((frame) => /^<(\w+)/.exec(frame)?.[1]);
    assert.deepEqual(names, ['presence', 'message']);
    await Promise.all([session.leave(), other.leave()]);
  });

  it('copies a conversation to all of a user: one WebSocket, one BOSH (XEP-0280)', async () => {
    const boshUrl = OWN ? instance.ejabberdUrl : instance.gatewayUrl;
    const enable =
      "<iq type='set' id='carbons' xmlns='jabber:client'><enable xmlns='urn:xmpp:carbons:2'/></iq>";
    const desk = await login('carbon', { resource: 'desk' });
    await desk.ask(enable, "'carbons'");
    const phone = await BoshSession.login(boshUrl, {}, { ...account('carbon'), resource: 'phone' } as never);
    await phone.until(({ xml }) => xml.includes("'carbons'"), enable);
    const friend = await anonymous();

    const heard: string[] = [];
    const listening = (async () => {
      while (heard.length < 20) heard.push(...bodies(await phone.ask()));
    })();
    for (let n = 0; n < 10; n += 1) {
      await friend.say(desk.jid, `to the desk ${n}`);
      await desk.say(friend.jid, `from the desk ${n}`);
    }
    await listening;
    const copies = Array.from({ length: 10 }, (_, n) => [`to the desk ${n}`, `from the desk ${n}`]).flat();
    assert.deepEqual(heard, copies, 'carbons to the BOSH client');
    await phone.until(({ xml }) => xml.includes("'ping'"), message(friend.jid, 'from the phone') + ping());
    await desk.until('from the phone');
    assert.deepEqual(desk.bodies.at(-1), 'from the phone', 'a carbon to the WebSocket client');
    await Promise.all([desk.leave(), friend.leave(), phone.terminate()]);
  });

  it('delivers 300 messages of 5 kB that came while the user was offline', async () => {
    const sender = await anonymous();
    const texts = Array.from({ length: 300 }, (_, n) => `${n} ${'x'.repeat(5_000)}`);
    await sender.say('away@localhost', ...texts);
    const away = await login('away');
    assert.deepEqual(await away.messages(texts.length), texts);
    await away.leave();
    await sender.leave();
  });

  it('slows a client that sends more than its shaper allows, and loses nothing of it', async () => {
    const sender = await anonymous();
    const receiver = await anonymous();
    const texts = Array.from({ length: 13 }, (_, n) => `${n} ${'x'.repeat(200_000)}`);
    const begin = await clock();
    await sender.say(receiver.jid, ...texts);
    assert.deepEqual(await receiver.messages(texts.length), texts);
    // 2.6 MB, of which 2 MB go at once and the rest with 200 kB a second.
    if (!OWN) assert.ok((await clock()) - begin > 1_000, 'it was not slowed');
    await Promise.all([sender.leave(), receiver.leave()]);
  });

  it('hears what a client said before it closed its tab, though its shaper had kept that back', {
    skip: OWN,
  }, async () => {
    const [sender, receiver] = [await anonymous(), await anonymous()];
    const small = Array.from({ length: 20 }, (_, n) => `after all: ${n}`);
    // The burst, and as much more as takes 2 s.
    const texts = [...Array.from({ length: 12 }, () => 'x'.repeat(200_000)), ...small];
    sender.send(...texts.map((text) => message(receiver.jid, text)));
    sender.socket.close(1001);
    assert.deepEqual((await receiver.messages(texts.length)).slice(-small.length), small);
    await receiver.leave();
  });

  it('resumes a stream after its session slept (XEP-0198): nothing lost, nothing twice', async () => {
    const as = account('managed', { resource: 'web', managed: true });
    const first = await WebSocketSession.login(url, as);
    const friend = await anonymous();
    await friend.say(first.jid, 'read');
    await first.messages(1);
    await first.roundTrip();
    first.acknowledges = false;
    const handled = first.managed.handled;
    await friend.say(first.jid, 'read, and not acknowledged');
    await first.messages(2);
    if (!OWN) {
      const pid = `element(2, hd([S || S <- ejabberd_sm:get_user_info(<<"managed">>, <<"localhost">>, <<"web">>), element(1, S) =:= pid]))`;
      await until(async () => /hibernat/.test(await server.print(`process_info(${pid}, current_function)`)));
    }
    first.cut();
    await friend.say(first.jid, 'while it was gone');
    const second = await WebSocketSession.resume(url, first, as);
    // It had counted the second, and so it does not come again.
    assert.equal(second.managed.handled >= handled, true);
    assert.deepEqual(await second.messages(1), ['while it was gone']);
    await second.say(friend.jid, 'on');
    assert.deepEqual(second.bodies, ['while it was gone']);
    await Promise.all([second.leave(), friend.leave()]);
  });

  it('gives to offline storage what a client without stream management never got', {
    skip: OWN,
  }, async () => {
    const friend = await anonymous();
    const gone = await login('gone', { resource: 'first' });
    gone.socket.pause();
    await friend.say(gone.jid, 'one', 'two');
    gone.cut();
    await until(async () => !(await isOnline(gone)));
    const again = await login('gone', { resource: 'again' });
    assert.deepEqual(await again.messages(2), ['one', 'two']);
    await again.roundTrip();
    assert.deepEqual(again.bodies, ['one', 'two']);
    await Promise.all([again.leave(), friend.leave()]);
  });
});

/** What connected_users_info tells of it. */
const shown = ({ jid }: WebSocketSession): Promise<string> =>
  server.print(
    `[list_to_tuple([if is_binary(E) -> binary_to_list(E); true -> E end || E <- tuple_to_list(I)])
      || I <- mod_admin_extra:connected_users_info(), element(1, I) =:= <<"${jid}">>]`,
  );

async function isOnline({ jid }: WebSocketSession): Promise<boolean> {
  const [user, resource] = jid.split('@localhost/');
  return (
    (await server.print(
      `lists:member(<<"${resource}">>, ejabberd_sm:get_user_resources(<<"${user}">>, <<"localhost">>))`,
    )) === 'true'
  );
}

const clock = async (): Promise<number> =>
  Number(await server.evaluate('erlang:monotonic_time(millisecond).'));
