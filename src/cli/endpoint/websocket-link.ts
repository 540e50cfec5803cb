/** WebSocket (RFC 7395). */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { Agent, buildConnector, type DiagnosticsChannel, util, WebSocket } from 'undici';
import { type Bounds, LONG, MOST_BYTES, PATIENCE_MS } from './bounds.js';
import { escaped, featuresIn, type Link, receiveUntil, refuseErrors } from './link.js';
import { ofConnection, ofStatus, Trouble } from './trouble.js';

const FRAMING = "xmlns='urn:ietf:params:xml:ns:xmpp-framing'";

/** Where undici tells of the answers to its requests: its WebSocket says of one that is no upgrade only that it is none. */
const ANSWERS = 'undici:request:headers';

export class WebSocketLink implements Link {
  readonly #url: URL;
  readonly #origin: string;
  readonly #domain: string;
  readonly #bounds: Bounds;
  readonly #agent = new Agent({
    webSocket: { maxPayloadSize: MOST_BYTES },
    connect: (options, done) => {
      buildConnector({ timeout: PATIENCE_MS })(options, (...outcome) => {
        [, this.#connection = undefined] = outcome;
        done(...outcome);
      });
    },
  });
  readonly #inbox: string[] = [];
  /** undici lets go of one that was upgraded to something else, but does not close it. */
  #connection: Socket | null | undefined;
  #socket: WebSocket | undefined;
  /** What the upgrade was answered with. */
  #answer: DiagnosticsChannel.Response | undefined;
  #end: Trouble | undefined;
  #closes = false;
  #arrived: () => void = () => {};

  constructor(url: URL, origin: string, domain: string, bounds: Bounds) {
    this.#url = url;
    this.#origin = origin;
    this.#domain = domain;
    this.#bounds = bounds;
    bounds.signal.addEventListener('abort', () => this.drop(), { once: true });
  }

  async open(): Promise<string> {
    this.#socket ??= await this.#connect();
    this.send(`<open ${FRAMING} to='${escaped(this.#domain)}' version='1.0' xml:lang='en'/>`);
    const { text } = await receiveUntil(this, featuresIn);
    return text;
  }

  send(xml: string): void {
    this.#socket?.send(xml);
  }

  async receive(): Promise<string> {
    const text = await this.#next();
    refuseErrors(text, this.#domain);
    if (!/^\s*<(?:\w+:)?close\b/.test(text) || this.#closes) return text;
    const [, other] = / see-other-uri=['"]([^'"]+)/.exec(text) ?? [];
    throw new Trouble(
      'the server closed the stream',
      other === undefined ? "the server's log says why" : `it asks for another address: ${other}`,
    );
  }

  async close(): Promise<void> {
    this.#closes = true;
    this.send(`<close ${FRAMING}/>`);
    await receiveUntil(this, (text) => /<(?:\w+:)?close\b/.exec(text) ?? undefined);
    this.#socket?.close(1000);
    while (this.#end === undefined) await this.#next().catch(() => {});
  }

  drop(): void {
    this.#connection?.destroy();
    void this.#agent.destroy();
  }

  async #connect(): Promise<WebSocket> {
    const note = (message: unknown): void => {
      const { request, response } = message as DiagnosticsChannel.RequestHeadersMessage;
      if (request.path === this.#url.pathname + this.#url.search) this.#answer = response;
    };
    subscribe(ANSWERS, note);
    try {
      return await this.#upgraded();
    } finally {
      unsubscribe(ANSWERS, note);
    }
  }

  #upgraded(): Promise<WebSocket> {
    const socket = new WebSocket(this.#url, {
      protocols: 'xmpp',
      headers: { origin: this.#origin },
      dispatcher: this.#agent,
    });
    socket.addEventListener('message', ({ data }) => {
      this.#bounds.received(typeof data === 'string' ? Buffer.byteLength(data) : (data as Blob).size);
      this.#inbox.push(typeof data === 'string' ? data : '');
      this.#arrived();
    });
    socket.addEventListener('close', ({ code, reason }) => {
      this.#end ??= this.#ended(code, reason);
      this.#arrived();
    });
    return new Promise((resolve, reject) => {
      socket.addEventListener('open', () => resolve(socket));
      socket.addEventListener('error', ({ error }) => reject(this.#refusal(error)));
    });
  }

  #ended(code: number, reason: string): Trouble {
    const { readableEnded = true, errored = null } = this.#connection ?? {};
    // undici does not say why it cut a connection: for a message beyond the bound, or what is none.
    if (code === 1006 && !readableEnded && errored === null)
      return new Trouble(`a message of more than ${MOST_BYTES / 1_000_000} MB came, or what is none`, LONG);
    return new Trouble(
      `the connection ended, code ${code}${reason === '' ? '' : ` (${reason})`}`,
      code === 1006
        ? 'something on the way cut it: look at the logs of the proxy and of the gateway'
        : "the server's log says why",
    );
  }

  #refusal(error: unknown): Trouble {
    if (this.#answer === undefined) return ofConnection(error);
    const { statusCode } = this.#answer;
    const headers = util.parseHeaders(this.#answer.headers);
    if (statusCode === 101 && headers['sec-websocket-protocol'] !== 'xmpp')
      return new Trouble(
        'a WebSocket, but not with the subprotocol xmpp',
        'this path leads to something else, or a proxy takes Sec-WebSocket-Protocol out',
      );
    return ofStatus('WebSocket', statusCode, headers);
  }

  async #next(): Promise<string> {
    for (;;) {
      const text = this.#inbox.shift();
      if (text !== undefined) return text;
      if (this.#end !== undefined) throw this.#end;
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
  }
}
