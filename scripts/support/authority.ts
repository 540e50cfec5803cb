/** A certificate authority of a test's own, and the certificates and `ssl_dist` options of Erlang nodes. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

/** Names of PEM files: the node's certificate, its key, and the roots it believes in. */
export interface NodeFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface Issued {
  /** Where the node is; an address works, too. */
  readonly host?: string;
  /** Out of date. */
  readonly isOver?: boolean;
  /** What it may be used for. */
  readonly usage?: string;
}

/** What the `ssl` application of Erlang takes, beside the files, as Erlang text. */
export interface DistOptions {
  readonly server?: string;
  readonly client?: string;
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

export class Authority {
  readonly folder = mkdtempSync(join(tmpdir(), 'megaphone-tls-'));
  readonly ca = join(this.folder, 'ca.pem');
  #count = 0;

  constructor() {
    const key = join(this.folder, 'ca.key');
    const subject = ['-subj', `/CN=${basename(this.folder)}`, '-addext', 'keyUsage=critical,keyCertSign'];
    openssl('req', '-x509', ...KEY, '-keyout', key, '-out', this.ca, '-days', '2', ...subject);
  }

  issue({ host = 'localhost', isOver = false, usage = 'serverAuth,clientAuth' }: Issued = {}): NodeFiles {
    this.#count += 1;
    const file = (ending: string): string => join(this.folder, `${this.#count}.${ending}`);
    const name = `subjectAltName=${/^[\d.]+$|:/.test(host) ? 'IP' : 'DNS'}:${host}`;
    const extensions = ['-addext', name, '-addext', `extendedKeyUsage=${usage}`];
    openssl('req', ...KEY, '-keyout', file('key'), '-out', file('csr'), '-subj', '/CN=node', ...extensions);
    const authority = ['-CA', this.ca, '-CAkey', join(this.folder, 'ca.key'), '-CAcreateserial'];
    const signed = ['-in', file('csr'), '-out', file('pem')];
    if (isOver) this.#signOutOfDate(signed);
    else openssl('x509', '-req', ...authority, ...signed, '-days', '2', '-copy_extensions', 'copy');
    return { cert: file('pem'), key: file('key'), ca: this.ca };
  }

  /** Older releases of OpenSSL set dates with this command alone. */
  #signOutOfDate(signed: readonly string[]): void {
    const config = join(this.folder, 'openssl.cnf');
    const section = ['database', 'new_certs_dir', 'default_md', 'policy', 'copy_extensions', 'rand_serial'];
    const values = [join(this.folder, 'index'), this.folder, 'sha256', 'any', 'copy', 'yes'];
    const lines = section.map((key, at) => `${key} = ${values[at]}`);
    writeFileSync(join(this.folder, 'index'), '');
    writeFileSync(
      config,
      ['[ca]', 'default_ca = own', '[own]', ...lines, '[any]', 'commonName = optional', ''].join('\n'),
    );
    const dates = ['-startdate', '20240101000000Z', '-enddate', '20240102000000Z'];
    const key = ['-cert', this.ca, '-keyfile', join(this.folder, 'ca.key')];
    openssl('ca', '-batch', '-config', config, ...key, ...signed, ...dates);
  }

  /** The arguments with which `erl` speaks TLS with those files, verifying its peers unless the options say otherwise. */
  erlArgs({ cert, key, ca }: NodeFiles, { server = '', client = '' }: DistOptions = {}): string[] {
    this.#count += 1;
    const file = join(this.folder, `${this.#count}.conf`);
    const files = `{certfile,"${cert}"},{keyfile,"${key}"},{cacertfile,"${ca}"}`;
    const verify = '{verify,verify_peer}';
    // Of options that are there twice, the first counts.
    const of = (own: string, usual: string): string => [own, usual].filter((text) => text !== '').join(',');
    const text = `[{server,[${of(server, `${files},${verify},{fail_if_no_peer_cert,true}`)}]},
      {client,[${of(client, `${files},${verify}`)}]}].`;
    writeFileSync(file, text);
    return ['-proto_dist', 'inet_tls', '-ssl_dist_optfile', file];
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
