/** What acts at the admin port: the token, who is refused, and that nothing of it gets into the log. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { pino } from 'pino';
import { MegaphoneError } from '../../../src/errors.js';
import type { SessionPage, SessionQuery } from '../../../src/gateway/module-sessions.js';
import type { AdminConfig } from '../../../src/http/admin-door.js';
import { AdminServer } from '../../../src/http/admin-server.js';
import { AdminToken } from '../../../src/http/admin-token.js';
import { NOT_ASKED, type Reports } from '../../../src/observe/report.js';
import { NOTHING } from '../../../src/observe/totals.js';
import { until } from '../../support/until.js';
import { NO_DESK } from './no-desk.js';

const TOKEN = 'correct-horse-battery-staple';
const folder = mkdtempSync(join(tmpdir(), 'megaphone-token-'));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string, mode = 0o400): string {
  const path = join(folder, name);
  rmSync(path, { force: true });
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

const config = (admin_token_file: string): AdminConfig => ({
  ...{ node: 'megaphone@gateway.internal', admin_ip: '127.0.0.1', admin_port: 0, admin_hosts: [] },
  admin_token_file,
});
const reports: Reports = {
  state: () => 'in_service',
  health: () => ({ status: 'ok', state: 'in_service', nodes: {} }),
  stats: () => ({ ...NOTHING, status: 'ok', node: 'megaphone@h', uptime_seconds: 1, state: 'in_service' }),
  asked: async () => NOT_ASKED,
};
const PAGE: SessionPage = { sessions: [], next: null, looked_at: 0, total: 7 };

/** What was asked for. */
let done: unknown[] = [];
let page: (query: SessionQuery) => Promise<SessionPage> = async () => PAGE;
const lines: string[] = [];
let admin: AdminServer;
before(async () => {
  const desk = {
    ...NO_DESK,
    order: async (order: 'drain' | 'resume') => {
      done.push(order);
      return order === 'drain' ? ('draining' as const) : ('in_service' as const);
    },
    sessions: (query: SessionQuery) => {
      done.push(query);
      return page(query);
    },
    closeSession: async (node: string, id: string) => {
      done.push([node, id]);
      return id === '0.1.0-abc';
    },
  };
  const log = pino({ level: 'debug' }, { write: (line) => lines.push(line) });
  admin = await AdminServer.listen(config(file('token', `${TOKEN}\nnot this\n`)), reports, desk, log);
});
after(() => admin.close());
beforeEach(() => {
  done = [];
  page = async () => PAGE;
});

