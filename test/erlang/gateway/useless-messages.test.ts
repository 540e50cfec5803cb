/** What a real node may send that the gateway cannot use: it is counted and dropped, and nobody's request suffers. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import type { Erl } from '../../../scripts/support/erl.js';
import { encodeVersioned } from '../../../src/etf/encode.js';
import type { Term } from '../../../src/etf/terms.js';
import type { Service } from '../../../src/service/service.js';
import { arbitraryTerm } from '../../unit/etf/arbitrary.js';
import { Cluster, inService, loadModule, next, play, post } from './support.js';

let cluster: Cluster;
let erl: Erl;
let service: Service;
const lost: string[] = [];

before(async () => {
  cluster = await Cluster.start();
  erl = await cluster.erl('ejabberd');
  await loadModule(erl);
  await play(erl);
  service = await cluster.gateway({ nodes: erl.name });
  await inService(service);
  service.node.on('down', (node) => lost.push(node));
});
after(() => cluster.stop());

/** Held while `act` runs; its answer shows that it outlived that, and that everything before it was read. */
async function whileHeld(act: (connId: string) => Promise<unknown>): Promise<void> {
  const held = post(service);
  await next(erl, 'persistent_term:put(held, C), ok');
  await act('persistent_term:get(held)');
  await erl.evaluate('persistent_term:get(held) ! <<"held to the end">>');
  assert.equal(await (await held).text(), 'held to the end');
  assert.deepEqual(lost, []);
}

const HUGE = 'lists:duplicate(2000000, [])';
const DEEP = 'lists:foldl(fun(_, T) -> {T} end, x, lists:seq(1, 10000))';

for (const name of ['net_kernel', 'megaphone', 'rex', 'nobody']) {
  for (const [what, term] of [
    ['of two million elements', HUGE],
    ['nested ten thousand deep', DEEP],
  ]) {
    test(`a term ${what} to ${name}`, async () => {
      await whileHeld(() => erl.evaluate(`{${name}, '${service.node.name}'} ! ${term}, ok`));
    });
  }
}

test('such terms are counted', () => {
  assert.ok(service.gateway.counters.dropped.malformed >= 4);
});

test('a term beyond the limits to a ConnId', async () => {
  await whileHeld((connId) => erl.evaluate(`${connId} ! ${HUGE}, ${connId} ! ${DEEP}, ok`));
});

test('a group leader of a third node, and of this one', async () => {
  const third = await cluster.erl('third');
  await erl.evaluate("pong = net_adm:ping('third@localhost')");
  await whileHeld((connId) =>
    erl.evaluate(`
      group_leader(rpc:call('third@localhost', erlang, whereis, [user]), ${connId}),
      group_leader(whereis(user), ${connId})`),
  );
  await third.kill();
});

test('every signal there is to a ConnId and to one that is none, with terms of any kind', async () => {
  await whileHeld((connId) =>
    erl.evaluate(`
      Held = ${connId},
      <<131, Bytes/binary>> = term_to_binary(Held),
      Size = byte_size(Bytes) - 12,
      <<Start:Size/binary, _:64, Creation:32>> = Bytes,
      Stale = binary_to_term(<<131, Start/binary, 77:32, 77:32, Creation:32>>),
      Former = binary_to_term(<<131, Start/binary, 77:32, 77:32, (Creation + 1):32>>),
      Terms = [x, 1.5, self(), make_ref(), fun() -> Held end, fun lists:map/2, #{a => [b | c]}, <<1:3>>, 1 bsl 9000,
        hd(erlang:ports()), list_to_tuple(lists:seq(1, 300))],
      [begin
        spawn(fun() ->
          process_flag(trap_exit, true),
          link(P), monitor(process, P), exit(P, T), P ! {T, T}, unlink(P), link(P), exit(T) end),
        spawn(fun() -> M = monitor(process, P, [{alias, reply_demonitor}]), P ! M, erlang:demonitor(M), exit(kill) end),
        catch gen_server:call(P, T, 1),
        catch erlang:suspend_process(P),
        catch erpc:cast(node(P), erlang, node, [T]),
        spawn(fun() -> spawn_link(node(P), erlang, node, [T]), receive stop -> ok end end)
      end || P <- [Stale, Former], T <- Terms],
      [begin
        spawn(fun() -> M = monitor(process, P, [{alias, reply_demonitor}]), P ! {M, T}, erlang:demonitor(M) end),
        catch gen_server:call(P, T, 1), catch gen_server:call(P, T, 0)
      end || N <- [net_kernel, rex, megaphone, nobody], P <- [{N, node(Held)}], T <- Terms],
      ok`),
  );
});

test('any terms at all, to the names and to a ConnId that is over', async () => {
  const terms = fc.sample(arbitraryTerm, 300).filter(isNoLegalAnswer).map(encodeVersioned);
  await whileHeld(async () => {
    for (const bytes of terms) {
      const term = `binary_to_term(base64:decode("${bytes.toString('base64')}"))`;
      await erl.evaluate(`
        T = ${term}, [{N, '${service.node.name}'} ! W || N <- [net_kernel, megaphone, rex, nobody],
          W <- [T, {'$gen_call', {self(), T}, T}, {self(), T}, {T, self(), T}]], ok`);
    }
  });
});

/** A pid of a node that is not there would have Erlang look for that node. */
function isNoLegalAnswer(term: Term): boolean {
  return !encodeVersioned(term).includes('chat.example.org');
}
