/**
 * What serves sessions dies at every place, with sessions held, paused, asleep and busy: they are the same sessions
 * afterwards, nothing is lost, and table and gauges say what is.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Instance } from '../../scripts/support/instance.js';
import { root } from '../../scripts/support/root.js';
import {
  type Answer,
  BoshSession,
  bodies,
  condition,
  message,
  ping,
  type Request,
  wrapper,
} from './conformance/bosh-session.js';
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

/** Once the gateway has seen that there is someone to serve them. */
async function login(host = 'localhost'): Promise<BoshSession> {
  let probe = await BoshSession.create(instance.gatewayUrl);
  while (probe.creation.status === 503) {
    await sleep(50);
    probe = await BoshSession.create(instance.gatewayUrl);
  }
  await probe.terminate();
  return BoshSession.login(instance.gatewayUrl, { to: host }, { presence: '' });
}

const entryOf = (session: BoshSession): string => `ets:lookup(megaphone_sessions, <<"${session.sid}">>)`;

/** The process that serves a session. */
const processOf = (session: BoshSession): string => `element(2, hd(${entryOf(session)}))`;

/** Requests of a session on one connection, each before the answer to the one before. */
function pipeline(session: BoshSession): { ask(): void; until(text: RegExp): Promise<void> } {
  const { hostname, port, pathname } = new URL(session.url);
  const socket = connect(Number(port), hostname);
  return {
    ask: () => {
      session.rid += 1;
      const body = wrapper({ sid: session.sid, rid: session.rid });
      socket.write(`POST ${pathname} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    },
    until: async (text) => {
      let answers = '';
      for await (const chunk of socket) {
        answers += chunk;
        if (text.test(answers)) return;
      }
      assert.fail(`the connection was closed after ${answers}`);
    },
  };
}

async function asleep(session: BoshSession): Promise<void> {
  const busy = `proc_lib:initial_call(P) =/= false andalso element(2, process_info(P, current_function))`;
  while (!/hibernat/.test(await server.print(`P = ${processOf(session)}, ${busy}`))) await sleep(50);
}

/** As conforming clients do: while the server is not there, the same request once more. */
async function insist(session: BoshSession, first: Request, payload = ''): Promise<Answer> {
  let answer = await first.answer;
  while (answer.status === 503) {
    await sleep(100);
    answer = await session.at(session.rid, {}, payload).answer;
  }
  assert.equal(answer.attributes.type, undefined, answer.xml);
  return answer;
}

/** Table and gauges against what the sessions themselves say. */
async function recount(): Promise<void> {
  const [living, counted, gauges] = (
    await server.print(`
      All = [{P, I} || P <- processes(), {megaphone_session, run, _} <- [proc_lib:initial_call(P)], I <- megaphone_control:info(P)],
      {Living, Infos} = lists:unzip([PI || {_, I} = PI <- All, element(4, I) =/= "ended"]),
      Count = fun(State) -> length([I || I <- Infos, element(4, I) =:= State]) end,
      #{sessions := Sessions, sessions_established := E, sessions_paused := P, requests_held := H} = megaphone_stats:all(),
      Told = {Count("established") + Count("paused"), Count("paused"), lists:sum([element(5, I) || I <- Infos])},
      {lists:sort(Living) =:= lists:sort(megaphone_sessions:pids()) andalso length(Living) =:= Sessions, {E, P, H} =:= Told, {Told, {E, P, H}}}`)
  )
    .replace(/^\{|\}$/g, '')
    .split(/,(.*?),(.*)/);
  assert.deepEqual([living, counted], ['true', 'true'], gauges);
}

/** What the faults are made of. */
const TOOLS = `
  Await = fun W(Name, Old) ->
    case whereis(Name) of Pid when is_pid(Pid), Pid =/= Old -> ok; _ -> timer:sleep(1), W(Name, Old) end
  end,
  Kill = fun(Name) -> Old = whereis(Name), exit(Old, kill), Await(Name, Old) end,`;

const FAULTS: readonly (readonly [string, string])[] = [
  ['the hub is killed', 'Kill(mod_megaphone)'],
  ['the index is killed', 'Kill(megaphone_index)'],
  ['the outbox is killed', 'Kill(megaphone_outbox)'],
  ['the supervisor is killed', 'Kill(megaphone_sup)'],
  [
    'the supervisor is restarted',
    `ok = supervisor:terminate_child(ejabberd_gen_mod_sup, megaphone_sup),
     {ok, _} = supervisor:restart_child(ejabberd_gen_mod_sup, megaphone_sup)`,
  ],
  [
    'the hub is killed 12 times',
    '[begin Kill(mod_megaphone), timer:sleep(500) end || _ <- lists:seq(1, 12)]',
  ],
  [
    'the hub is killed so often that its supervisor gives up',
    '[Kill(mod_megaphone) || _ <- lists:seq(1, 130)]',
  ],
  ['the supervisor is killed 5 times', '[Kill(megaphone_sup) || _ <- lists:seq(1, 5)]'],
];

describe('whoever asks a session that ends', { timeout: 60_000 }, () => {
  it('hears so, where the question waited in its mailbox', async () => {
    const session = await login();
    // Once the hub has passed it on, its state can be had.
    const answer = await server.print(`
      P = ${processOf(session)}, ok = sys:suspend(P), Me = self(),
      P ! {bosh_stop, all, {Me, make_ref()}},
      mod_megaphone ! {Me, held, <<"${session.sid}">>, ${session.rid}},
      _ = sys:get_state(mod_megaphone), ok = sys:resume(P),
      receive {Me, Status, _} -> Status; {Me, Status, _, _} -> Status after 10000 -> nothing end`);
    assert.equal(answer, '200');
  });

  it('by a fault at its very beginning hears that, and it leaves the index', async () => {
    await server.print('persistent_term:erase(megaphone_chars)');
    try {
      assert.equal(
        condition((await BoshSession.create(instance.gatewayUrl)).creation),
        'internal-server-error',
      );
    } finally {
      await server.print('megaphone_chars:prepare()');
    }
    await recount();
  });
});

describe('sessions go on when', { timeout: 300_000 }, () => {
  for (const [fault, expressions] of FAULTS) {
    it(fault, async () => {
      const users = await Promise.all(Array.from({ length: 20 }, () => login()));
      const held = users.map((user) => user.next());
      const pausing = await login();
      await pausing.ask({ pause: 100 });
      for (const user of [...users, pausing]) await asleep(user);
      const talking = await login();

      await server.evaluate(`${TOOLS} ${expressions}, Await(mod_megaphone, none).`);
      for (const [i, { jid }] of [...users, pausing].entries()) {
        const payload = message(jid, `for ${i}`) + ping();
        await insist(talking, talking.next({}, payload), payload);
      }
      for (const [i, user] of users.entries()) {
        assert.deepEqual(bodies(await insist(user, held[i] as Request)), [`for ${i}`]);
      }
      assert.deepEqual(bodies(await insist(pausing, pausing.next())), [`for ${users.length}`]);
      await recount();
      for (const user of [...users, pausing, talking]) await user.terminate();
      while ((await server.print('megaphone_sessions:count()')) !== '0') await sleep(50);
      await recount();
    });
  }

  it('some of them are killed', async () => {
    const [a, b, c, d] = await Promise.all([login(), login(), login(), login()]);
    const held = d.next();
    const pipe = pipeline(a);
    pipe.ask();
    while ((await server.print(`element(3, hd(${entryOf(a)}))`)) !== '{1,0,1}') await sleep(50);
    await b.ask({ pause: 100 });
    for (const user of [a, b, d]) await asleep(user);
    await server.evaluate(`[exit(P, kill) || P <- [${[a, b].map(processOf).join()}]].`);
    // Behind one that the session held, on the same connection.
    pipe.ask();
    // What it does every ten seconds.
    await server.evaluate('megaphone_index ! sweep, sys:get_state(megaphone_index).');
    await recount();
    await pipe.until(/item-not-found.*item-not-found/s);
    assert.equal(condition(await b.ask()), 'item-not-found');
    const online = await instance.connectedUsers();
    assert.deepEqual(
      [a, b, c, d].map((user) => online.includes(user.jid)),
      [false, false, true, true],
    );
    await c.ask({}, message(d.jid, 'still there') + ping());
    assert.deepEqual(bodies(await held.answer), ['still there']);
    await Promise.all([c.terminate(), d.terminate()]);
  });
});

describe('new code', { timeout: 300_000 }, () => {
  /** The session's state of another layout, compiled where the module lives, as an upgrade does. */
  async function changeLayout(n: number): Promise<void> {
    const folder = await mkdtemp('/tmp/megaphone-code-');
    const source = await readFile(join(root, 'erl/mod_megaphone/src/megaphone_session.erl'), 'utf8');
    const file = join(folder, 'megaphone_session.erl');
    await writeFile(
      file,
      source.replace('-record(session, {', `-record(session, {\n    added = ${n} :: integer(),`),
    );
    await server.evaluate(
      `{ok, _} = compile:file("${file}", [{outdir, filename:dirname(code:which(megaphone_session))}]).`,
    );
    await rm(folder, { recursive: true });
  }

  // Twice: code that is older than the old one takes its processes with it.
  for (const n of [1, 2]) {
    it(`ends the sessions of hosts that are not restarted, too, as a stop does (${n})`, async () => {
      const other = await login('second.localhost');
      const reading = other.ask();
      await asleep(other);
      await changeLayout(n);
      await instance.ctl('restart_module', 'localhost', 'mod_megaphone');
      assert.equal(condition(await reading), 'system-shutdown');
      await recount();
      await (await login('second.localhost')).terminate();
    });
  }

  it('that is the same leaves them alone', async () => {
    const other = await login('second.localhost');
    const held = other.next();
    await asleep(other);
    await instance.ctl('restart_module', 'localhost', 'mod_megaphone');
    const talking = await login();
    await talking.ask({}, message(other.jid, 'still there') + ping());
    assert.deepEqual(bodies(await insist(other, held)), ['still there']);
    await Promise.all([other.terminate(), talking.terminate()]);
  });
});

describe('the log', { timeout: 60_000 }, () => {
  const folder = (): string => join(instance.var, instance.ejabberdNode.split('@', 1)[0] as string);
  /** The lines of a session, which come a moment after it; the last one is ejabberd's. */
  async function logged(session: BoshSession): Promise<string[]> {
    for (;;) {
      const text = await readFile(join(folder(), 'logs/ejabberd.log'), 'utf8');
      if (text.includes(`Closing c2s session for ${session.jid}`)) {
        return text.split('\n').filter((line) => line.includes(session.jid) || line.includes(session.sid));
      }
      await sleep(50);
    }
  }

  it('names sessions, but never so that one could be taken over', async () => {
    const session = await login();
    const pid = await server.print(processOf(session));
    await session.terminate();
    const lines = await logged(session);
    const name = `Megaphone session ${session.sid.slice(0, 12)} of ${session.jid} from 127.0.0.1`;
    assert.deepEqual(
      lines.flatMap((line) => /Megaphone session .*/.exec(line) ?? []),
      [name, `${name} ends: client`],
    );
    assert.ok(!lines.some((line) => line.includes(session.sid)));
    for (const what of ['Opened c2s session', 'Closing c2s session']) {
      assert.ok(
        lines.some((line) => line.includes(`(http_bind|${pid}) ${what}`)),
        what,
      );
    }
  });

  it('tells ends apart of which the client hears the same', async () => {
    const [beyond, keyless] = await Promise.all([login(), login()]);
    assert.equal(condition(await beyond.at(beyond.rid + 9).answer), 'item-not-found');
    await keyless.ask({ newkey: 'a'.repeat(40) }, ping());
    assert.equal(condition(await keyless.ask({}, ping())), 'item-not-found');
    const ends = await Promise.all(
      [beyond, keyless].map(async (session) => (await logged(session)).find((line) => / ends: /.test(line))),
    );
    assert.match(`${ends[0]}`, / ends: item-not-found \(rid_beyond_window\)$/);
    assert.match(`${ends[1]}`, / ends: item-not-found \(wrong_key\)$/);
  });

  it('hides addresses where ejabberd does', async () => {
    const config = join(folder(), 'ejabberd.yml');
    await writeFile(config, `${await readFile(config, 'utf8')}\nhide_sensitive_log_data: true\n`);
    await instance.ctl('reload_config');
    const session = await login();
    await session.terminate();
    const lines = await logged(session);
    assert.ok(lines.some((line) => line.includes('Megaphone')));
    assert.deepEqual(
      lines.filter((line) => line.includes('127.0.0.1')),
      [],
    );
  });
});
