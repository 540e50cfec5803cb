/** Logins in one step: SASL2 (XEP-0388) with a resource (XEP-0386), a token for the next time (XEP-0484), or the stream of before. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, it, type TestContext } from 'node:test';
import { type Account, Instance } from '../../scripts/support/instance.js';
import { addModule } from '../../scripts/support/module-options.js';
import { BoshSession, message, ping } from './conformance/bosh-session.js';
import { gatewayBeside } from './support/gateway-beside.js';
import { makeAccounts } from './support/people.js';
import { ServerNode } from './support/server-node.js';
import { openFrame, WebSocketSession } from './support/websocket-session.js';

/** What a proxy says of a client that came by HTTPS. */
const SECURE = { 'x-forwarded-proto': 'https' };
const SASL2 = "xmlns='urn:xmpp:sasl:2'";
const TOKEN = 'HT-SHA-256-NONE';
/** What a stream that is to be resumed is told, and who asks for a token. */
const ENABLE = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";
const ASKS_TOKEN = `<request-token xmlns='urn:xmpp:fast:0' mechanism='${TOKEN}'/>`;

/** A connection of either kind, with a stream. */
interface Connection {
  readonly features: string;
  send(payload: string): void;
  /** Reads until there is this text. */
  until(text: string): Promise<string>;
  cut(): void;
}
type Connect = (jid: string, headers: Record<string, string>) => Promise<Connection>;

let instance: Instance;
let server: ServerNode;
let gateway: Awaited<ReturnType<typeof gatewayBeside>>;
let accounts: Account[];
/** Why not, where the release does not know it. */
let skip: string | undefined;

before(async () => {
  instance = await Instance.start({ gateway: false });
  server = await ServerNode.connect(instance);
  gateway = await gatewayBeside(instance, { trusted_proxies: '127.0.0.1' });
  accounts = await makeAccounts(server, ['web', 'bosh']);
  const knows = await server.print('erlang:function_exported(ejabberd_c2s, allow_unencrypted_sasl2, 1)');
  if (knows === 'true') await addModule(instance, 'mod_auth_fast', {});
  else skip = 'this ejabberd knows no SASL2';
});
after(async () => {
  await gateway?.service.stop();
  await server?.stop();
  await instance?.stop();
});

const byWebSocket: Connect = async (jid, headers) => {
  const session = await WebSocketSession.connect(gateway.webSocketUrl, headers);
  const open = openFrame().replace(' to=', ` from='${jid}' to=`);
  const features = await session.ask(open, '<stream:features');
  return {
    features,
    send: (payload) => session.send(payload),
    until: (text) => session.until(text),
    cut: () => session.cut(),
  };
};

const byBosh: Connect = async (jid, headers) => {
  const session = await BoshSession.create(gateway.url, { from: jid }, headers);
  /** With the next request. */
  const sent: string[] = [];
  return {
    features: session.creation.xml,
    send: (payload) => void sent.push(payload),
    until: async (text) =>
      (await session.until(({ xml }) => xml.includes(text), sent.splice(0).join(''))).xml,
    cut: () => {},
  };
};

/** Logs in; resolves with all that the server says of it. */
function authenticate(
  { send, until }: Connection,
  { jid }: Account,
  mechanism: string,
  response: Buffer,
  more: string,
): Promise<string> {
  const initial = `<initial-response>${response.toString('base64')}</initial-response>`;
  const agent = `<user-agent id='${jid}'><software>test</software></user-agent>`;
  send(`<authenticate ${SASL2} mechanism='${mechanism}'>${initial}${agent}${more}</authenticate>`);
  return until(SASL2);
}
const nameOf = ({ jid }: Account): string => jid.split('@', 1)[0] as string;
const plain = (as: Account): Buffer => Buffer.from(`\0${nameOf(as)}\0${as.password}`);
const byToken = (as: Account, token: string): Buffer =>
  Buffer.concat([Buffer.from(`${nameOf(as)}\0`), createHmac('sha256', token).update('Initiator').digest()]);
const bind = (inline: string): string => `<bind xmlns='urn:xmpp:bind:0'><tag>tag</tag>${inline}</bind>`;
const found = (pattern: RegExp, text: string): string => pattern.exec(text)?.[1] ?? assert.fail(text);

for (const [name, connect] of [
  ['WebSocket', byWebSocket],
  ['BOSH', byBosh],
] as const) {
  describe(`over ${name}`, { timeout: 120_000 }, () => {
    let as: Account;
    before(() => {
      as = accounts.pop() ?? assert.fail();
    });
    /** Only where there is something to test. */
    const test = (what: string, run: () => Promise<void>): void => {
      it(what, (t: TestContext) => (skip === undefined ? run() : t.skip(skip)));
    };

    test('it is offered to who came by HTTPS alone', async () => {
      assert.match((await connect(as.jid, SECURE)).features, /urn:xmpp:sasl:2.*urn:xmpp:bind:0/);
      assert.doesNotMatch((await connect(as.jid, {})).features, /urn:xmpp:sasl:2/);
    });

    test('one step logs in and binds; a token does for the next time', async () => {
      const first = await connect(as.jid, SECURE);
      const success = await authenticate(first, as, 'PLAIN', plain(as), bind('') + ASKS_TOKEN);
      const jid = found(/<authorization-identifier>([^<]+)</, success);
      assert.match(jid, new RegExp(`^${as.jid}/tag`));
      first.send(message(jid, 'hello'));
      await first.until('hello');
      const token = found(/<token [^>]*token='([^']+)'/, success);
      const next = await connect(as.jid, SECURE);
      const again = await authenticate(next, as, TOKEN, byToken(as, token), bind(''));
      assert.match(again, /<success.*<bound/s);
      next.cut();
    });

    test('the fifth that fails is told, and ends the stream', async () => {
      const connection = await connect(as.jid, SECURE);
      for (let count = 1; count <= 5; count += 1) {
        const wrong = plain({ ...as, password: 'wrong' });
        const said = await authenticate(connection, as, 'PLAIN', wrong, bind(''));
        assert.match(said, /<failure/);
        if (count === 5 && !said.includes('policy-violation')) await connection.until('policy-violation');
      }
    });

    test('one step takes up the stream of before, with what came meanwhile', async () => {
      const former = await connect(as.jid, SECURE);
      const enabled = await authenticate(former, as, 'PLAIN', plain(as), bind(ENABLE));
      const jid = found(/<authorization-identifier>([^<]+)</, enabled);
      const id = found(/<enabled [^>]*id='([^']+)'/, enabled);
      former.send("<presence xmlns='jabber:client'/>");
      await former.until('<presence');
      former.cut();
      const friend = await BoshSession.login(gateway.url);
      await friend.until(({ xml }) => xml.includes("'taken'"), message(jid, 'meanwhile') + ping('taken'));
      const resumed = await connect(as.jid, SECURE);
      const resume = `<resume xmlns='urn:xmpp:sm:3' previd='${id}' h='1'/>`;
      const success = await authenticate(resumed, as, 'PLAIN', plain(as), resume);
      assert.match(success, /<success.*<resumed/s);
      // Over BOSH in the same answer.
      if (!success.includes('meanwhile')) await resumed.until('meanwhile');
      resumed.send(message(jid, 'to itself'));
      await resumed.until('to itself');
    });
  });
}
