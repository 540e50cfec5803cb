/**
 * Prosody, Debian's: what an operator would pick instead. The modules that its configuration file has by default, as far
 * as they have a part in web clients' chats, with mod_bosh and mod_websocket; anonymous users, so that its storage
 * (internal) sees little. Without mod_limits, which would slow the load down.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Transport } from '../../load/user.js';
import { freePorts } from '../../support/ports.js';
import { Program } from './program.js';
import { Server } from './server.js';

const configuration = (folder: string, http: number, c2s: number): string => `run_as_root = true
pidfile = "${folder}/prosody.pid"
data_path = "${folder}"
certificates = "${folder}"
log = { { levels = { min = "error" }, to = "file", filename = "${folder}/prosody.log" } }
network_settings = { tcp_backlog = 1024 }
interfaces = { "127.0.0.1" }
http_interfaces = { "127.0.0.1" }
http_ports = { ${http} }
https_ports = {}
c2s_ports = { ${c2s} }
modules_enabled = {
  "roster", "saslauth", "disco", "blocklist", "carbons", "pep", "private", "smacks", "vcard4", "vcard_legacy", "csi_simple",
  "ping", "time", "uptime", "version", "bosh", "websocket"
}
modules_disabled = { "s2s" }
consider_bosh_secure = true
consider_websocket_secure = true
c2s_require_encryption = false
VirtualHost "localhost"
  authentication = "anonymous"
`;

const PATHS: Readonly<Record<Transport, string>> = { bosh: '/http-bind', websocket: '/xmpp-websocket' };

export class ProsodyServer extends Server {
  readonly #program: Program;
  readonly #folder: string;

  private constructor(url: string, transport: Transport, program: Program, folder: string) {
    super(url, transport, program.pid, undefined);
    this.#program = program;
    this.#folder = folder;
  }

  static async start(transport: Transport, cores: string | undefined): Promise<ProsodyServer> {
    const folder = mkdtempSync(join(tmpdir(), 'megaphone-prosody-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    const [http = 0, c2s = 0] = await freePorts(2);
    const file = join(folder, 'prosody.cfg.lua');
    writeFileSync(file, configuration(folder, http, c2s));
    const program = await Program.start(['prosody', '--config', file, '-F'], http, cores);
    const scheme = transport === 'bosh' ? 'http' : 'ws';
    return new ProsodyServer(`${scheme}://127.0.0.1:${http}${PATHS[transport]}`, transport, program, folder);
  }

  async statistics(): Promise<readonly []> {
    return [];
  }

  async stop(): Promise<void> {
    this.#program.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
