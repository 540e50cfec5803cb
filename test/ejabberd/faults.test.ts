/**
 * What serves sessions is killed, stopped, loaded anew or reconfigured, while some talk, some wait and one pauses: their
 * sessions go on, or end with a condition that says why; all that the server took is heard, once; and when all have left,
 * nothing of them is left.
 */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Instance } from '../../scripts/support/instance.js';
import { setModuleOptions } from '../../scripts/support/module-options.js';
import { eventually, until } from '../support/until.js';
import { BoshSession, condition } from './conformance/bosh-session.js';
import { asleep, nothingLeft, processOf, recount, sweep } from './support/module-state.js';
import { ServerNode } from './support/server-node.js';
import { allHeard, Talker } from './support/talker.js';

const NAMES = ['talks0', 'talks1', 'talks2', 'talks3', 'waits0', 'waits1', 'pauses'];
/** In every message, and in no log. */
const SUBJECT = 'quite private';

let instance: Instance;
let server: ServerNode;
let folder: string;
before(async () => {
  instance = await Instance.start();
  server = await ServerNode.connect(instance);
  folder = join(instance.var, instance.ejabberdNode.split('@', 1)[0] as string);
  for (const name of NAMES) {
    await server.evaluate(`ok = ejabberd_auth:try_register(<<"${name}">>, <<"localhost">>, <<"secret">>).`);
  }
  // Once the gateway has seen that there is someone to serve them.
  const probe = await eventually(
    () => BoshSession.create(instance.gatewayUrl),
    ({ creation }) => creation.status !== 503,
  );
  await probe.terminate();
});
after(async () => {
  await server.stop();
  await instance.stop();
});

interface Expected {
  /** The conditions that may end a session; without them all go on. */
  readonly ends?: readonly string[];
  /** Whose messages are lost with them. */
  readonly mayLose?: readonly string[];
}

let rows = 0;

/** @param fault what happens, to whom it may concern */
async function during(
  fault: (people: ReadonlyMap<string, Talker>) => Promise<unknown>,
  { ends = [], mayLose = [] }: Expected = {},
): Promise<void> {
  rows += 1;
  const login = (name: string): Promise<Talker> =>
    Talker.start(instance.gatewayUrl, { jid: `${name}@localhost`, password: 'secret' });
  const people = new Map(
    await Promise.all(NAMES.map(async (name): Promise<[string, Talker]> => [name, await login(name)])),
  );
  const all = [...people.values()];
  const named = (kind: string): Talker[] => all.filter(({ name }) => name.startsWith(kind));
  const talking = named('talks');
  const resting = [...named('waits'), ...named('pauses')];
  const sids = all.map(({ session }) => session.sid);
  for (const talker of named('waits')) talker.hold();
  for (const talker of named('pauses')) await talker.pause();
  for (const talker of resting) await asleep(server, talker.session);

  const over = new AbortController();
  const talks = talking.map((talker, i) =>
    talker.talk(talking[i ^ 1] as Talker, `${SUBJECT} ${rows}`, over.signal),
  );
  const someMore = async (): Promise<void> => {
    const before = talking.map(({ said }) => said.size);
    await until(() => !talking.some(({ said }, i) => said.size < (before[i] ?? 0) + 5));
  };
  await Promise.race([someMore(), ...talks]);
  await fault(people);
  await Promise.race([someMore(), ...talks]);
  over.abort();
  await Promise.all(talks);
  for (const talker of resting) await talking[0]?.say(talker, `${SUBJECT} ${rows} for ${talker.name}`);
  for (const talker of resting) await talker.resume();

  await allHeard(
    all,
    all.filter(({ name }) => mayLose.includes(name)),
  );
  const conditions = new Set(all.flatMap((talker) => talker.conditions));
  for (const condition of conditions) assert.ok(ends.includes(condition), condition);
  if (ends.length === 0)
    assert.deepEqual(
      all.map(({ session }) => session.sid),
      sids,
    );
  await recount(server);
  await Promise.all(all.map((talker) => talker.leave()));
  await nothingLeft(server);
}

