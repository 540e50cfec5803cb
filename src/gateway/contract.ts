/** The module on ejabberd's side: its name, the version of the contract with it, and what is said where it is missing. */

import { MegaphoneError } from '../errors.js';
import { Atom, type Term, Tuple } from '../etf/terms.js';

export const MODULE = 'mod_megaphone';
export const CONTRACT_VERSION = 7;

export const HOW_TO_START = `"ejabberdctl module_install ${MODULE}" installs and starts it; if its options are in ejabberd.yml, it must stand there under "modules:"`;

/** `{badrpc, {'EXIT', {undef, _}}}`: there is no `mod_megaphone:contract/0` on that node. */
export function isUndefinedFunction(error: unknown): boolean {
  if (!(error instanceof MegaphoneError) || error.code !== 'NODE_BADRPC') return false;
  return isAtom(element(element(error.cause, 1), 0), 'undef');
}

export function isAtom(term: Term | undefined, name: string): boolean {
  return term instanceof Atom && term.name === name;
}

function element(term: unknown, index: number): Term | undefined {
  return term instanceof Tuple ? term.elements[index] : undefined;
}

/** @param answer what it said instead of the version; `undefined` for nothing */
export function otherContract(node: string, answer: Term | undefined): MegaphoneError {
  const version = typeof answer === 'number' ? `version ${answer}` : 'no version it could tell';
  return new MegaphoneError(
    'GATEWAY_CONTRACT',
    `${MODULE} on ${node} speaks ${version} of the contract, this gateway speaks version ${CONTRACT_VERSION}`,
    { node, hint: `install the gateway and ${MODULE} of the same release` },
  );
}

/** @param reason why its process is not there, as a monitor tells */
export function moduleDown(node: string, reason: Term): MegaphoneError {
  if (isAtom(reason, 'noproc')) {
    return new MegaphoneError('GATEWAY_NO_MODULE', `no process is registered as ${MODULE} on ${node}`, {
      node,
      hint: HOW_TO_START,
    });
  }
  return new MegaphoneError('GATEWAY_MODULE_DOWN', `${MODULE} on ${node} went down`, {
    node,
    hint: "look into ejabberd's log for the reason",
  });
}
