/**
 * `megaphone check`: walks through what the gateway needs, in the order in which it needs it. It joins the cluster
 * under a name of its own, so it may run beside the gateway.
 */

import { createServer } from 'node:http';
import type { LoadedConfig } from '../config/load.js';
import { nodeNames } from '../config/node-names.js';
import type { Config, EjabberdNode } from '../config/schema.js';
import { parseNodeName } from '../distribution/names.js';
import { MegaphoneError } from '../errors.js';
import { hasErlpack, NO_ERLPACK } from '../etf/plain.js';
import { atom, Pid } from '../etf/terms.js';
import { CONTRACT_VERSION, HOW_TO_START, isUndefinedFunction, MODULE } from '../gateway/contract.js';
import { PROCESS_NAME } from '../gateway/megaphone-process.js';
import { loadCertificate } from '../http/certificate.js';
import { listen } from '../http/listen.js';
import type { Cookie } from '../node/cookie.js';
import { names } from '../node/epmd-client.js';
import { HiddenNode, type NodeOptions } from '../node/hidden-node.js';
import { nodeOptions } from '../service/node-options.js';
import { certificateFiles } from '../service/service.js';

export interface Finding {
  readonly ok: boolean;
  readonly text: string;
  readonly hint?: string | undefined;
  readonly code?: string | undefined;
}

const CALL_TIMEOUT_MS = 5_000;

export const good = (text: string): Finding => ({ ok: true, text });
export const bad = (text: string, hint: string): Finding => ({ ok: false, text, hint });

/** As it is printed: what a stranger's server said can do nothing to a terminal. */
export function linesOf({ ok, text, hint, code }: Finding): string[] {
  const lines = text
    .split('\n')
    .map((line) => `${ok ? '✔' : '✘'} ${line}${code === undefined ? '' : ` [${code}]`}`);
  return [...lines, ...(hint === undefined ? [] : [`  → ${hint}`])].map((line) =>
    line.replace(/\p{Cc}/gu, '\ufffd'),
  );
}

function failed(error: unknown): Finding {
  if (!(error instanceof MegaphoneError)) throw error;
  return { ok: false, text: error.message, hint: error.hint, code: error.code };
}

/** Findings as they come; what depends on a failed one is left out. */
export async function* check(
  load: () => LoadedConfig,
  readCookie: (config: Config) => Cookie,
): AsyncGenerator<Finding> {
  try {
    const { config, file, warnings } = load();
    yield good(`configuration: ${file ?? 'the defaults, for there is no megaphone.yml here'}`);
    if (!hasErlpack) yield good(NO_ERLPACK);
    for (const warning of warnings) yield bad(warning, 'correct it, or take it out of the environment');
    const cookie = readCookie(config);
    const { file: cookieFile } = cookie;
    yield good(
      cookieFile === undefined
        ? 'cookie: given in MEGAPHONE_COOKIE'
        : `cookie: in ${cookieFile}, readable for its owner only`,
    );
    yield* checkCertificate(config);
    yield* checkNodeTls(nodeOptions(config, config.node, cookie));
    yield* checkCluster(config, cookie);
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

function* checkNodeTls({ name, tls }: NodeOptions): Generator<Finding> {
  if (tls === undefined) return;
  yield good(`TLS with other nodes: the certificate in ${tls.files.cert} can be used, until ${tls.validTo}`);
  for (const warning of tls.warnings(name)) yield failed(warning);
}

async function* checkCluster(config: Config, cookie: Cookie): AsyncGenerator<Finding> {
  const { alive, host } = parseNodeName(config.node);
  const registered = config.epmd_port === 0 ? [] : await names('127.0.0.1', config.epmd_port);
  if (config.epmd_port !== 0) yield good(`EPMD answers on port ${config.epmd_port}`);
  const node = await HiddenNode.start(nodeOptions(config, `${alive}-check-${process.pid}@${host}`, cookie));
  try {
    let isRunning = false;
    for (const name of nodeNames(config)) {
      const isTaken = registered.some((other) => other.alive === parseNodeName(name).alive);
      if (!isTaken) {
        yield good(`the name ${name} is free`);
      } else if (await isGateway(node, name)) {
        isRunning = true;
        yield good(`${name} is this gateway, running already`);
      } else {
        yield bad(`another node is called ${name}`, 'stop it, or change the key node');
      }
    }
    const way = config.distribution_tls_cert === '' ? '' : ' over TLS';
    for (const ejabberd of config.nodes) yield* checkNode(node, ejabberd, way);
    if (!isRunning) yield await checkPort(config);
  } finally {
    await node.stop();
  }
}

async function isGateway(node: HiddenNode, name: string): Promise<boolean> {
  try {
    await node.connect(name);
    await node.call(name, PROCESS_NAME, atom('health'), CALL_TIMEOUT_MS);
    return true;
  } catch (error) {
    if (error instanceof MegaphoneError) return false;
    throw error;
  }
}

async function* checkNode(
  node: HiddenNode,
  { name, endpoint }: EjabberdNode,
  way: string,
): AsyncGenerator<Finding> {
  try {
    await node.connect(name, endpoint);
    yield good(`${name} is reached${way}, and accepts the cookie`);
    yield await checkModule(node, name);
  } catch (error) {
    yield failed(error);
  }
}

async function checkModule(node: HiddenNode, name: string): Promise<Finding> {
  const hub = await node.rpc(name, 'erlang', 'whereis', [atom(MODULE)], CALL_TIMEOUT_MS);
  const isRunning = hub instanceof Pid;
  try {
    const contract = await node.rpc(name, MODULE, 'contract', [], CALL_TIMEOUT_MS);
    if (contract !== CONTRACT_VERSION) {
      return bad(
        `${MODULE} on ${name} speaks version ${String(contract)} of the contract, this gateway ${CONTRACT_VERSION}`,
        `install the gateway and ${MODULE} of the same release`,
      );
    }
    if (isRunning)
      return good(`${MODULE} runs on ${name} and speaks version ${CONTRACT_VERSION} of the contract`);
    return bad(`${MODULE} is installed on ${name} but does not run`, HOW_TO_START);
  } catch (error) {
    if (!isUndefinedFunction(error)) throw error;
    if (isRunning) return good(`a process that is not our module registered itself as ${MODULE} on ${name}`);
    return bad(
      `${MODULE} is not installed on ${name}`,
      `install it there: ejabberdctl module_install ${MODULE}`,
    );
  }
}

async function checkPort({ http_ip, http_port }: Config): Promise<Finding> {
  const server = createServer();
  try {
    await listen(server, http_ip, http_port);
    server.close();
    return good(`HTTP port ${http_port} is free`);
  } catch (error) {
    return failed(error);
  }
}
