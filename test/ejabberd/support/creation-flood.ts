/** Clients that begin one session after the other and never log in. */

import { connect, type Socket } from 'node:net';
import { type HttpResponse, ResponseReader } from '../../../scripts/load/http-response.js';
import { within } from '../../../scripts/support/within.js';
import { wrapper } from '../conformance/bosh-session.js';

/**
 * What they do with the sessions they began: forget them; not even wait for the answer; fetch from them as often as
 * they may; or begin a login with each, but not go on.
 */
export type Habit = 'forget' | 'vanish' | 'poll' | 'stop halfway';

export interface FloodOptions {
  readonly habit: Habit;
  readonly connections: number;
  /** Of one connection, in 127.0.0.0/8. */
  readonly address: (connection: number) => string;
}

const CREATION = { rid: 1, to: 'localhost', ver: '1.11', wait: 60, hold: 1, 'xmpp:version': '1.0' };
const SCRAM = `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>${btoa('n,,n=alice,r=nonce')}</auth>`;
/** What a polling client has to wait between two empty requests, and a little more. */
const POLLING_MS = 5_500;

interface Begun {
  readonly sid: string;
  rid: number;
  polledAt: number;
}

export class CreationFlood {
  /** How many answers had which status. */
  readonly statuses: Record<number, number> = {};
  /** Answers that say when to come again. */
  retryAfter = 0;
  readonly #url: URL;
  readonly #options: FloodOptions;
  readonly #lanes: readonly Promise<void>[];
  #stopped = false;

  constructor(url: string, options: FloodOptions) {
    this.#url = new URL(url);
    this.#options = options;
    this.#lanes = Array.from({ length: options.connections }, (_, index) => this.#lane(index));
  }

  /** All its connections vanish. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await within(Promise.all(this.#lanes), () => 'the last answers to a flood');
  }

  async #lane(index: number): Promise<void> {
    const begun: Begun[] = [];
    while (!this.#stopped) {
      const socket = connect({
        host: this.#url.hostname,
        port: Number(this.#url.port),
        localAddress: this.#options.address(index),
      });
      try {
        if (this.#options.habit === 'vanish') await this.#vanish(socket);
        else while (!this.#stopped) await this.#next(socket, begun);
      } catch {
        // Cut: another connection takes its place.
      }
      socket.resetAndDestroy();
    }
  }

  #vanish(socket: Socket): Promise<void> {
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.write(this.#request(wrapper(CREATION)), () => resolve());
    });
  }

  async #next(socket: Socket, begun: Begun[]): Promise<void> {
    const { habit } = this.#options;
    const polls = habit === 'poll';
    const answer = await this.#ask(socket, wrapper(polls ? { ...CREATION, wait: 0, hold: 0 } : CREATION));
    const sid = / sid='([^']+)/.exec(answer.body)?.[1];
    if (sid !== undefined && habit === 'stop halfway')
      await this.#ask(socket, wrapper({ sid, rid: 2 }, SCRAM));
    if (!polls) return;
    const now = performance.now();
    if (sid !== undefined) begun.push({ sid, rid: 1, polledAt: now });
    const [first] = begun;
    if (first === undefined || first.polledAt + POLLING_MS > now) return;
    begun.shift();
    first.rid += 1;
    first.polledAt = now;
    const polled = await this.#ask(socket, wrapper({ sid: first.sid, rid: first.rid }));
    if (!polled.body.includes('terminate')) begun.push(first);
  }

  async #ask(socket: Socket, body: string): Promise<HttpResponse> {
    const response = await new Promise<HttpResponse>((resolve, reject) => {
      const reader = new ResponseReader();
      const done = (settle: () => void): void => {
        socket.off('data', onData).off('error', onError).off('close', onError);
        settle();
      };
      const onError = (): void => done(() => reject(new Error('the connection is gone')));
      const onData = (bytes: Buffer): void => {
        const whole = reader.push(bytes.toString('latin1'));
        if (whole !== undefined) done(() => resolve(whole));
      };
      socket.on('data', onData).on('error', onError).on('close', onError);
      socket.write(this.#request(body));
    });
    this.statuses[response.status] = (this.statuses[response.status] ?? 0) + 1;
    if (response.retryAfter !== undefined) this.retryAfter += 1;
    return response;
  }

  #request(body: string): string {
    const { host, pathname } = this.#url;
    return `POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  }
}
