/** The password of `megaphone check URL`: never an argument, for `ps` shows those to everyone on the machine. */

import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { MegaphoneError } from '../errors.js';

/** From MEGAPHONE_PASSWORD, or typed in without being shown. */
export async function readPassword(env: NodeJS.ProcessEnv, jid: string): Promise<string> {
  const { MEGAPHONE_PASSWORD: given } = env;
  if (given !== undefined) return given;
  if (!process.stdin.isTTY)
    throw new MegaphoneError('CONFIG_USAGE', `there is no terminal to ask for the password of ${jid}`, {
      hint: 'give it in the variable MEGAPHONE_PASSWORD',
    });
  process.stderr.write(`Password of ${jid}: `);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const prompt = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    const [line] = (await Promise.race([once(prompt, 'line'), once(prompt, 'close')])) as [string?];
    if (line === undefined) throw new MegaphoneError('CONFIG_USAGE', 'no password was given');
    return line;
  } finally {
    prompt.close();
    process.stderr.write('\n');
  }
}
