/**
 * Couples in pages of a real browser, with strophe.js and converse.js, over BOSH and WebSocket, who write to each other at a
 * steady rate while others do things to the cluster; and what they saw of that.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Browser, chromium } from 'playwright-core';
import { Servers } from '../../../scripts/chaos/servers.js';
import type { Cluster } from '../../../scripts/support/cluster.js';
import { within } from '../../../scripts/support/within.js';
import { CHROMIUM, QUIET } from './chromium.js';
import { type Came, PageClient } from './page-client.js';
import { type Site, serveSite } from './page-site.js';

const PASSWORD = 'secret';
const PAUSE_MS = 100;
const GREETING = 'hello';
const GREET_MS = 1_000;
/** What was not lost comes long before. */
const PATIENCE_MS = 30_000;

export interface Seen {
  readonly name: string;
  readonly messages: number;
  readonly resumed: number;
  readonly errors: readonly string[];
  readonly logins: number;
  readonly lost: number;
  readonly doubled: number;
  /** As the client took them. */
  readonly reordered: number;
  /** The same in the order of rids: a client must take answers in that (XEP-0124 §14.2), but strophe.js takes them as they come. */
  readonly disordered: number;
  /** Which ones, for who looks into it. */
  readonly which: readonly string[];
}

interface Couple {
  readonly name: string;
  readonly people: readonly [PageClient, PageClient];
  /** What each said. */
  readonly said: readonly [string[], string[]];
}

export class BrowserChats {
  readonly #browser: Browser;
  readonly #site: Site;
  readonly #couples: readonly Couple[];
  readonly #over = new AbortController();
  #talks: Promise<unknown> = Promise.resolve();

  private constructor(browser: Browser, site: Site, couples: readonly Couple[]) {
    this.#browser = browser;
    this.#site = site;
    this.#couples = couples;
  }

  /** All of them are logged in. */
  static async start(cluster: Cluster): Promise<BrowserChats> {
    const kinds = ['converse', 'strophe'].flatMap((page) => [
      { page, name: `${page}.js over BOSH`, url: cluster.url },
      { page, name: `${page}.js over WebSocket`, url: cluster.webSocketUrl },
    ]);
    await makeFriends(cluster, kinds.length);
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: [...QUIET] });
    const site = await serveSite();
    const couples = await Promise.all(
      kinds.map(async ({ page, name, url }, n): Promise<Couple> => {
        const open = (jid: string): Promise<PageClient> =>
          PageClient.open(browser, `${site.address}/${page}-page.html`, url, { jid, password: PASSWORD });
        return { name, people: [await open(jidOf(n, 0)), await open(jidOf(n, 1))], said: [[], []] };
      }),
    );
    await Promise.all(couples.flatMap(({ people }) => people.map((person) => person.login())));
    const greetings = Promise.all(couples.flatMap(({ people: [a, b] }) => [greet(a, b), greet(b, a)]));
    await within(greetings, () => 'a greeting');
    return new BrowserChats(browser, site, couples);
  }

  /** From now on they write, until `finish`. */
  talk(): void {
    this.#talks = Promise.all(
      this.#couples.flatMap(({ people: [alice, bob], said: [hers, his] }) => [
        this.#say(alice, bob, hers),
        this.#say(bob, alice, his),
      ]),
    );
    // Who fails is told where it is waited for.
    this.#talks.catch(() => {});
  }

  /** What each couple saw, when all was heard that is. */
  async finish(): Promise<readonly Seen[]> {
    this.#over.abort();
    await within(this.#talks, () => 'an answer of each page');
    const end = performance.now() + PATIENCE_MS;
    const seen = (): readonly Seen[] => this.#couples.map(judge);
    while (seen().some(({ lost }) => lost > 0) && performance.now() < end) await sleep(100);
    // What comes twice does so now.
    await sleep(1_000);
    return seen();
  }

  async close(): Promise<void> {
    this.#over.abort();
    await this.#browser.close();
    this.#site.close();
  }

  async #say(from: PageClient, to: PageClient, said: string[]): Promise<void> {
    while (!this.#over.signal.aborted) {
      const text = `${said.length}`;
      if (await from.trySending(to.jid, text)) said.push(`${from.jid}: ${text}`);
      await sleep(PAUSE_MS);
    }
  }
}

