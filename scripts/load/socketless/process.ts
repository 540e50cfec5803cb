/**
 * The process of `make bench-sessions` that is a gateway on a hidden node of its own, and the users that it serves,
 * who have no sockets. Does what its parent says.
 */

import { pino } from 'pino';
import { Gateway } from '../../../src/gateway/gateway.js';
import { MegaphoneProcess, PROCESS_NAME } from '../../../src/gateway/megaphone-process.js';
import { loadCookie } from '../../../src/node/cookie.js';
import { HiddenNode } from '../../../src/node/hidden-node.js';
import { Counters } from '../../../src/observe/counters.js';
import { Faults } from '../../../src/observe/faults.js';
import { nodeTls } from '../../support/node-tls.js';
import { serve } from '../child.js';
import { nowMicroseconds } from '../clock.js';
import { increment } from '../counters.js';
import { Histogram } from '../histogram.js';
import { message } from '../stanzas.js';
import type { Transport } from '../user.js';
import { SocketlessBoshUser } from './bosh-user.js';
import type { Crowd, SocketlessUser } from './user.js';
import { SocketlessWebSocketUser } from './websocket-user.js';

export interface Begin {
  readonly ejabberd: string;
  readonly epmdPort: number;
  /** Where the cookie is. */
  readonly home: string;
  readonly host: string;
  readonly transport: Transport;
  /** How many sessions there will be. */
  readonly sessions: number;
  /** Seconds that a request may be held. */
  readonly wait: number;
}

export interface State {
  readonly online: number;
  /** Requests or sockets. */
  readonly held: number;
  readonly sent: number;
  readonly delivered: number;
  /** Sessions that ended, and why. */
  readonly ended: Readonly<Record<string, number>>;
}

export interface Commands {
  begin(options: Begin): Promise<void>;
  /** Resolves when so many are online or have failed. */
  login(sessions: number): Promise<void>;
  /** Messages between users chosen evenly, so many a second. Returns the counts of a histogram of microseconds. */
  talk(messages: number, perSecond: number): Promise<readonly number[]>;
  state(): State;
}

/** Logins under way at a time: enough to keep ejabberd busy. */
const CONCURRENCY = 64;
/** Every so many-th user can be written to. */
const TALKER_EVERY = 100;
const SETTLE_MS = 10_000;
const CHECK_MS = 20;

class Sessions implements Crowd {
  readonly host: string;
  readonly #gateway: Gateway;
  readonly #transport: Transport;
  readonly #wait: number;
  readonly #ended: Record<string, number> = {};
  readonly #talkers: SocketlessUser[] = [];
  #latencies = new Histogram();
  #started = 0;
  #online = 0;
  #failed = 0;
  #goal = 0;
  #done = (): void => {};
  #sent = 0;
  #delivered = 0;

  constructor(gateway: Gateway, { host, transport, wait }: Begin) {
    this.host = host;
    this.#gateway = gateway;
    this.#transport = transport;
    this.#wait = wait;
  }

  login(sessions: number): Promise<void> {
    this.#goal = sessions;
    return new Promise((resolve) => {
      this.#done = resolve;
      for (let lane = 0; lane < CONCURRENCY; lane += 1) this.#startNext();
    });
  }

  online(user: SocketlessUser): void {
    this.#online += 1;
    if (user.jid !== '') this.#talkers.push(user);
    this.#startNext();
  }

  ended(reason: string): void {
    increment(this.#ended, reason);
    this.#failed += 1;
    this.#startNext();
  }

  arrived(marks: Parameters<Crowd['arrived']>[0]): void {
    const at = nowMicroseconds();
    this.#delivered += marks.length;
    for (const mark of marks) this.#latencies.add(at - mark.at);
  }

  async talk(messages: number, perSecond: number): Promise<readonly number[]> {
    this.#latencies = new Histogram();
    const begin = nowMicroseconds();
    const stride = Math.max(1, Math.floor(this.#talkers.length / messages));
    for (let index = 0; index < messages; index += 1) {
      const at = begin + (index * 1e6) / perSecond;
      while (nowMicroseconds() < at) await new Promise((resolve) => setTimeout(resolve, 1));
      const sender = (index * stride) % this.#talkers.length;
      const to = this.#talkers[(sender + 1) % this.#talkers.length]?.jid ?? '';
      this.#sent += 1;
      this.#talkers[sender]?.say(message(to, { pair: sender, seq: index + 1, at: Math.floor(at) }));
    }
    const deadline = performance.now() + SETTLE_MS;
    while (this.#delivered < this.#sent && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, CHECK_MS));
    }
    return this.#latencies.counts;
  }

  state(): State {
    return {
      online: this.#online,
      held: this.#transport === 'bosh' ? this.#gateway.openExchanges : this.#gateway.sockets.size,
      sent: this.#sent,
      delivered: this.#delivered,
      ended: this.#ended,
    };
  }

  #newUser(keepsJid: boolean): SocketlessUser {
    return this.#transport === 'bosh'
      ? new SocketlessBoshUser(this.#gateway, this, this.#wait, keepsJid)
      : new SocketlessWebSocketUser(this.#gateway.sockets, this, keepsJid);
  }

  #startNext(): void {
    if (this.#started < this.#goal) {
      const keepsJid = this.#started % TALKER_EVERY === 0;
      this.#started += 1;
      this.#newUser(keepsJid).login();
    } else if (this.#online + this.#failed === this.#goal) {
      this.#done();
    }
  }
}

async function startGateway({ ejabberd, epmdPort, home, sessions, wait }: Begin): Promise<Gateway> {
  const node = await HiddenNode.start({
    name: `sessions_${process.pid}@localhost`,
    cookie: loadCookie({ home }),
    epmd: { port: epmdPort },
    ...nodeTls(home),
  });
  const log = pino({ level: 'warn' });
  const gateway = new Gateway(
    node,
    // A second request of some of them is open while they talk.
    {
      nodes: [{ name: ejabberd }],
      discover: false,
      maxExchanges: sessions + 10_000,
      maxSockets: sessions + 10_000,
      answerTimeout: wait * 2,
      nodeReturnWait: 10,
      maxWaiting: 64 * 1024 * 1024,
      failedLogins: undefined,
      exemptNetworks: [],
      trustedProxies: [],
    },
    new Counters(),
    log,
  );
  // Credit for requests comes here.
  node.register(
    PROCESS_NAME,
    new MegaphoneProcess(
      node,
      gateway,
      {
        stats: async () => ({}),
        figures: () => ({}),
        health: () => ({}),
        about: () => ({}),
        order: async () => ({}),
        outside: () => undefined,
      },
      new Faults(log),
    ),
  );
  setInterval(() => gateway.tick(process.uptime()), 1000);
  gateway.cluster.connect();
  while (gateway.cluster.inService === 0) await new Promise((resolve) => setTimeout(resolve, CHECK_MS));
  return gateway;
}

let begun: Sessions | undefined;

function sessions(): Sessions {
  if (begun === undefined) throw new Error('begin comes first');
  return begun;
}

const commands: Commands = {
  begin: async (options) => {
    begun = new Sessions(await startGateway(options), options);
  },
  login: (count) => sessions().login(count),
  talk: (messages, perSecond) => sessions().talk(messages, perSecond),
  state: () => sessions().state(),
};

serve(commands);
