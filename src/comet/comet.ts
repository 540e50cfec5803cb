/**
 * Comet: pages listen to ids, routers and anybody else send to them. Put together here, as its parts are in files of their own:
 *
 *   pages ─▶ audiences ─▶ routers ─▶ nodes        who listens is told upwards
 *   mailbox ─▶ numbers ─▶ fan-out ─▶ pages        what is sent comes down
 *                 └─▶ asks ─▶ routers, catching-up    and what is missing is asked for
 */

import type { Logger } from 'pino';
import { MegaphoneError } from '../errors.js';
import { encodeVersioned } from '../etf/encode.js';
import type { Tuple } from '../etf/terms.js';
import type { Endpoint } from '../node/epmd-client.js';
import type { CometGauges } from '../observe/comet-counters.js';
import type { Counters } from '../observe/counters.js';
import { LimitedLog } from '../observe/limited-log.js';
import { Asks } from './asks.js';
import { Audiences } from './audiences.js';
import { CatchingUp } from './catching-up.js';
import { FanOut } from './fan-out.js';
import { ANY, Mailbox } from './mailbox.js';
import { type Content, contentOf } from './message.js';
import { Numbers } from './numbers.js';
import { type Origin, Origins } from './origins.js';
import { Pages } from './pages.js';
import type { CometDesk, CometNode, CometService, Listening, Page, Publication } from './ports.js';
import { PUBLISH, Publisher } from './publisher.js';
import { Ring, type RingLimits } from './ring.js';
import { Routers } from './routers.js';
import { Turns } from './turns.js';
import type { Word } from './words.js';

export interface CometOptions {
  /** Kept connected, besides those that routers know of. */
  readonly nodes: readonly { readonly name: string; readonly endpoint?: Endpoint | undefined }[];
  /** The gateway's own. */
  readonly ring: RingLimits;
  /** That hold this gateway's pages. */
  readonly processes: number;
}

/** A gateway without any router for so long needs none: what pages had of others is gone. */
const ALONE_SECONDS = 10;

export class Comet implements CometService, CometDesk {
  readonly #node: CometNode;
  readonly #options: CometOptions;
  readonly #counters: Counters;
  readonly #turns = new Turns();
  readonly #origins: Origins;
  readonly #ring: Ring;
  readonly #asks: Asks;
  readonly #fanOut: FanOut;
  readonly #catchingUp: CatchingUp;
  readonly #numbers: Numbers;
  readonly #routers: Routers;
  readonly #audiences: Audiences;
  readonly #pages: Pages;
  readonly #publisher: Publisher;
  #startedAt: number | undefined;