/**
 * Until it is heard: so both are there for their servers as well, and nothing for them goes to offline storage any more, which loses
 * what comes while a login empties it, and has the rest come late.
 */
async function greet(from: PageClient, to: PageClient): Promise<void> {
  for (let last = 0; !to.inbox.messages.includes(`${from.jid}: ${GREETING}`); ) {
    const now = performance.now();
    if (now - last > GREET_MS && (await from.trySending(to.jid, GREETING))) last = now;
    await sleep(20);
  }
}

export const describeSeen = ({ name, messages, resumed, errors, which, ...rest }: Seen): string =>
  [
    `${name}: ${messages} messages, ${resumed} streams resumed; errors ${errors.length} logins ${rest.logins} ` +
      `lost ${rest.lost} doubled ${rest.doubled} reordered ${rest.reordered}, in the order of rids ${rest.disordered}`,
    ...errors,
    ...which,
  ].join('\n  ');

function judge({ name, people, said: [hers, his] }: Couple): Seen {
  const [alice, bob] = people;
  const directions = [judgeDirection(hers, bob), judgeDirection(his, alice)];
  const sum = (of: 'lost' | 'doubled' | 'reordered' | 'disordered'): number =>
    directions.reduce((total, direction) => total + direction[of], 0);
  return {
    name,
    messages: hers.length + his.length,
    resumed: people.reduce((total, { resumed }) => total + resumed, 0),
    errors: people.flatMap((person) => person.errors),
    logins: people.reduce((total, { logins }) => total + logins - 1, 0),
    lost: sum('lost'),
    doubled: sum('doubled'),
    reordered: sum('reordered'),
    disordered: sum('disordered'),
    which: directions.flatMap(({ which }) => which),
  };
}

function judgeDirection(said: readonly string[], page: PageClient) {
  // What the page has told its user of.
  const told = page.inbox.messages.filter((text) => !text.endsWith(GREETING));
  const came = page.came.filter(({ text }) => !text.endsWith(GREETING));
  const again = (texts: readonly string[]): number => texts.length - new Set(texts).size;
  const lost = said.filter((text) => !told.includes(text));
  const late = lateOnes(came);
  return {
    lost: lost.length,
    doubled: Math.max(again(told), again(came.map(({ text }) => text))),
    reordered: late.length,
    disordered: lateOnes(came.toSorted((a, b) => a.rid - b.rid)).length,
    which: [
      ...lost.map((text) => `lost: ${text}`),
      ...late.map(
        ([{ text, rid }, before]) => `${text} (rid ${rid}) behind ${before.text} (rid ${before.rid})`,
      ),
    ],
  };
}

/** With the one before. */
const lateOnes = (came: readonly Came[]): (readonly [Came, Came])[] =>
  came.flatMap((one, n) => {
    const before = came[n - 1] ?? one;
    return number(one.text) < number(before.text) ? [[one, before] as const] : [];
  });

const number = (text: string): number => Number(text.slice(text.lastIndexOf(' ') + 1));

const jidOf = (couple: number, who: number): string => `page${couple}${who ? 'b' : 'a'}@localhost`;

/** An account for each, in the other's contacts. */
async function makeFriends(cluster: Cluster, couples: number): Promise<void> {
  const servers = await Servers.connect(cluster.folder, Number(cluster.env.ERL_EPMD_PORT ?? 4369));
  await servers.evaluate(
    'ejabberd1@localhost',
    `Host = <<"localhost">>,
     Couples = [{<<"page", N, "a">>, <<"page", N, "b">>} || N <- lists:seq($0, $0 + ${couples - 1})],
     [ok = mod_admin_extra:add_rosteritem(User, Host, Other, Host, Other, <<"Friends">>, <<"both">>)
       || {A, B} <- Couples, {User, Other} <- [{A, B}, {B, A}],
          ejabberd_auth:remove_user(User, Host) =/= none,
          ok =:= ejabberd_auth:try_register(User, Host, <<"${PASSWORD}">>)], ok.`,
  );
  await servers.stop();
}
