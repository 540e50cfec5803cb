/**
 * `megaphone drain` and `megaphone resume`: take the running gateway of this configuration out of service, and back. It is
 * asked over Erlang's distribution, as any node may that knows the cookie; of several workers any passes it on to all.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { nodeNames } from '../config/node-names.js';
import type { Config } from '../config/schema.js';
import { parseNodeName } from '../distribution/names.js';
import { MegaphoneError } from '../errors.js';
import { atom, type Term } from '../etf/terms.js';
import { PROCESS_NAME } from '../gateway/megaphone-process.js';
import type { Cookie } from '../node/cookie.js';
import type { Endpoint } from '../node/epmd-client.js';
import { HiddenNode } from '../node/hidden-node.js';
import type { Order } from '../service/lifecycle.js';
import { nodeOptions } from '../service/node-options.js';

const TIMEOUT_MS = 10_000;
const POLL_MS = 200;

/** What each order leads to. */
const GOALS: Readonly<Record<Order, string>> = { drain: 'drained', resume: 'in_service' };

/**
 * One line for each state that the gateway comes to, up to the one that was asked for. Whoever does not wait for that changes
 * nothing.
 * @returns whether it came to that
 * @throws MegaphoneError EPMD_…, NODE_…, HANDSHAKE_…: it was not reached
 */
export async function* order(what: Order, config: Config, cookie: Cookie): AsyncGenerator<string, boolean> {
  const { alive, host } = parseNodeName(config.node);
  const node = await HiddenNode.start(nodeOptions(config, `${alive}-${what}-${process.pid}@${host}`, cookie));
  try {
    const names = await reached(node, config);
    const [first = ''] = names;
    const ask = async (request: string): Promise<string> =>
      stateOf(await node.call(first, PROCESS_NAME, atom(request), TIMEOUT_MS));
    let told = '';
    for (let state = await ask(what); ; state = await ask('health')) {
      if (state !== told) yield `${config.node}: ${state.replace('_', ' ')}, ${await figures(node, names)}`;
      told = state;
      if (state === GOALS[what]) return true;
      // By a signal, or another operator.
      if (state !== 'draining') return false;
      await sleep(POLL_MS);
    }
  } finally {
    await node.stop();
  }
}

/** Those of its nodes to which there is a connection then, at least one. */
async function reached(node: HiddenNode, config: Config): Promise<string[]> {
  const names = nodeNames(config);
  const attempts = await Promise.allSettled(
    names.map((name, index) => node.connect(name, endpointOf(config, index))),
  );
  const found = names.filter((_, index) => attempts[index]?.status === 'fulfilled');
  const failed = attempts.find((attempt) => attempt.status === 'rejected');
  if (found.length === 0) throw failed?.reason;
  return found;
}

/** `undefined`: EPMD knows it. */
function endpointOf({ epmd_port, distribution_port, distribution_ip }: Config, index: number) {
  if (epmd_port !== 0 || distribution_port === 0) return undefined;
  const host = distribution_ip === '::' || distribution_ip === '0.0.0.0' ? '127.0.0.1' : distribution_ip;
  return { host, port: distribution_port + index } satisfies Endpoint;
}

async function figures(node: HiddenNode, names: readonly string[]): Promise<string> {
  const answers = await Promise.allSettled(
    names.map((name) => node.call(name, PROCESS_NAME, atom('stats'), TIMEOUT_MS)),
  );
  const sum = (what: string): number =>
    answers.reduce((total, answer) => {
      const count = answer.status === 'fulfilled' ? member(answer.value, what) : 0;
      return total + (typeof count === 'number' ? count : 0);
    }, 0);
  return `${sum('connections')} connections, ${sum('open_exchanges')} requests held, ${sum('websockets')} WebSockets`;
}

function stateOf(answer: Term): string {
  const state = member(answer, 'state');
  if (state instanceof Uint8Array) return Buffer.from(state).toString('utf8');
  throw new MegaphoneError('NODE_CALL_FAILED', 'the gateway did not say how it is', {
    hint: 'is it of an older release?',
  });
}

function member(answer: Term, name: string): Term | undefined {
  if (!(answer instanceof Map)) return undefined;
  for (const [key, value] of answer) {
    if (key instanceof Uint8Array && Buffer.from(key).toString('utf8') === name) return value;
  }
  return undefined;
}
