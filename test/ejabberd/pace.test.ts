/** Clients that fetch slowly, not at all, or much at once: whoever fetches gets all, in order and once. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Instance } from '../../scripts/support/instance.js';
import { until } from '../support/until.js';
import { type Answer, BoshSession, bodies, condition, message, ping } from './conformance/bosh-session.js';
import { startInstance } from './conformance/configure.js';
import { entryOf } from './support/module-state.js';
import { ServerNode } from './support/server-node.js';

/** Bytes that wait for a client before what it sends waits, too; mod_megaphone's default. */
const MAX_QUEUE = 1_048_576;
/** Of stanzas in one answer. */
const MAX_ANSWER = 131_072;

let instance: Instance;
let server: ServerNode;
before(async () => {
  instance = await startInstance();
  server = await ServerNode.connect(instance);
});
after(async () => {
  await server?.stop();
  await instance?.stop();
});

const anonymous = (): Promise<BoshSession> => BoshSession.login(instance.gatewayUrl, {}, { presence: '' });
const bob = (resource: string): Promise<BoshSession> =>
  BoshSession.login(instance.gatewayUrl, {}, { ...instance.bob, resource, presence: '' });

const texts = (count: number, bytes: number): string[] =>
  Array.from({ length: count }, (_, i) => `${i} ${'x'.repeat(bytes)}`);

/** Of long texts enough to tell them apart. */
const short = (text: string): string => `${text.slice(0, 8)} ${text.length}`;
const read = (...answers: Answer[]): string[] => answers.flatMap(bodies).map(short);

/** Sends messages in bodies of a size that the server takes, and resolves when it has processed them; the sender pauses then. */
async function send(from: BoshSession, to: string, all: readonly string[]): Promise<void> {
  const perBody = Math.max(1, Math.floor(200_000 / (all[0]?.length ?? 1)));
  for (let i = 0; i < all.length; i += perBody)
    await from.until(
      (answer) => answer.xml.includes("'ping'"),
      all
        .slice(i, i + perBody)
        .map((text) => message(to, text))
        .join('') + ping(),
    );
  await from.ask({ pause: 100 });
}

/** Comes online, and reads on until this text; resolves with the answers. */
async function readUntil(session: BoshSession, last: string, payload = ''): Promise<Answer[]> {
  const answers = [await session.ask({}, payload)];
  while (!answers.some((answer) => bodies(answer).includes(last))) {
    const answer = await session.ask();
    assert.equal(answer.attributes.type, undefined, answer.xml.slice(0, 200));
    answers.push(answer);
  }
  return answers;
}

/** How many messages are in bob's offline storage. */
const inStorage = async (): Promise<number> =>
  Number(await server.print('mod_offline:count_offline_messages(<<"bob">>, <<"localhost">>)'));

async function stored(count: number): Promise<void> {
  await until(async () => (await inStorage()) >= count);
}

const PRESENCE = "<presence xmlns='jabber:client'/>";