  /** To be made before the node is connected to any other. Takes the name `any`. */
  constructor(node: CometNode, options: CometOptions, counters: Counters, log: Logger) {
    this.#node = node;
    this.#options = options;
    this.#counters = counters;
    this.#origins = new Origins(node.name, Date.now() * 1000);
    this.#ring = new Ring(options.ring);
    const origins = this.#origins;
    const named = new Set(options.nodes.map(({ name }) => name));
    this.#routers = new Routers(node, origins, named, {
      welcome: () => {
        this.#audiences.isAlone = false;
      },
      lost: (origin) => this.#lost(origin),
      setBack: (origin) => this.#audiences.setBack(origin.index),
    });
    this.#asks = new Asks((...ask) => this.#routers.ask(...ask), counters.comet);
    this.#fanOut = new FanOut(origins, this.#turns, counters);
    this.#catchingUp = new CatchingUp(
      ...([origins, this.#fanOut, this.#asks, this.#ring, this.#turns, counters.clock] as const),
    );
    this.#fanOut.stragglers = this.#catchingUp;
    this.#numbers = new Numbers(this.#fanOut, this.#asks, this.#ring, counters);
    this.#audiences = new Audiences(this.#ring, {
      login: (audience) => this.#routers.login(audience),
      logout: (audience) => {
        this.#routers.logout(audience);
        this.#asks.forget(audience);
      },
    });
    this.#routers.audiences = this.#audiences;
    this.#pages = new Pages(origins, this.#audiences, this.#fanOut, this.#catchingUp, counters);
    this.#publisher = new Publisher(node, origins);
    const hear = (word: Word, peer: string): void => this.#hear(word, peer);
    node.register(ANY, new Mailbox(hear, counters.comet, new LimitedLog(log)));
  }

  /** From now on the nodes of the configuration are kept connected. */
  connect(): void {
    for (const { name, endpoint } of this.#options.nodes) this.#node.keepConnected(name, endpoint, 'comet');
  }

  listen(page: Page, ids: readonly string[], place: string | undefined): Listening {
    return this.#pages.listen(page, ids, place);
  }

  async publish(publications: readonly Publication[]): Promise<void> {
    const hasRouter = this.#origins.welcome.length > 0;
    if (!hasRouter && this.#options.processes > 1) throw noRouter();
    for (const { ids } of publications) this.#counters.comet.messages.published += ids.length;
    if (hasRouter) return this.#publisher.publish(publications);
    for (const { ids, body, meta } of publications)
      for (const id of ids) this.#send(id, contentOf(body, meta));
  }

  gauges(): CometGauges {
    return { ids: this.#audiences.size, ring: this.#ring.size, routers: this.#routers.states };
  }

  /** @param now seconds */
  tick(now: number): void {
    this.#startedAt ??= now;
    this.#ring.tick(now);
    this.#asks.tick(now);
    this.#audiences.tick(now);
    this.#routers.tick(now);
    const isEarly = now - this.#startedAt < ALONE_SECONDS;
    if (this.#audiences.isAlone || isEarly || this.#origins.hadWelcome) return;
    this.#audiences.isAlone = true;
    for (const audience of this.#audiences.all()) {
      this.#audiences.begin(audience);
      this.#pages.forgetAll(audience);
    }
  }

  stop(): void {
    this.#routers.stop();
    this.#numbers.stop();
    this.#pages.stop();
    this.#turns.stop();
  }

  #hear(word: Word, peer: string): void {
    switch (word.kind) {
      case 'welcome':
        this.#routers.welcomed(peer, word.life, word.nodes);
        break;
      case 'nodes':
        this.#routers.told(peer, word.nodes);
        break;
      case 'anybody':
        this.#counters.comet.messages.any += 1;
        this.#pass(word.id, word.content, word.term, peer);
        break;
      default: {
        const origin = this.#origins.find(peer);
        if (origin === undefined || origin === this.#origins.own) this.#counters.comet.dropped.stranger += 1;
        else if (word.kind === 'at') this.#at(word, origin);
        else if (word.kind === 'message') this.#message(word, origin);
        else this.#answer(word, origin);
      }
    }
  }

  #at({ pairs }: Word & { kind: 'at' }, origin: Origin): void {
    const first = pairs[0];
    if (first !== undefined) this.#routers.answered(origin.node, first.id);
    for (const { id, number } of pairs) {
      const audience = this.#audiences.find(id);
      if (audience === undefined) continue;
      const isFirst = this.#numbers.at(audience, origin, number);
      this.#catchingUp.told(audience, origin, isFirst);
      this.#numbers.heard(audience, origin);
      this.#pages.told(audience);
    }
  }

  #message({ pairs, content }: Word & { kind: 'message' }, origin: Origin): void {
    this.#counters.comet.messages.router += pairs.length;
    if (content.isVoid) this.#counters.comet.dropped.event_name += 1;
    for (const { id, number } of pairs) {
      const audience = this.#audiences.find(id);
      if (audience === undefined) this.#counters.comet.dropped.nobody += 1;
      else this.#numbers.came(audience, origin, { number, content });
    }
  }

  #answer(answer: Word & { kind: 'replay' }, origin: Origin): void {
    const ask = this.#asks.take(answer.ask, origin, answer.id);
    if (ask === undefined) return;
    if (ask.hasHole) this.#numbers.answered(ask.audience, origin, answer);
    this.#catchingUp.answered(ask, answer);
  }

  /** To a router, which gives it a number: that of the sender, or the id's. */
  #pass(id: string, content: Content, term: Tuple, peer: string): void {
    const isRouter = this.#origins.find(peer)?.isWelcome === true;
    const router = isRouter ? peer : this.#publisher.routerOf(id);
    if (router === undefined) this.#send(id, content);
    else if (!this.#node.sendToName(router, PUBLISH, encodeVersioned(term)))
      this.#counters.comet.dropped.queue += 1;
  }

  /** This gateway is its origin. */
  #send(id: string, content: Content): void {
    const audience = this.#audiences.find(id);
    if (content.isVoid) this.#counters.comet.dropped.event_name += 1;
    else if (audience === undefined && this.#ring.number(id) === undefined)
      this.#counters.comet.dropped.nobody += 1;
    else {
      const last = audience === undefined ? 0 : this.#audiences.begin(audience);
      const message = this.#ring.add(id, content, last);
      if (audience !== undefined) this.#numbers.came(audience, this.#origins.own, message);
    }
  }

  #lost(origin: Origin): void {
    for (const ask of this.#asks.lost(origin)) this.#catchingUp.lost(ask);
  }
}

function noRouter(): MegaphoneError {
  return new MegaphoneError('COMET_NO_ROUTER', 'No node with megaphone_comet is connected', {
    hint: 'Several workers need one, for what is published to reach the pages of all of them; see docs/comet.md.',
  });
}
