/** Streams that are resumed (XEP-0198) while others write to their users: nothing is lost or out of order, and one process has each. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Instance } from '../../scripts/support/instance.js';
import { until } from '../support/until.js';
import { message } from './conformance/bosh-session.js';
import { ServerNode } from './support/server-node.js';
import { WebSocketSession } from './support/websocket-session.js';

describe('a client resumes its stream', { timeout: 120_000 }, () => {
  let instance: Instance;
  let server: ServerNode;
  let alice: WebSocketSession;
  let url: string;
  before(async () => {
    instance = await Instance.start();
    server = await ServerNode.connect(instance);
    url = instance.gatewayWebSocketUrl;
    alice = await WebSocketSession.login(url, { ...instance.alice, resource: 'web' });
  });
  after(async () => {
    await server?.stop();
    await instance?.stop();
  });

  const processes = `[P || {_, P} <- ejabberd_sm:get_session_sids(<<"bob">>, <<"localhost">>, <<"web">>)]`;
  const becomes = async (expression: string, value: string): Promise<void> => {
    await until(async () => (await server.print(expression)) === value);
  };
  const resume = ({ managed: { id, handled } }: WebSocketSession): string =>
    `<resume xmlns='urn:xmpp:sm:3' previd='${id}' h='${handled}'/>`;

  it('later: it is counted until then', async () => {
    const resumable = (count: number): Promise<void> =>
      becomes('maps:get(sessions_resumable, mod_megaphone:stats())', `${count}`);
    const bob = await WebSocketSession.login(url, { ...instance.bob, resource: 'web', managed: true });
    await resumable(0);
    bob.cut();
    await resumable(1);
    // The table is new.
    await server.print('exit(whereis(megaphone_index), kill)');
    await resumable(1);
    // The gateway may take a second to see that all is served again.
    await until(() =>
      WebSocketSession.login(url)
        .then((guest) => guest.leave())
        .then(
          () => true,
          () => false,
        ),
    );
    const again = await WebSocketSession.resume(url, bob, instance.bob);
    await resumable(0);
    await again.leave();
  });

  it('again, when its first try heard nothing and was given up: the stream goes on in one process', async () => {
    const bob = await WebSocketSession.login(url, { ...instance.bob, resource: 'web', managed: true });
    const waiting = (count: number): Promise<void> =>
      becomes(
        `[Old | _] = lists:reverse(${processes}), {messages, All} = process_info(Old, messages),
         length([resume || {'$gen_call', _, {resume_session, _}} <- All])`,
        `${count}`,
      );
    await server.print(`[ok = sys:suspend(P) || P <- ${processes}]`);
    bob.cut();
    const tries: WebSocketSession[] = [];
    for (const count of [1, 2]) {
      const next = await WebSocketSession.authenticate(url, instance.bob);
      next.send(resume(bob));
      await waiting(count);
      await alice.say('bob@localhost', `before try ${count} is heard`);
      tries.push(next);
    }
    const [given, second] = tries as [WebSocketSession, WebSocketSession];
    given.cut();
    await server.print(`[ok = sys:resume(P) || P <- ${processes}]`);
    await second.until('<resumed');
    await alice.say('bob@localhost', 'after it');
    assert.deepEqual(await second.messages(3), [
      'before try 1 is heard',
      'before try 2 is heard',
      'after it',
    ]);
    await becomes(`length(${processes})`, '1');
    await second.leave();
  });

  it('when somebody else asked for it, and gave up before it was given: nothing is lost', async () => {
    const bob = await WebSocketSession.login(url, { ...instance.bob, resource: 'web', managed: true });
    bob.cut();
    await alice.say(bob.jid, 'before');
    await server.print(`[ok = sys:suspend(P) || P <- ${processes}]`);
    const given = await server.print(
      `{term, {_, Id}} = misc:base64_to_term(<<"${bob.managed.id}">>),
       [catch gen_server:call(P, {resume_session, Id}, 100) || P <- ${processes}]`,
    );
    assert.match(given, /timeout/);
    await server.print(`[ok = sys:resume(P) || P <- ${processes}]`);
    await alice.say(bob.jid, 'after');
    const again = await WebSocketSession.resume(url, bob, instance.bob);
    assert.deepEqual(await again.messages(2), ['before', 'after']);
    await again.leave();
  });

  it('fifty times, while another writes to it without a pause', async () => {
    let bob = await WebSocketSession.login(url, { ...instance.bob, resource: 'web', managed: true });
    let said = 0;
    // Each round hears a little of what came meanwhile: without bounds, ejabberd ends the stream (`max_ack_queue`, 5000).
    const writing = setInterval(() => {
      if (said - bob.managed.handled > 1000) return;
      said += 1;
      alice.send(message('bob@localhost', `${said}`));
    }, 1);
    const heard: string[] = [];
    for (let round = 0; round < 50; round += 1) {
      bob.cut();
      await bob.closed;
      heard.push(...bob.bodies);
      bob = await WebSocketSession.resume(url, bob, instance.bob);
      await bob.next();
    }
    clearInterval(writing);
    await alice.say('bob@localhost', 'end');
    await bob.until('>end<');
    heard.push(...bob.bodies);
    // What it had, and could not say that it had, comes again (XEP-0198 §5): at first sight all is in order.
    const unique = [...new Set(heard)];
    assert.deepEqual(unique, [...Array.from({ length: said }, (_, n) => `${n + 1}`), 'end']);
    await bob.leave();
  });
});
