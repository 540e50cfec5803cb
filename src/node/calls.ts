/**
 * Calls to servers on other nodes, made as `gen_server:call` makes them: under a monitor, so that the call ends at once
 * when the server is not there or goes down. Every call has a pid of its own, id 0 with the call's number as serial.
 */

import { encodeControl } from '../distribution/control.js';
import { type ErrorCode, MegaphoneError } from '../errors.js';
import { decodeVersioned } from '../etf/decode.js';
import { encodeVersioned } from '../etf/encode.js';
import { formatTerm } from '../etf/format.js';
import { Atom, atom, Pid, Reference, type Term, Tuple, tuple } from '../etf/terms.js';
import type { Connection } from './connection.js';

interface PendingCall {
  readonly ref: Reference;
  settle(outcome: { reply: Term } | { error: unknown }): void;
}

const NORMAL = atom('normal');
const MAX_SERIAL = 0xffff_ffff;

export class Calls {
  readonly #self: string;
  readonly #creation: number;
  readonly #pending = new Map<number, PendingCall>();
  #number = 0;
  #references = 0;

  constructor(self: string, creation: number) {
    this.#self = self;
    this.#creation = creation;
  }

  /** Whether the pid with id 0 and this serial is a call that waits for its answer. */
  has(serial: number): boolean {
    return this.#pending.has(serial);
  }

  /** A reference that is new on this node. The first word has 18 bits, as OTP has it. */
  makeRef(): Reference {
    this.#references += 1;
    const low = this.#references % 2 ** 18;
    const rest = Math.floor(this.#references / 2 ** 18);
    return new Reference(this.#self, this.#creation, [low, rest % 2 ** 32, Math.floor(rest / 2 ** 32)]);
  }

  /**
   * @param connection to the server's node, `undefined` when there is none
   * @throws MegaphoneError NODE_NOCONNECTION, NODE_NOPROC, NODE_BUSY, NODE_TIMEOUT, NODE_CALL_FAILED, ETF_… for a bad request
   */
  async call(
    connection: Connection | undefined,
    node: string,
    name: string,
    request: Term,
    timeoutMs: number,
  ): Promise<Term> {
    if (connection === undefined) throw callError('NODE_NOCONNECTION', node, name, 'there is no connection');
    if (connection.congested)
      throw callError('NODE_BUSY', node, name, 'the node does not read what waits for it');
    const serial = this.#nextSerial();
    const from = new Pid(this.#self, 0, serial, this.#creation);
    const ref = this.makeRef();
    const payload = encodeVersioned(tuple(atom('$gen_call'), tuple(from, ref), request));
    return new Promise<Term>((resolve, reject) => {
      const settle: PendingCall['settle'] = (outcome) => {
        clearTimeout(timer);
        this.#pending.delete(serial);
        connection.channel.demonitor(ref);
        // The pid ends with its call; a server may have monitored its caller.
        connection.channel.exited(from, NORMAL);
        if ('reply' in outcome) resolve(outcome.reply);
        else reject(outcome.error);
      };
      const timer = setTimeout(
        () => settle({ error: callError('NODE_TIMEOUT', node, name, `no answer in ${timeoutMs} ms`) }),
        timeoutMs,
      );
      this.#pending.set(serial, { ref, settle });
      connection.channel.monitor(from, name, ref, (reason) =>
        settle({ error: downError(node, name, reason) }),
      );
      connection.send(encodeControl({ op: 'REG_SEND', from, to: name }), payload);
    });
  }

  /** A message to the pid of a call: its answer `{Ref, Reply}`, or nothing that anybody waits for. */
  deliver(serial: number, payload: Buffer): void {
    const call = this.#pending.get(serial);
    if (call === undefined) return;
    try {
      const message = decodeVersioned(payload);
      const [ref, reply] = message instanceof Tuple ? message.elements : [];
      if (ref instanceof Reference && reply !== undefined && ref.ids.join() === call.ref.ids.join()) {
        call.settle({ reply });
      }
    } catch (error) {
      call.settle({ error });
    }
  }

  #nextSerial(): number {
    do this.#number = this.#number === MAX_SERIAL ? 1 : this.#number + 1;
    while (this.#pending.has(this.#number));
    return this.#number;
  }
}

/** What `rex` is asked. */
export function rpcRequest(module: string, fun: string, args: readonly Term[]): Term {
  return tuple(atom('call'), atom(module), atom(fun), args, atom('user'));
}

/**
 * What `rex` answers to a call of `module:fun/arity`.
 * @throws MegaphoneError NODE_BADRPC, with the Erlang reason as cause
 */
export function rpcResult(node: string, call: string, answer: Term): Term {
  const [tag, reason] = answer instanceof Tuple ? answer.elements : [];
  if (!(tag instanceof Atom && tag.name === 'badrpc') || reason === undefined) return answer;
  const message = `${call} failed on ${node}: ${formatTerm(reason)}`;
  throw new MegaphoneError('NODE_BADRPC', message, { node, cause: reason });
}

function downError(node: string, name: string, reason: Term): MegaphoneError {
  switch (reason instanceof Atom && reason.name) {
    case 'noproc':
      return callError('NODE_NOPROC', node, name, 'no process has that name');
    case 'noconnection':
      return callError('NODE_NOCONNECTION', node, name, 'the connection was lost');
    default:
      return callError('NODE_CALL_FAILED', node, name, `the process ended: ${formatTerm(reason)}`);
  }
}

function callError(code: ErrorCode, node: string, name: string, why: string): MegaphoneError {
  return new MegaphoneError(code, `The call of ${name} on ${node} failed: ${why}`, { node });
}
