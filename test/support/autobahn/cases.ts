/** All cases of groups 1 to 7, 9 and 10, in the suite's order, and where this gateway's codec and `ws` answer them otherwise. */

import type { AutobahnCase } from './case.js';
import { closingCases } from './closing-cases.js';
import { framingCases } from './framing-cases.js';
import { fragmentedCase, largeCases } from './large-cases.js';
import { textCases } from './text-cases.js';

/** @param scale sizes and counts of group 9 are divided by it */
export function autobahnCases(scale = 1): readonly AutobahnCase[] {
  const byId = (one: AutobahnCase, other: AutobahnCase): number =>
    one.id.localeCompare(other.id, 'en', { numeric: true });
  return [
    ...framingCases,
    ...textCases,
    ...closingCases,
    ...largeCases(scale).toSorted(byId),
    fragmentedCase,
  ];
}

export interface Difference {
  readonly cases: RegExp;
  /** What comes instead of what is strict, and whose it is. */
  readonly ours?: readonly string[];
  readonly ws?: 'lenient';
  readonly why: string;
}

/** In full size, `ws` moreover refuses 9.3.1 and 9.4.1 with 1008: it takes 16384 fragments. Here, the bytes are what is limited. */
export const DIFFERENCES: readonly Difference[] = [
  {
    cases: /^(1\.2|9\.[2468])\./,
    ours: ['close 1003'],
    why: 'XMPP is sent as text alone (RFC 7395 §3.2): a binary message is refused at its first byte',
  },
  {
    cases: /^6\.4\./,
    ws: 'lenient',
    why: 'ws checks a text when it is whole, which RFC 6455 §8.1 allows',
  },
];

export const differenceOf = ({ id }: AutobahnCase): Difference | undefined =>
  DIFFERENCES.find(({ cases }) => cases.test(id));