/** What the faults are made of. */
const TOOLS = `
  Tree = fun Tree(Supervisor, Path) ->
    [Found || {Id, Pid, Type, _} <- supervisor:which_children(Supervisor),
      Found <- [{Path ++ [Id], Pid, Type} | case Type of supervisor -> Tree(Pid, Path ++ [Id]); worker -> [] end]]
  end,
  All = fun() -> [F || {[megaphone_sup | _], _, _} = F <- Tree(ejabberd_gen_mod_sup, [])] end,
  Find = fun(Path) -> try lists:keyfind(Path, 1, All()) of {_, Pid, _} when is_pid(Pid) -> Pid; _ -> none catch exit:_ -> none end end,
  Await = fun Await(Path, Old) ->
    case Find(Path) of Pid when Pid =/= none, Pid =/= Old -> Pid; _ -> timer:sleep(1), Await(Path, Old) end
  end,
  Kill = fun(Path) -> Old = Await(Path, none), exit(Old, kill), Await(Path, Old) end,`;

const evaluate = (expressions: string): Promise<unknown> => server.evaluate(`${TOOLS} ${expressions}.`);

describe('sessions go on when', { timeout: 600_000 }, () => {
  it('a process of the module is killed, whichever: once, again and again, until its supervisor gives up', async (t) => {
    const tree = [
      ...(await server.print(`${TOOLS} [{P, T} || {P, _, T} <- All()]`)).matchAll(/\{(\[.*?\]),(\w+)\}/g),
    ];
    const workers = tree.filter(([, , type]) => type === 'worker');
    assert.ok(tree.length > workers.length && workers.length > 1);
    for (const [, path = '', type] of tree) {
      await t.test(path, async () => {
        await during(() => evaluate(`Kill(${path})`));
        await during(() => evaluate(`[begin Kill(${path}), timer:sleep(300) end || _ <- lists:seq(1, 5)]`));
        // ejabberd's own supervisor allows 10 in a second, and takes all modules with it.
        if (type === 'worker') await during(() => evaluate(`[Kill(${path}) || _ <- lists:seq(1, 130)]`));
      });
    }
  });

  it('all of its processes are killed at once', () =>
    during(() =>
      evaluate(
        '[exit(P, kill) || {_, P, _} <- All()], timer:sleep(100), [Await(P, none) || {P, _, _} <- All()]',
      ),
    ));

  it('its supervisor is stopped and started', () =>
    during(() =>
      evaluate(`ok = supervisor:terminate_child(ejabberd_gen_mod_sup, megaphone_sup), timer:sleep(1000),
        {ok, _} = supervisor:restart_child(ejabberd_gen_mod_sup, megaphone_sup)`),
    ));

  it('each of its modules is loaded twice, and so no old code is left', () =>
    during(() =>
      evaluate(`[begin code:purge(M), {module, M} = code:load_file(M) end
        || {M, File} <- code:all_loaded(), is_list(File), string:find(File, "mod_megaphone/") =/= nomatch, _ <- [1, 2]]`),
    ));

  it('the hub fails with what they say at hand, and waiting; the log tells where', async () => {
    await during(() =>
      evaluate(`
        Private = fun(Message) -> binary:match(term_to_binary(Message), <<"${SUBJECT}">>) =/= nomatch end,
        Filled = fun Filled(Hub) ->
          {messages, Messages} = process_info(Hub, messages),
          case length([M || M <- Messages, Private(M)]) >= 3 of true -> ok; false -> timer:sleep(1), Filled(Hub) end
        end,
        Old = whereis(mod_megaphone),
        ok = sys:suspend(Old),
        %% Whatever else is said to it needs nothing of its state.
        Old ! {self(), <<"<body rid='1'>${SUBJECT}</body>">>, #{}},
        ok = Filled(Old),
        _ = sys:replace_state(Old, fun(State) -> {broken, State} end),
        ok = sys:resume(Old),
        Await([megaphone_sup, mod_megaphone], Old)`),
    );
    const where = /fault,\s*function_clause,\s*\[\{megaphone_hub,/;
    await until(async () => where.test(await readFile(join(folder, 'logs', 'ejabberd.log'), 'utf8')));
  });

  it('its options change', () =>
    during(async () => {
      await setModuleOptions(instance, { mod_megaphone: { max_inactivity: 20 } });
      await setModuleOptions(instance, { mod_megaphone: {} });
    }));

  it('another host of the server is taken out, and put in again', () =>
    during(async () => {
      const there = await BoshSession.login(
        instance.gatewayUrl,
        { to: 'second.localhost' },
        { presence: '' },
      );
      const held = there.next();
      const path = join(folder, 'ejabberd.yml');
      const config = await readFile(path, 'utf8');
      await writeFile(path, config.replace('  - second.localhost\n', ''));
      await instance.ctl('reload_config');
      assert.equal(condition(await held.answer), 'system-shutdown');
      const refused = await BoshSession.create(instance.gatewayUrl, { to: 'second.localhost' });
      assert.equal(condition(refused.creation), 'host-unknown');
      await writeFile(path, config);
      await instance.ctl('reload_config');
      const back = await BoshSession.login(instance.gatewayUrl, { to: 'second.localhost' }, { presence: '' });
      await back.terminate();
    }));
});

describe('sessions end with a condition when', { timeout: 300_000 }, () => {
  it('they are killed: their clients hear item-not-found, and all others go on', () =>
    during(
      async (people) => {
        const killed = ['talks0', 'waits0', 'pauses'].map((name) =>
          processOf((people.get(name) as Talker).session),
        );
        await server.evaluate(`[exit(P, kill) || P <- [${killed.join()}]].`);
        await sweep(server);
      },
      { ends: ['item-not-found'], mayLose: ['talks0', 'waits0', 'pauses'] },
    ));

  it('they are killed before their first answer', async () => {
    const hook = 'c2s_stream_started, <<"localhost">>, persistent_term:get(kills), 41';
    await server.evaluate(
      `persistent_term:put(kills, fun(_, _) -> exit(self(), kill) end), ejabberd_hooks:add(${hook}).`,
    );
    const { creation } = await BoshSession.create(instance.gatewayUrl);
    await server.evaluate(`ejabberd_hooks:delete(${hook}).`);
    assert.equal(condition(creation), 'internal-server-error');
    await sweep(server);
    await nothingLeft(server);
  });

  it('they are killed at any step of the login', async () => {
    const steps = [
      { payload: "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>" },
      { attributes: { 'xmpp:restart': 'true', to: 'localhost' } },
      {
        payload:
          "<iq type='set' id='bind' xmlns='jabber:client'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
      },
      { payload: "<presence xmlns='jabber:client'/>" },
    ];
    for (const [count] of steps.entries()) {
      const session = await BoshSession.create(instance.gatewayUrl);
      for (const { attributes, payload } of steps.slice(0, count)) await session.ask(attributes, payload);
      await server.evaluate(`exit(${processOf(session)}, kill).`);
      const { attributes, payload } = steps[count] ?? {};
      assert.equal(condition(await session.ask(attributes, payload)), 'item-not-found');
    }
    await sweep(server);
    await nothingLeft(server);
  });

  for (const hosts of ['[<<"localhost">>]', 'ejabberd_option:hosts()']) {
    it(`the module is stopped and started on ${hosts}`, () =>
      during(
        () =>
          server.evaluate(`[ok = gen_mod:stop_module(H, mod_megaphone) || H <- ${hosts}], timer:sleep(500),
            [gen_mod:start_module(H, mod_megaphone) || H <- ${hosts}].`),
        // What is kept of ends goes with the last host.
        { ends: ['system-shutdown', 'item-not-found'] },
      ));
  }
});

it('no log tells what was said, nor the cookie', async () => {
  const cookie = (await readFile(join(instance.var, '.erlang.cookie'), 'utf8')).trim();
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.log'));
  assert.ok(names.length > 1);
  for (const name of names) {
    const text = await readFile(join(folder, name), 'utf8');
    for (const secret of [SUBJECT, cookie]) assert.ok(!text.includes(secret), `${name}: ${secret}`);
  }
});
