/**
 * Chat and the world behind it: lines from outside that become messages of users and rooms.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Instance } from '../../scripts/support/instance.js';
import { addModule } from '../../scripts/support/module-options.js';
import { BoshSession } from './conformance/bosh-session.js';
import { ServerNode } from './support/server-node.js';

let instance: Instance;
let server: ServerNode;
before(async () => {
  instance = await Instance.start();
  server = await ServerNode.connect(instance);
});
after(async () => {
  await server.stop();
  await instance.stop();
});

const login = (account: { jid: string; password: string }, resource: string): Promise<BoshSession> =>
  BoshSession.login(instance.gatewayUrl, {}, { ...account, resource });

/** What it gets, up to what holds this text. */
const gets = async (session: BoshSession, text: string): Promise<string> =>
  (await session.until(({ xml }) => xml.includes(text))).xml;

const say = (targets: string, text: string, from = ''): Promise<string> =>
  server.print(`megaphone_outside:say(${targets}, <<"${from}">>, <<"${text}"/utf8>>)`);

describe('a line from outside', { timeout: 240_000 }, () => {
  it('is a chat message to users, from the server itself or from whom it names', async () => {
    const alice = await login(instance.alice, 'web');
    assert.equal(
      await say('[{user, <<"alice">>}, {user, <<"alice@localhost/web">>}]', 'Backup done'),
      '[ok,ok]',
    );
    const xml = await gets(alice, 'Backup done');
    assert.match(xml, /<message [^>]*type='chat'/);
    assert.match(xml, /from='localhost'/);
    assert.equal(await say('[{user, <<"ALICE">>}]', 'gr\\x{fc}n \\x{1b}[0m', 'backup@localhost'), '[ok]');
    const named = await gets(alice, 'grün');
    assert.match(named, /from='backup@localhost'/);
    assert.ok(named.includes('grün \ufffd[0m'), named);
    await alice.terminate();
  });

  it('waits for a user who is offline', async () => {
    assert.equal(await say('[{user, <<"bob@localhost">>}]', 'while you were away'), '[ok]');
    const bob = await BoshSession.login(instance.gatewayUrl, {}, { ...instance.bob, presence: '' });
    const { xml } = await bob.until(
      ({ xml }) => xml.includes('while you were away'),
      "<presence xmlns='jabber:client'/>",
    );
    assert.match(xml, /urn:xmpp:delay/);
    await bob.terminate();
  });

  it('is told what is wrong with each address', async () => {
    assert.equal(await say('[{room, <<"ops">>}]', 'no rooms here'), '[{error,no_rooms}]');
    assert.equal(
      await say('[{user, <<"nobody">>}, {user, <<"alice">>}, {user, <<"@localhost">>}, {user, <<>>}]', 'x'),
      '[{error,no_such_user},ok,{error,bad_address},{error,bad_address}]',
    );
    assert.equal(await say('[{user, <<"alice">>}]', 'x', '@'), '[{error,bad_sender}]');
    assert.equal(await say('[{user, <<"alice">>}]', ''), '[{error,bad_text}]');
  });

  it('is said in a room, by the room or by a service administrator', async () => {
    await addModule(instance, 'mod_muc', { access_admin: [{ allow: { user: 'backup@localhost' } }] });
    const alice = await login(instance.alice, 'web');
    await alice.until(
      ({ xml }) => xml.includes("code='110'"),
      "<presence to='ops@conference.localhost/alice' xmlns='jabber:client'><x xmlns='http://jabber.org/protocol/muc'/></presence>",
    );
    // The room asks its owner for a configuration, and is locked until then.
    await alice.until(
      ({ xml }) => xml.includes("id='unlock'"),
      "<iq type='set' id='unlock' to='ops@conference.localhost' xmlns='jabber:client'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>",
    );
    assert.equal(
      await say(
        '[{room, <<"ops">>}, {room, <<"elsewhere">>}, {room, <<"ops@conference.example.org">>}]',
        'disc full',
      ),
      '[ok,{error,no_such_room},{error,no_rooms}]',
    );
    const xml = await gets(alice, 'disc full');
    assert.match(xml, /<message [^>]*type='groupchat'/);
    assert.match(xml, /from='ops@conference.localhost'/);
    assert.equal(
      await say('[{room, <<"ops@conference.localhost">>}]', 'disc empty', 'backup@localhost'),
      '[ok]',
    );
    assert.match(await gets(alice, 'disc empty'), /<message [^>]*type='groupchat'/);
    await alice.terminate();
  });
});