describe('a client', { timeout: 240_000 }, () => {
  it('gets 300 offline messages of 5 kB at its login, in answers of a sensible size', async () => {
    const all = texts(300, 5000);
    await send(await anonymous(), instance.bob.jid, all);
    const session = await bob('offline');
    const answers = await readUntil(session, all.at(-1) as string, PRESENCE);
    assert.deepEqual(read(...answers), all.map(short));
    for (const answer of answers) assert.ok(answer.xml.length < MAX_ANSWER + 1000, `${answer.xml.length}`);
    await session.terminate();
  });

  it('gets all of 30 vCards of 60 kB that it asks for at once', async () => {
    const session = await bob('vcards');
    const photo = 'A'.repeat(60_000);
    const vcard = (type: string, id: string, content = ''): string =>
      `<iq type='${type}' id='${id}' xmlns='jabber:client'><vCard xmlns='vcard-temp'>${content}</vCard></iq>`;
    await session.until(
      (answer) => answer.xml.includes("'set'"),
      vcard('set', 'set', `<PHOTO><TYPE>image/png</TYPE><BINVAL>${photo}</BINVAL></PHOTO>`),
    );
    const ids = Array.from({ length: 30 }, (_, i) => `v${i}`);
    const seen: string[] = [];
    let payload = ids.map((id) => vcard('get', id)).join('');
    while (seen.length < ids.length) {
      const answer = await session.ask({}, payload);
      payload = '';
      for (const iq of answer.payloads) {
        assert.ok(iq.textContent?.includes(photo), answer.xml.slice(0, 200));
        seen.push(`${iq.getAttribute('id')}`);
      }
    }
    assert.deepEqual(seen.sort(), ids.sort());
    await session.terminate();
  });

  it('is heard only when it has fetched, where it asks for more than that, and in order', async () => {
    const sender = await anonymous();
    const reader = await anonymous();
    await reader.ask({ pause: 60 });
    await send(sender, reader.jid, texts(30, 50_000));
    // Each is answered with what waits for it; what it sends is processed once less than the limit waits.
    const got: string[] = [];
    let waiting = 30 * 50_000;
    for (let i = 0; i < 8; i++) {
      const answer = await reader.ask({}, ping(`ping${i}`));
      for (const payload of answer.payloads) {
        if (payload.localName === 'message') waiting -= 50_000;
        else got.push(`${payload.getAttribute('id')}`);
      }
      assert.ok(got.length === 0 || waiting <= MAX_QUEUE, `${got} with ${waiting} bytes to come`);
    }
    while (got.length < 8)
      for (const payload of (await reader.ask()).payloads)
        if (payload.localName === 'iq') got.push(`${payload.getAttribute('id')}`);
    assert.deepEqual(
      got,
      Array.from({ length: 8 }, (_, i) => `ping${i}`),
    );
  });

  it('that never fetches while others send to it is ended, and finds all of it at its next login, once', async () => {
    const sender = await anonymous();
    const slow = await BoshSession.login(instance.gatewayUrl, {}, { ...instance.bob, resource: 'slow' });
    // Longer than it takes to be too slow.
    await slow.ask({ pause: 100 });
    const all = texts(20, 80_000);
    await send(sender, slow.jid, all);
    const lives = (): Promise<string> => server.print(`${entryOf(slow)} =/= []`);
    while ((await lives()) === 'true') {
      all.push(`more ${all.length}`);
      await send(sender, slow.jid, all.slice(-1));
    }
    assert.equal(condition(await slow.ask()), 'policy-violation');
    await stored(all.length);
    const later = await bob('later');
    const first = await later.ask({}, PRESENCE);
    await send(sender, later.jid, ['end']);
    assert.deepEqual(read(first, ...(await readUntil(later, 'end'))), [...all, 'end'].map(short));
    await later.terminate();
  });

  it('that had still to fetch when its session is stopped was heard all the same', async () => {
    const sender = await anonymous();
    const reader = await anonymous();
    await reader.ask({ pause: 60 });
    await send(sender, reader.jid, texts(30, 50_000));
    await reader.ask({}, message(instance.bob.jid, 'last words'));
    await instance.ctl('restart_module', 'localhost', 'mod_megaphone');
    await stored(1);
    const later = await bob('heard');
    assert.deepEqual(read(...(await readUntil(later, 'last words', PRESENCE))), ['last wor 10']);
    await later.terminate();
  });

  const ends: readonly (readonly [string, (reader: BoshSession) => Promise<unknown>])[] = [
    [
      'a newer session takes its place',
      () => BoshSession.login(instance.gatewayUrl, {}, { ...instance.alice, resource: 'replaced' }),
    ],
    ['it is kicked', () => instance.ctl('kick_session', 'alice', 'localhost', 'replaced', 'out')],
    ['an operator ends it', ({ sid }) => instance.ctl('megaphone_close_session', sid)],
  ];
  for (const [how, end] of ends)
    it(`that had still to fetch when ${how} was heard all the same`, async () => {
      const sender = await anonymous();
      const reader = await BoshSession.login(
        instance.gatewayUrl,
        {},
        { ...instance.alice, resource: 'replaced', presence: '' },
      );
      await reader.ask({ pause: 60 });
      await send(sender, reader.jid, texts(30, 50_000));
      await reader.ask({}, ping() + message(instance.bob.jid, `last words as ${how}`));
      assert.equal(await inStorage(), 0);
      await end(reader);
      await stored(1);
      const later = await bob('heard');
      await readUntil(later, `last words as ${how}`, PRESENCE);
      await later.terminate();
    });

  it('that ends its session gets no more than one answer, and the rest at its next login', async () => {
    const sender = await anonymous();
    const session = await BoshSession.login(
      instance.gatewayUrl,
      {},
      { ...instance.bob, resource: 'leaving' },
    );
    await session.ask({ pause: 100 });
    const all = texts(10, 50_000);
    await send(sender, session.jid, all);
    const last = await session.terminate();
    assert.deepEqual(read(last), all.slice(0, 2).map(short));
    await stored(all.length - 2);
    const later = await bob('rest');
    const answers = await readUntil(later, all.at(-1) as string, PRESENCE);
    assert.deepEqual(read(...answers), all.slice(2).map(short));
    await later.terminate();
  });

  it('that asks without need on top of each request, as stanza.io 8 does, goes on in its session', async () => {
    const session = await anonymous();
    const all = texts(20, 10);
    const answers: (Answer | undefined)[] = [];
    const open = new Set<Promise<unknown>>();
    const request = async (payload = ''): Promise<void> => {
      // No more than `requests`, as it holds, too.
      while (open.size >= 2) await Promise.race(open);
      const { answer } = session.next({}, payload);
      const place = answers.push(undefined) - 1;
      const done = answer.then((got) => {
        assert.equal(got.attributes.type, undefined, got.xml);
        answers[place] = got;
        open.delete(done);
      });
      open.add(done);
      // The last ones are held still when the test is over.
      done.catch(() => {});
    };
    const seen = (): string[] => read(...answers.filter((answer) => answer !== undefined));
    for (const text of all) {
      await request(message(session.jid, text));
      await request();
    }
    while (seen().length < all.length) await request();
    assert.deepEqual(seen(), all.map(short));
  });
});
