/** An ejabberd node is killed: how soon what others write to its users goes to offline storage, and that all does from then on. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { until } from '../support/until.js';
import { makeAccounts } from './support/people.js';
import { ServerCluster } from './support/server-cluster.js';

/** Sessions of the node that dies: those that are written to, and others. */
const WRITTEN_TO = 20;
const OTHERS = 5000;
const EVERY_MS = 2;
const MESSAGES = 1500;

let cluster: ServerCluster;
before(async () => {
  cluster = await ServerCluster.start(2);
});
after(async () => {
  await cluster?.stop();
});

it('what is sent to its users from then on is stored', { timeout: 120_000 }, async (t) => {
  const [one, two] = [cluster.member(1), cluster.member(2)];
  const names = Array.from({ length: WRITTEN_TO }, (_, n) => `u${n}`);
  await makeAccounts(one.server, names);
  const all = names.map((name) => `<<"${name}">>`).join(',');
  await two.server.evaluate(`
    Open = fun(User) -> Pid = spawn(timer, sleep, [infinity]),
      ejabberd_sm:open_session({erlang:timestamp(), Pid}, User, <<"localhost">>, <<"web">>, 5, []) end,
    [Open(User) || User <- [${all}] ++ [<<"x", (integer_to_binary(N))/binary>> || N <- lists:seq(1, ${OTHERS})]], ok.`);
  const rows = (): Promise<string> => one.server.print('mnesia:table_info(session, size)');
  await until(async () => Number(await rows()) >= WRITTEN_TO + OTHERS);

  // Numbered, so that it is seen which are there, and with its time.
  await one.server.evaluate(`
    Users = list_to_tuple([${all}]),
    Text = fun(N) -> integer_to_binary(N) end,
    Send = fun Send(N) when N > ${MESSAGES} -> register(sent, self()), receive {From, stop} -> From ! ok end;
               Send(N) ->
      To = jid:make(element(1 + N rem ${WRITTEN_TO}, Users), <<"localhost">>, <<>>),
      At = Text(erlang:system_time(millisecond)),
      ejabberd_router:route({message, <<>>, chat, <<>>, jid:make(<<"a">>, <<"localhost">>, <<"a">>), To, [], [{text, <<>>, <<At/binary, " ", (Text(N))/binary>>}], undefined, [], #{}}),
      timer:sleep(${EVERY_MS}),
      Send(N + 1) end,
    spawn(fun() -> Send(1) end), ok.`);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const pid = await readFile(
    join(two.instance.var, two.name.split('@', 1)[0] as string, 'ejabberd.pid'),
    'utf8',
  );
  const killed = Date.now();
  process.kill(Number(pid), 'SIGKILL');
  await until(async () => (await one.server.print('whereis(sent)')) !== 'undefined');

  const stored = (
    await one.server.print(
      `lists:append([[T || M <- mod_offline:get_offline_els(U, <<"localhost">>), {text, _, T} <- element(8, M)] || U <- [${all}]])`,
    )
  )
    .match(/\d+ \d+/g)
    ?.map((text) => text.split(' ').map(Number) as [number, number])
    .sort(([, a], [, b]) => a - b);
  assert.ok(stored?.[0], 'nothing is stored');
  const [at, first] = stored[0];
  t.diagnostic(`with ${OTHERS} sessions: stored from ${at - killed} ms after the kill on`);
  assert.ok(first > 1);
  // None in between, and none later, is lost; each is stored once.
  assert.deepEqual(
    stored.map(([, n]) => n),
    Array.from({ length: MESSAGES - first + 1 }, (_, n) => first + n),
  );
  assert.equal(await rows(), '0');
});
