/** The service of the Debian package, as far as it can be told without installing it: `make fresh` does that. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { root } from '../../scripts/support/root.js';
import { loadConfig } from '../../src/config/load.js';

describe("the Debian package's service", () => {
  let folder: string;
  let unit: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'megaphone-service-'));
    unit = join(folder, 'megaphone.service');
    const text = readFileSync(join(root, 'packaging/debian/megaphone.service'), 'utf8');
    writeFileSync(unit, text.replaceAll('/usr/bin/megaphone', '/bin/true'));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('is one that systemd reads without a word', () => {
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], {
      encoding: 'utf8',
    });
    assert.equal(stdout + stderr, '');
    assert.equal(status, 0);
  });

  it('may do next to nothing', () => {
    const { status, stdout, stderr } = spawnSync(
      'systemd-analyze',
      ['security', '--offline=true', '--threshold=20', unit],
      { encoding: 'utf8' },
    );
    assert.equal(status, 0, stdout + stderr);
  });

  it('has a configuration that differs from the example in what a service has otherwise, and in nothing else', () => {
    const script = join(root, 'packaging/megaphone.yml.sed');
    const example = join(root, 'megaphone.example.yml');
    const file = join(folder, 'megaphone.yml');
    writeFileSync(file, execFileSync('sed', ['-E', '-f', script, example]));
    const load = (from: string) => loadConfig({ flags: {}, env: {}, file: from, directory: folder }).config;
    assert.deepEqual(load(file), {
      ...load(example),
      admin_port: 9080,
      cookie_file: '/etc/megaphone/cookie',
    });
    assert.doesNotMatch(readFileSync(file, 'utf8'), /Copy it/);
  });
});
