/**
 * `megaphone check URL`: goes the way of a web client, over BOSH and over WebSocket, from DNS to a message that comes back,
 * and says where it ends. It works with any server's endpoints.
 */

import { isIP } from 'node:net';
import { MegaphoneError } from '../errors.js';

import { BoshLink } from './endpoint/bosh-link.js';
import { Bounds } from './endpoint/bounds.js';
import { conversation, type Step } from './endpoint/conversation.js';
import { type Endpoints, hostMeta } from './endpoint/host-meta.js';
import type { Account } from './endpoint/login.js';
import { reach } from './endpoint/reach.js';
import { ofConnection, type Transport, Trouble } from './endpoint/trouble.js';
import { WebSocketLink } from './endpoint/websocket-link.js';
import { bad, type Finding, good } from './finding.js';

export interface UrlCheck {
  /** A site, or one endpoint. */
  readonly url: URL;
  readonly account: Account;
  /** Of the page whose scripts are the client. */
  readonly origin: string;
}

/** @throws MegaphoneError CONFIG_USAGE */
export function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^(?:https?|wss?):$/.test(url.protocol)) return url;
  throw new MegaphoneError('CONFIG_USAGE', `${text} is no URL of a web site`, {
    hint: 'give it whole: megaphone check https://chat.example.com',
  });
}

/** Of a page that comes from where its endpoint is. */
export const originOf = (url: URL): string => new URL(url.href.replace(/^ws/, 'http')).origin;

/** @param jid of the account, or a domain alone for a login without one; by default that of the URL */
export function readAccount(jid: string | undefined, url: URL): Omit<Account, 'password'> {
  const [bare = ''] = (jid ?? url.hostname).split('/', 1);
  const at = bare.indexOf('@');
  return at < 0 ? { user: undefined, domain: bare } : { user: bare.slice(0, at), domain: bare.slice(at + 1) };
}

export async function* checkUrl({ url, account, origin }: UrlCheck): AsyncGenerator<Finding> {
  const { bosh, websocket } = yield* endpointsOf(url);
  if (bosh !== undefined)
    yield* checkEndpoint(
      'BOSH',
      bosh,
      isPrivate(bosh, url),
      account,
      (bounds) => new BoshLink(bosh, origin, account.domain, bounds),
    );
  if (websocket !== undefined)
    yield* checkEndpoint(
      'WebSocket',
      websocket,
      isPrivate(websocket, url),
      account,
      (bounds) => new WebSocketLink(websocket, origin, account.domain, bounds),
    );
}

async function* endpointsOf(url: URL): AsyncGenerator<Finding, Partial<Endpoints>> {
  if (url.protocol.startsWith('ws')) return { websocket: url };
  if (url.pathname !== '/') return { bosh: url };
  const websocket = new URL('/ws', url.origin.replace('http', 'ws'));
  try {
    const found = await hostMeta(url, new Bounds());
    if (found !== undefined) {
      const names = [found.bosh, found.websocket].filter((at) => at !== undefined).join(' and ');
      const isMixed = names.includes('http:') || names.includes('ws:');
      yield url.protocol === 'https:' && isMixed
        ? bad(`/.well-known/${found.file} names ${names}, which a page of https: may not use`, MIXED)
        : good(`/.well-known/${found.file} names ${names}`);
      return found;
    }
    yield good('no host-meta names endpoints: the usual paths are tried');
  } catch (error) {
    if (error instanceof Trouble) yield bad(`host-meta: ${error.message}`, error.hint);
    // Else the first step of each endpoint will say what is wrong with the connection.
  }
  return { bosh: new URL('/bosh', url), websocket };
}

const MIXED =
  'set public_url of the gateway; or have the proxy send X-Forwarded-Proto and the Host of its clients, and name it in trusted_proxies';

async function* checkEndpoint(
  transport: Transport,
  url: URL,
  isSafe: boolean,
  account: Account,
  linkWithin: (bounds: Bounds) => BoshLink | WebSocketLink,
): AsyncGenerator<Finding> {
  const bounds = new Bounds();
  const link = linkWithin(bounds);
  const steps = function* (): Generator<Step> {
    yield { what: `connect to ${url}`, run: () => reach(url, bounds.signal) };
    yield* conversation(link, account, isSafe);
  };
  try {
    for (const { what, run } of steps()) {
      const start = performance.now();
      const told = await bounds.step(run).catch((error: unknown) => ofConnection(error));
      const text = `${transport}: ${what}`;
      const time = `${Math.round(performance.now() - start)} ms`;
      if (told instanceof Trouble) {
        yield { mark: '✘', text: `${text}: ${told.message} (${time})`, hint: told.hint };
        return;
      }
      yield good(`${text}${told === '' ? '' : `: ${told}`} (${time})`);
    }
  } finally {
    link.drop();
  }
}

/**
 * Nobody on the way can read along, nor have named the endpoint in the site's place.
 * @param asked what the user typed
 */
export const isPrivate = (endpoint: URL, asked: URL): boolean =>
  isUnread(endpoint) && (isUnread(asked) || endpoint.hostname === asked.hostname);

function isUnread({ protocol, hostname }: URL): boolean {
  if (protocol === 'https:' || protocol === 'wss:') return true;
  const host = hostname.replace(/^\[|\]$/g, '');
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
