/** Where the cookie comes from, what may be one, its digest, and that its value shows nowhere. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { format, inspect } from 'node:util';
import { Cookie, loadCookie } from '../../../src/node/cookie.js';

describe('Cookie', () => {
  const cookie = new Cookie('xyzzy');

  test('its value shows nowhere', () => {
    const shown = [
      `${cookie}`,
      JSON.stringify({ cookie }),
      inspect(cookie, { showHidden: true, depth: 9 }),
      format('%s %o %j %O', cookie, cookie, cookie, { cookie }),
      String(Object.getOwnPropertyNames(cookie)),
      JSON.stringify(structuredClone(cookie)),
    ];
    for (const text of shown) assert.ok(!text.includes('xyzzy'), text);
    assert.equal(inspect({ cookie }), '{ cookie: [cookie] }');
    assert.equal(JSON.stringify({ cookie }), '{"cookie":"[cookie]"}');
  });

  test('the digest is that of a real node: MD5 of the cookie and the challenge as unsigned decimal text', () => {
    // erlang:md5("xyzzy4294967295")
    assert.equal(cookie.digest(4294967295).toString('hex'), 'a71c81838e61d384f0a9914a32d03490');
  });

  for (const bad of ['', 'a\nb', 'grün', 'x'.repeat(256)]) {
    test(`not ${JSON.stringify(bad.slice(0, 10))}, which the error does not repeat`, () => {
      assert.throws(
        () => new Cookie(bad),
        (error: Error & { code: string }) =>
          error.code === 'CONFIG_COOKIE_INVALID' && (bad === '' || !inspect(error).includes(bad)),
      );
    });
  }
});

describe('loadCookie', () => {
  let home: string;
  before(() => {
    home = mkdtempSync(join(tmpdir(), "cookie's "));
  });
  after(() => rmSync(home, { recursive: true }));

  function file(name: string, content: string, mode = 0o400): string {
    const path = join(home, name);
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  }
  const same = (a: Cookie, b: string): void => assert.deepEqual(a.digest(7), new Cookie(b).digest(7));

  test('from the home directory, a file and the environment, the last one winning', () => {
    file('.erlang.cookie', 'from-home');
    const path = file('cookie', 'from-file\n');
    same(loadCookie({ home }), 'from-home');
    same(loadCookie({ home, file: path }), 'from-file');
    same(loadCookie({ home, file: path, env: 'from-env' }), 'from-env');
    same(loadCookie({ home, file: path, env: '' }), 'from-file');
  });

  for (const mode of [0o404, 0o440, 0o420, 0o644]) {
    test(`a file with mode ${mode.toString(8)} is refused with the command that mends it`, () => {
      const path = file(`open-${mode}`, 'secret', mode);
      assert.throws(() => loadCookie({ home, file: path }), {
        code: 'CONFIG_COOKIE_NOT_PRIVATE',
        hint: `chmod 400 '${path.replace("'", "'\\''")}'`,
      });
    });
  }

  test("of systemd's credentials the mode says nothing: the group's part is the mask of an access list", () => {
    const path = file('credential', 'secret', 0o440);
    same(loadCookie({ home, file: path, credentials: home }), 'secret');
    assert.throws(() => loadCookie({ home, file: path, credentials: join(home, 'others') }), {
      code: 'CONFIG_COOKIE_NOT_PRIVATE',
    });
  });

  test('a file that is not there, and one that is empty', () => {
    const missing = join(home, 'missing');
    assert.throws(() => loadCookie({ home, file: missing }), {
      code: 'CONFIG_COOKIE_UNREADABLE',
      message: new RegExp(missing),
    });
    assert.throws(() => loadCookie({ home, file: file('empty', '\n') }), { code: 'CONFIG_COOKIE_INVALID' });
  });
});
