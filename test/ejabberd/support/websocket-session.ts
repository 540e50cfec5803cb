/**
 * An XMPP client over WebSocket (RFC 7395) that does exactly what a test tells it to: it sends frames as they are, reads or
 * does not, acknowledges (XEP-0198) or does not, and can vanish at any time.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { within } from '../../../scripts/support/within.js';
import { message, ping } from '../conformance/bosh-session.js';

export interface Login {
  readonly jid?: string;
  readonly password?: string;
  readonly resource?: string;
  /** Sent behind the login; empty for none. */
  readonly presence?: string;
  /** With stream management: `resume` too, so that its stream outlives its socket. */
  readonly managed?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What is to be known to resume a stream. */
export interface Managed {
  readonly id: string;
  readonly handled: number;
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

const FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing';
const SM = 'urn:xmpp:sm:3';

const nobody = (): void => {};

export const openFrame = (to = 'localhost'): string => `<open xmlns='${FRAMING}' to='${to}' version='1.0'/>`;
export const closeFrame = `<close xmlns='${FRAMING}'/>`;

export class WebSocketSession {
  readonly socket: WebSocket;
  /** All that came, in order. */
  readonly frames: string[] = [];
  /** The bodies of all messages among them. */
  readonly bodies: string[] = [];
  readonly #closed: Promise<Closed>;
  jid = '';
  /** Whether it answers `<r/>`. */
  acknowledges = true;
  #id = '';
  #handled = 0;
  #counts = false;
  #read = 0;
  #isClosed = false;
  #wake = nobody;
  #pings = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => this.#take(`${data}`));
    socket.on('error', () => {});
    this.#closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.#isClosed = true;
        resolve({ code, reason: `${reason}` });
        this.#wake();
      });
    });
  }

  /** The socket alone; rejects with the status of a refusal. */
  static async connect(
    url: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<WebSocketSession> {
    const socket = new WebSocket(url, 'xmpp', { headers: { ...headers } });
    const session = new WebSocketSession(socket);
    const refused = once(socket, 'unexpected-response').then(([, { statusCode }]) => {
      throw new Error(`refused with ${statusCode}`);
    });
    refused.catch(() => {});
    await within(Promise.race([once(socket, 'open'), refused]), () => `${url} opens`);
    return session;
  }

  /** With a stream: its features came. */
  static async open(url: string, to = 'localhost', headers = {}): Promise<WebSocketSession> {
    const session = await WebSocketSession.connect(url, headers);
    await session.ask(openFrame(to), '<stream:features');
    return session;
  }

  /** Logged in with PLAIN, or anonymously, and not bound yet. */
  static async authenticate(url: string, { jid, password, headers }: Login = {}): Promise<WebSocketSession> {
    const session = await WebSocketSession.open(url, 'localhost', headers);
    const auth = jid
      ? `mechanism='PLAIN'>${Buffer.from(`\0${jid.split('@')[0]}\0${password}`).toString('base64')}`
      : "mechanism='ANONYMOUS'>";
    const answer = await session.ask(
      `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' ${auth}</auth>`,
      "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'",
    );
    assert.match(answer, /^<success/);
    await session.ask(openFrame(), '<stream:features');
    return session;
  }

  static async login(url: string, as: Login = {}): Promise<WebSocketSession> {
    const session = await WebSocketSession.authenticate(url, as);
    const resource = as.resource ? `<resource>${as.resource}</resource>` : '';
    const bound = await session.ask(
      `<iq type='set' id='bind' xmlns='jabber:client'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>${resource}</bind></iq>`,
      '<jid>',
    );
    session.jid = /<jid>([^<]+)<\/jid>/.exec(bound)?.[1] ?? assert.fail(bound);
    if (as.managed) {
      const enabled = await session.ask(`<enable xmlns='${SM}' resume='true'/>`, '<enabled');
      session.#id = /\bid='([^']+)'/.exec(enabled)?.[1] ?? assert.fail(enabled);
    }
    const presence = as.presence ?? "<presence xmlns='jabber:client'/>";
    if (presence !== '') await session.ask(presence, '<presence');
    return session;
  }

  /** The same stream on another socket, at whichever gateway: what was not acknowledged comes again. */
  static async resume(url: string, old: WebSocketSession, as: Login): Promise<WebSocketSession> {
    const session = await WebSocketSession.authenticate(url, as);
    session.jid = old.jid;
    session.#id = old.#id;
    session.#handled = old.#handled;
    await session.ask(`<resume xmlns='${SM}' previd='${old.#id}' h='${old.#handled}'/>`, '<resumed');
    return session;
  }

  /** Resolves when the socket is gone. */
  get closed(): Promise<Closed> {
    return within(this.#closed, () => `${this.jid}: the end of its socket, behind ${this.#latest}`);
  }

  get managed(): Managed {
    return { id: this.#id, handled: this.#handled };
  }

  send(...frames: readonly string[]): void {
    for (const frame of frames) this.socket.send(frame);
  }

  /** The next frame, or undefined when the socket is gone. */
  async next(): Promise<string | undefined> {
    while (this.#read === this.frames.length) {
      if (this.#isClosed) return undefined;
      assert.equal(this.#wake, nobody, `${this.jid}: two read at once`);
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      try {
        await within(woken, () => `${this.jid}: the next frame behind ${this.#latest}`);
      } finally {
        this.#wake = nobody;
      }
    }
    return this.frames[this.#read++];
  }

  get #latest(): string {
    return `${this.frames.length}: ${this.frames.slice(-2).join(' ').slice(0, 2_000)}`;
  }

  /** Reads on until a frame has this text in it. */
  async until(text: string): Promise<string> {
    const begin = this.#read;
    const found = async (): Promise<string> => {
      for (let frame = await this.next(); frame !== undefined; frame = await this.next()) {
        if (frame.includes(text)) return frame;
      }
      throw new Error(`the socket closed: ${JSON.stringify(await this.#closed)} behind ${this.#latest}`);
    };
    return found().catch((cause: Error) => {
      throw new Error(`${this.jid}: ${text} never came in the frames from ${begin} on; ${cause.message}`, {
        cause,
      });
    });
  }

  ask(frame: string, answer: string): Promise<string> {
    this.send(frame);
    return this.until(answer);
  }

  /** What went before is processed when it resolves, and what the server sent before has come. */
  async roundTrip(): Promise<void> {
    this.#pings += 1;
    const id = `round-trip-${this.#pings}`;
    await this.ask(ping(id), `'${id}'`);
  }

  /** Resolves when the server has taken them. */
  async say(to: string, ...texts: readonly string[]): Promise<void> {
    this.send(...texts.map((text) => message(to, text)));
    await this.roundTrip();
  }

  /** Reads on until so many messages have come. */
  async messages(count: number): Promise<string[]> {
    while (this.bodies.length < count) {
      const next = await this.next().catch((cause: Error) => {
        throw new Error(`${this.jid}: ${this.bodies.length} messages of ${count}; ${cause.message}`, {
          cause,
        });
      });
      if (next === undefined)
        assert.fail(`${this.jid}: ${this.bodies.length} of ${count}, and the socket closed`);
    }
    return this.bodies;
  }

  /** Says goodbye (RFC 7395 §3.6). */
  async leave(): Promise<Closed> {
    this.send(closeFrame);
    return this.closed;
  }

  /** Goes without a word. */
  cut(): void {
    this.socket.terminate();
  }

  #take(frame: string): void {
    this.frames.push(frame);
    const body = /^<message\b.*<body[^>]*>([^<]*)<\/body>/s.exec(frame)?.[1];
    if (body !== undefined) this.bodies.push(body);
    if (/^<enabled/.test(frame)) {
      this.#counts = true;
      this.#handled = 0;
    } else if (/^<resumed/.test(frame)) this.#counts = true;
    else if (/^<r\b/.test(frame)) {
      if (this.acknowledges) this.send(`<a xmlns='${SM}' h='${this.#handled}'/>`);
    } else if (this.#counts && /^<(?:message|presence|iq)\b/.test(frame)) this.#handled += 1;
    this.#wake();
  }
}
