/**
 * How sessions end that nobody asked to: killed, at fault, under new code; what is heard of it, and what the log tells.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Instance } from '../../scripts/support/instance.js';
import { root } from '../../scripts/support/root.js';
import { eventually, until } from '../support/until.js';
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
import { asleep, entryOf, processOf, recount, sweep } from './support/module-state.js';
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
  const probe = await eventually(
    () => BoshSession.create(instance.gatewayUrl),
    ({ creation }) => creation.status !== 503,
  );
  await probe.terminate();
  return BoshSession.login(instance.gatewayUrl, { to: host }, { presence: '' });
}

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

/** As conforming clients do: while the server is not there, the same request once more. */
async function insist(session: BoshSession, first: Request, payload = ''): Promise<Answer> {
  let request = first;
  const answer = await eventually(
    async () => {
      const answered = await request.answer;
      if (answered.status === 503) request = session.at(session.rid, {}, payload);
      return answered;
    },
    ({ status }) => status !== 503,
  );
  assert.equal(answer.attributes.type, undefined, answer.xml);
  return answer;
}

describe('whoever asks a session that ends', { timeout: 60_000 }, () => {
  it('hears so, where the question waited in its mailbox', async () => {
    const session = await login();
    // Once the hub has passed it on, its state can be had.
    const answer = await server.print(`
      P = ${processOf(session)}, ok = sys:suspend(P, infinity), Me = self(),
      P ! {megaphone_stop, all, {Me, make_ref()}},
      mod_megaphone ! {Me, held, <<"${session.sid}">>, ${session.rid}},
      _ = sys:get_state(mod_megaphone, infinity), ok = sys:resume(P, infinity),
      receive {Me, Status, _} -> Status; {Me, Status, _, _} -> Status after 50000 -> nothing end`);
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
    await recount(server);
  });
});

describe('sessions that are killed', { timeout: 60_000 }, () => {
  it('are swept out, and whatever asks for them is answered', async () => {
    const [a, b, c, d] = await Promise.all([login(), login(), login(), login()]);
    const held = d.next();
    const pipe = pipeline(a);
    pipe.ask();
    await until(async () => (await server.print(`element(3, hd(${entryOf(a)}))`)) === '{1,0,1}');
    await b.ask({ pause: 100 });
    for (const user of [a, b, d]) await asleep(server, user);
    await server.evaluate(`[exit(P, kill) || P <- [${[a, b].map(processOf).join()}]].`);
    // Behind one that the session held, on the same connection.
    pipe.ask();
    await sweep(server);
    await recount(server);
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
      await asleep(server, other);
      await changeLayout(n);
      await instance.ctl('restart_module', 'localhost', 'mod_megaphone');
      assert.equal(condition(await reading), 'system-shutdown');
      await recount(server);
      await (await login('second.localhost')).terminate();
    });
  }

  it('that is the same leaves them alone', async () => {
    const other = await login('second.localhost');
    const held = other.next();
    await asleep(server, other);
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
