/** What the module's tables, gauges and processes say of its sessions. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/until.js';
import type { BoshSession } from '../conformance/bosh-session.js';
import type { ServerNode } from './server-node.js';

/** Expressions: the entry of a session in the index, and its process. */
export const entryOf = ({ sid }: BoshSession): string => `ets:lookup(megaphone_sessions, <<"${sid}">>)`;
export const processOf = (session: BoshSession): string => `element(2, hd(${entryOf(session)}))`;

export async function asleep(server: ServerNode, session: BoshSession): Promise<void> {
  const place = `element(2, process_info(${processOf(session)}, current_function))`;
  await until(async () => /hibernat/.test(await server.print(place)));
}

/** What is done every ten seconds: sessions that were killed are swept out. */
export async function sweep(server: ServerNode): Promise<void> {
  await server.evaluate('megaphone_index ! sweep, sys:get_state(megaphone_index).');
}

const LIVING = `[P || P <- processes(), {megaphone_session, run, _} <- [proc_lib:initial_call(P)]]`;

/** Index and gauges against what the sessions themselves say. */
export async function recount(server: ServerNode): Promise<void> {
  const [living, counted, gauges] = (
    await server.print(`
      All = [{P, I} || P <- ${LIVING}, I <- megaphone_control:info(P)],
      {Living, Infos} = lists:unzip([PI || {_, I} = PI <- All, element(5, I) =/= "ended"]),
      Count = fun(State) -> length([I || I <- Infos, element(5, I) =:= State]) end,
      #{sessions := Sessions, sessions_established := E, sessions_paused := P, requests_held := H} = megaphone_stats:all(),
      Told = {Count("established") + Count("paused"), Count("paused"), lists:sum([element(6, I) || I <- Infos])},
      {lists:sort(Living) =:= lists:sort(megaphone_sessions:pids()) andalso length(Living) =:= Sessions, {E, P, H} =:= Told, {Told, {E, P, H}}}`)
  )
    .replace(/^\{|\}$/g, '')
    .split(/,(.*?),(.*)/);
  assert.deepEqual([living, counted], ['true', 'true'], gauges);
}

/** Resolves when of all sessions but so many, which are logged in, nothing is left: no table has more of them than it ought. */
export async function nothingLeft(server: ServerNode, but = 0): Promise<void> {
  const left = (): Promise<string> =>
    server.print(`
      #{sessions := Sessions, sessions_unauthenticated := Strangers, sessions_established := Established,
        sessions_paused := Paused, requests_held := Held} = megaphone_stats:all(),
      Tables = [N || T <- ets:all(), N <- [ets:info(T, name)], lists:prefix("megaphone", atom_to_list(N))],
      {monitors, Monitors} = process_info(whereis(mod_megaphone), monitors),
      {Sessions, length(${LIVING}), Established, ejabberd_sm:connected_users_number(),
       Strangers, Monitors, Paused, Held, lists:sort(Tables)}`);
  const tables =
    '[megaphone_cluster,megaphone_ended,megaphone_forwarders,megaphone_handover,megaphone_moved,megaphone_resumable,megaphone_sessions,megaphone_strangers]';
  const expected = `{${but},${but},${but},${but},0,[],0,0,${tables}}`;
  for (let round = 0; round < 200 && (await left()) !== expected; round += 1) await sleep(50);
  assert.equal(await left(), expected);
}
