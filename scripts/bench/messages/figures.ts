/** Medians over the rounds of the messages experiment, and ratios between servers measured in the same round. */

import type { Pattern } from '../../load/schedule.js';
import type { Count } from '../lib/counts.js';
import { median, ratioOf, type Spread, spreadOf } from '../lib/rounds.js';
import type { SubjectName } from '../lib/subjects.js';
import { sumOf } from '../lib/usage.js';
import type { MessageResults } from './results.js';
import type { Sample } from './subject.js';

export type Figure = (sample: Sample) => number;

export const cpu: Figure = (sample) => sumOf(sample.cpu) * 1000;
export const serverCpu: Figure = (sample) => sample.cpu.server * 1000;
export const frontCpu: Figure = (sample) => sample.cpu.front * 1000;
export const loadCpu: Figure = (sample) => sample.loadCpu * 1000;
export const p50: Figure = (sample) => sample.p50;
export const p99: Figure = (sample) => sample.p99;
export const lag99: Figure = (sample) => sample.lag99;
export const late: Figure = (sample) => sample.late;
export const count =
  (name: Count): Figure =>
  (sample) =>
    sample.counts[name] ?? Number.NaN;

/** Of one pattern at one rate. */
export class Figures {
  readonly pattern: Pattern;
  readonly rate: number;
  readonly #samples: ReadonlyMap<SubjectName, readonly Sample[]>;

  constructor({ cells }: MessageResults, pattern: Pattern, rate: number) {
    const here = cells.filter((cell) => cell.pattern === pattern && cell.rate === rate);
    this.pattern = pattern;
    this.rate = rate;
    const samples = new Map<SubjectName, Sample[]>();
    for (const { subject, sample } of here.toSorted((a, b) => a.round - b.round)) {
      samples.set(subject, [...(samples.get(subject) ?? []), sample]);
    }
    this.#samples = samples;
  }

  /** NaN where it was not measured. */
  median(subject: SubjectName, figure: Figure): number {
    return median(this.#all(subject, figure));
  }

  /** Of one by another, round by round. */
  ratio(subject: SubjectName, to: SubjectName, figure: Figure): Spread {
    return ratioOf(this.#all(subject, figure), this.#all(to, figure));
  }

  /** What one has more than another, round by round. */
  difference(subject: SubjectName, to: SubjectName, figure: Figure): Spread {
    const others = this.#all(to, figure);
    return spreadOf(this.#all(subject, figure).map((value, round) => value - (others[round] ?? Number.NaN)));
  }

  #all(subject: SubjectName, figure: Figure): number[] {
    return (this.#samples.get(subject) ?? []).map(figure);
  }
}

export const patternsOf = ({ cells }: MessageResults): Pattern[] => [
  ...new Set(cells.map(({ pattern }) => pattern)),
];
export const ratesOf = ({ cells }: MessageResults): number[] => [...new Set(cells.map(({ rate }) => rate))];
