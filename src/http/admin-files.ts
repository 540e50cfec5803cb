/** The files of the dashboard, read once: what is asked for is looked up by its name, and never leads into the file system. */

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { plain } from './admin-response.js';
import type { RequestParser } from './request-parser.js';
import type { Response } from './response.js';

const FOLDER = new URL('../dashboard/', import.meta.url);
const PREFIX = '/dashboard/';
const INDEX = 'index.html';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
};

export class AdminFiles {
  readonly #files: ReadonlyMap<string, Response>;

  /** @param folder with nothing but files in it */
  constructor(folder = FOLDER) {
    const names = existsSync(folder) ? readdirSync(folder) : [];
    this.#files = new Map(
      names.flatMap((name) => {
        const type = TYPES[extname(name)];
        return type === undefined ? [] : [[name, read(new URL(name, folder), type)] as const];
      }),
    );
  }

  /** `undefined`: it is not about them. */
  answer(request: RequestParser): Response | undefined {
    const { path } = request;
    // Relative, so that it holds behind a proxy that puts something in front, too.
    if (path === '/') return plain(302, 'The dashboard is at /dashboard/.', ['location', PREFIX.slice(1)]);
    if (path === PREFIX.slice(0, -1))
      return plain(302, 'The dashboard is at /dashboard/.', ['location', 'dashboard/']);
    if (!path.startsWith(PREFIX)) return undefined;
    const file = this.#files.get(path.slice(PREFIX.length) || INDEX);
    if (file === undefined) return plain(404, 'The dashboard has no such file.');
    const [, [, etag = ''] = []] = file.headers;
    const isKnown = request.header('if-none-match') === etag;
    return isKnown ? { ...file, status: 304 } : file;
  }
}

function read(file: URL, type: string): Response {
  const body = readFileSync(file);
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  return {
    status: 200,
    headers: [
      ['content-type', type],
      ['etag', etag],
      ['cache-control', 'no-cache'],
    ],
    body,
  };
}
