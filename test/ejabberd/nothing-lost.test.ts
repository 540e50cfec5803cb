/**
 * A client vanishes at one point of the exchange after another. What it never acknowledged must be there
 * at its next login: in order, once, and with the time when it was sent.
 */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Instance } from '../../scripts/support/instance.js';
import { addModule, setModuleOptions } from '../../scripts/support/module-options.js';
import { until } from '../support/until.js';
import { type Answer, BoshSession, bodies, condition, message, ping } from './conformance/bosh-session.js';
import { startInstance } from './conformance/configure.js';
import { ServerNode } from './support/server-node.js';

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
  await until(async () => !(await instance.connectedUsers()).includes(session.jid));
}

/** Reads on from a request until a message comes; resolves with the texts of all. */
async function read(session: BoshSession, request = session.next()): Promise<string[]> {
  const texts = bodies(await request.answer);
  return texts.length > 0 ? texts : read(session);
}

/** The session's process is gone, not only its user. */
async function ended(session: BoshSession): Promise<void> {
  await until(async () => !(await instance.ctl('megaphone_sessions')).includes(session.sid));
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

describe('a client that vanished logs in again with the same resource, while others go on writing to it', {
  timeout: 120_000,
}, () => {
  const texts = (from: number, to: number): string[] =>
    Array.from({ length: to - from }, (_, n) => `text ${from + n}`);

  async function sendInParts(to: string, all: readonly string[]): Promise<void> {
    for (let at = 0; at < all.length; at += 10) await send(to, ...all.slice(at, at + 10));
  }

  for (const [unfetched, address] of [
    [30, 'full'],
    [330, 'full'],
    [30, 'bare'],
    [330, 'bare'],
  ] as const)
    it(`gets ${unfetched} messages to its ${address} JID and those after them once, in order`, async () => {
      const resource = `again-${address}-${unfetched}`;
      const bob = await login(resource);
      const to = address === 'full' ? bob.jid : instance.bob.jid;
      bob.next().cut();
      await sendInParts(to, texts(0, unfetched));
      const as = { ...instance.bob, resource, presence: '' };
      const [again] = await Promise.all([
        BoshSession.login(instance.gatewayUrl, {}, as),
        sendInParts(to, texts(unfetched, unfetched + 50)),
      ]);
      const answers = [await again.ask({}, "<presence xmlns='jabber:client'/>")];
      await send(again.jid, 'end');
      while (!answers.some((answer) => bodies(answer).includes('end'))) answers.push(await again.ask());
      await again.terminate();
      assert.deepEqual(answers.flatMap(bodies), [...texts(0, unfetched + 50), 'end']);
    });
});

/** When the server says that each message of these answers was sent, in milliseconds since 1970. */
const stamps = (answers: readonly Answer[]): number[][] =>
  answers
    .flatMap((answer) => answer.payloads)
    .filter((payload) => payload.getElementsByTagName('delay').length > 0)
    .map((payload) =>
      [...payload.getElementsByTagName('delay')].map((delay) =>
        Date.parse(delay.getAttribute('stamp') as string),
      ),
    );

describe('a client that confirms each message (XEP-0184) and never asks with nothing to say', {
  timeout: 120_000,
}, () => {
  const receipt = (id: number): string =>
    `<message to='${sender.jid}' xmlns='jabber:client'><received id='${id}' xmlns='urn:xmpp:receipts'/></message>`;
  const texts = Array.from({ length: 10 }, (_, n) => `text ${n + 1}`);

  /** Reads all ten, each in the answer to the request that confirms the one before; resolves after the last. */
  async function converse(bob: BoshSession): Promise<void> {
    let request = bob.next();
    for (const [n, text] of texts.entries()) {
      await send(bob.jid, text);
      assert.deepEqual(bodies(await request.answer), [text]);
      if (n < texts.length - 1) request = bob.next({}, receipt(n + 1));
    }
  }

  it('gets again what the last `requests` answers brought, if it vanishes before it sends another', async () => {
    const bob = await login('receipts');
    await converse(bob);
    await offline(bob);
    await expectAtNextLogin('text 9', 'text 10');
  });

  it('gets again only the last message if it confirmed that, too', async () => {
    const bob = await login('all-receipts');
    await converse(bob);
    const last = bob.next({}, receipt(10));
    await sender.until((answer) => answer.xml.includes("id='10'"));
    await sender.ask({ pause: 100 });
    last.cut();
    await offline(bob);
    await expectAtNextLogin('text 10');
  });
});

describe('what is handed back', { timeout: 120_000 }, () => {
  it('bears the time when it came', async () => {
    const bob = await login('l');
    const times: [number, number][] = [];
    for (const text of ['one', 'two']) {
      const before = Date.now();
      await send(bob.jid, text);
      times.push([before, Date.now()]);
    }
    await offline(bob);
    const told = stamps(await nextLogin());
    assert.equal(told.length, 2);
    for (const [n, [before, after]] of times.entries()) {
      // The server's clock counts whole milliseconds.
      const [stamp = 0, ...more] = told[n] ?? [];
      assert.ok(
        more.length === 0 && stamp >= before - 2 && stamp <= after + 2,
        `${told[n]} ${before} ${after}`,
      );
    }
  });

  it('keeps that time when it is handed back once more', async () => {
    const bob = await login('m');
    await send(bob.jid, 'one');
    await offline(bob);
    const again = await BoshSession.login(instance.gatewayUrl, {}, { ...instance.bob, presence: '' });
    const answers = [await again.ask({}, "<presence xmlns='jabber:client'/>")];
    while (!answers.some((answer) => bodies(answer).length > 0)) answers.push(await again.ask());
    await offline(again);
    const first = stamps(answers);
    assert.equal(first.length, 1);
    assert.deepEqual(stamps(await nextLogin()), first);
  });

  it('is all in storage before the next login empties that', async () => {
    const server = await ServerNode.connect(instance);
    try {
      await server.evaluate(`
        true = register(gate, spawn(fun() -> receive open -> ok end end)),
        ok = ejabberd_hooks:add(offline_message_hook, <<"localhost">>, fun(Acc) ->
          Gate = erlang:monitor(process, gate), receive {'DOWN', Gate, _, _, _} -> Acc end end, 1).`);
      const bob = await login('u');
      await send(bob.jid, 'one', 'two');
      await offline(bob);
      const next = expectAtNextLogin('one', 'two');
      await until(async () => {
        const stack = `case ejabberd_sm:get_session_pid(<<"bob">>, <<"localhost">>, <<"later">>) of
          none -> none; Pid -> process_info(Pid, current_stacktrace) end`;
        return (await server.print(stack)).includes('megaphone_handover');
      });
      await server.evaluate('gate ! open.');
      await next;
    } finally {
      await server.evaluate('catch exit(whereis(gate), kill).');
      await server.stop();
    }
  });

  it('is archived once', async () => {
    await addModule(instance, 'mod_mam', { default: 'always' });
    const bob = await login('n');
    await send(bob.jid, 'archived');
    await offline(bob);
    await expectAtNextLogin('archived');
    const reader = await login('o');
    const query = "<iq type='set' id='archive' xmlns='jabber:client'><query xmlns='urn:xmpp:mam:2'/></iq>";
    const answers = [await reader.ask({}, query)];
    while (!answers.some((answer) => answer.xml.includes("id='archive'"))) answers.push(await reader.ask());
    const all = answers.map((answer) => answer.xml).join('');
    assert.equal(all.split('>archived<').length - 1, 1, all);
    await reader.terminate();
  });

  it('is not told again that was fetched from the archive', async () => {
    const reader = await login('s');
    const query = "<iq type='set' id='archive' xmlns='jabber:client'><query xmlns='urn:xmpp:mam:2'/></iq>";
    const answer = await reader.ask({}, query);
    assert.ok(answer.xml.includes('<result '), answer.xml);
    await offline(reader);
    const answers = await nextLogin();
    assert.doesNotMatch(answers.map(({ xml }) => xml).join(''), /urn:xmpp:mam:2|<delay/);
  });

  it('comes once where the client turned on stream management (XEP-0198) meanwhile', async () => {
    await setModuleOptions(instance, { mod_stream_mgmt: { resend_on_timeout: true } });
    const bob = await login('p');
    const held = bob.next();
    await send(bob.jid, 'before');
    assert.deepEqual(await read(bob, held), ['before']);
    await bob.until((answer) => answer.xml.includes('<enabled '), "<enable xmlns='urn:xmpp:sm:3'/>");
    await send(bob.jid, 'after');
    await offline(bob);
    const texts = (await nextLogin()).flatMap(bodies);
    assert.deepEqual(texts.sort(), ['after', 'before', 'end']);
  });

  it('comes where the module was restarted while a stream waited to be resumed', async () => {
    await setModuleOptions(instance, { mod_stream_mgmt: { resend_on_timeout: true } });
    const bob = await login('t');
    await bob.until(
      (answer) => answer.xml.includes('<enabled '),
      "<enable xmlns='urn:xmpp:sm:3' resume='true'/>",
    );
    await instance.ctl('megaphone_close_session', bob.sid);
    await send(bob.jid, 'waits');
    await instance.ctl('restart_module', 'localhost', 'mod_megaphone');
    await offline(bob);
    await until(async () => (await BoshSession.create(instance.gatewayUrl)).creation.status !== 503);
    sender = await BoshSession.login(instance.gatewayUrl, {}, { presence: '' });
    await expectAtNextLogin('waits');
  });
});

describe('a message with a control character, which only the server itself can send', {
  timeout: 120_000,
}, () => {
  const sendOdd = (to: string): Promise<string> =>
    instance.ctl('send_message', 'chat', 'alice@localhost', to, '', 'odd\u0001secret');

  it('comes as one that is well-formed', async () => {
    const bob = await login('q');
    await sendOdd(bob.jid);
    assert.deepEqual(await read(bob), ['odd\ufffdsecret']);
    await bob.terminate();
  });

  it('is handed back like others, and does not keep the end of a session from anybody', async () => {
    const alice = await BoshSession.login(
      instance.gatewayUrl,
      {},
      { ...instance.alice, resource: 'watches' },
    );
    const bob = await login('r');
    const presence = `<presence to='${alice.jid}' xmlns='jabber:client'/>`;
    await bob.until((answer) => answer.xml.includes("'ping'"), presence + ping());
    await alice.until((answer) => answer.xml.includes(bob.jid));
    await send(bob.jid, 'one');
    await sendOdd(bob.jid);
    await send(bob.jid, 'two');
    const gone = (answer: Answer): boolean =>
      answer.payloads.some(
        (payload) =>
          payload.localName === 'presence' &&
          payload.getAttribute('type') === 'unavailable' &&
          payload.getAttribute('from') === bob.jid,
      );
    await alice.until(gone);
    await alice.terminate();
    const texts = (await nextLogin()).flatMap(bodies);
    assert.deepEqual(texts, ['one', 'odd\ufffdsecret', 'two', 'end']);
    const folder = join(instance.var, instance.ejabberdNode.split('@', 1)[0] as string);
    const logs = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.log'));
    assert.ok(logs.length > 0);
    for (const name of logs) assert.doesNotMatch(await readFile(join(folder, name), 'utf8'), /secret/);
  });
});

describe('a fault in what we do with what a stream sent', { timeout: 120_000 }, () => {
  it('loses none of it, and the client hears of the end', async () => {
    const bob = await login('fault');
    const held = bob.next();
    const server = await ServerNode.connect(instance);
    try {
      // Without it no element can be written.
      await server.print('persistent_term:erase(megaphone_chars)');
      await instance.ctl('send_message', 'chat', 'alice@localhost', bob.jid, '', 'one');
      assert.equal(condition(await held.answer), 'internal-server-error');
    } finally {
      await server.print('megaphone_chars:prepare()');
      await server.stop();
    }
    await offline(bob);
    await expectAtNextLogin('one');
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
    await until(async () => (await BoshSession.create(instance.gatewayUrl)).creation.status !== 503);
    sender = await BoshSession.login(instance.gatewayUrl, {}, { presence: '' });
    await expectAtNextLogin('one', 'two');
  });
});
