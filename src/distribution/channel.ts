/**
 * One side of an established connection: what the frames of a peer mean, and what is to be said to it.
 * Knows neither socket nor clock: frames come in through `receive`, frames go out into a batch.
 */

import { MegaphoneError } from '../errors.js';
import { DEFAULT_LIMITS, decodePrefix, decodeVersioned } from '../etf/decode.js';
import { EtfError } from '../etf/error.js';
import { VERSION } from '../etf/tags.js';
import { atom, type Pid, type Reference, type Term } from '../etf/terms.js';
import { badControl, type Control, decodeControl, encodeControl, type ProcessId } from './control.js';
import { FLAGS } from './flags.js';
import type { Identity } from './handshake-messages.js';
import type { Inbox } from './inbox.js';
import { PidMessages } from './pid-messages.js';
import { type Watch, Watches } from './watches.js';

/** Queues a frame: a control message with its 131, and for some a payload with its 131. */
type WriteFrame = (control: Uint8Array, payload?: Uint8Array) => void;

type OnDown = (reason: Term) => void;

interface Monitor {
  readonly from: Pid;
  readonly to: ProcessId;
  readonly ref: Reference;
  readonly onDown: OnDown;
}

/** The length of a frame was checked when it was read. */
const CONTROL_LIMITS = { ...DEFAULT_LIMITS, maxBytes: Number.MAX_SAFE_INTEGER };

const PASS_THROUGH = 112;
/** By pid and by name. */
const MONITORS = FLAGS.DIST_MONITOR | FLAGS.DIST_MONITOR_NAME;

export class Channel {
  readonly peer: Identity;
  readonly #self: string;
  readonly #inbox: Inbox;
  readonly #write: WriteFrame;
  readonly #pidMessages: PidMessages;
  /** What the peer's processes hold on ours. */
  readonly #watches = new Watches();
  /** What we hold on the peer's processes, by reference. */
  readonly #monitors = new Map<string, Monitor>();

  constructor(self: Identity, peer: Identity, inbox: Inbox, write: WriteFrame) {
    this.peer = peer;
    this.#self = self.name;
    this.#inbox = inbox;
    this.#write = write;
    this.#pidMessages = new PidMessages(self);
  }

  /**
   * The frame in `bytes` from `start` to `end`, without its length; not an empty one (that would be a tick).
   * What is framed well and makes no sense is left out; the connection goes on.
   * @throws MegaphoneError LINK_BAD_FRAME, LINK_TOO_MANY_WATCHES: the connection cannot go on
   */
  receive(bytes: Buffer, start: number, end: number): void {
    const to = this.#pidMessages.recipient(bytes, start, end);
    if (to === undefined) this.#receive(bytes.subarray(start, end));
    else this.#inbox.deliver(to, bytes, this.#pidMessages.payload, end, this.peer.name);
  }

