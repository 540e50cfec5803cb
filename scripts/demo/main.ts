/**
 * The gateway of `make run` and `make up`: that of `megaphone start`, and on its port also the pages under /demo/, of which the
 * gateway itself knows nothing. They are for a machine's own user: they tell the passwords of alice and bob.
 *
 *   DEMO_ACCOUNTS=FILE DEMO_SHELL='erl …' main.js start --config FILE
 */

import { parseArguments } from '../../src/cli/arguments.js';
import { loadConfig } from '../../src/config/load.js';
import { createLogger } from '../../src/observe/log.js';
import { standardOutput } from '../../src/observe/log-output.js';
import { about } from '../../src/service/about.js';
import { Drain, noticeTime } from '../../src/service/drain.js';
import { readCookie } from '../../src/service/read-cookie.js';
import { Service } from '../../src/service/service.js';
import { openDoor } from './door.js';
import { createSite } from './site.js';

const { env } = process;
const { flags, file } = parseArguments(process.argv.slice(2));
const { config, ...loaded } = loadConfig({ flags, env, file, directory: process.cwd() });
const log = createLogger(config.log_level);

if (config.workers === 1 && config.tls_cert === '') {
  const drain = new Drain(noticeTime(config), log);
  const how = { listens: false, orders: drain, about: about(config, loaded.file) };
  const service = await Service.start(config, readCookie(config), log, how);
  const shell = { command: env.DEMO_SHELL ?? 'erl -sname shell@localhost -hidden', node: config.node };
  const door = await openDoor(config, createSite(env.DEMO_ACCOUNTS ?? '', shell), (socket) =>
    service.bosh.serve(socket),
  );
  drain.takeCharge(service);
  log.info(`${config.node} is up`);
  log.info(`Two people chat at http://localhost:${config.http_port}/demo/`);
  log.info(`Events arrive at http://localhost:${config.http_port}/demo/comet`);
  process.on('SIGHUP', () => service.reload());
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => drain.stop());
  await drain.ended;
  door.close();
  log.info('stopped');
  await standardOutput.flushed();
  process.exit(0);
} else {
  log.warn('there is no demo with several workers or over HTTPS');
  await import('../../src/main.js');
}
