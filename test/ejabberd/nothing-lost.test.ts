/**
 * A client vanishes at one point of the exchange after another. What it never acknowledged must be there
 * at its next login: in order, once, and with the time when it was sent.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, BoshSession, bodies, message, ping } from './conformance/bosh-session.js';
import { startInstance } from './conformance/configure.js';
import type { Instance } from './support/instance.js';

let instance: Instance;
let sender: BoshSession;
before(async () => {
  instance = await startInstance();
  // It pauses between its messages, for it has nothing to wait for.
  sender = await BoshSession.login(instance.gatewayUrl, {}, { presence: '' });
});
after(() => instance.stop());

const login = (resource: string): Promise<BoshSession> =>
  BoshSession.login(instance.gatewayUrl, {}, { ...instance.bob, resource });

/** Resolves when the server has processed the messages. */
async function send(to: string, ...texts: string[]): Promise<void> {
  const payload = texts.map((text) => message(to, text)).join('') + ping();
  await sender.until((answer) => answer.xml.includes("'ping'"), payload);
  await sender.ask({ pause: 100 });
}

async function offline(session: BoshSession): Promise<void> {
  while ((await instance.connectedUsers()).includes(session.jid));
}

/** Reads on from a request until a message comes; resolves with the texts of all. */
async function read(session: BoshSession, request = session.next()): Promise<string[]> {
  const texts = bodies(await request.answer);
  return texts.length > 0 ? texts : read(session);
}

/** The session's process is gone, not only its user. */
async function ended(session: BoshSession): Promise<void> {
  while ((await instance.ctl('megaphone_sessions')).includes(session.sid));
}

/** What the next login gets, and nothing else: up to a message that was sent after all of it. */
async function nextLogin(): Promise<Answer[]> {
  const session = await BoshSession.login(
    instance.gatewayUrl,
    {},
    { ...instance.bob, resource: 'later', presence: '' },
  );
  const answers = [await session.ask({}, "<presence xmlns='jabber:client'/>")];
  await send(session.jid, 'end');
  while (!answers.some((answer) => bodies(answer).includes('end'))) answers.push(await session.ask());
  await session.terminate();
  return answers;
}

async function expectAtNextLogin(...texts: string[]): Promise<void> {
  const answers = await nextLogin();
  assert.deepEqual(answers.flatMap(bodies), [...texts, 'end']);
  const delayed = answers
    .flatMap((answer) => answer.payloads)
    .filter((payload) => payload.getElementsByTagName('delay').length > 0);
  assert.equal(delayed.length, texts.length, 'each carries its time');
}

describe('a client vanishes', { timeout: 120_000 }, () => {
  it('with no request open, before anything came', async () => {
    const bob = await login('a');
    await send(bob.jid, 'one', 'two');
    await send(bob.jid, 'three');
    await offline(bob);
    await expectAtNextLogin('one', 'two', 'three');
  });

  it('with a held request, whose connection it cut', async () => {
    const bob = await login('b');
    bob.next().cut();
    await send(bob.jid, 'one', 'two');
    await offline(bob);
    await expectAtNextLogin('one', 'two');
  });

  it('after an answer that it may not have read', async () => {
    const bob = await login('c');
    const held = bob.next();
    await send(bob.jid, 'one');
    assert.deepEqual(await read(bob, held), ['one']);
    await send(bob.jid, 'two');
    await offline(bob);
    await expectAtNextLogin('one', 'two');
  });

  it('after it showed that it had read the answer: that one is not sent again', async () => {
    const bob = await login('d');
    const held = bob.next();
    await send(bob.jid, 'read');
    await read(bob, held);
    // An empty request says that it has none open, so it got the answers to those before.
    const last = bob.next();
    await sender.ask({ pause: 100 });
    last.cut();
    await send(bob.jid, 'unread');
    await offline(bob);
    await expectAtNextLogin('unread');
  });

  it('with ack: what it acknowledged is not sent again, the rest is', async () => {
    const bob = await BoshSession.login(instance.gatewayUrl, { ack: 1 }, { ...instance.bob, resource: 'e' });
    const first = bob.next();
    await send(bob.jid, 'acknowledged');
    await read(bob, first);
    const second = bob.next();
    await send(bob.jid, 'unacknowledged');
    await read(bob, second);
    await offline(bob);
    await expectAtNextLogin('unacknowledged');
  });

  it('because another one took its resource', async () => {
    const bob = await login('f');
    await send(bob.jid, 'one', 'two');
    const successor = await BoshSession.login(
      instance.gatewayUrl,
      {},
      { ...instance.bob, resource: 'f', presence: '' },
    );
    await ended(bob);
    const answers = [await successor.ask({}, "<presence xmlns='jabber:client'/>")];
    await send(successor.jid, 'end');
    while (!answers.some((answer) => bodies(answer).includes('end'))) answers.push(await successor.ask());
    assert.deepEqual(answers.flatMap(bodies), ['one', 'two', 'end']);
    await successor.terminate();
  });

  it('because an operator closed its session', async () => {
    const bob = await login('g');
    await send(bob.jid, 'one', 'two');
    await instance.ctl('megaphone_close_session', bob.sid);
    await offline(bob);
    await expectAtNextLogin('one', 'two');
  });

  it('because it said goodbye: nothing is sent again', async () => {
    const bob = await login('h');
    const held = bob.next();
    await send(bob.jid, 'read');
    assert.deepEqual(await read(bob, held), ['read']);
    await bob.terminate();
    await offline(bob);
    await expectAtNextLogin();
  });

  it('a request for it goes back to who asked', async () => {
    const bob = await login('i');
    const query = `<iq type='get' id='version' to='${bob.jid}' xmlns='jabber:client'><query xmlns='jabber:iq:version'/></iq>`;
    const asking = sender.next({}, query);
    await offline(bob);
    assert.match((await asking.answer).xml, /service-unavailable/);
  });
});

describe('the server stops', { timeout: 120_000 }, () => {
  it('tells its clients so, and keeps what they had not fetched', async () => {
    const bob = await login('j');
    await send(bob.jid, 'one', 'two');
    const alice = await BoshSession.login(instance.gatewayUrl, {}, { ...instance.alice, resource: 'k' });
    const reading = (async () => {
      let answer = await alice.ask();
      while (answer.attributes.type === undefined) answer = await alice.ask();
      return answer;
    })();
    await instance.ctl('stop');
    const end = await reading;
    assert.equal(end.attributes.condition, 'system-shutdown', end.xml);
    await instance.script('ejabberd.sh', 'stop');
    await instance.script('ejabberd.sh', 'start');
    // The gateway finds the server again by itself, and refuses new sessions until then.
    while ((await BoshSession.create(instance.gatewayUrl)).creation.status === 503) await sleep(50);
    sender = await BoshSession.login(instance.gatewayUrl, {}, { presence: '' });
    await expectAtNextLogin('one', 'two');
  });
});
