/**
 * What carries WebSockets is killed, stopped, cut or asleep, while somebody writes to their users: with stream management they
 * go on in the same stream, at whichever gateway, and hear everything once; without it they hear the rest at the next login.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Account, Instance } from '../../scripts/support/instance.js';
import type { Service } from '../../src/service/service.js';
import { until } from '../support/until.js';
import { ConnectionRelay } from './support/connection-relay.js';
import { CuttingProxy } from './support/cutting-proxy.js';
import { distributionPort, gatewayBeside } from './support/gateway-beside.js';
import { sweep } from './support/module-state.js';
import { makeAccounts } from './support/people.js';
import { ServerNode } from './support/server-node.js';
import { WebSocketPerson } from './support/websocket-person.js';
import { WebSocketSession } from './support/websocket-session.js';

const PEOPLE = 6;

let instance: Instance;
let server: ServerNode;
/** Nothing happens to this one. */
let safe: Awaited<ReturnType<typeof gatewayBeside>>;
let writer: WebSocketSession;
let accounts: Account[];
const cleanups: (() => unknown)[] = [];
before(async () => {
  instance = await Instance.start({ gateway: false });
  server = await ServerNode.connect(instance);
  safe = await gateway({});
  const gone = Array.from({ length: 60 }, (_, i) => `person${i}`);
  accounts = await makeAccounts(server, gone);
  writer = await WebSocketSession.login(safe.webSocketUrl);
});
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  await server?.stop();
  await instance?.stop();
});

let gateways = 0;
async function gateway(...[settings, endpoint]: [object, Parameters<typeof gatewayBeside>[2]?]) {
  gateways += 1;
  const beside = await gatewayBeside(
    instance,
    { node: `gateway${gateways}_${process.pid}@localhost`, ...settings },
    endpoint,
  );
  cleanups.push(() => beside.service.stop());
  return beside;
}

/** Half of them with stream management. */
function people(url: string): Promise<WebSocketPerson[]> {
  const some = accounts.splice(0, PEOPLE);
  return Promise.all(some.map((account, i) => WebSocketPerson.start(url, account, i % 2 === 0)));
}

let entering = 0;
let writing: Promise<unknown> = Promise.resolve();

/** Nobody writes meanwhile: of what is stored in the very instant in which a login takes all out, ejabberd's storage in Mnesia loses some. */
async function whileNobodyWrites<T>(enter: () => Promise<T>): Promise<T> {
  entering += 1;
  try {
    await writing;
    return await enter();
  } finally {
    entering -= 1;
  }
}

const again = (person: WebSocketPerson, url: string): Promise<void> =>
  person.again(url, person.managed ? undefined : whileNobodyWrites);

/** Somebody writes to each of them, before, during and after; what they were written. */
async function during(all: readonly WebSocketPerson[], fault: () => Promise<unknown>): Promise<string[]> {
  const texts: string[] = [];
  const write = async (): Promise<void> => {
    // Nothing may come between the look and the write.
    while (entering > 0) await until(() => entering === 0);
    const text = `message ${texts.length}`;
    texts.push(text);
    const toAll = async (): Promise<void> => {
      for (const { jid } of all) await writer.say(jid, text);
    };
    writing = toAll();
    await writing;
  };
  for (let n = 0; n < 30; n += 1) await write();
  let isOver = false;
  const over = (async () => {
    while (!isOver) await write();
  })();
  await fault().finally(() => {
    isOver = true;
  });
  await over;
  for (let n = 0; n < 10; n += 1) await write();
  return texts;
}

const closedBy = ({ gateway: { counters } }: Service, code: number): number =>
  Number((counters.websocketClosed as unknown as Record<string, number>)[code] ?? 0);

