/**
 * The process registered as `megaphone`: `gen_server:call({megaphone, Node}, Request)`, answers to exchanges,
 * `{megaphone, Node} ! {ConnId, Status, Body}`, and the word of a node's module that it came to a mark among the
 * requests, `{taken, Place}`, takes no new sessions for a while, `{full, Seconds}`, that sessions were killed,
 * `{gone, [Sid]}`, who is in the cluster and how it does itself, `{cluster, Info}`, that a login failed, `{failed_login, Ip}`, or that
 * an address is banned for a while, `{banned, Ip, Seconds}`.
 *
 * Requests: `stats`, `health` and `about` (how it was started) give maps with binary keys, `nodes` a list of them, and `figures` what
 * `stats` gives, without what the nodes are asked for; so do `drain` and `resume`, which take this gateway out of service and back;
 * `{publish, …}` and `{lines, …}` come from outside; anything else `{error, unknown_request}`. Where one fails by a fault in here, `{error, fault}`.
 */

import { isIP } from 'node:net';
import { encodePlain, type Plain } from '../etf/plain.js';
import { Atom, atom, Opaque, type Term, Tuple, tuple } from '../etf/terms.js';
import type { HiddenNode } from '../node/hidden-node.js';
import { type IncomingCall, incomingCall } from '../node/incoming-call.js';
import type { NamedProcess } from '../node/processes.js';
import type { Faults } from '../observe/faults.js';
import { readClusterInfo } from './cluster-info.js';
import type { ClusterNode } from './cluster-node.js';
import { clusterReport } from './cluster-report.js';
import type { Gateway } from './gateway.js';

export const PROCESS_NAME = 'megaphone';

export interface PlainReports {
  stats(): Promise<Plain>;
  /** The same but for what others are asked for: it costs little. */
  figures(): Plain;
  health(): Plain;
  about(): Plain;
  /** An order of an operator's: how it is then. */
  order(order: 'drain' | 'resume'): Promise<Plain>;
  /** What comes from outside (src/outside/requests.ts); `undefined`: it is nothing of that. */
  outside(request: Term): Promise<Term> | undefined;
}

export class MegaphoneProcess implements NamedProcess {
  readonly #node: Pick<HiddenNode, 'reply'>;
  readonly #gateway: Gateway;
  readonly #reports: PlainReports;
  readonly #faults: Faults;

  constructor(node: Pick<HiddenNode, 'reply'>, gateway: Gateway, reports: PlainReports, faults: Faults) {
    this.#node = node;
    this.#gateway = gateway;
    this.#reports = reports;
    this.#faults = faults;
  }

  deliver(term: Term, peer: string): void {
    const node = this.#gateway.cluster.find(peer);
    if (node !== undefined && this.#hear(node, term)) return;
    const call = incomingCall(term);
    if (call === undefined) this.#gateway.answer(term, undefined, peer);
    else void this.#answer(call);
  }

  /** What a node's module says of itself; `false` for another term. */
  #hear(node: ClusterNode, term: Term): boolean {
    const [word, what, seconds] = term instanceof Tuple ? term.elements : [];
    const length = term instanceof Tuple ? term.elements.length : 0;
    if (word instanceof Atom && length === 3) return this.#hearOfBan(word.name, what, seconds);
    if (length !== 2) return false;
    const name = word instanceof Atom ? word.name : undefined;
    const info = name === 'cluster' ? readClusterInfo(what) : undefined;
    if (name === 'taken' && isCount(what)) this.#gateway.taken(node, what);
    else if (name === 'full' && isCount(what)) node.room.full(what);
    else if (name === 'gone' && Array.isArray(what)) this.#gateway.gone(sidsOf(what));
    else if (name === 'failed_login' && isAddress(what)) this.#gateway.door.failedLogin(textOf(what));
    else if (info !== undefined) this.#gateway.cluster.tell(node, info);
    else return false;
    return true;
  }

  #hearOfBan(name: string, ip: Term | undefined, seconds: Term | undefined): boolean {
    if (name !== 'banned' || !isAddress(ip) || !isCount(seconds)) return false;
    this.#gateway.door.banned(textOf(ip), seconds);
    return true;
  }

  async #answer(call: IncomingCall): Promise<void> {
    let answer: Term;
    try {
      answer = await this.#handle(call.request);
    } catch (error) {
      this.#faults.tell(error);
      answer = tuple(atom('error'), atom('fault'));
    }
    this.#node.reply(call, answer);
  }

  async #handle(request: Term): Promise<Term> {
    const name = request instanceof Atom ? request.name : '';
    if (name === 'stats') return new Opaque(encodePlain(await this.#reports.stats()));
    if (name === 'figures') return new Opaque(encodePlain(this.#reports.figures()));
    if (name === 'health') return new Opaque(encodePlain(this.#reports.health()));
    if (name === 'about') return new Opaque(encodePlain(this.#reports.about()));
    if (name === 'nodes') return new Opaque(encodePlain(clusterReport(this.#gateway.cluster)));
    if (name === 'drain' || name === 'resume')
      return new Opaque(encodePlain(await this.#reports.order(name)));
    return (await this.#reports.outside(request)) ?? tuple(atom('error'), atom('unknown_request'));
  }
}

const isCount = (term: Term | undefined): term is number =>
  Number.isSafeInteger(term) && (term as number) > 0;

const textOf = (binary: Uint8Array): string => Buffer.from(binary).toString('latin1');

/** Of IPv4 or IPv6, as text. */
const isAddress = (term: Term | undefined): term is Uint8Array =>
  term instanceof Uint8Array && isIP(textOf(term)) !== 0;

const sidsOf = (list: readonly Term[]): ReadonlySet<string> =>
  new Set(list.flatMap((sid) => (sid instanceof Uint8Array ? [textOf(sid)] : [])));
