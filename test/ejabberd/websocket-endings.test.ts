/**
 * How the server ends a client's connection: where its stream can be resumed (XEP-0198) it is told to come back; where the end
 * is meant, by an error, it cannot be; and what is out of turn ends it without a word of it in the log.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Instance } from '../../scripts/support/instance.js';
import { setModuleOptions } from '../../scripts/support/module-options.js';
import { makeAccounts } from './support/people.js';
import { ServerNode } from './support/server-node.js';
import { openFrame, WebSocketSession } from './support/websocket-session.js';
import { OWN } from './support/websocket-url.js';

const ENDS = ['operator', 'erring', 'kicked', 'banned'] as const;

let instance: Instance;
let server: ServerNode;
let url: string;
before(async () => {
  instance = await Instance.start();
  await setModuleOptions(instance, { mod_stream_mgmt: { ack_timeout: '1 s' } });
  server = await ServerNode.connect(instance);
  await makeAccounts(server, ['dropped', 'away', ...ENDS]);
  url = instance.gatewayWebSocketUrl;
});
after(async () => {
  await server?.stop();
  await instance?.stop();
});

const as = (name: string) => ({
  jid: `${name}@localhost`,
  password: 'secret',
  resource: 'web',
  managed: true,
});
const pid = (name: string): string =>
  `ejabberd_sm:get_session_pid(<<"${name}">>, <<"localhost">>, <<"web">>)`;

/** How each of these is made to end. */
const end: Record<(typeof ENDS)[number], (session: WebSocketSession) => Promise<unknown>> = {
  operator: () => server.evaluate(`megaphone_control:close(${pid('operator')}).`),
  erring: async (session) => session.send('<message>'),
  kicked: () =>
    server.evaluate('mod_admin_extra:kick_session(<<"kicked">>, <<"localhost">>, <<"web">>, <<"out">>).'),
  banned: () => server.evaluate('mod_admin_extra:ban_account(<<"banned">>, <<"localhost">>, <<"out">>).'),
};
const CODES = { operator: 1008, erring: 1000, kicked: 1000, banned: 1000 };

describe('the server', { timeout: 120_000, concurrency: true, skip: OWN }, () => {
  it('drops a client that acknowledges nothing: it may resume its stream, and hears nothing twice', async () => {
    const first = await WebSocketSession.login(url, as('dropped'));
    first.acknowledges = false;
    const friend = await WebSocketSession.login(url);
    await friend.say(first.jid, 'read');
    await first.messages(1);
    const from = first.frames.length;
    const { code } = await first.closed;
    const told = first.frames.slice(from).filter((frame) => !frame.startsWith('<r '));
    assert.deepEqual([told, code], [[], 1012]);
    await friend.say(first.jid, 'while it was gone');
    const second = await WebSocketSession.resume(url, first, as('dropped'));
    assert.deepEqual(await second.messages(1), ['while it was gone']);
    await Promise.all([second.leave(), friend.leave()]);
  });

  it('closes the connection of one without stream management: the stream is over', async () => {
    const session = await WebSocketSession.login(url, { ...as('away'), managed: false });
    await server.evaluate(`ejabberd_c2s:close(${pid('away')}).`);
    const { code } = await session.closed;
    assert.match(`${session.frames.at(-1)}`, /^<close /);
    assert.equal(code, 1000);
  });

  for (const name of ENDS)
    it(`ends a session for good (${name}): nobody resumes its stream`, async () => {
      const session = await WebSocketSession.login(url, as(name));
      await end[name](session);
      const { code } = await session.closed;
      const [error = '', close = ''] = session.frames.slice(-2);
      assert.match(error, /^<stream:error /);
      assert.match(close, /^<close /);
      assert.equal(code, CODES[name]);
      const again = await WebSocketSession.authenticate(url, name === 'banned' ? {} : as(name));
      const { id, handled } = session.managed;
      await again.ask(`<resume xmlns='urn:xmpp:sm:3' previd='${id}' h='${handled}'/>`, '<failed');
      again.cut();
    });

  const secret = 'TOLD-TO-NOBODY';
  const bare = `<message xmlns='jabber:client'><body>${secret}</body></message>`;
  const header = openFrame().replace('version', `id='${secret}' version`);
  const login = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>";
  for (const [what, frames] of [
    ['a second <open/>', [openFrame(), header, bare]],
    ['a user’s second <open/>', [openFrame(), login, openFrame(), header, bare]],
    ['a stanza where <open/> is due', [openFrame(), login, bare, bare]],
  ] as const)
    it(`ends a session with ${what}, and tells its log nothing of it`, async () => {
      const stranger = await WebSocketSession.connect(url);
      stranger.send(...frames);
      const { code } = await stranger.closed;
      const [error = '', close = ''] = stranger.frames.slice(-2);
      assert.match(error, /^<stream:error .*<bad-format /);
      assert.match(close, /^<close /);
      assert.equal(code, 1000);
      const logs = join(instance.var, `${instance.ejabberdNode.split('@', 1)[0]}`, 'logs', 'ejabberd.log');
      assert.doesNotMatch(await readFile(logs, 'utf8'), new RegExp(secret));
    });
});
