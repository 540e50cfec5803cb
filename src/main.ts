#!/usr/bin/env node
/** The command line: `megaphone start | drain | resume | check [URL] | top | nodes | publish ID TEXT | cat | ping NODE | names`. */

import type { Logger } from 'pino';
import { type Arguments, helpText, parseArguments } from './cli/arguments.js';
import { cat } from './cli/cat.js';
import { check } from './cli/check.js';
import { checkUrl, originOf, readAccount, readUrl } from './cli/check-url.js';
import { cometLine } from './cli/comet-line.js';
import { type Finding, failureLines, linesOf } from './cli/finding.js';
import { nodes } from './cli/nodes.js';
import { order } from './cli/order.js';
import { readPassword } from './cli/password.js';
import { printable } from './cli/printable.js';
import { MAX_TEXT, publish } from './cli/publish.js';
import { terminalOf } from './cli/terminal.js';
import { top } from './cli/top.js';
import { type LoadedConfig, loadConfig } from './config/load.js';
import { nodeNames } from './config/node-names.js';
import { type Config, hasComet } from './config/schema.js';
import { MegaphoneError } from './errors.js';
import { hasErlpack, NO_ERLPACK } from './etf/plain.js';
import { names } from './node/epmd-client.js';
import { HiddenNode } from './node/hidden-node.js';
import { Faults } from './observe/faults.js';
import { createLogger } from './observe/log.js';
import { standardOutput } from './observe/log-output.js';
import { about } from './service/about.js';
import { Drain, noticeTime } from './service/drain.js';
import type { Order } from './service/lifecycle.js';
import { commandNode, nodeOptions } from './service/node-options.js';
import { readCookie } from './service/read-cookie.js';
import { Service } from './service/service.js';
import { ServiceManager } from './service/service-manager.js';
import { version } from './version.js';
import { Primary } from './workers/primary.js';

const { env } = process;

/** Once its clients were sent elsewhere: what is half sent has a second, ejabberd's answers another, and there is leeway. */
const ENDING_SECONDS = 10;

async function main(): Promise<void> {
  const given = parseArguments(process.argv.slice(2));
  switch (given.command) {
    case 'start':
      return start(load(given));
    case 'check':
      return printFindings(
        given.operand === undefined
          ? check(() => load(given), readCookie, given.local)
          : await urlCheck(given, given.operand),
      );
    case 'top':
      return showTop(load(given).config);
    case 'nodes':
      return printNodes(load(given).config);
    case 'ping':
      return ping(load(given).config, given.operand ?? '');
    case 'drain':
    case 'resume':
      return printOrder(given.command, load(given).config);
    case 'publish':
      return publishOne(given, load(given).config);
    case 'cat':
      return printCat(load(given).config);
    case 'names':
      return printNames(load(given).config, given.operand ?? '127.0.0.1');
    case 'version':
      return print(version());
    case 'help':
      return print(...helpText().trimEnd().split('\n'));
  }
}

function load({ flags, file }: Arguments): LoadedConfig {
  return loadConfig({ flags, env, file, directory: process.cwd() });
}

async function start({ config, file, warnings }: LoadedConfig): Promise<void> {
  const log = createLogger(config.log_level);
  for (const warning of warnings) log.warn(warning);
  const names = nodeNames(config);
  const drain = new Drain(noticeTime(config), log);
  const how = about(config, file);
  const service =
    config.workers === 1
      ? await Service.start(config, readCookie(config), log, { listens: true, orders: drain, about: how })
      : await Primary.start(config, log, drain, how);
  drain.takeCharge(service);
  if (!hasErlpack) log.info(NO_ERLPACK);
  log.info(
    { version: version(), config: file ?? 'defaults' },
    `${config.node} is up${names.length > 1 ? `: ${names.join(', ')}` : ''}`,
  );
  const secure = config.tls_cert === '' ? '' : 's';
  const place = `${hostForUrl(config.http_ip)}:${service.port}`;
  log.info(`BOSH endpoint: http${secure}://${place}/bosh`);
  const [webSocketPath] = config.websocket_paths;
  if (webSocketPath !== undefined) log.info(`WebSocket endpoint: ws${secure}://${place}${webSocketPath}`);
  if (hasComet(config)) log.info(cometLine(`http${secure}://${place}`, config));
  const manager = ServiceManager.find(
    env,
    new Faults(log).lasting(() => service.reports.stats()),
  );
  process.on('SIGHUP', () => {
    manager?.reloading();
    service.reload();
    manager?.ready();
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      manager?.stopping(noticeTime(config) + config.drain_time + ENDING_SECONDS);
      stop(drain, signal, log);
    });
  }
  await drain.ended;
  log.info('stopped');
}

