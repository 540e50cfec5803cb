/**
 * A handler of ejabberd's hooks fails, in every way that a handler can, at every step of a session: while its user logs in,
 * says something, is told something, leaves. The session goes on or ends with a condition; nobody else notices; nothing of
 * it is left; and what waited for its user is there at the next login.
 */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Instance } from '../../scripts/support/instance.js';
import { BoshSession } from './conformance/bosh-session.js';
import { nothingLeft, sweep } from './support/module-state.js';
import { ServerNode } from './support/server-node.js';
import { allHeard, Talker } from './support/talker.js';

/** In every other message, and in no log. */
const SUBJECT = 'quite private';
const WAYS = [
  'error(poison)',
  'throw(poison)',
  'exit(poison)',
  'exit(normal)',
  'exit({shutdown, poison})',
  'garbage',
  'exit(self(), kill)',
];
const HOOKS = [
  ...['c2s_stream_started', 'c2s_auth_result', 'c2s_session_opened', 'sm_register_connection_hook'],
  ...['c2s_handle_recv', 'c2s_authenticated_packet', 'user_send_packet', 'privacy_check_packet'],
  ...['c2s_handle_info', 'user_receive_packet', 'c2s_filter_send', 'c2s_handle_send'],
  ...['c2s_closed', 'c2s_terminated', 'sm_remove_connection_hook'],
];
/** Harmless, unless its arguments have the word in them. */
const MODULE = `
  -module(poison).
  -export([hook/1, hook/2, hook/3, hook/4]).
  hook(A) -> bite([A]).
  hook(A, B) -> bite([A, B]).
  hook(A, B, C) -> bite([A, B, C]).
  hook(A, B, C, D) -> bite([A, B, C, D]).
  bite([First | _] = Arguments) ->
    case binary:match(term_to_binary(Arguments), <<"poison">>) of
      nomatch -> First;
      _ -> counters:add(persistent_term:get(poisoned), 1, 1), act(persistent_term:get(poison))
    end.
  ${WAYS.map((way, i) => `act(${i}) -> ${way}`).join(';')}.`;

let instance: Instance;
let server: ServerNode;
let witness: Talker;
let victim: Talker;
const login = (name: string): Promise<Talker> =>
  Talker.start(instance.gatewayUrl, { jid: `${name}@localhost`, password: 'secret' });

before(async () => {
  instance = await Instance.start();
  server = await ServerNode.connect(instance);
  for (const name of ['witness', 'victim', 'poison']) {
    await server.evaluate(`ok = ejabberd_auth:try_register(<<"${name}">>, <<"localhost">>, <<"secret">>).`);
  }
  await server.evaluate('persistent_term:put(poisoned, counters:new(1, [])).');
  await server.evaluate(`
    Forms = fun Forms([]) -> []; Forms(Tokens) ->
      {Form, [Dot | Rest]} = lists:splitwith(fun(T) -> element(1, T) =/= dot end, Tokens),
      [element(2, erl_parse:parse_form(Form ++ [Dot])) | Forms(Rest)]
    end,
    {ok, Tokens, _} = erl_scan:string(${JSON.stringify(MODULE)}),
    {ok, poison, Beam} = compile:forms(Forms(Tokens)),
    {module, poison} = code:load_binary(poison, "", Beam).`);
  witness = await login('witness');
  victim = await login('victim');
  await victim.leave();
});
after(async () => {
  await server.stop();
  await instance.stop();
});

/** Logs in, as far as that is possible, and leaves. */
async function comeAndGo(user: string): Promise<void> {
  try {
    const account = { jid: `${user}@localhost`, password: 'secret', presence: '' };
    const session = await BoshSession.login(instance.gatewayUrl, { 'xml:lang': user }, account);
    await session.terminate();
  } catch (error) {
    assert.ok(error instanceof assert.AssertionError, `${error}`);
  }
}

for (const hook of HOOKS) {
  describe(`a handler of ${hook}`, { timeout: 120_000 }, () => {
    after(async () => {
      const bites = await server.print(
        'C = persistent_term:get(poisoned), N = counters:get(C, 1), counters:put(C, 1, 0), N',
      );
      assert.ok(Number(bites) >= WAYS.length, `${hook} was poisoned ${bites} times`);
    });
    for (const [i, way] of WAYS.entries()) {
      it(way, async () => {
        await victim.enter();
        await witness.say(victim, `${SUBJECT} ${hook} ${i}`);
        await server.evaluate(
          `persistent_term:put(poison, ${i}), ejabberd_hooks:add(${hook}, <<"localhost">>, poison, hook, 41).`,
        );
        const isKilled = way.includes('kill');
        const swept = sleep(isKilled ? 500 : 0).then(() => sweep(server));
        await Promise.all([
          witness.mutter(victim, `poison ${hook} ${i}`),
          victim.mutter(witness, `poison from ${hook} ${i}`),
          comeAndGo('poison'),
          swept,
        ]);
        await victim.leave();
        await server.evaluate(`ejabberd_hooks:delete(${hook}, <<"localhost">>, poison, hook, 41).`);
        await sweep(server);

        await victim.enter();
        await allHeard([witness, victim], isKilled ? [victim] : []);
        witness.said.clear();
        await victim.leave();
        await nothingLeft(server, 1);
      });
    }
  });
}

it('no log tells what else was said', async () => {
  const folder = join(instance.var, instance.ejabberdNode.split('@', 1)[0] as string);
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.log'));
  assert.ok(names.length > 1);
  for (const name of names)
    assert.doesNotMatch(await readFile(join(folder, name), 'utf8'), new RegExp(SUBJECT));
});
