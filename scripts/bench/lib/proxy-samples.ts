/** The proxies of examples/, started as they stand there but for ports and files: a test and a benchmark have their own. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestCertificate } from '../../support/certificate.js';
import { root } from '../../support/root.js';
import { Program } from './program.js';

export interface SampleGateway {
  readonly http: number;
  /** HAProxy asks there how it is; without, it takes it for healthy. */
  readonly asked?: { readonly admin: number; readonly agent: number };
}

export interface SamplePlace {
  readonly folder: string;
  readonly certificate: TestCertificate;
  /** Where it listens. */
  readonly port: number;
  /** The two of the examples, or one that takes the place of both. */
  readonly gateways: readonly [SampleGateway, SampleGateway?];
}

export interface ProxySample {
  readonly name: 'HAProxy' | 'nginx' | 'Caddy';
  /** `undefined`: it is not installed. */
  version(): string | undefined;
  start(place: SamplePlace): Promise<Program>;
}

type Change = readonly [from: RegExp, to: string];

/** @returns the file's name */
function configure(name: string, { folder, gateways }: SamplePlace, changes: readonly Change[]): string {
  const [first, second = first] = gateways;
  const all: readonly Change[] = [
    ...changes,
    [/127\.0\.0\.1:8081/g, `127.0.0.1:${first.http}`],
    [/127\.0\.0\.1:8082/g, `127.0.0.1:${second.http}`],
  ];
  let text = readFileSync(join(root, 'examples', name), 'utf8');
  for (const [from, to] of all) {
    if (text.search(from) < 0) throw new Error(`examples/${name} has no ${from}`);
    text = text.replace(from, to);
  }
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

function versionOf(name: string, command: string, pattern: RegExp): string | undefined {
  try {
    // nginx says it on its standard error.
    const [, version] =
      pattern.exec(execFileSync('sh', ['-c', `${command} 2>&1`], { encoding: 'utf8' })) ?? [];
    return version && `${name} ${version}`;
  } catch {
    return undefined;
  }
}

const haproxy: ProxySample = {
  name: 'HAProxy',
  version: () => versionOf('HAProxy', '/usr/sbin/haproxy -v', /version ([\d.]+)/),
  start(place) {
    const { folder, certificate, port, gateways } = place;
    const pem = join(folder, 'web-with-key.pem');
    writeFileSync(pem, `${certificate.pem}${readFileSync(certificate.key, 'utf8')}`);
    const [first, second = first] = gateways;
    const checks: readonly Change[] =
      first.asked === undefined || second.asked === undefined
        ? [
            [/ *(option httpchk|http-check|default-server) .*\n/g, ''],
            [/ port \d+ agent-port \d+/g, ''],
          ]
        : [
            [/port 9081 agent-port 9181/, `port ${first.asked.admin} agent-port ${first.asked.agent}`],
            [/port 9082 agent-port 9182/, `port ${second.asked.admin} agent-port ${second.asked.agent}`],
          ];
    const file = configure('haproxy.cfg', place, [
      [/bind \S+ ssl crt \S+/, `bind 127.0.0.1:${port} ssl crt ${pem}`],
      ...checks,
    ]);
    // Debian has it where only root looks.
    return Program.start(['/usr/sbin/haproxy', '-q', '-db', '-f', file], port, undefined);
  },
};

const nginx: ProxySample = {
  name: 'nginx',
  version: () => versionOf('nginx', '/usr/sbin/nginx -v', /nginx\/([\d.]+)/),
  start(place) {
    const { folder, certificate, port } = place;
    mkdirSync(join(folder, 'var'), { recursive: true });
    const file = configure('nginx.conf', place, [
      [/worker_connections \d+/, 'worker_connections 12000'],
      [/listen \S+ ssl/, `listen 127.0.0.1:${port} ssl`],
      [/ssl_certificate .*/, `ssl_certificate ${certificate.cert};`],
      [/ssl_certificate_key .*/, `ssl_certificate_key ${certificate.key};`],
      [/access_log off/, 'access_log var/access.log'],
    ]);
    const log = join(folder, 'var/nginx.log');
    const flags = ['-p', folder, '-c', file, '-e', log, '-g', 'daemon off;'];
    return Program.start(['/usr/sbin/nginx', ...flags], port, undefined);
  },
};

const caddy: ProxySample = {
  name: 'Caddy',
  version: () => versionOf('Caddy', '/usr/bin/caddy version', /^v?([\d.]+)/),
  start(place) {
    const { folder, certificate, port } = place;
    const file = configure('Caddyfile', place, [
      // The port of its own that others may have; and it tells much.
      [/\n\{\n/, '\n{\n\tadmin off\n\tlog {\n\t\tlevel ERROR\n\t}\n'],
      [/localhost:8445/, `localhost:${port}`],
      [/tls \S+ \S+/, `tls ${certificate.cert} ${certificate.key}`],
    ]);
    const command = ['/usr/bin/caddy', 'run', '--config', file, '--adapter', 'caddyfile'];
    return Program.start(
      ['env', `XDG_DATA_HOME=${folder}`, `XDG_CONFIG_HOME=${folder}`, ...command],
      port,
      undefined,
    );
  },
};

export const PROXY_SAMPLES: readonly ProxySample[] = [haproxy, nginx, caddy];
