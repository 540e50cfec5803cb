/**
 * A WebSocket client that does exactly what a test tells it to, right or wrong: from the headers of its upgrade to single
 * bytes of frames. What the server sends it reads strictly, with `ws`.
 */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { DOMParser, type Element, onErrorStopParsing } from '@xmldom/xmldom';
import { within } from '../../../scripts/support/within.js';
import { clientFrame, type Sent } from '../../support/websocket-frames.js';
import { Receiver } from '../../support/ws-receiver.js';

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

const FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing';
const CLIENT = "xmlns='jabber:client'";

/** What comes: a text, the payload of a Pong, or the end: `close CODE`, `close`, or `cut` where no Close frame came. */
type Heard = { readonly text: string } | { readonly pong: string } | { readonly end: string };

export interface Upgraded {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
}

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
/** A header that is `undefined` is left out. */
type Headers = Readonly<Record<string, string | undefined>>;

export const USUAL: Headers = {
  upgrade: 'websocket',
  connection: 'Upgrade',
  'sec-websocket-key': KEY,
  'sec-websocket-version': '13',
  'sec-websocket-protocol': 'xmpp',
};

export class XmppSocket {
  readonly #socket: Socket;
  readonly #heard: Heard[] = [];
  readonly #receiver = new Receiver({ isServer: false });
  #arrived: () => void = () => {};
  /** Full JID after a login. */
  jid = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#receiver
      .on('message', (text: Buffer, isBinary: boolean) => {
        if (isBinary) this.#hear({ end: 'a binary message' });
        else this.#hear({ text: text.toString() });
      })
      .on('ping', (payload: Buffer) => this.frame({ opcode: PONG, payload }))
      .on('pong', (payload: Buffer) => this.#hear({ pong: payload.toString('latin1') }))
      .on('conclude', (code: number) => {
        this.#hear({ end: code === 1005 ? 'close' : `close ${code}` });
        // Whose turn it was to close is not known here, and two Close frames do no harm.
        if (this.#socket.writable) this.close(1000);
      })
      .on('error', ({ message }: Error) => this.#hear({ end: message }));
    socket.on('close', () => this.#hear({ end: 'cut' }));
  }

  /** The upgrade, and nothing more. */
  static async connect(url: string, headers: Headers = {}, method = 'GET'): Promise<[Upgraded, XmppSocket]> {
    const { hostname, port, pathname, host } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    socket.on('error', () => {});
    const lines = Object.entries({ host, ...USUAL, ...headers })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`${method} ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`);
    const client = new XmppSocket(socket);
    return [await client.#upgraded(), client];
  }

  /** With a stream, as far as its features. */
  static async open(url: string, headers: Headers = {}, to = 'localhost'): Promise<XmppSocket> {
    const [{ status }, client] = await XmppSocket.connect(url, headers);
    assert.equal(status, 101);
    await client.openStream(to);
    return client;
  }

  /** Logged in, without account unless one is given, and bound. */
  static async login(
    url: string,
    as: { readonly jid?: string; readonly password?: string; readonly resource?: string } = {},
    headers: Headers = {},
  ): Promise<XmppSocket> {
    const client = await XmppSocket.open(url, headers);
    await client.authenticate(as);
    await client.openStream();
    const resource = as.resource === undefined ? '' : `<resource>${as.resource}</resource>`;
    client.send(
      `<iq ${CLIENT} type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>${resource}</bind></iq>`,
    );
    const bound = await client.next();
    client.jid = bound.getElementsByTagName('jid')[0]?.textContent ?? assert.fail(String(bound));
    return client;
  }

  async authenticate({
    jid,
    password,
  }: {
    readonly jid?: string;
    readonly password?: string;
  }): Promise<void> {
    const how = jid
      ? `mechanism='PLAIN'>${Buffer.from(`\0${jid.split('@')[0]}\0${password}`).toString('base64')}`
      : "mechanism='ANONYMOUS'>";
    this.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' ${how}</auth>`);
    const success = await this.next();
    assert.equal(success.localName, 'success', String(success));
  }

  /** The server's `<open/>` and its features. */
  async openStream(to = 'localhost'): Promise<readonly [open: Element, features: Element]> {
    this.send(open(to));
    return [await this.next('open'), await this.next('features')];
  }

  send(text: string): void {
    this.frame({ opcode: TEXT, payload: text });
  }

  frame(sent: Sent): void {
    this.bytes(clientFrame(sent));
  }

  bytes(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  close(code: number, reason = ''): void {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.frame({ opcode: CLOSE, payload: Buffer.concat([payload, Buffer.from(reason)]) });
  }

  /** As a laptop that goes out of reach. */
  cut(): void {
    this.#socket.destroy();
  }

  /** The next text, as it came. */
  async text(): Promise<string> {
    const next = await this.#next();
    if (!('text' in next)) throw new Error(`${told(next)} for a text`);
    return next.text;
  }

  /** The next text, which is a document of its own (RFC 7395 §3.3.3). */
  async next(name?: string): Promise<Element> {
    const element = parse(await this.text());
    if (name !== undefined) assert.equal(element.localName, name);
    return element;
  }

  async until(isIt: (element: Element) => boolean): Promise<Element> {
    for (;;) {
      const element = await this.next();
      if (isIt(element)) return element;
    }
  }

  async pong(): Promise<string> {
    const next = await this.#next();
    if (!('pong' in next)) throw new Error(`${told(next)} for a Pong`);
    return next.pong;
  }

  /** How the connection ended; what comes before is passed over. */
  async end(): Promise<string> {
    for (;;) {
      const next = await this.#next();
      if ('end' in next) return next.end;
    }
  }

  /** The condition of a stream error, behind which comes `<close/>` and the end. */
  async streamError(): Promise<string> {
    const error = await this.until(({ localName }) => localName === 'error');
    assert.equal(error.namespaceURI, 'http://etherx.jabber.org/streams');
    const condition = [...error.childNodes].find((child) => child.nodeType === 1) as Element;
    assert.equal(condition.namespaceURI, 'urn:ietf:params:xml:ns:xmpp-streams');
    assert.equal((await this.next('close')).namespaceURI, FRAMING);
    assert.match(await this.end(), /^close/);
    return `${condition.localName}`;
  }

  /** What went before is processed now. */
  async roundTrip(): Promise<void> {
    this.send(ping('round-trip'));
    await this.until((element) => element.getAttribute('id') === 'round-trip');
  }

  /** What came up to now. */
  get heard(): readonly Heard[] {
    return this.#heard;
  }

  async #next(): Promise<Heard> {
    for (;;) {
      const [first] = this.#heard;
      if (first !== undefined) {
        // The end stays.
        if (!('end' in first)) this.#heard.shift();
        return first;
      }
      const arrived = new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
      await within(arrived, () => 'more from the server');
    }
  }

  #hear(what: Heard): void {
    const last = this.#heard.at(-1);
    if (last !== undefined && 'end' in last) return;
    this.#heard.push(what);
    this.#arrived();
  }

  #upgraded(): Promise<Upgraded> {
    return new Promise((resolve, reject) => {
      let bytes = Buffer.alloc(0);
      const onData = (more: Buffer): void => {
        bytes = Buffer.concat([bytes, more]);
        const end = bytes.indexOf('\r\n\r\n');
        if (end < 0) return;
        this.#socket.off('data', onData).on('data', (data) => this.#receiver.write(data));
        const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
        const headers = lines.map((line): [string, string] => {
          const at = line.indexOf(':');
          return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
        });
        const rest = bytes.subarray(end + 4);
        const status = Number(first.split(' ')[1]);
        if (status === 101) this.#receiver.write(rest);
        resolve({ status, headers: new Map(headers) });
      };
      this.#socket.on('data', onData).once('close', () => reject(new Error('no answer to the upgrade')));
    });
  }
}

const told = (heard: Heard): string => ('end' in heard ? heard.end : JSON.stringify(heard));

export function parse(text: string): Element {
  const { documentElement } = new DOMParser({ onError: onErrorStopParsing }).parseFromString(
    text,
    'text/xml',
  );
  return documentElement ?? assert.fail(text);
}

export const open = (to: string): string =>
  `<open xmlns='${FRAMING}' to='${to}' version='1.0' xml:lang='en'/>`;
export const CLOSE_STREAM = `<close xmlns='${FRAMING}'/>`;

export const ping = (id: string, more = ''): string =>
  `<iq ${CLIENT} type='get' id='${id}' to='localhost'><ping xmlns='urn:xmpp:ping'/>${more}</iq>`;

export const message = (to: string, body: string): string =>
  `<message ${CLIENT} to='${to}' type='chat'><body>${body}</body></message>`;

export const bodyOf = (stanza: Element): string => stanza.getElementsByTagName('body')[0]?.textContent ?? '';

export const opcodes = { TEXT, CLOSE, PING, PONG, CONTINUATION: 0, BINARY: 2 } as const;
