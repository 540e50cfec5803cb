/**
 * A web client's stream, over whichever transport. It hands on what the server says as text: `megaphone check` looks for
 * a few words in it, of a server of any make, and needs no parser for that.
 */

import { ofStream, Trouble } from './trouble.js';

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
export async function receiveUntil(link: Link, pattern: RegExp): Promise<RegExpExecArray> {
  for (;;) {
    const found = pattern.exec(await link.receive());
    if (found !== null) return found;
  }
}

export const FEATURES = /<(?:\w+:)?features\b(?:[^>]*\/>|.*<\/(?:\w+:)?features>)/s;

const ERROR = /<(?:(stream):)?error\b([^>]*)>(.*?)<\/(?:\w+:)?error>/s;
const STREAMS = 'http://etherx.jabber.org/streams';

/** @throws Trouble where the text has a stream error */
export function refuseErrors(text: string, domain: string): void {
  const [, prefix, attributes = '', inner = ''] = ERROR.exec(text) ?? [];
  if (prefix === undefined && !attributes.includes(STREAMS)) return;
  const [, condition = 'undefined-condition'] = /<([a-z-]+)/.exec(inner) ?? [];
  throw ofStream(condition, textOf(inner), domain);
}

/** What a `text` element says, for people. */
export function textOf(xml: string): string {
  return unescaped(/<text\b[^>]*>([^<]*)/.exec(xml)?.[1] ?? '');
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', apos: "'", quot: '"' };

export const unescaped = (text: string): string =>
  text.replace(/&(\w+);/g, (whole, name: string) => ENTITIES[name] ?? whole);

export const escaped = (text: string): string =>
  text.replace(/[<&'"]/g, (character) => `&#${character.charCodeAt(0)};`);

export const PATIENCE_MS = 10_000;

/** @throws Trouble where it takes longer */
export async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Trouble(`no answer for ${PATIENCE_MS / 1000} s`, LATE)), PATIENCE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

const LATE = 'something on the way keeps it: look at the time-outs and buffers of proxies, and at the logs';
