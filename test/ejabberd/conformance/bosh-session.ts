/**
 * A BOSH client that does exactly what a test tells it to, right or wrong: each request is an HTTP
 * connection of its own with whatever rid and attributes, and can be cut at any time.
 */
import assert from 'node:assert/strict';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { DOMParser, type Element, onErrorStopParsing } from '@xmldom/xmldom';
import { PATIENCE_MS, within } from '../../../scripts/support/within.js';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly xml: string;
  /** Attributes of the wrapper, by the name as written. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly payloads: readonly Element[];
}

export interface Request {
  readonly answer: Promise<Answer>;
  /** Closes the connection under it. */
  cut(): void;
  /** The answer if it is there after a round trip of another request, else undefined: still held. */
  settled(): Answer | undefined;
}

export type Attributes = Readonly<Record<string, string | number | undefined>>;

const NAMESPACES = "xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh'";

/** The longest that a request waits for something to tell (XEP-0124, 7.2): `wait` below. */
const HELD_MS = 60_000;

/** What clients send to create a session. */
export const USUAL = { rid: 1000, to: 'localhost', ver: '1.11', wait: 60, hold: 1, 'xmpp:version': '1.0' };

export function wrapper(attributes: Attributes, payload = ''): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}='${value}'`);
  return `<body ${NAMESPACES}${written.join('')}>${payload}</body>`;
}

/** One HTTP request of any method with any body. */
export function send(
  url: string,
  body: string | Buffer,
  options: { readonly method?: string; readonly headers?: Record<string, string> } = {},
): Request {
  let settled: Answer | undefined;
  const client = httpRequest(url, {
    method: options.method ?? 'POST',
    agent: false,
    headers: options.headers,
  });
  const answered = new Promise<Answer>((resolve, reject) => {
    client.once('error', reject);
    client.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const xml = Buffer.concat(chunks).toString();
        try {
          settled = parse(response.statusCode ?? 0, response.headers, xml);
          resolve(settled);
        } catch (error) {
          reject(new Error(`not well-formed: ${xml}`, { cause: error }));
        }
      });
    });
  });
  client.end(body);
  const what = (): string => `the answer to ${body.toString('utf8', 0, 1_000).slice(0, 1_000)}`;
  const answer = within(answered, what, HELD_MS + PATIENCE_MS);
  return { answer, cut: () => client.destroy(), settled: () => settled };
}

function parse(status: number, headers: IncomingHttpHeaders, xml: string): Answer {
  const empty = { status, headers, xml, attributes: {}, payloads: [] };
  if (!xml.startsWith('<body')) return empty;
  const root = new DOMParser({ onError: onErrorStopParsing }).parseFromString(
    xml,
    'text/xml',
  ).documentElement;
  if (!root) return empty;
  return {
    ...empty,
    attributes: Object.fromEntries([...root.attributes].map(({ name, value }) => [name, value])),
    payloads: [...root.childNodes].filter((node): node is Element => node.nodeType === 1),
  };
}

export class BoshSession {
  readonly url: string;
  readonly sid: string;
  readonly creation: Answer;
  /** Full JID after a login. */
  jid = '';
  /** The rid of the latest request. */
  rid: number;
  readonly #headers: Record<string, string>;

  private constructor(url: string, rid: number, creation: Answer, headers: Record<string, string>) {
    this.url = url;
    this.rid = rid;
    this.creation = creation;
    this.#headers = headers;
    this.sid = creation.attributes.sid ?? '';
  }

  /** Creates a session; attributes override or, where undefined, leave out the usual ones. */
  static async create(
    url: string,
    attributes: Attributes = {},
    headers: Record<string, string> = {},
  ): Promise<BoshSession> {
    const all = { ...USUAL, ...attributes };
    const creation = await send(url, wrapper(all), { headers }).answer;
    return new BoshSession(url, Number(all.rid), creation, headers);
  }

  /** Creates a session and logs in anonymously, or as an account; available unless `presence` says otherwise. */
  static async login(
    url: string,
    attributes: Attributes = {},
    as: {
      readonly jid?: string;
      readonly password?: string;
      readonly resource?: string;
      readonly presence?: string;
      readonly headers?: Record<string, string>;
    } = {},
  ): Promise<BoshSession> {
    const session = await BoshSession.create(url, attributes, as.headers);
    const auth = as.jid
      ? `mechanism='PLAIN'>${Buffer.from(`\0${as.jid.split('@')[0]}\0${as.password}`).toString('base64')}`
      : "mechanism='ANONYMOUS'>";
    const success = await session.ask({}, `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' ${auth}</auth>`);
    assert.equal(success.payloads[0]?.localName, 'success', success.xml);
    await session.ask({ 'xmpp:restart': 'true', to: attributes.to ?? 'localhost' });
    const resource = as.resource ? `<resource>${as.resource}</resource>` : '';
    const bound = await session.ask(
      {},
      `<iq type='set' id='bind' xmlns='jabber:client'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>${resource}</bind></iq>`,
    );
    session.jid = /<jid>([^<]+)<\/jid>/.exec(bound.xml)?.[1] ?? assert.fail(bound.xml);
    const presence = as.presence ?? "<presence xmlns='jabber:client'/>";
    if (presence !== '') await session.until((answer) => answer.xml.includes('<presence'), presence);
    return session;
  }

  /** The next request in order. */
  next(attributes: Attributes = {}, payload = ''): Request {
    this.rid += 1;
    return this.at(this.rid, attributes, payload);
  }

  /** A request with any rid. */
  at(rid: number, attributes: Attributes = {}, payload = ''): Request {
    return send(this.url, wrapper({ rid, sid: this.sid, ...attributes }, payload), {
      headers: this.#headers,
    });
  }

  ask(attributes: Attributes = {}, payload = ''): Promise<Answer> {
    return this.next(attributes, payload).answer;
  }

  /** Asks until an answer is the one that is waited for; resolves with it. */
  async until(isIt: (answer: Answer) => boolean, payload = ''): Promise<Answer> {
    let answer = await this.ask({}, payload);
    while (!isIt(answer)) {
      assert.equal(answer.attributes.type, undefined, answer.xml);
      answer = await this.ask();
    }
    return answer;
  }

  /** A round trip through this session's process: what went before it is processed now. */
  async roundTrip(): Promise<Answer> {
    return this.until((answer) => answer.xml.includes("'ping'"), ping());
  }

  terminate(payload = ''): Promise<Answer> {
    return this.ask({ type: 'terminate' }, payload);
  }
}

/** A request that the server answers at once. */
export const ping = (id = 'ping'): string =>
  `<iq type='get' id='${id}' to='localhost' xmlns='jabber:client'><ping xmlns='urn:xmpp:ping'/></iq>`;

export const message = (to: string, body: string): string =>
  `<message to='${to}' type='chat' xmlns='jabber:client'><body>${body}</body></message>`;

/** The bodies of the messages in an answer. */
export function bodies(answer: Answer): string[] {
  return answer.payloads
    .filter((payload) => payload.localName === 'message')
    .map((payload) => payload.getElementsByTagName('body')[0]?.textContent ?? '');
}

export const condition = (answer: Answer): string => {
  assert.equal(answer.attributes.type, 'terminate', answer.xml);
  return answer.attributes.condition ?? '';
};
