/** `megaphone publish ID TEXT`: a message to the pages that listen to this id, through the running gateway of this configuration. */

import { isId, termOfId } from '../comet/ids.js';
import type { Config } from '../config/schema.js';
import { type ErrorCode, MegaphoneError } from '../errors.js';
import { Atom, atom, binary, type Term, Tuple, tuple } from '../etf/terms.js';
import type { Cookie } from '../node/cookie.js';
import { RunningGateway } from './running-gateway.js';

/** Longer than the gateway waits for a router. */
const TIMEOUT_MS = 15_000;
/** Of what is read from the standard input. */
export const MAX_TEXT = 1024 ** 2;

interface Message {
  readonly id: string;
  readonly text: string;
  readonly event: string | undefined;
}

/** @throws MegaphoneError why nobody took it */
export async function publish({ id, text, event }: Message, config: Config, cookie: Cookie): Promise<void> {
  if (!isId(id)) throw usage('an id has 1 to 255 bytes');
  if (event !== undefined && /[\r\n]/.test(event)) throw usage('the name of an event is one line');
  const gateway = await RunningGateway.connect('publish', config, cookie);
  try {
    const [first = ''] = gateway.names;
    const meta = event === undefined ? [] : [new Map<Term, Term>([[atom('event'), binary(event)]])];
    const answer = await gateway.call(
      first,
      tuple(atom('publish'), termOfId(id), binary(text), ...meta),
      TIMEOUT_MS,
    );
    if (!(answer instanceof Atom && answer.name === 'ok')) throw refused(answer, first);
  } finally {
    await gateway.stop();
  }
}

/** What a gateway may answer, in words. */
const REFUSALS: Readonly<Partial<Record<ErrorCode, readonly [message: string, hint: string]>>> = {
  COMET_OFF: ['the gateway has no pages', 'say who may listen: comet_key_file, comet_ask or comet_anyone'],
  COMET_NO_ROUTER: [
    'the gateway has several workers, and no Erlang node with megaphone_comet to reach them all',
    'start one and name it in comet_nodes, or set workers: 1',
  ],
};

function refused(answer: Term, node: string): MegaphoneError {
  const [word, reason] = answer instanceof Tuple ? answer.elements : [];
  const code = word instanceof Atom && word.name === 'error' && reason instanceof Atom ? reason.name : '';
  if (code === '' || code === 'unknown_request') {
    return new MegaphoneError('NODE_CALL_FAILED', 'the gateway did not say whether it took it', {
      hint: 'is it of an older release?',
      node,
    });
  }
  const [message, hint] = REFUSALS[code as ErrorCode] ?? ['nobody took it', 'docs/errors.md has this code'];
  return new MegaphoneError(code as ErrorCode, message, { hint, node });
}

const usage = (message: string): MegaphoneError =>
  new MegaphoneError('CONFIG_USAGE', message, { hint: 'megaphone publish ID TEXT' });
