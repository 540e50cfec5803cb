/** Somebody who listens at whichever gateway, over one WebSocket after another, with stream management or without. */
import assert from 'node:assert/strict';
import type { Account } from '../../../scripts/support/instance.js';
import { until } from '../../support/until.js';
import { brief, expectAll } from './conversation.js';
import { WebSocketSession } from './websocket-session.js';

/** The same each time: what one session leaves its successor has before all else. */
const RESOURCE = 'web';

export class WebSocketPerson {
  readonly jid: string;
  readonly managed: boolean;
  readonly #account: Account;
  #sessions: WebSocketSession[] = [];

  private constructor(account: Account, managed: boolean) {
    this.jid = account.jid;
    this.#account = account;
    this.managed = managed;
  }

  static async start(url: string, account: Account, managed: boolean): Promise<WebSocketPerson> {
    const person = new WebSocketPerson(account, managed);
    person.#sessions.push(await WebSocketSession.login(url, { ...account, managed, resource: RESOURCE }));
    return person;
  }

  get session(): WebSocketSession {
    return this.#sessions.at(-1) ?? assert.fail();
  }

  /** Goes on with its stream, or begins a new one, when its socket is gone. */
  async again(url: string): Promise<void> {
    await this.session.closed;
    const { managed } = this;
    const as = { ...this.#account, managed, resource: RESOURCE };
    this.#sessions.push(
      managed ? await WebSocketSession.resume(url, this.session, as) : await WebSocketSession.login(url, as),
    );
  }

  /**
   * All of these came, in order, and with stream management once. Without it the server cannot know what a client that vanished
   * had read last: of what it had heard, it may be told the end again.
   */
  async heard(texts: readonly string[]): Promise<void> {
    const last = texts.at(-1);
    await until(() => this.session.bodies.at(-1) === last).catch(() => {});
    await this.session.roundTrip();
    const parts = this.#sessions.map(({ bodies }) => bodies);
    if (!this.managed) {
      let count = 0;
      for (const part of parts) {
        const from = part[0] === undefined ? count : texts.indexOf(part[0]);
        assert.ok(
          from >= 0 && from <= count,
          `${this.jid}: ${texts.slice(count, from).map(brief).join(', ')} lost before ${brief(part[0])}`,
        );
        expectAll(texts.slice(from, from + part.length), part, this.jid);
        count = from + part.length;
      }
      assert.equal(count, texts.length, `${this.jid}: ${texts.slice(count).map(brief).join(', ')} lost`);
    } else expectAll(texts, parts.flat(), this.jid);
  }
}