describe('WebSocket users hear everything when', { timeout: 240_000 }, () => {
  it('a gateway is killed: they go on at another one, and at the same when it is back', async () => {
    await instance.startGateway();
    const all = await people(instance.gatewayWebSocketUrl);
    const texts = await during(all, async () => {
      await instance.killGateway();
      await Promise.all(all.map((person) => again(person, safe.webSocketUrl)));
    });
    for (const person of all) await person.heard(texts);
    await instance.startGateway();
    const managed = all.filter((person) => person.managed);
    for (const { session } of managed) session.cut();
    await Promise.all(managed.map((person) => person.again(instance.gatewayWebSocketUrl)));
    for (const person of managed) await person.heard(texts);
  });

  it('a gateway stops: it closes each with 1012, and says where to go on', async () => {
    await instance.script('gateway.sh', 'stop');
    Object.assign(instance.env, { MEGAPHONE_SEE_OTHER_URI: safe.webSocketUrl, MEGAPHONE_DRAIN_TIME: '2 s' });
    await instance.startGateway();
    const all = await people(instance.gatewayWebSocketUrl);
    const texts = await during(all, async () => {
      const stopped = instance.script('gateway.sh', 'stop');
      await Promise.all(
        all.map(async (person) => {
          const { session } = person;
          assert.equal((await session.closed).code, 1012);
          const uri = /^<close [^>]*\bsee-other-uri=['"]([^'"]+)/.exec(session.frames.at(-1) ?? '')?.[1];
          await again(person, uri ?? assert.fail(`${person.jid}: ${session.frames.at(-1)}`));
        }),
      );
      await stopped;
    });
    for (const person of all) await person.heard(texts);
    await assert.rejects(WebSocketSession.connect(instance.gatewayWebSocketUrl));
  });

  it('a laptop sleeps: the gateway drops what answers no ping', async () => {
    const { service, webSocketUrl } = await gateway({ ping_interval: '1 s' });
    const laptop = await CuttingProxy.start(webSocketUrl);
    cleanups.push(() => laptop.stop());
    const all = await people(laptop.url);
    const before = closedBy(service, 1006);
    const texts = await during(all, async () => {
      laptop.freeze();
      await until(() => closedBy(service, 1006) === before + all.length);
      laptop.thaw();
      await Promise.all(all.map((person) => again(person, laptop.url)));
    });
    for (const person of all) await person.heard(texts);
  });

  it('the connection between gateway and server is cut: their sockets close with 1012', async () => {
    const relay = await ConnectionRelay.start(await distributionPort(instance));
    cleanups.push(() => relay.stop());
    const { service, webSocketUrl } = await gateway(
      { drain_time: '1 s' },
      { host: '127.0.0.1', port: relay.port },
    );
    const all = await people(webSocketUrl);
    const texts = await during(all, async () => {
      relay.cutSoon();
      await Promise.all(
        all.map(({ session }) => session.closed.then(({ code }) => assert.equal(code, 1012))),
      );
      await until(() => service.gateway.cluster.inService === 1);
      await Promise.all(all.map((person) => again(person, webSocketUrl)));
    });
    for (const person of all) await person.heard(texts);
  });

  it('the hub is killed: nobody notices', async () => {
    const { webSocketUrl } = safe;
    const all = await people(webSocketUrl);
    const texts = await during(all, () =>
      server.evaluate(`
        Old = whereis(mod_megaphone), exit(Old, kill),
        Await = fun Await() -> case whereis(mod_megaphone) of New when is_pid(New), New =/= Old -> ok; _ -> timer:sleep(1), Await() end end,
        Await().`),
    );
    for (const person of all) {
      await person.heard(texts);
      assert.equal(person.session.socket.readyState, 1, `${person.jid} was closed`);
    }
    await until(async () => (await WebSocketSession.open(webSocketUrl).catch(() => undefined)) !== undefined);
  });

  it('one connection is cut at every frame of a conversation', async () => {
    const [account] = accounts.splice(0, 1);
    assert.ok(account);
    const person = await WebSocketPerson.start(safe.webSocketUrl, account, true);
    const texts: string[] = [];
    for (let n = 0; n < 30; n += 1) {
      const batch = Array.from({ length: 5 }, (_, i) => `${n} ${i}`);
      texts.push(...batch);
      const { session } = person;
      const at = session.frames.length + (n % 6);
      session.socket.on('message', () => {
        if (session.frames.length > at) session.cut();
      });
      await writer.say(person.jid, ...batch);
      await session.roundTrip().catch(() => {});
      session.cut();
      await person.again(safe.webSocketUrl);
    }
    await person.heard(texts);
  });
});

describe('a session that is killed', { timeout: 120_000 }, () => {
  it('takes its socket along within the sweep', async () => {
    const session = await WebSocketSession.login(safe.webSocketUrl);
    const [user, resource] = session.jid.split('@localhost/');
    await server.evaluate(
      `exit(ejabberd_sm:get_session_pid(<<"${user}">>, <<"localhost">>, <<"${resource}">>), kill).`,
    );
    await sweep(server);
    assert.equal((await session.closed).code, 1011);
  });
});
