/** What a figure was measured on, in one line. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** @param others packages that take part as well */
export function describeMachine(...others: readonly string[]): string {
  const [, system = 'Linux'] = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8')) ?? [];
  return [
    `${cpus().length} cores`,
    system,
    `OTP ${packageVersion('erlang-base')}`,
    `ejabberd ${packageVersion('ejabberd')}`,
    `Node.js ${process.versions.node}`,
    ...others.map((name) => `${name} ${packageVersion(name)}`),
  ].join(', ');
}

/** Of the upstream: without Debian's epoch and revision. */
function packageVersion(name: string): string {
  const [, version = ''] = execFileSync('dpkg-query', ['-W', name], { encoding: 'utf8' }).trim().split('\t');
  return version.replace(/^\d+:|[-+].*$/g, '');
}
