import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SignJWT } from 'jose';
import { pino } from 'pino';
import type { Visitor } from '../../../../src/http/comet/admission.js';
import { Tokens } from '../../../../src/http/comet/tokens.js';
import { until } from '../../../support/until.js';

const SECRET = 'a secret that only the two of us know';
const CLIENT = { ip: '', port: 0, secure: false, path: '', origin: '', userAgent: '' };

test('a fault as a page begins ends that page, and is logged without its token', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'megaphone-tokens-'));
  try {
    const path = join(directory, 'key');
    writeFileSync(path, SECRET, { mode: 0o600 });
    const lines: string[] = [];
    const tokens = new Tokens(path, pino({}, { write: (line: string) => void lines.push(line) }));
    const token = await new SignJWT({ sub: '1', exp: Math.floor(Date.now() / 1000) + 3600 })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(Buffer.from(SECRET));
    const heard: number[] = [];
    const visitor: Visitor = {
      admit() {
        throw new TypeError('no such thing');
      },
      refuse: ({ status }) => void heard.push(status),
      dismiss: (code) => void heard.push(code),
    };
    tokens.ask(visitor, {
      ...{ ids: ['1'], transport: 'sse', place: undefined, isHead: false, isHttp11: true, token },
      ...{ query: `token=${token}`, authorization: '', cookie: '', from: { client: CLIENT } },
    });
    await until(() => heard.length > 0);
    assert.deepEqual(heard, [1011]);
    assert.match(lines.join(''), /could not be served.*|no such thing/);
    assert.ok(!lines.join('').includes(token));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
