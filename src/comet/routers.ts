/** The links to nodes: carries out what link.ts says. Which nodes take logins, what each was told, and which others they know of. */

import { encodeVersioned } from '../etf/encode.js';
import { atom, Pid, tuple } from '../etf/terms.js';
import type { RouterState } from '../observe/comet-counters.js';
import type { Audience } from './audience.js';
import type { Audiences, Roll } from './audiences.js';
import { Found } from './found.js';
import { termOfId } from './ids.js';
import { LINK, type LinkEvent, type LinkPhase } from './link.js';
import type { Origin, Origins } from './origins.js';
import type { CometNode } from './ports.js';
import { RollCall, Told, takeSome } from './roll.js';

export const ROUTER = 'megaphone_router';
const VERSION = 1;
/** Without a welcome it is asked again after this; where the router's process ended, sooner at first. */
const AGAIN_MS = 5000;
const SOON_MS = 100;

/** What becomes of questions to a node. */
export interface RouterEvents {
  /** It takes logins, and questions. */
  welcome(origin: Origin): void;
  lost(origin: Origin): void;
  /** Its clock was set back before it began anew: its numbers are smaller than those it gave out before. */
  setBack(origin: Origin): void;
}

interface Link {
  readonly node: string;
  phase: LinkPhase;
  /** Of the pause before hello is said again. */
  pauseMs: number;
  timer: NodeJS.Timeout | undefined;
  endMonitor: (() => void) | undefined;
  told: Told;
  /** Counts what was begun anew: of what was begun before, nothing goes on. */
  round: number;
}

export class Routers implements Roll {
  readonly #node: CometNode;
  readonly #origins: Origins;
  readonly #events: RouterEvents;
  readonly #gateway: Pid;
  readonly #rollCall: RollCall;
  readonly #links = new Map<string, Link>();
  readonly #found: Found;
  #audiences: Audiences | undefined;
  #now = 0;
  #isStopped = false;

  /** @param named nodes that the configuration names */
  constructor(node: CometNode, origins: Origins, named: ReadonlySet<string>, events: RouterEvents) {
    this.#node = node;
    this.#origins = origins;
    this.#events = events;
    this.#gateway = new Pid(node.name, 0, 0, node.creation);
    this.#rollCall = new RollCall(this.#gateway);
    this.#found = new Found(node, named);
    node.on('up', (name) => this.#step(this.#link(name), 'up'));
    node.on('down', (name) => {
      const link = this.#links.get(name);
      if (link === undefined) return;
      this.#step(link, 'down');
      this.#links.delete(name);
    });
  }

  set audiences(audiences: Audiences) {
    this.#audiences = audiences;
  }

  /** Those that are connected or should be, and named by the configuration or by a router. */
  get states(): readonly { readonly node: string; readonly state: RouterState; readonly named: boolean }[] {
    const named = this.#found.named;
    const connected = [...this.#links.values()].map(({ node, phase }) => ({
      node,
      state: phase === 'welcome' ? ('welcome' as const) : ('asked' as const),
      named: named.has(node) || phase === 'welcome',
    }));
    const missing = [...named].filter((name) => !this.#links.has(name));
    return [...connected, ...missing.map((node) => ({ node, state: 'connecting' as const, named: true }))];
  }

