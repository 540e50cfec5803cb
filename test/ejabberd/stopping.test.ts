/** The server stops, in each of the ways it is stopped: every user's end is told to whom it concerns, and noted. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Instance } from '../../scripts/support/instance.js';
import { until } from '../support/until.js';
import { BoshSession } from './conformance/bosh-session.js';
import { element, nameOf, ServerNode } from './support/server-node.js';

const USERS = Array.from({ length: 40 }, (_, i) => `user${i}`);

let instance: Instance;
let server: ServerNode;
before(async () => {
  instance = await Instance.start();
  server = await ServerNode.connect(instance);
  await server.evaluate(
    `[ok = ejabberd_auth:try_register(<<"user", (integer_to_binary(N))/binary>>, <<"localhost">>, <<"secret">>)
      || N <- lists:seq(0, ${USERS.length - 1})].`,
  );
});
after(async () => {
  await server.stop();
  await instance.stop();
});

/** Half of them have been away from ejabberd long enough to sleep, the others are just there. */
async function logIn(): Promise<void> {
  const login = async (user: string): Promise<void> => {
    const session = await BoshSession.login(
      instance.gatewayUrl,
      {},
      { jid: `${user}@localhost`, password: 'secret', resource: 'web' },
    );
    await session.until(
      ({ xml }) => xml.includes("'ping'"),
      "<presence to='someone@watch.localhost' xmlns='jabber:client'/><iq type='get' id='ping' to='localhost' xmlns='jabber:client'><ping xmlns='urn:xmpp:ping'/></iq>",
    );
    session.next().answer.catch(() => {});
  };
  const half = USERS.length / 2;
  await Promise.all(USERS.slice(0, half).map(login));
  await sleep(1_500);
  await Promise.all(USERS.slice(half).map(login));
}

const WAYS: readonly (readonly [string, () => Promise<unknown>])[] = [
  ['ejabberdctl stop', () => instance.ctl('stop')],
  ['SIGTERM, as a service manager sends', async () => {}],
  ["init:stop(), as an operator's shell", () => server.evaluate('init:stop().')],
];

describe('the server stops', { timeout: 300_000 }, () => {
  for (const [way, stop] of WAYS) {
    it(way, async () => {
      const gone: string[] = [];
      await server.watch('watch.localhost', (stanza) => {
        if (nameOf(stanza.elements[0]) !== 'presence' || nameOf(stanza.elements[2]) !== 'unavailable') return;
        gone.push(Buffer.from(element(stanza.elements[4], 1) as Uint8Array).toString());
      });
      await logIn();
      const begin = Math.floor(Date.now() / 1000);
      await stop();
      // Waits until it has gone, and sends SIGTERM first.
      await instance.script('ejabberd.sh', 'stop');
      assert.deepEqual(gone.sort(), [...USERS].sort());

      await instance.script('ejabberd.sh', 'start');
      await server.reconnect();
      for (const user of USERS) {
        const last = await server.call(
          'mod_last',
          'get_last_info',
          Buffer.from(user),
          Buffer.from('localhost'),
        );
        assert.ok(nameOf(element(last, 0)) === 'ok' && Number(element(last, 1)) >= begin, user);
      }
      await until(async () => (await BoshSession.create(instance.gatewayUrl)).creation.status !== 503);
    });
  }
});
