/** The cookie that this configuration means. */

import { homedir } from 'node:os';
import type { Config } from '../config/schema.js';
import { type Cookie, loadCookie } from '../node/cookie.js';

/** From the environment or the cookie file, which worker processes inherit and read as their primary would. */
export function readCookie({ cookie_file: file }: Config): Cookie {
  const { MEGAPHONE_COOKIE: env, CREDENTIALS_DIRECTORY: credentials } = process.env;
  return loadCookie({ env, file, home: homedir(), credentials });
}
