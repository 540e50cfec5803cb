/**
 * `megaphone check`: walks through what the gateway needs, in the order in which it needs it. It joins the cluster
 * under a name of its own, so it may run beside the gateway.
 */

import type { LoadedConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { hasErlpack, NO_ERLPACK } from '../etf/plain.js';
import { loadCertificate } from '../http/certificate.js';
import { readTokenKey } from '../http/comet/token-key.js';
import type { Cookie } from '../node/cookie.js';
import { HiddenNode, type NodeOptions } from '../node/hidden-node.js';
import { certificateFiles } from '../service/http-options.js';
import { commandNode, nodeOptions } from '../service/node-options.js';
import { type Finding, failed, good, poor } from './finding.js';
import { ejabberd } from './setup/ejabberd.js';
import { kernel } from './setup/kernel.js';
import { limits } from './setup/limits.js';
import { ownNames, type Running } from './setup/own-name.js';
import { ports } from './setup/ports.js';

/**
 * Findings as they come; what depends on a failed one is left out.
 * @param isLocal only what is of this machine: a gateway may start before ejabberd does
 */
export async function* check(
  load: () => LoadedConfig,
  readCookie: (config: Config) => Cookie,
  isLocal: boolean,
): AsyncGenerator<Finding> {
  try {
    const loaded = load();
    const { config, file, warnings } = loaded;
    yield good(`configuration: ${file ?? 'the defaults, for there is no megaphone.yml here'}`);
    for (const warning of warnings) yield poor(warning, 'correct it, or take it out of the environment');
    if (!hasErlpack) yield good(NO_ERLPACK);
    yield* checkCertificate(config);
    yield* checkTokenKey(config);
    const running = yield* checkNode(loaded, readCookie, isLocal);
    yield* ports(config, running);
    yield* limits(config, running !== undefined);
    yield* kernel(config);
  } catch (error) {
    yield failed(error);
  }
}

function* checkCertificate(config: Config): Generator<Finding> {
  const files = certificateFiles(config);
  if (files === undefined) return;
  try {
    loadCertificate(files);
    yield good(`the certificate in ${files.cert} can be used`);
  } catch (error) {
    yield failed(error);
  }
}

function* checkTokenKey({ comet_key_file: file }: Config): Generator<Finding> {
  if (file === '') return;
  try {
    yield good(`comet: tokens are to be signed with ${readTokenKey(file).algorithm}, by the key in ${file}`);
  } catch (error) {
    yield failed(error);
  }
}

/** @returns `undefined`: this gateway does not run, or was not found */
async function* checkNode(
  { config, file }: LoadedConfig,
  readCookie: (config: Config) => Cookie,
  isLocal: boolean,
): AsyncGenerator<Finding, Running | undefined> {
  let node: HiddenNode | undefined;
  let running: Running | undefined;
  try {
    const cookie = readCookie(config);
    const { file: cookieFile } = cookie;
    yield good(
      cookieFile === undefined
        ? 'cookie: given in MEGAPHONE_COOKIE'
        : `cookie: in ${cookieFile}, readable for its owner only`,
    );
    yield* checkNodeTls(nodeOptions(config, config.node, cookie));
    node = await HiddenNode.start(nodeOptions(config, commandNode(config, 'check'), cookie));
    if (config.epmd_port !== 0) yield good(`EPMD answers on port ${config.epmd_port}`);
    running = yield* ownNames(node, config, file);
    for (const each of isLocal ? [] : config.nodes) yield* ejabberd(node, each, config);
  } catch (error) {
    yield failed(error);
  } finally {
    await node?.stop();
  }
  return running;
}

/** Whoever may use the key could pass for this node, but it works; other nodes refuse a certificate that does not fit. */
function* checkNodeTls({ name, tls }: NodeOptions): Generator<Finding> {
  if (tls === undefined) return;
  yield good(`TLS with other nodes: the certificate in ${tls.files.cert} can be used, until ${tls.validTo}`);
  for (const warning of tls.warnings(name)) {
    const finding = failed(warning);
    yield warning.code === 'NODE_KEY_NOT_PRIVATE' ? { ...finding, mark: '⚠' } : finding;
  }
}