  #receive(frame: Buffer): void {
    if (frame[0] !== PASS_THROUGH) {
      throw new MegaphoneError('LINK_BAD_FRAME', 'The peer sent a frame that is no pass-through message');
    }
    const message = this.#read(frame);
    if (message !== undefined) this.#act(message.control, message.payload);
  }

  #read(frame: Buffer): { readonly control: Control; readonly payload: Buffer } | undefined {
    try {
      const { term, end } = decodePrefix(frame, 1, CONTROL_LIMITS);
      const control = decodeControl(term);
      const payload = frame.subarray(end);
      this.#check(control, payload);
      return { control, payload };
    } catch (error) {
      if (!(error instanceof MegaphoneError)) throw error;
      this.#inbox.unusable(error, this.peer.name);
      return undefined;
    }
  }

  /** Whoever is answered or remembered is the peer's, and what it is about is ours: of others a peer has no say. */
  #check(control: Control, payload: Buffer): void {
    switch (control.op) {
      case 'SEND':
      case 'REG_SEND':
      case 'SEND_SENDER':
        if (payload[0] !== VERSION) throw badControl('a message without its payload');
        break;
      case 'MONITOR_P':
      case 'DEMONITOR_P':
        this.#checkNode(control.ref, this.peer.name);
        this.#checkNode(control.from, this.peer.name);
        this.#checkNode(control.to, this.#self);
        break;
      case 'LINK':
      case 'UNLINK_ID':
      case 'EXIT':
      case 'PAYLOAD_EXIT':
        this.#checkNode(control.from, this.peer.name);
        this.#checkNode(control.to, this.#self);
        break;
      case 'MONITOR_P_EXIT':
      case 'PAYLOAD_MONITOR_P_EXIT':
        this.#checkNode(control.ref, this.#self);
        break;
      default:
        break;
    }
  }

  #checkNode(identifier: ProcessId | Reference, node: string): void {
    if (typeof identifier === 'string' || identifier.node === node) return;
    throw badControl(`a signal that concerns ${identifier.node}`);
  }

  #act(control: Control, payload: Buffer): void {
    switch (control.op) {
      case 'SEND':
      case 'SEND_SENDER':
        this.#inbox.deliver(control.to, payload, 0, payload.length, this.peer.name);
        break;
      case 'REG_SEND':
        this.#inbox.deliverToName(control.to, payload, this.peer.name);
        break;
      case 'MONITOR_P':
        this.#watch({ kind: 'monitor', target: control.to, watcher: control.from, ref: control.ref });
        break;
      case 'DEMONITOR_P':
        this.#watches.remove({
          kind: 'monitor',
          target: control.to,
          watcher: control.from,
          ref: control.ref,
        });
        break;
      case 'LINK':
        this.#watch({ kind: 'link', target: control.to, watcher: control.from });
        break;
      case 'UNLINK_ID':
        this.#watches.remove({ kind: 'link', target: control.to, watcher: control.from });
        this.#say({ op: 'UNLINK_ID_ACK', id: control.id, from: control.to, to: control.from });
        break;
      case 'EXIT':
      case 'PAYLOAD_EXIT':
        this.#watches.remove({ kind: 'link', target: control.to, watcher: control.from });
        break;
      case 'MONITOR_P_EXIT':
        this.#down(control.ref, control.reason);
        break;
      case 'PAYLOAD_MONITOR_P_EXIT':
        this.#down(control.ref, readReason(payload));
        break;
      case 'EXIT2':
      case 'PAYLOAD_EXIT2':
      case 'GROUP_LEADER':
      case 'UNLINK_ID_ACK':
      case 'ALIAS_SEND':
        // Our processes trap exits, have no group leader and no aliases, and never unlink.
        break;
    }
  }

  send(to: Pid, payload: Uint8Array): void {
    this.#write(encodeControl({ op: 'SEND', to }), payload);
  }

  /** Whether the peer tells when a process ends; a peer that never said it would ends the connection when it is asked. */
  get tellsEnds(): boolean {
    return (this.peer.flags & MONITORS) === MONITORS;
  }

  /**
   * `onDown` is called once, unless `demonitor` comes first: when the process ends, is not there, or the connection breaks.
   * A peer that does not tell ends is not asked: there only the end of the connection counts.
   */
  monitor(from: Pid, to: ProcessId, ref: Reference, onDown: OnDown): void {
    this.#monitors.set(refKey(ref), { from, to, ref, onDown });
    if (this.tellsEnds) this.#say({ op: 'MONITOR_P', from, to, ref });
  }

  demonitor(ref: Reference): void {
    const monitor = this.#monitors.get(refKey(ref));
    if (monitor === undefined) return;
    this.#monitors.delete(refKey(ref));
    if (this.tellsEnds) this.#say({ op: 'DEMONITOR_P', from: monitor.from, to: monitor.to, ref });
  }

  /** One of our processes ended: tells those of the peer's that monitor it or are linked to it. */
  exited(process: ProcessId, reason: Term): void {
    for (const watch of this.#watches.take(process)) this.#tell(watch, reason);
  }

  /** The connection is gone: for every monitor we hold this is the end of what it watches. */
  lost(): void {
    const monitors = [...this.#monitors.values()];
    this.#monitors.clear();
    for (const { onDown } of monitors) onDown(NOCONNECTION);
  }

  #watch(watch: Watch): void {
    if (this.#inbox.isAlive(watch.target)) this.#watches.add(watch);
    else this.#tell(watch, NOPROC);
  }

  #tell(watch: Watch, reason: Term): void {
    if (watch.kind === 'monitor') {
      this.#say({ op: 'MONITOR_P_EXIT', from: watch.target, to: watch.watcher, ref: watch.ref, reason });
    } else {
      this.#say({ op: 'EXIT', from: watch.target, to: watch.watcher, reason });
    }
  }

  #down(ref: Reference, reason: Term): void {
    const monitor = this.#monitors.get(refKey(ref));
    // Crossed our own demonitor on the way.
    if (monitor === undefined) return;
    this.#monitors.delete(refKey(ref));
    monitor.onDown(reason);
  }

  #say(control: Control): void {
    this.#write(encodeControl(control));
  }
}

const NOPROC = atom('noproc');
const NOCONNECTION = atom('noconnection');
const UNREADABLE = atom('unreadable');

/** A process may end with a reason beyond our limits (a crash report with its whole state): no fault of the connection. */
function readReason(payload: Buffer): Term {
  try {
    return decodeVersioned(payload);
  } catch (error) {
    if (error instanceof EtfError) return UNREADABLE;
    throw error;
  }
}

/** References of one side of one connection: the words tell them apart. */
function refKey(ref: Reference): string {
  return ref.ids.join('.');
}
