/**
 * A web client's stream, over whichever transport. It hands on what the server says as text: `megaphone check` looks for
 * a few words in it, of a server of any make, and needs no parser for that.
 */

import { elementIn, type Found } from './element.js';
import { ofStream } from './trouble.js';

export interface Link {
  /** Opens the stream, or begins it anew after the login; resolves with its features. */
  open(): Promise<string>;
  /** Nothing may be on its way before `receive` is called. */
  send(xml: string): void;
  /** What came next; it may be empty. */
  receive(): Promise<string>;
  /** As a client that leaves does it. */
  close(): Promise<void>;
  /** Lets go of the connection at once. */
  drop(): void;
}

/** Receives until that comes. */
export async function receiveUntil<T>(link: Link, find: (text: string) => T | undefined): Promise<T> {
  for (;;) {
    const found = find(await link.receive());
    if (found !== undefined) return found;
  }
}

export const featuresIn = (text: string): Found | undefined => elementIn(text, 'features');

const NONE = { prefix: '', attributes: '', inner: '' };
const STREAMS = 'http://etherx.jabber.org/streams';

/** @throws Trouble where the text has a stream error */
export function refuseErrors(text: string, domain: string): void {
  const { prefix, attributes, inner } = elementIn(text, 'error') ?? NONE;
  if (prefix !== 'stream' && !attributes.includes(STREAMS)) return;
  const [, condition = 'undefined-condition'] = /<([a-z-]+)/.exec(inner) ?? [];
  throw ofStream(condition, textOf(inner), domain);
}

/** What a `text` element says, for people. */
export function textOf(xml: string): string {
  return unescaped(/<text\b[^<>]*>([^<]*)/.exec(xml)?.[1] ?? '');
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', apos: "'", quot: '"' };

export const unescaped = (text: string): string =>
  text.replace(/&(\w+);/g, (whole, name: string) => ENTITIES[name] ?? whole);

export const escaped = (text: string): string =>
  text.replace(/[<&'"]/g, (character) => `&#${character.charCodeAt(0)};`);
