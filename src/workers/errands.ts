/** What operators and publishers want of the Erlang nodes, which only workers reach: one of them runs it for the primary. */

import { MegaphoneError } from '../errors.js';
import type { AdminDesk } from '../http/admin-desk.js';
import type { Faults } from '../observe/faults.js';
import type { Orders } from '../service/drain.js';
import { type Errand, fromReport, type Outcome, toReport } from './messages.js';

/** The desk of a gateway whose workers run the errands. */
export function deskOf(orders: Orders, run: (errand: Errand) => Promise<Outcome>): AdminDesk {
  return {
    order: (order) => orders.order(order),
    sessions: async (query) => {
      const outcome = await run({ what: 'sessions', query });
      if ('page' in outcome) return outcome.page;
      throw errorOf(outcome);
    },
    closeSession: async (node, id) => {
      const outcome = await run({ what: 'close', node, id });
      if ('closed' in outcome) return outcome.closed;
      throw errorOf(outcome);
    },
    publish: async (publications) => {
      const plain = publications.map(({ ids, body, meta }) => ({ ids, body: body.toString('latin1'), meta }));
      const outcome = await run({ what: 'publish', publications: plain });
      if (!('published' in outcome)) throw errorOf(outcome);
    },
    say: async (read) => {
      const outcome = await run({ what: 'say', line: typeof read === 'string' ? read : toReport(read) });
      if ('problem' in outcome) return outcome.problem === '' ? undefined : outcome.problem;
      const { message, code } = errorOf(outcome);
      return `${message} [${code}]`;
    },
  };
}

/** At the worker: whatever fails is an outcome. */
export async function outcomeOf(errand: Errand, desk: AdminDesk, faults: Faults): Promise<Outcome> {
  try {
    if (errand.what === 'sessions') return { page: await desk.sessions(errand.query) };
    if (errand.what === 'close') return { closed: await desk.closeSession(errand.node, errand.id) };
    if (errand.what === 'say') {
      const { line } = errand;
      return { problem: (await desk.say(typeof line === 'string' ? line : fromReport(line))) ?? '' };
    }
    const publications = errand.publications.map(({ ids, body, meta }) => ({
      ids,
      body: Buffer.from(body, 'latin1'),
      meta,
    }));
    await desk.publish(publications);
    return { published: true };
  } catch (error) {
    return { error: toReport(error instanceof MegaphoneError ? error : faults.tell(error)) };
  }
}

const errorOf = (outcome: Outcome): MegaphoneError =>
  'error' in outcome ? fromReport(outcome.error) : noWorker();

export const noWorker = (): MegaphoneError =>
  new MegaphoneError('GATEWAY_NO_LIST', 'no worker can ask an Erlang node just now', {
    hint: 'each is being replaced; its last lines in the log tell why',
  });

/** Those that one worker was sent on, each until it is done or the worker has ended. */
export class Errands {
  readonly #open = new Map<number, (outcome: Outcome) => void>();
  #last = 0;

  begin(): { readonly number: number; readonly outcome: Promise<Outcome> } {
    this.#last += 1;
    const number = this.#last;
    const outcome = new Promise<Outcome>((resolve) => this.#open.set(number, resolve));
    return { number, outcome };
  }

  done(number: number, outcome: Outcome): void {
    this.#open.get(number)?.(outcome);
    this.#open.delete(number);
  }

  /** The worker has ended. */
  end(node: string): void {
    const error = new MegaphoneError('GATEWAY_NO_LIST', `the worker ${node} ended before it could tell`, {
      node,
    });
    for (const number of [...this.#open.keys()]) this.done(number, { error: toReport(error) });
  }
}
