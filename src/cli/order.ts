/**
 * `megaphone drain` and `megaphone resume`: take the running gateway of this configuration out of service, and back. Of several
 * workers any passes it on to all.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/schema.js';
import { MegaphoneError } from '../errors.js';
import type { Term } from '../etf/terms.js';
import type { Cookie } from '../node/cookie.js';
import type { Order } from '../service/lifecycle.js';
import { member, RunningGateway } from './running-gateway.js';

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
  const gateway = await RunningGateway.connect(what, config, cookie);
  try {
    const [first = ''] = gateway.names;
    const ask = async (request: string): Promise<string> => stateOf(await gateway.ask(first, request));
    let told = '';
    for (let state = await ask(what); ; state = await ask('health')) {
      if (state !== told) yield `${config.node}: ${state.replace('_', ' ')}, ${await figures(gateway)}`;
      told = state;
      if (state === GOALS[what]) return true;
      // By a signal, or another operator.
      if (state !== 'draining') return false;
      await sleep(POLL_MS);
    }
  } finally {
    await gateway.stop();
  }
}

async function figures(gateway: RunningGateway): Promise<string> {
  const answers = await Promise.allSettled(gateway.names.map((name) => gateway.ask(name, 'stats')));
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
