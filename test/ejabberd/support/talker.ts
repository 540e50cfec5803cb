/**
 * A user who talks and listens whatever becomes of the sessions: as conforming clients do, it repeats a request that
 * nobody could take, and logs in again where its session has ended.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from '../../../scripts/support/instance.js';
import { eventually, until } from '../../support/until.js';
import {
  type Answer,
  BoshSession,
  bodies,
  message,
  ping,
  type Request,
} from '../conformance/bosh-session.js';

export class Talker {
  readonly name: string;
  /** What the server took: each is to be heard, once. */
  readonly said = new Map<string, Talker>();
  /** In requests that were answered with the session's end. */
  readonly unsure: string[] = [];
  readonly heard: string[] = [];
  /** Heard when a session ended: the server cannot know that, and may tell them again. */
  readonly repeatable = new Set<string>();
  /** Of ends that it did not ask for. */
  readonly conditions: string[] = [];
  readonly #url: string;
  readonly #account: Account;
  #session!: BoshSession;
  /** What came in the last two answers: so many requests may be open, and the server does not know of these. */
  #latest: readonly (readonly string[])[] = [];
  #held: Request | undefined;
  /** Not while it logs in: of what comes into ejabberd's offline storage while a login empties that, some is lost. */
  #isHere = false;

  private constructor(url: string, account: Account) {
    this.#url = url;
    this.#account = account;
    this.name = account.jid.split('@')[0] as string;
  }

  static async start(url: string, account: Account): Promise<Talker> {
    const talker = new Talker(url, account);
    await talker.enter();
    return talker;
  }

  get session(): BoshSession {
    return this.#session;
  }

  async say(to: Talker, text: string): Promise<void> {
    if (await this.#step({}, message(to.#account.jid, text) + ping())) this.said.set(text, to);
    else this.unsure.push(text);
  }

  /** Nobody has to hear it. */
  async mutter(to: Talker, text: string): Promise<void> {
    await this.#step({}, message(to.#account.jid, text) + ping());
  }

  async listen(): Promise<void> {
    await this.#step({}, ping());
  }

  /** Has a request waiting at the server; `resume` takes its answer. */
  hold(): void {
    this.#held = this.#session.next();
  }

  async pause(): Promise<void> {
    await this.#step({ pause: 100 });
  }

  async resume(): Promise<void> {
    if (this.#held !== undefined) await this.#take(this.#held);
    this.#held = undefined;
    await this.listen();
  }

  async talk(to: Talker, subject: string, over: AbortSignal): Promise<void> {
    for (let n = 0; !over.aborted; n += 1) {
      // Nothing may come between the look and the write.
      while (!to.#isHere) await until(() => to.#isHere);
      await this.say(to, `${subject} ${this.name} ${n}`);
      await sleep(5);
    }
  }

  async leave(): Promise<void> {
    const { attributes } = await this.#session.terminate();
    // It had ended before.
    if (attributes.condition !== undefined) this.#mayHearAgain([]);
  }

  async enter(): Promise<void> {
    this.#isHere = false;
    // What was said before this is in storage before it is emptied.
    await sleep(100);
    for (;;) {
      try {
        this.#session = await BoshSession.login(
          this.#url,
          {},
          { ...this.#account, resource: 'web', presence: '' },
        );
        break;
      } catch (error) {
        // The server is just away, or this session was hit, too.
        if (!(error instanceof assert.AssertionError)) throw error;
        await sleep(50);
      }
    }
    this.#latest = [];
    if (await this.#step({}, `<presence xmlns='jabber:client'/>${ping()}`)) this.#isHere = true;
  }

  #step(attributes: { readonly pause?: number }, payload = ''): Promise<boolean> {
    return this.#take(this.#session.next(attributes, payload), attributes, payload);
  }

  /** The session has ended with these. */
  #mayHearAgain(last: readonly string[]): void {
    for (const text of [...this.#latest.flat(), ...last]) this.repeatable.add(text);
  }

  /** @returns whether the session goes on */
  async #take(request: Request, attributes = {}, payload = ''): Promise<boolean> {
    let answer: Answer = await request.answer;
    if (answer.status === 503) {
      const repeat = (): Promise<Answer> => this.#session.at(this.#session.rid, attributes, payload).answer;
      answer = await eventually(repeat, ({ status }) => status !== 503);
    }
    assert.equal(answer.status, 200, answer.xml);
    const bodiesOf = bodies(answer);
    this.heard.push(...bodiesOf);
    if (answer.attributes.type === undefined) {
      this.#latest = [bodiesOf, ...this.#latest].slice(0, 2);
      return true;
    }
    this.conditions.push(answer.attributes.condition ?? 'none');
    this.#mayHearAgain(bodiesOf);
    await this.enter();
    return false;
  }
}

/** Resolves when all that the server took was heard, and once; some may have lost what was for them. */
export async function allHeard(people: readonly Talker[], mayLose: readonly Talker[] = []): Promise<void> {
  const said = people.flatMap((talker) => [...talker.said]);
  const missing = (): string[] =>
    said.filter(([text, to]) => !mayLose.includes(to) && !to.heard.includes(text)).map(([text]) => text);
  // What was handed back may still be on its way.
  for (let round = 0; round < 50 && (round < 2 || missing().length > 0); round += 1) {
    await Promise.all(people.map((talker) => talker.listen()));
  }
  assert.deepEqual(missing(), []);
  for (const { heard, repeatable, name } of people) {
    const again = heard.filter((text, i) => heard.indexOf(text) !== i && !repeatable.has(text));
    assert.deepEqual(again, [], `${name} heard it twice`);
  }
}
