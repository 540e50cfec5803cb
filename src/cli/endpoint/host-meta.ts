/** Where a site says that its endpoints are (XEP-0156). */

import { Agent, request } from 'undici';
import { type Bounds, PATIENCE_MS } from './bounds.js';
import { unescaped } from './link.js';

export interface Endpoints {
  readonly bosh: URL | undefined;
  readonly websocket: URL | undefined;
}

const RELATION = 'urn:xmpp:alt-connections:';

/** Undefined where the site has neither form of it, or names none in it. */
export async function hostMeta(
  site: URL,
  bounds: Bounds,
): Promise<(Endpoints & { readonly file: string }) | undefined> {
  const agent = new Agent({ connect: { timeout: PATIENCE_MS } });
  try {
    return await bounds.step(() => find(site, (url) => read(url, bounds, agent)));
  } finally {
    void agent.destroy();
  }
}

async function find(
  site: URL,
  textAt: (url: URL) => Promise<string | undefined>,
): Promise<(Endpoints & { readonly file: string }) | undefined> {
  for (const file of ['host-meta.json', 'host-meta']) {
    const text = await textAt(new URL(`/.well-known/${file}`, site));
    const links = text === undefined ? [] : file.endsWith('json') ? fromJson(text) : fromXml(text);
    const bosh = hrefOf(links, 'xbosh');
    const websocket = hrefOf(links, 'websocket');
    if (bosh !== undefined || websocket !== undefined) return { file, bosh, websocket };
  }
  return undefined;
}

interface LinkElement {
  readonly rel?: unknown;
  readonly href?: unknown;
}

async function read(url: URL, bounds: Bounds, dispatcher: Agent): Promise<string | undefined> {
  const answer = await request(url, { dispatcher, signal: bounds.signal });
  const text = await bounds.read(answer.body);
  return answer.statusCode === 200 ? text : undefined;
}

function fromJson(text: string): readonly LinkElement[] {
  try {
    const { links } = JSON.parse(text) as { links?: unknown };
    return Array.isArray(links) ? (links as LinkElement[]) : [];
  } catch {
    return [];
  }
}

function fromXml(text: string): readonly LinkElement[] {
  const attributeOf = (tag: string, name: string): string | undefined =>
    new RegExp(`\\b${name}=(['"])(.*?)\\1`).exec(tag)?.[2];
  return [...text.matchAll(/<(?:\w+:)?Link\b[^<>]*>/g)].map(([tag]) => ({
    rel: attributeOf(tag, 'rel'),
    href: unescaped(attributeOf(tag, 'href') ?? ''),
  }));
}

function hrefOf(links: readonly LinkElement[], kind: string): URL | undefined {
  const href = links.find(({ rel }) => rel === RELATION + kind)?.href;
  return typeof href === 'string' && URL.canParse(href) ? new URL(href) : undefined;
}
