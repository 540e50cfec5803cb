/**
 * `megaphone cat`: each line of the standard input is said by the running gateway of this configuration, to whom it names (docs/outside.md).
 * Nothing is printed where all is well.
 */

import type { Config } from '../config/schema.js';
import { MegaphoneError } from '../errors.js';
import { atom, binary, type Term, Tuple, tuple } from '../etf/terms.js';
import type { Cookie } from '../node/cookie.js';
import { LineReader, type Read } from '../outside/line-reader.js';
import { MAX_LINES } from '../outside/requests.js';
import { RunningGateway } from './running-gateway.js';

/** For so many lines, each of which may wait for an ejabberd node. */
const TIMEOUT_MS = 60_000;

/**
 * What is wrong, a line for each that was not said.
 * @returns whether all were
 * @throws MegaphoneError EPMD_…, NODE_…, HANDSHAKE_…: the gateway was not reached, or is gone
 */
export async function* cat(
  input: AsyncIterable<Buffer>,
  config: Config,
  cookie: Cookie,
): AsyncGenerator<string, boolean> {
  const gateway = await RunningGateway.connect('cat', config, cookie);
  const [first = ''] = gateway.names;
  const reader = new LineReader();
  let count = 0;
  let isWell = true;
  const say = async (lines: readonly Read[]): Promise<string[]> => {
    const asked = lines.map((line) => (line instanceof MegaphoneError ? '' : line));
    const answer = await gateway.call(first, tuple(atom('lines'), asked.map(binary)), TIMEOUT_MS);
    const answers = answersOf(answer, lines.length, first);
    return lines.flatMap((line, index) => {
      count += 1;
      const problem = line instanceof MegaphoneError ? `${line.message} [${line.code}]` : answers[index];
      return problem === undefined ? [] : [`line ${count}: ${problem}`];
    });
  };
  try {
    for await (const lines of batches(input, reader)) {
      const problems = await say(lines);
      isWell &&= problems.length === 0;
      yield* problems;
    }
    return isWell;
  } finally {
    await gateway.stop();
  }
}

/** As many at once as have come. */
async function* batches(input: AsyncIterable<Buffer>, reader: LineReader): AsyncGenerator<Read[]> {
  for await (const bytes of input) {
    const lines = reader.read(bytes);
    while (lines.length > 0) yield lines.splice(0, MAX_LINES);
  }
  const last = reader.end();
  if (last.length > 0) yield last;
}

/** `undefined` for each line that was said. */
function answersOf(answer: Term, length: number, node: string): (string | undefined)[] {
  if (!Array.isArray(answer) || answer.length !== length) {
    throw new MegaphoneError('NODE_CALL_FAILED', 'the gateway did not say what became of the lines', {
      hint: 'is it of an older release?',
      node,
    });
  }
  return (answer as readonly Term[]).map((one) => {
    const [, problem] = one instanceof Tuple ? one.elements : [];
    return problem instanceof Uint8Array ? Buffer.from(problem).toString() : undefined;
  });
}
