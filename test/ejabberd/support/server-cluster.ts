/** Several real ejabberd nodes in one cluster, joined as an operator would, and a node beside each to look into it. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Instance } from '../../../scripts/support/instance.js';
import { until } from '../../support/until.js';
import { ServerNode } from './server-node.js';

export interface Member {
  readonly instance: Instance;
  readonly server: ServerNode;
  /** Its Erlang node. */
  readonly name: string;
}

export class ServerCluster {
  readonly members: readonly Member[];

  private constructor(members: readonly Member[]) {
    this.members = members;
  }

  /**
   * @param size how many nodes; @param prepare what is done to each before it joins, such as options of modules. A gateway is
   * for the caller to start: gatewayBeside() with `nodes`
   */
  static async start(
    size = 2,
    prepare: (instance: Instance) => Promise<void> = async () => {},
  ): Promise<ServerCluster> {
    const first = await Instance.start({ gateway: false });
    await prepare(first);
    const members = [await member(first, 1)];
    for (let n = 2; n <= size; n += 1) {
      const instance = await Instance.start({ gateway: false, beside: { instance: first, name: `${n}` } });
      await prepare(instance);
      await instance.ctl('join_cluster', first.ejabberdNode);
      members.push(await member(instance, n));
    }
    const cluster = new ServerCluster(members);
    await cluster.isWhole();
    return cluster;
  }

  /** The node with this number, from 1 on. */
  member(n: number): Member {
    const found = this.members[n - 1];
    if (!found) throw new Error(`no node ${n}`);
    return found;
  }

  /** As `nodes` of megaphone.yml has them. */
  get nodes(): { readonly name: string }[] {
    return this.members.map(({ name }) => ({ name }));
  }

  /** Resolves when all know each other, and serve sessions. */
  async isWhole(): Promise<void> {
    const all = this.members.map(({ name }) => `'${name}'`).join(', ');
    for (const { server, instance, name } of this.members) {
      const seen = (): Promise<string> =>
        server
          .print(
            `{whereis(mod_megaphone) =/= undefined, length([N || N <- ejabberd_cluster:get_nodes(), lists:member(N, [${all}])])}`,
          )
          .catch(String);
      const whole = `{true,${this.members.length}}`;
      await until(async () => (await seen()) === whole).catch(async () => {
        const log = await readFile(
          join(instance.var, name.split('@', 1)[0] as string, 'logs/ejabberd.log'),
          'utf8',
        );
        throw new Error(`${name} is not ready: ${await seen()}, ${log.slice(-5_000)}`);
      });
    }
  }

  /** By a command that another one is given; with it the node ends, too. */
  async leave(n: number, by: number): Promise<void> {
    const { name } = this.member(n);
    const { instance, server } = this.member(by);
    // It ends before it can answer, which newer releases of ejabberd call an error.
    const command = (): Promise<unknown> =>
      instance
        .ctl('leave_cluster', name)
        .catch(({ stdout }) => assert.equal(stdout, 'Error: {badrpc,nodedown}\n'));
    await command();
    // Over TLS its last word to the others may be lost with it: they forget it when they are told once more.
    await until(async () => {
      if ((await server.print(`lists:member('${name}', ejabberd_cluster:get_known_nodes())`)) === 'false')
        return true;
      await command();
      return false;
    });
  }

  async stop(): Promise<void> {
    for (const { server } of this.members) await server.stop();
    // The folder is the first one's.
    for (const { instance } of [...this.members].reverse()) await instance.stop();
  }
}

async function member(instance: Instance, n: number): Promise<Member> {
  const server = await ServerNode.connect(instance, `test${n}`);
  return { instance, server, name: instance.ejabberdNode };
}
