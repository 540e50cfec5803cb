/**
 * The program of a worker process: a gateway with a hidden node of its own, on the HTTP port that it shares with the
 * other workers. It does what its primary says, and ends with it: node:cluster exits when the channel closes.
 */

import { readCookie } from '../cli/read-cookie.js';
import { Service } from '../cli/service.js';
import type { Config } from '../config/schema.js';
import { MegaphoneError } from '../errors.js';
import { createLogger } from '../observe/log.js';
import { REPORT_MS, type ToWorker, tellPrimary, toReport } from './messages.js';

let service: Service | undefined;
let isStopping = false;

process.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'begin':
      void begin(message.config);
      break;
    case 'reload':
      service?.reload();
      break;
    case 'askModules':
      void tellModules();
      break;
    case 'stop':
      void stop();
      break;
  }
});
process.on('SIGTERM', () => void stop());
// These reach every process of a terminal; the primary, which hears them too, says what to do.
process.on('SIGINT', () => {});
process.on('SIGHUP', () => {});

void tellPrimary({ type: 'ready' });

async function begin(config: Config): Promise<void> {
  try {
    const log = createLogger(config.log_level, config.node);
    service = await Service.start(config, readCookie(config), log);
  } catch (error) {
    if (!(error instanceof MegaphoneError)) throw error;
    await tellPrimary({ type: 'failed', error: toReport(error) });
    process.exit(1);
  }
  const { reports, port } = service;
  const report = () => void tellPrimary({ type: 'report', stats: reports.stats() });
  report();
  void tellPrimary({ type: 'up', port });
  setInterval(report, REPORT_MS);
}

async function tellModules(): Promise<void> {
  const modules = (await service?.reports.modules()) ?? {};
  await tellPrimary({ type: 'modules', modules });
}

/** Held requests end with 503, so that their clients repeat them at another worker. */
async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  await service?.stop();
  process.exit();
}
