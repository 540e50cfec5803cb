/** An ejabberd node as the gateway needs it: it lets us in, runs the module of this release, and its settings go with ours. */

import type { EjabberdNode } from '../../config/kinds.js';
import { nodeNames } from '../../config/node-names.js';
import type { Config } from '../../config/schema.js';
import { MegaphoneError } from '../../errors.js';
import { formatTerm } from '../../etf/format.js';
import { Atom, atom, Pid, type Term, Tuple } from '../../etf/terms.js';
import { CONTRACT_VERSION, HOW_TO_START, isUndefinedFunction, MODULE } from '../../gateway/contract.js';
import type { HiddenNode } from '../../node/hidden-node.js';
import { bad, type Finding, failed, good, poor } from '../finding.js';

const CALL_TIMEOUT_MS = 5_000;
/** Virtual hosts that are asked for their options: those of the rest are the same, as a rule. */
const MAX_HOSTS = 100;

type Ask = (module: string, fun: string, ...args: Term[]) => Promise<Term>;

export async function* ejabberd(
  node: HiddenNode,
  { name, endpoint }: EjabberdNode,
  config: Config,
): AsyncGenerator<Finding> {
  const ask: Ask = (module, fun, ...args) => node.rpc(name, module, fun, args, CALL_TIMEOUT_MS);
  try {
    await node.connect(name, endpoint);
    const way = config.distribution_tls_cert === '' ? '' : ' over TLS';
    yield good(`${name} is reached${way}, and accepts the cookie`);
    yield* namesakes(name, node.name, config, ask);
    yield* tickTime(name, config, ask);
    const finding = await module(name, ask);
    yield finding;
    if (finding.mark === '✔') yield* waits(name, config, ask);
  } catch (error) {
    yield failed(error);
  }
}

/** A gateway of our name on another machine: the two take this node from each other. */
async function* namesakes(name: string, self: string, config: Config, ask: Ask): AsyncGenerator<Finding> {
  const seen = namesIn(await ask('erlang', 'nodes', atom('hidden')));
  for (const ours of nodeNames(config).filter((each) => seen.has(each))) {
    const [there, here] = [await addressOf(ours, ask), await addressOf(self, ask)];
    if (there !== undefined && here !== undefined && there !== here)
      yield bad(
        `${name} has a gateway called ${ours} already, at ${there}: two of one name`,
        'give each gateway a name of its own, as with the host of its machine: node: megaphone@…',
      );
  }
}

const namesIn = (term: Term): ReadonlySet<string> =>
  new Set(Array.isArray(term) ? term.flatMap((each: Term) => (each instanceof Atom ? [each.name] : [])) : []);

/** From where that node is connected: `{ok, {net_address, {Ip, Port}, Host, Protocol, Family}}`. */
async function addressOf(other: string, ask: Ask): Promise<string | undefined> {
  const info = await ask('net_kernel', 'node_info', atom(other), atom('address'));
  const ip = [1, 1, 0].reduce<Term | undefined>(
    (term, at) => (term instanceof Tuple ? term.elements[at] : undefined),
    info,
  );
  if (!(ip instanceof Tuple)) return undefined;
  const groups = ip.elements.map(Number);
  return groups.length === 4 ? groups.join('.') : groups.map((group) => group.toString(16)).join(':');
}

/**
 * Who hears nothing for its own time ends the link, and who has nothing to say speaks every quarter of its own, or every half when it
 * has just spoken.
 */
async function* tickTime(name: string, { tick_time: ours }: Config, ask: Ask): AsyncGenerator<Finding> {
  const theirs = await ask('net_kernel', 'get_net_ticktime');
  // Else it is about to change.
  if (typeof theirs !== 'number' || theirs === ours) return;
  const text = `tick_time is ${ours} s, and net_ticktime of ${name} ${theirs} s`;
  const hint = `tick_time: ${theirs} s`;
  yield theirs > 2 * ours || ours > 1.5 * theirs
    ? bad(`${text}: one of the two takes an idle link for a dead one`, hint)
    : poor(`${text}: the two notice at other times that the other is gone`, hint);
}

async function module(name: string, ask: Ask): Promise<Finding> {
  const isRunning = (await ask('erlang', 'whereis', atom(MODULE))) instanceof Pid;
  try {
    const contract = await ask(MODULE, 'contract');
    if (contract !== CONTRACT_VERSION) {
      return bad(
        `${MODULE} on ${name} speaks version ${formatTerm(contract)} of the contract, this gateway ${CONTRACT_VERSION}`,
        `install the gateway and ${MODULE} of the same release`,
      );
    }
    if (isRunning)
      return good(`${MODULE} runs on ${name} and speaks version ${CONTRACT_VERSION} of the contract`);
    return bad(`${MODULE} is installed on ${name} but does not run`, HOW_TO_START);
  } catch (error) {
    if (!isUndefinedFunction(error)) throw error;
    if (isRunning) return good(`a process that is not our module registered itself as ${MODULE} on ${name}`);
    return bad(
      `${MODULE} is not installed on ${name}`,
      `install it there: ejabberdctl module_install ${MODULE}`,
    );
  }
}

/** A request that the module holds for longer than the gateway waits ends with 504. */
async function* waits(name: string, { answer_timeout: ours }: Config, ask: Ask): AsyncGenerator<Finding> {
  const hosts = await answered(ask('ejabberd_option', 'hosts'));
  for (const host of Array.isArray(hosts) ? hosts.slice(0, MAX_HOSTS) : []) {
    const limits = await answered(ask(MODULE, 'limits', host));
    const wait = atomMember(limits, 'wait');
    if (typeof wait !== 'number' || wait < ours) continue;
    yield bad(
      `answer_timeout is ${ours} s, and max_wait of ${MODULE} for ${Buffer.from(host as Uint8Array).toString()} on ${name} ${wait} s: who waits for so long hears 504`,
      `answer_timeout: ${Math.max(180, 2 * wait)} s here, or a smaller max_wait there`,
    );
    return;
  }
}

/** `undefined` where the node has no such function, or the host not this module. */
async function answered(asked: Promise<Term>): Promise<Term | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof MegaphoneError && error.code === 'NODE_BADRPC') return undefined;
    throw error;
  }
}

function atomMember(map: Term | undefined, name: string): Term | undefined {
  if (!(map instanceof Map)) return undefined;
  for (const [key, value] of map as ReadonlyMap<Term, Term>)
    if (key instanceof Atom && key.name === name) return value;
  return undefined;
}