interface Asking {
  readonly method?: string;
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

async function ask(path: string, { method = 'GET', token = TOKEN, headers = {}, body }: Asking = {}) {
  const response = await fetch(`http://127.0.0.1:${admin.port}/api/${path}`, {
    method,
    headers: { ...(token === '' ? {} : { authorization: `Bearer ${token}` }), ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const answer = (await response.json()) as Readonly<Record<string, unknown>>;
  return { status: response.status, answer, headers: response.headers };
}

const ACTS = ['POST drain', 'POST resume', 'POST close', 'GET sessions', 'GET token'] as const;

test('with the token the gateway is drained and resumed, sessions are listed and closed', async () => {
  assert.deepEqual((await ask('token')).answer, { valid: true });
  assert.deepEqual((await ask('drain', { method: 'POST' })).answer, { state: 'draining' });
  assert.deepEqual((await ask('resume', { method: 'POST' })).answer, { state: 'in_service' });
  assert.deepEqual((await ask('sessions?search=al%20i%2Bce&after=3%3Aa%40h&limit=7')).answer, PAGE);
  assert.deepEqual((await ask('sessions')).answer, PAGE);
  const body = JSON.stringify({ node: 'a@h', id: '0.1.0-abc' });
  assert.deepEqual((await ask('close', { method: 'POST', body })).answer, { closed: true });
  assert.deepEqual(done, [
    'drain',
    'resume',
    { search: 'al i+ce', after: '3:a@h', limit: 7 },
    { search: '', after: '', limit: 50 },
    ['a@h', '0.1.0-abc'],
  ]);
});

for (const act of ACTS) {
  const [method = '', path = ''] = act.split(' ');
  test(`${act} is refused without the token, with another one, and from a page of another site`, async () => {
    for (const token of ['', 'wrong', TOKEN.toUpperCase(), `${TOKEN}x`, TOKEN.slice(1), 'ü']) {
      const headers = token === 'ü' ? { authorization: 'Basic dXNlcjpwYXNz' } : {};
      const {
        status,
        answer,
        headers: told,
      } = await ask(path, { method, token: token === 'ü' ? '' : token, headers });
      assert.equal(status, 401, token);
      assert.equal(told.get('www-authenticate'), 'Bearer');
      assert.match(String(answer.hint), /admin_token_file/);
    }
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: `http://evil.example:${admin.port}` },
    ]) {
      assert.equal((await ask(path, { method, headers })).status, 403, JSON.stringify(headers));
    }
    assert.deepEqual(done, []);
  });
}

test('the dashboard itself may, by its origin', async () => {
  const headers = { origin: `http://127.0.0.1:${admin.port}`, 'sec-fetch-site': 'same-origin' };
  assert.equal((await ask('drain', { method: 'POST', headers })).status, 200);
});

test('a GET does nothing: a link, or an image of another page, acts for nobody', async () => {
  for (const path of ['drain', 'resume', 'close']) {
    const { status, headers } = await ask(path);
    assert.equal(status, 405);
    assert.equal(headers.get('allow'), 'POST');
  }
  assert.equal((await ask('nothing')).status, 404);
  assert.deepEqual(done, []);
});

test('what makes no sense is refused before anybody is asked', async () => {
  for (const query of ['limit=0', 'limit=201', 'limit=x', 'limit=1.5', `search=${'x'.repeat(256)}`])
    assert.equal((await ask(`sessions?${query}`)).status, 400, query);
  for (const body of ['', '{', 'null', '[]', '{"id":"0.1.0-abc"}', '{"node":1,"id":2}', 'x'.repeat(5000)])
    assert.equal((await ask('close', { method: 'POST', body })).status >= 400, true, body);
  assert.deepEqual(done, []);
  const body = JSON.stringify({ node: 'a@h', id: 'gone' });
  assert.equal((await ask('close', { method: 'POST', body })).status, 404);
});

test('a node that does not answer is told, with what mends it', async () => {
  page = () =>
    Promise.reject(new MegaphoneError('GATEWAY_NO_LIST', 'a@h did not tell', { hint: 'look there' }));
  const { status, answer } = await ask('sessions');
  assert.equal(status, 502);
  assert.deepEqual(answer, { error: 'a@h did not tell', hint: 'look there' });
});

test('a fault of the gateway itself is told to who asked and to the log, and the gateway lives on', async () => {
  lines.length = 0;
  page = () => Promise.reject(new TypeError('undefined is no session'));
  for (let times = 0; times < 6; times += 1) {
    const { status, answer } = await ask('sessions');
    assert.equal(status, 500);
    assert.match(String(answer.hint), /GATEWAY_FAULT/);
  }
  // One line of many, and with it where it was.
  const [line = '', ...more] = lines;
  assert.deepEqual(more, []);
  const { level, code, err } = JSON.parse(line) as { level: number; code: string; err: { stack: string } };
  assert.deepEqual([level, code], [50, 'GATEWAY_FAULT']);
  assert.match(err.stack, /undefined is no session\n +at /);
  page = async () => PAGE;
  assert.equal((await ask('sessions')).status, 200);
});

test('no more than four questions are under way; the others hear that at once', async () => {
  let answerAll = (_: SessionPage): void => {};
  const answered = new Promise<SessionPage>((resolve) => {
    answerAll = resolve;
  });
  page = () => answered;
  const four = [1, 2, 3, 4].map(() => ask('sessions'));
  await until(() => done.length === 4);
  assert.equal((await ask('sessions')).status, 429);
  answerAll(PAGE);
  for (const { status } of await Promise.all(four)) assert.equal(status, 200);
  assert.equal((await ask('sessions')).status, 200);
});

test('who guesses hears 401 each time, fills no log, and keeps nobody out; no token is in the log', async () => {
  lines.length = 0;
  for (let batch = 0; batch < 20; batch += 1) {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, guess) =>
        ask('drain', { method: 'POST', token: `guess-${batch}-${guess}-xxxxxxxxxxxx` }),
      ),
    );
    for (const { status } of answers) assert.equal(status, 401);
  }
  assert.equal((await ask('token')).status, 200);
  assert.deepEqual(done, []);
  // An earlier test made the first one of this minute.
  assert.ok(lines.length <= 1, lines.join(''));
  assert.doesNotMatch(lines.join(''), /guess-|correct-horse/);
});

