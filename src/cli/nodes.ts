/** `megaphone nodes`: what the running gateway of this configuration sees of the cluster; with workers, what each sees. */

import type { Config } from '../config/schema.js';
import { MegaphoneError } from '../errors.js';
import type { Term } from '../etf/terms.js';
import type { Cookie } from '../node/cookie.js';
import { member, RunningGateway } from './running-gateway.js';

/** @throws MegaphoneError EPMD_…, NODE_…, HANDSHAKE_…: it was not reached */
export async function* nodes(config: Config, cookie: Cookie): AsyncGenerator<string> {
  const gateway = await RunningGateway.connect('nodes', config, cookie);
  try {
    for (const name of gateway.names) yield* linesOf(name, await gateway.ask(name, 'nodes'));
  } finally {
    await gateway.stop();
  }
}

function* linesOf(gateway: string, answer: Term): Generator<string> {
  if (!Array.isArray(answer)) {
    throw new MegaphoneError('NODE_CALL_FAILED', `${gateway} did not say which nodes it sees`, {
      hint: 'is it of an older release?',
    });
  }
  const nodes = answer as readonly Term[];
  yield `${gateway} sees ${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}:`;
  const width = Math.max(...nodes.map((node) => textOf(member(node, 'node')).length));
  for (const node of nodes) yield `  ${lineOf(node, width)}`;
}

function lineOf(node: Term, width: number): string {
  const text = (name: string): string => textOf(member(node, name));
  const isInService = text('reason') === '';
  const parts = [
    isInService ? text('state').replace('_', ' ') : `out of service: ${text('reason')}`,
    ...(isInService ? [`${text('sessions')} sessions, weight ${text('weight')}`] : []),
    ...(isSet(node, 'takes_sessions') || !isInService ? [] : ['no new sessions']),
    ...(isSet(node, 'leaving') ? ['left the cluster'] : []),
    `${text('requests_waiting')} requests wait`,
    [isSet(node, 'seed') ? 'seed' : '', ...known(node)].filter((by) => by !== '').join(', '),
  ];
  return `${text('node').padEnd(width)}  ${parts.filter((part) => part !== '').join('; ')}`;
}

function known(node: Term): string[] {
  const by = member(node, 'known_by');
  const names = Array.isArray(by) ? (by as readonly Term[]).map(textOf) : [];
  return names.length === 0 ? [] : [`known by ${names.join(' and ')}`];
}

const isSet = (node: Term, name: string): boolean => textOf(member(node, name)) === 'true';

function textOf(term: Term | undefined): string {
  if (term instanceof Uint8Array) return Buffer.from(term).toString('utf8');
  return term === undefined || typeof term === 'number' ? String(term ?? '') : nameOf(term);
}

const nameOf = (term: Term): string => (typeof term === 'object' && 'name' in term ? String(term.name) : '');