  login(audience: Audience): void {
    if (this.#rollCall.login(audience)) setImmediate(() => this.#tellNews());
  }

  logout(audience: Audience): void {
    if (this.#rollCall.logout(audience)) setImmediate(() => this.#tellNews());
  }

  /** It is a router, and takes logins from now on. */
  welcomed(peer: string, life: number, nodes: readonly string[]): void {
    const link = this.#links.get(peer);
    if (link === undefined || link.phase === 'apart') return;
    const origin = this.#origins.meet(peer);
    if (life < origin.life) this.#events.setBack(origin);
    origin.life = life;
    this.#found.told(peer, nodes);
    this.#step(link, 'welcome');
  }

  /** Which others it knows of. */
  told(peer: string, nodes: readonly string[]): void {
    if (this.#links.get(peer)?.phase === 'welcome') this.#found.told(peer, nodes);
  }

  /** It has answered a login of which this was the first id. */
  answered(peer: string, first: string): void {
    this.#links.get(peer)?.told.answered(first);
  }

  /** `false`: there is no room. */
  ask(origin: Origin, number: number, id: string, since: number): boolean {
    const term = tuple(this.#gateway, atom('replay'), number, termOfId(id), since);
    return this.#node.sendToName(origin.node, ROUTER, encodeVersioned(term));
  }

  tick(now: number): void {
    this.#now = now;
    for (const link of this.#links.values())
      if (link.phase === 'welcome' && link.told.isUnheard(now)) this.#step(link, 'unheard');
    this.#found.tick(now);
  }

  /** Says nothing more: the end of its node logs all out. */
  stop(): void {
    this.#isStopped = true;
    for (const link of this.#links.values()) clearTimeout(link.timer);
  }

  #link(node: string): Link {
    let link = this.#links.get(node);
    if (link === undefined) {
      link = { node, phase: 'apart', ...PAUSE, told: new Told(), round: 0 };
      this.#links.set(node, link);
    }
    return link;
  }

  /** The one place where a link's phase changes. */
  #step(link: Link, event: LinkEvent): void {
    const before = link.phase;
    const { to, effect } = LINK[event][before];
    link.phase = to;
    const origin = this.#origins.find(link.node);
    if (before === 'welcome' && to !== 'welcome' && origin !== undefined) {
      this.#origins.setWelcome(origin, false);
      this.#events.lost(origin);
      this.#found.lost(link.node);
      link.endMonitor?.();
      link.endMonitor = undefined;
    }
    if (event === 'ended') link.pauseMs = SOON_MS;
    if (to === 'apart') clearTimeout(link.timer);
    if (effect === 'hello') this.#hello(link);
    else if (effect === 'login') this.#enter(link, origin);
  }

  #hello(link: Link): void {
    clearTimeout(link.timer);
    if (this.#isStopped) return;
    const hello = tuple(this.#gateway, atom('hello'), VERSION, atom('gateway'));
    this.#node.sendToName(link.node, ROUTER, encodeVersioned(hello));
    link.timer = setTimeout(() => this.#step(link, 'again'), link.pauseMs);
    link.pauseMs = Math.min(AGAIN_MS, 2 * link.pauseMs);
  }

  #enter(link: Link, origin: Origin | undefined): void {
    clearTimeout(link.timer);
    link.pauseMs = AGAIN_MS;
    link.told = new Told();
    link.round += 1;
    link.endMonitor ??= this.#node.monitor(link.node, ROUTER, () => {
      link.endMonitor = undefined;
      this.#step(link, 'ended');
    });
    if (origin === undefined) return;
    this.#origins.setWelcome(origin, true);
    this.#events.welcome(origin);
    if (this.#audiences !== undefined) this.#tellAll(link, link.round, this.#audiences.all());
  }

  /** All that this gateway has, a thousand a turn. Whoever comes meanwhile may be told twice, which is no harm. */
  #tellAll(link: Link, round: number, all: Iterator<Audience>): void {
    if (link.phase !== 'welcome' || link.round !== round || this.#isStopped) return;
    const some = takeSome(all);
    if (some.length === 0) return;
    const { payload, first } = this.#rollCall.some(some);
    if (this.#tell(link, payload, first)) setImmediate(() => this.#tellAll(link, round, all));
  }

  #tellNews(): void {
    const terms = this.#rollCall.take();
    for (const link of this.#links.values())
      for (const { payload, first } of terms)
        if (link.phase === 'welcome' && !this.#tell(link, payload, first)) break;
  }

  #tell(link: Link, payload: Buffer, first: string | undefined): boolean {
    if (!this.#node.sendToName(link.node, ROUTER, payload)) {
      this.#step(link, 'unheard');
      return false;
    }
    if (first !== undefined) link.told.went(first, this.#now);
    return true;
  }
}

const PAUSE = { pauseMs: AGAIN_MS, timer: undefined, endMonitor: undefined };
