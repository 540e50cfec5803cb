/** What `make bench` found out, as it stands in its JSON file. */

import type { Usage } from './lib/usage.js';

export interface Results {
  readonly machine: string;
  /** ISO 8601. */
  readonly date: string;
  /** With other settings than usual, which is mostly less of everything. */
  readonly isTrial: boolean;
  readonly settings: Readonly<Record<string, number | readonly number[]>>;
  readonly own: Side;
  readonly megaphone: Side;
}

export interface Side {
  /** Bytes for each idle user. */
  readonly memory: Usage;
  readonly logins: {
    readonly perSecond: number;
    /** Seconds of processor time for each. */
    readonly cpu: Usage;
    readonly loadCpu: number;
  };
  readonly traffic: readonly TrafficResult[];
  /** Messages a second. */
  readonly highest: number;
  /** How it was found, in the order of the tries. */
  readonly steps: readonly Step[];
  /** Messages of the whole run that were never delivered. */
  readonly lost: number;
}

export interface TrafficResult {
  /** Messages a second. */
  readonly rate: number;
  readonly delivered: number;
  /** Not delivered for seconds, when nothing else came any more. */
  readonly late: number;
  /** Seconds of processor time for each delivered message. */
  readonly cpu: Usage;
  readonly loadCpu: number;
  readonly latency: Latency;
}

/** Milliseconds from due to delivered; messages that are late count as never. */
export interface Latency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

export interface Step {
  readonly rate: number;
  readonly latency: Latency;
  readonly late: number;
  readonly isClean: boolean;
}
