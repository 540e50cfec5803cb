/** Where web clients find the endpoints of this gateway (XEP-0156 §3): `/.well-known/host-meta` (RFC 6415) and its JSON. */

import type { Header } from '../gateway/answers.js';
import type { Response } from './response.js';

export const HOST_META_PATHS: readonly string[] = ['/.well-known/host-meta', '/.well-known/host-meta.json'];
const BOSH_PATH = '/bosh';
/** A name or an address, IPv6 in brackets, and perhaps a port: nothing that would not stand in a URL as it is. */
const HOST = /^(?:\[[\da-f:.]{2,45}\]|[\w.-]{1,253})(?::\d{1,5})?$/i;

export interface Found {
  /** What they are addressed by, such as `https://chat.example.org`, without a slash at its end; empty: by what the client says. */
  readonly publicUrl: string;
  /** Those of WebSockets; of several the first one is told. */
  readonly webSocketPaths: readonly string[];
}

/**
 * @param host the Host header
 * @param isSecure whether the client came over TLS
 * @returns `undefined` where nobody said under which name the client knows this gateway
 */
export function hostMeta(
  path: string,
  { publicUrl, webSocketPaths }: Found,
  host: string | undefined,
  isSecure: boolean,
): Response | undefined {
  const told = host !== undefined && HOST.test(host) ? `${isSecure ? 'https' : 'http'}://${host}` : '';
  const base = publicUrl || told;
  if (base === '') return undefined;
  const links = [{ rel: 'urn:xmpp:alt-connections:xbosh', href: `${base}${BOSH_PATH}` }];
  const [webSocketPath] = webSocketPaths;
  if (webSocketPath !== undefined) {
    const href = `${base.replace(/^http/i, 'ws')}${webSocketPath}`;
    links.push({ rel: 'urn:xmpp:alt-connections:websocket', href });
  }
  return path.endsWith('.json')
    ? page('application/json', `${JSON.stringify({ links })}\n`)
    : page('application/xrd+xml; charset=utf-8', xrd(links));
}

function xrd(links: readonly { readonly rel: string; readonly href: string }[]): string {
  const lines = links.map(({ rel, href }) => `  <Link rel='${rel}' href='${escapeXml(href)}'/>\n`);
  return `<?xml version='1.0' encoding='utf-8'?>\n<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>\n${lines.join('')}</XRD>\n`;
}

function page(type: string, text: string): Response {
  const header: Header = ['content-type', type];
  return { status: 200, headers: [header], body: Buffer.from(text) };
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&apos;',
  '"': '&quot;',
};

/** For an attribute's value. */
export const escapeXml = (text: string): string => text.replace(/[&<>'"]/g, (char) => ENTITIES[char] ?? '');
