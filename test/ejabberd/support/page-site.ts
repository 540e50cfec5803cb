/** A site with the pages of test/ejabberd/fixtures, and what strophe.js and converse.js bring for pages. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { root } from '../../../scripts/support/root.js';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

export interface Site {
  readonly address: string;
  close(): void;
}

export async function serveSite(): Promise<Site> {
  const { resolve } = createRequire(import.meta.url);
  const converseFiles = join(root, 'node_modules/converse.js/dist');
  const stropheFiles = join(resolve('strophe.js/package.json'), '../dist');
  const server = createServer(async ({ url = '' }, response) => {
    const { pathname } = new URL(url, 'http://localhost');
    const path = pathname.startsWith('/converse.js/')
      ? join(converseFiles, pathname.slice('/converse.js/'.length))
      : pathname.endsWith('.html')
        ? join(root, 'test/ejabberd/fixtures', pathname)
        : join(stropheFiles, pathname);
    const content = await readFile(path).catch(() => undefined);
    if (content === undefined) return response.writeHead(404).end();
    const type = TYPES[extname(path)] ?? 'application/octet-stream';
    return response.writeHead(200, { 'content-type': type }).end(content);
  });
  await new Promise<void>((done) => server.listen(0, 'localhost', done));
  return {
    address: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: () => server.close(),
  };
}
