/** Sessions that are moved from one node of a cluster to another, and where they are. */
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/until.js';
import { type BoshSession, bodies, message, ping } from '../conformance/bosh-session.js';
import { gatewayBeside } from './gateway-beside.js';
import type { ServerCluster } from './server-cluster.js';
import type { WebSocketSession } from './websocket-session.js';

interface Someone {
  /** With the resource. */
  readonly jid: string;
}

/** Of two nodes. */
export const other = (node: number): number => 3 - node;

/** Expression: the process that ejabberd has for this user. */
export function processOf({ jid }: Someone): string {
  const [user = '', resource = ''] = [jid.split('@')[0], jid.split('/')[1]];
  return `ejabberd_sm:get_session_pid(<<"${user}">>, <<"localhost">>, <<"${resource}">>)`;
}

/** The number of the node that has this user's session. */
export async function place(cluster: ServerCluster, who: Someone): Promise<number> {
  const { server } = cluster.member(1);
  // One that has just begun at another node is not in this one's table yet.
  await until(async () => (await server.print(`is_pid(${processOf(who)})`)) === 'true');
  const node = await server.print(`node(${processOf(who)})`);
  return 1 + cluster.members.findIndex(({ name }) => name === node.replaceAll("'", ''));
}

/** Resolves with what became of it: `moved`, or `{stays,Reason}`. */
export async function move(cluster: ServerCluster, who: Someone, to: number): Promise<string> {
  return cluster.member(1).server.print(`
    Pid = ${processOf(who)},
    Ref = erlang:monitor(process, Pid),
    Pid ! {megaphone_move, '${cluster.member(to).name}', {self(), Ref}},
    receive {Ref, Answer} -> Answer; {'DOWN', Ref, process, Pid, Reason} -> {ended, Reason} after 20000 -> timeout end`);
}

/** A gateway that knows both. */
export async function gatewayOf(cluster: ServerCluster): Promise<Awaited<ReturnType<typeof gatewayBeside>>> {
  const gateway = await gatewayBeside(cluster.member(1).instance, { nodes: cluster.nodes });
  await until(() => gateway.service.gateway.cluster.inService === cluster.members.length);
  return gateway;
}

/** Texts from one to another, some hundred a second, until `stop`: each round trip proves that they were taken. */
export function writes(
  from: WebSocketSession,
  to: string,
  subject: string,
): { readonly said: readonly string[]; stop(): Promise<string[]> } {
  const said: string[] = [];
  let isOver = false;
  const done = (async () => {
    for (let n = 0; !isOver; n += 1) {
      const texts = [0, 1, 2].map((i) => `${subject} ${n}.${i}`);
      said.push(...texts);
      await from.say(to, ...texts);
      await sleep(5);
    }
  })();
  return {
    said,
    stop: async () => {
      isOver = true;
      await done;
      return said;
    },
  };
}

/** Reads by one request after another until `stop`, and writes with each; no answer is an error. */
export function talks(
  session: BoshSession,
  to: string,
  subject: string,
): { readonly heard: string[]; readonly said: readonly string[]; stop(): Promise<void> } {
  const heard: string[] = [];
  const said: string[] = [];
  let isOver = false;
  const done = (async () => {
    for (let n = 0; !isOver; n += 1) {
      const text = `${subject} ${n}`;
      said.push(text);
      const answer = await session.ask({}, message(to, text) + ping(`p${n}`));
      if (answer.status !== 200 || answer.attributes.type) throw new Error(`${answer.status} ${answer.xml}`);
      heard.push(...bodies(answer));
    }
  })();
  done.catch(() => {});
  return {
    heard,
    said,
    stop: async () => {
      isOver = true;
      await done;
    },
  };
}
