/** Somebody who listens at whichever gateway, over one WebSocket after another, with stream management or without. */
import assert from 'node:assert/strict';
import type { Account } from '../../../scripts/support/instance.js';
import { eventually, until } from '../../support/until.js';
import { expectAll } from './conversation.js';
import { WebSocketSession } from './websocket-session.js';

/** The same each time: what one session leaves its successor has before all else. */
const RESOURCE = 'web';

type Enter = (enter: () => Promise<WebSocketSession>) => Promise<WebSocketSession>;
const atOnce: Enter = (enter) => enter();

export class WebSocketPerson {
  readonly jid: string;
  readonly managed: boolean;
  readonly #account: Account;
  readonly #sessions: WebSocketSession[] = [];

  private constructor(account: Account, managed: boolean) {
    this.jid = account.jid;
    this.#account = account;
    this.managed = managed;
  }

  static async start(url: string, account: Account, managed: boolean): Promise<WebSocketPerson> {
    const person = new WebSocketPerson(account, managed);
    await person.#enter(url, undefined, atOnce);
    return person;
  }

  get session(): WebSocketSession {
    return this.#sessions.at(-1) ?? assert.fail();
  }

  /** Goes on with its stream, or begins a new one, when its socket is gone. @param when calls what enters, in its time */
  async again(url: string, when: Enter = atOnce): Promise<void> {
    await this.session.closed;
    await this.#enter(url, this.#sessions.at(-1), when);
  }

  async #enter(url: string, old: WebSocketSession | undefined, when: Enter): Promise<void> {
    const { managed } = this;
    const as = { ...this.#account, managed, resource: RESOURCE };
    const enter = (): Promise<WebSocketSession> =>
      managed && old ? WebSocketSession.resume(url, old, as) : WebSocketSession.login(url, as);
    const entered = await eventually(
      () =>
        when(enter).catch((error: Error) => {
          // A gateway that has just begun listens before it has found its nodes.
          if (!error.message.includes('503')) throw error;
          return undefined;
        }),
      (session) => session !== undefined,
    );
    if (entered !== undefined) this.#sessions.push(entered);
  }

  /**
   * All of these came, with stream management once and in order. Without it the server cannot know what a client that vanished
   * had read last, so that may come again; and what others send while it is handed back may overtake it.
   */
  async heard(texts: readonly string[]): Promise<void> {
    const all = (): Set<string> => new Set(this.#sessions.flatMap(({ bodies }) => bodies));
    await until(() => all().size >= texts.length).catch(() => {});
    await this.session.roundTrip();
    const parts = this.#sessions.map(({ bodies }) => bodies);
    if (this.managed) return expectAll(texts, parts.flat(), this.jid);
    for (const part of parts)
      assert.equal(new Set(part).size, part.length, `${this.jid}: doubled in one session`);
    const came = all();
    expectAll(
      texts,
      texts.filter((text) => came.has(text)),
      this.jid,
    );
  }
}
