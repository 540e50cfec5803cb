/** The pages under /demo/, with converse.js from node_modules, and the accounts with which they log in: for this machine alone. */

import { readFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { root } from '../support/root.js';

export const PREFIX = '/demo';
const PAGES = join(root, 'scripts/demo/pages');
const CONVERSE = join(root, 'node_modules/converse.js/dist');
const OWN_ADDRESS = /^(?:::1|(?:::ffff:)?127\.[\d.]+)$/;
/** Under another name a foreign site would read the passwords, with a name of its own that leads here. */
const OWN_NAME = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/;

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.ttf': 'font/ttf',
  '.wasm': 'application/wasm',
};

/** Nothing from elsewhere, and no script or handler in the pages themselves; converse.js writes styles into elements. */
const policy = (host: string): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    `connect-src 'self' ws://${host}`,
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "media-src 'self'",
    "frame-src 'self'",
    "frame-ancestors 'self'",
    "form-action 'none'",
    "base-uri 'none'",
  ].join('; ');

const HEADERS = {
  'cache-control': 'no-cache',
  connection: 'close',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** How to talk to the gateway from an Erlang shell. */
export interface Shell {
  /** That starts one. */
  readonly command: string;
  /** The gateway's. */
  readonly node: string;
}

/** @param accounts the file with a name and a password in each line */
export function createSite(accounts: string, shell: Shell): Server {
  return createServer(async ({ url = '', headers: { host = '' }, socket }, response) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const isOwn = OWN_NAME.test(host) && OWN_ADDRESS.test(socket.remoteAddress ?? '');
    if (!isOwn) return answer(response, 421, 'text/plain', 'This is for localhost alone.\n');
    response.setHeader('content-security-policy', policy(host));
    const { pathname } = new URL(url, 'http://localhost');
    if (pathname === PREFIX) return answer(response, 308, 'text/plain', '', { location: `${PREFIX}/` });
    const name = PAGES_BY_NAME[pathname.slice(PREFIX.length + 1)] ?? pathname.slice(PREFIX.length + 1);
    try {
      const content = await contentOf(name, accounts, shell);
      answer(response, 200, TYPES[extname(name)] ?? 'application/octet-stream', content);
    } catch {
      answer(response, 404, 'text/plain', 'Nothing is here.\n');
    }
  });
}

const PAGES_BY_NAME: Readonly<Record<string, string>> = { '': 'index.html', comet: 'comet.html' };

async function contentOf(name: string, accounts: string, shell: Shell): Promise<string | Buffer> {
  if (name === 'accounts.json') return readAccounts(accounts);
  return name === 'shell.json' ? JSON.stringify(shell) : readFile(fileOf(name));
}

/** A URL's path has no `..`, and what is encoded in it stays so. */
const fileOf = (name: string): string =>
  name.startsWith('converse/') ? join(CONVERSE, name.slice('converse/'.length)) : join(PAGES, name);

async function readAccounts(file: string): Promise<string> {
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  return JSON.stringify(Object.fromEntries(lines.map((line) => line.split(' '))));
}

function answer(
  response: ServerResponse,
  status: number,
  type: string,
  content: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': type, ...headers }).end(content);
}