/** A second signal ends the process at once, as if nobody listened to it. */
function stop(drain: Drain, signal: 'SIGTERM' | 'SIGINT', log: Logger): void {
  log.info(`${signal}: stopping`);
  if (drain.stop() !== 'cut') return;
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

async function urlCheck({ user, origin }: Arguments, operand: string): Promise<AsyncGenerator<Finding>> {
  const url = readUrl(operand);
  const account = readAccount(user, url);
  const password =
    account.user === undefined ? '' : await readPassword(env, `${account.user}@${account.domain}`);
  return checkUrl({ url, account: { ...account, password }, origin: origin ?? originOf(url) });
}

async function printFindings(findings: AsyncGenerator<Finding>): Promise<void> {
  for await (const finding of findings) {
    if (finding.mark === '✘') process.exitCode = 1;
    print(...linesOf(finding));
  }
}

async function ping(config: Config, target: string): Promise<void> {
  const node = await HiddenNode.start(nodeOptions(config, commandNode(config, 'ping'), readCookie(config)));
  try {
    await node.connect(target, config.nodes.find(({ name }) => name === target)?.endpoint);
    if (!(await node.ping(target))) {
      throw new MegaphoneError('NODE_NO_PONG', `${target} accepted the connection but did not answer`, {
        node: target,
      });
    }
    print('pong');
  } finally {
    await node.stop();
  }
}

async function printOrder(what: Order, config: Config): Promise<void> {
  const lines = order(what, config, readCookie(config));
  let next = await lines.next();
  for (; next.done !== true; next = await lines.next()) print(next.value);
  if (!next.value) process.exitCode = 1;
}

async function publishOne({ operand = '', text = '', event }: Arguments, config: Config): Promise<void> {
  const message = { id: operand, text: text === '-' ? await readInput() : text, event };
  await publish(message, config, readCookie(config));
}

/** As it is, but for the last line's end. @throws MegaphoneError CONFIG_USAGE */
async function readInput(): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of process.stdin as AsyncIterable<Buffer>) {
    pieces.push(piece);
    length += piece.length;
    if (length > MAX_TEXT)
      throw new MegaphoneError('CONFIG_USAGE', `a text has at most ${MAX_TEXT} bytes`, { hint: 'cut it' });
  }
  return Buffer.concat(pieces).toString('utf8').replace(/\n$/, '');
}

async function printCat(config: Config): Promise<void> {
  const problems = cat(process.stdin, config, readCookie(config));
  let next = await problems.next();
  for (; next.done !== true; next = await problems.next()) process.stderr.write(`${printable(next.value)}\n`);
  if (!next.value) process.exitCode = 1;
}

async function showTop(config: Config): Promise<void> {
  const cookie = readCookie(config);
  const { terminal, close } = terminalOf();
  try {
    await top(config, cookie, terminal);
  } finally {
    close();
  }
}

async function printNodes(config: Config): Promise<void> {
  for await (const line of nodes(config, readCookie(config))) print(line);
}

async function printNames(config: Config, host: string): Promise<void> {
  for (const { alive, port } of await names(host, config.epmd_port)) print(`${alive} at port ${port}`);
}

function hostForUrl(ip: string): string {
  if (ip === '::' || ip === '0.0.0.0') return 'localhost';
  return ip.includes(':') ? `[${ip}]` : ip;
}

/** All that commands print comes through here, or by `top`'s screen; much of it is what others told. */
function print(...lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${printable(line)}\n`).join(''));
}

main()
  .catch((error: unknown) => {
    if (!(error instanceof MegaphoneError)) throw error;
    process.stderr.write(`${failureLines(error).join('\n')}\n`);
    process.exitCode = 1;
  })
  .finally(() => standardOutput.flushed());