test('a token is read from a file for its owner alone, and is long enough', () => {
  const codeOf = (path: string): string => {
    try {
      AdminToken.read(path);
      return '';
    } catch (error) {
      assert.ok(error instanceof MegaphoneError);
      assert.ok(error.hint);
      assert.doesNotMatch(`${error.message}${error.hint}`, /secret/);
      return error.code;
    }
  };
  assert.equal(codeOf(file('good', `${'secret'.repeat(4)}\n`)), '');
  assert.equal(codeOf(file('windows', `${'secret'.repeat(4)}\r\n`)), '');
  assert.equal(codeOf(file('open', 'secret'.repeat(4), 0o444)), 'CONFIG_TOKEN_NOT_PRIVATE');
  assert.equal(codeOf(file('group', 'secret'.repeat(4), 0o640)), 'CONFIG_TOKEN_NOT_PRIVATE');
  assert.equal(codeOf(file('short', 'secret')), 'CONFIG_TOKEN_INVALID');
  assert.equal(codeOf(file('blank', `secret ${'secret'.repeat(4)}`)), 'CONFIG_TOKEN_INVALID');
  assert.equal(codeOf(file('empty', '')), 'CONFIG_TOKEN_INVALID');
  assert.equal(codeOf(join(folder, 'nowhere')), 'CONFIG_TOKEN_UNREADABLE');
  // A file without end does not matter: it is for its owner alone.
  const token = AdminToken.read(file('good', `${'secret'.repeat(4)}\n`));
  assert.equal(token.isIn(`bearer  ${'secret'.repeat(4)}`), true);
  for (const header of [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'secret'.repeat(4),
    `Bearer ${'secret'.repeat(4)}, Bearer x`,
  ])
    assert.equal(token.isIn(header), false, header);
});

test('without a token file nothing acts, and that is told clearly; the feed says so', async () => {
  const other = await AdminServer.listen(config(''), reports, NO_DESK, pino({ level: 'silent' }));
  for (const act of ACTS) {
    const [method = '', path = ''] = act.split(' ');
    const response = await fetch(`http://127.0.0.1:${other.port}/api/${path}`, {
      method,
      headers: { authorization: 'Bearer ' },
    });
    assert.equal(response.status, 403);
    assert.match(String(((await response.json()) as { hint: string }).hint), /admin_token_file/);
  }
  await other.close();
});

test('reload: another token holds, the old one does not; without one that can be used, none does until there is one', async () => {
  const path = file('reloaded', TOKEN);
  const told: string[] = [];
  const log = pino({ level: 'error' }, { write: (line) => told.push(line) });
  const other = await AdminServer.listen(config(path), reports, NO_DESK, log);
  const statusWith = async (token: string): Promise<number> =>
    (
      await fetch(`http://127.0.0.1:${other.port}/api/token`, {
        headers: { authorization: `Bearer ${token}` },
      })
    ).status;
  assert.equal(await statusWith(TOKEN), 200);
  file('reloaded', 'another-token-of-twenty');
  other.reload();
  assert.equal(await statusWith(TOKEN), 401);
  assert.equal(await statusWith('another-token-of-twenty'), 200);
  for (const [code, spoil] of [
    ['CONFIG_TOKEN_NOT_PRIVATE', () => file('reloaded', 'another-token-of-twenty', 0o644)],
    ['CONFIG_TOKEN_INVALID', () => file('reloaded', '')],
    ['CONFIG_TOKEN_UNREADABLE', () => rmSync(path)],
    ['CONFIG_TOKEN_UNREADABLE', () => file('reloaded', 'x'.repeat(65 * 1024))],
  ] as const) {
    told.length = 0;
    spoil();
    other.reload();
    for (const token of [TOKEN, 'another-token-of-twenty', '']) assert.equal(await statusWith(token), 403);
    const [{ level, err, msg }] = told.map((line) => JSON.parse(line)) as [
      { level: number; err: MegaphoneError; msg: string },
    ];
    assert.deepEqual([told.length, level, err.code], [1, 50, code]);
    assert.match(msg, /^no token is valid any more: /);
    assert.ok(err.hint);
    file('reloaded', 'another-token-of-twenty');
    other.reload();
    assert.equal(await statusWith('another-token-of-twenty'), 200);
  }
  await other.close();
});
