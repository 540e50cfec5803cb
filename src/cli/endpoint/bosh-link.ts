/** BOSH (XEP-0124, XEP-0206): one request at a time. */

import { randomInt } from 'node:crypto';
import { Agent, request } from 'undici';
import { type Bounds, PATIENCE_MS } from './bounds.js';
import { escaped, featuresIn, type Link, refuseErrors } from './link.js';
import { ofConnection, ofStatus, ofStream, Trouble } from './trouble.js';

const NAMESPACES = "xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh'";
/** Seconds; less than PATIENCE_MS, so that a request which waits for something is not taken for a lost one. */
const WAIT = 5;

export class BoshLink implements Link {
  readonly #url: URL;
  readonly #origin: string;
  readonly #domain: string;
  readonly #bounds: Bounds;
  readonly #agent = new Agent({ connect: { timeout: PATIENCE_MS } });
  #rid = randomInt(2 ** 31);
  #sid = '';
  #unsent = '';

  constructor(url: URL, origin: string, domain: string, bounds: Bounds) {
    this.#url = url;
    this.#origin = origin;
    this.#domain = domain;
    this.#bounds = bounds;
  }

  async open(): Promise<string> {
    const to = `to='${escaped(this.#domain)}'`;
    const offer = `${to} wait='${WAIT}' hold='1' ver='1.11' xml:lang='en' xmpp:version='1.0'`;
    let answer = await this.#ask(this.#sid === '' ? offer : `${to} xmpp:restart='true'`);
    if (this.#sid === '') this.#sid = / sid=['"]([^'"]+)/.exec(answer)?.[1] ?? '';
    if (this.#sid === '') throw new Trouble('what answers begins no session', NOT_BOSH);
    while (featuresIn(answer) === undefined) answer = await this.#ask();
    return answer;
  }

  send(xml: string): void {
    this.#unsent += xml;
  }

  receive(): Promise<string> {
    return this.#ask();
  }

  async close(): Promise<void> {
    await this.#ask("type='terminate'");
  }

  drop(): void {
    void this.#agent.destroy();
  }

  async #ask(attributes = ''): Promise<string> {
    this.#rid += 1;
    const sid = this.#sid === '' ? '' : ` sid='${escaped(this.#sid)}'`;
    const body = `<body rid='${this.#rid}'${sid} ${attributes} ${NAMESPACES}>${this.#unsent}</body>`;
    this.#unsent = '';
    const answer = await this.#post(body);
    const [tag] = /^\s*(?:<\?xml[^>]*\?>\s*)?<body\b[^>]*>/.exec(answer) ?? [];
    if (tag === undefined) throw new Trouble('what answers is no BOSH', NOT_BOSH);
    refuseErrors(answer, this.#domain);
    const leaves = attributes === "type='terminate'";
    if (!leaves && / type=['"]terminate['"]/.test(tag))
      throw ofStream(/ condition=['"]([^'"]+)/.exec(tag)?.[1] ?? 'no reason given', '', this.#domain);
    return answer;
  }

  async #post(body: string): Promise<string> {
    const headers = { 'content-type': 'text/xml; charset=utf-8', origin: this.#origin };
    const answer = await request(this.#url, {
      dispatcher: this.#agent,
      method: 'POST',
      headers,
      body,
      signal: this.#bounds.signal,
    }).catch((error: unknown) => {
      throw ofConnection(error);
    });
    const text = await this.#bounds.read(answer.body);
    if (answer.statusCode !== 200) throw ofStatus('BOSH', answer.statusCode, answer.headers);
    const allowed = answer.headers['access-control-allow-origin'];
    if (this.#origin !== this.#url.origin && allowed !== '*' && allowed !== this.#origin)
      throw new Trouble(
        `pages of ${this.#origin} may not read the answers`,
        'add this origin to cors_origins of the gateway; a proxy must not take Access-Control-Allow-Origin out',
      );
    return text;
  }
}

const NOT_BOSH = 'this path leads to something else: check the address, and what the proxy passes on';
