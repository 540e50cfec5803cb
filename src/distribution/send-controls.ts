/**
 * The control messages of what is sent all the time, made once: to a name, and to the pids of a node, where only the
 * three numbers are patched.
 */

import { Pid } from '../etf/terms.js';
import { encodeControl } from './control.js';

/** A pid of a node that is known. Its creation may be written as a signed number. */
export type PidNumbers = Pick<Pid, 'id' | 'serial' | 'creation'>;

export class SendControls {
  readonly #from: Pid;
  readonly #byName = new Map<string, Buffer>();
  readonly #byNode = new Map<string, Buffer>();

  /** @param from the sender */
  constructor(from: Pid) {
    this.#from = from;
  }

  toName(name: string): Buffer {
    let control = this.#byName.get(name);
    if (control === undefined) {
      control = encodeControl({ op: 'REG_SEND', from: this.#from, to: name });
      this.#byName.set(name, control);
    }
    return control;
  }

  /** The same bytes for all pids of a node: they are to be copied before the next call. */
  toPid(node: string, { id, serial, creation }: PidNumbers): Buffer {
    let control = this.#byNode.get(node);
    if (control === undefined) {
      control = encodeControl({ op: 'SEND', to: new Pid(node, 0, 0, 0) });
      this.#byNode.set(node, control);
    }
    // The pid is the last of the message, and these numbers the last of the pid.
    const at = control.length - 12;
    control.writeInt32BE(id | 0, at);
    control.writeInt32BE(serial | 0, at + 4);
    control.writeInt32BE(creation | 0, at + 8);
    return control;
  }
}
