/** What the messages experiment found out, as it stands in its JSON file. */

import type { Pattern } from '../../load/schedule.js';
import type { Run } from '../lib/publish.js';
import type { SubjectName } from '../lib/subjects.js';
import type { Sample } from './subject.js';

export interface Cell {
  readonly pattern: Pattern;
  /** Messages a second. */
  readonly rate: number;
  /** From 0. */
  readonly round: number;
  readonly subject: SubjectName;
  readonly sample: Sample;
}

export interface Highest {
  readonly pattern: Pattern;
  readonly subject: SubjectName;
  /** Messages a second. */
  readonly rate: number;
  /** How it was found, in the order of the tries. */
  readonly tries: readonly { readonly rate: number; readonly p99: number; readonly isClean: boolean }[];
}

export interface MessageResults extends Run {
  /** How it was measured, in words: rounds, seconds, users. */
  readonly settings: string;
  readonly cells: readonly Cell[];
  /** Empty where it was not looked for. */
  readonly highest: readonly Highest[];
  /** Messages of the whole run that were never delivered. */
  readonly lost: Readonly<Partial<Record<SubjectName, number>>>;
}
