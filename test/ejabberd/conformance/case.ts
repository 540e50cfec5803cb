/** What the rows of docs/conformance.md are. */
import type { Instance } from '../../../scripts/support/instance.js';

export interface Case {
  /** Of the specification that it is from; `field` where users hit it. */
  readonly section: string;
  readonly name: string;
  readonly run: (url: string, instance: Instance) => Promise<void>;
}
