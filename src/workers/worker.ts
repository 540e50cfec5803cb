/**
 * The program of a worker process: a gateway with a hidden node of its own, which serves the connections that its
 * primary accepts. It does what its primary says, and ends with it.
 */

import type { Socket } from 'node:net';
import { MegaphoneError } from '../errors.js';
import { createLogger } from '../observe/log.js';
import { standardOutput } from '../observe/log-output.js';
import { readCookie } from '../service/read-cookie.js';
import { Service } from '../service/service.js';
import { type Begin, REPORT_MS, type ToWorker, tellPrimary, toReport } from './messages.js';

let service: Service | undefined;
let isStopping = false;

process.on('message', (message: ToWorker, socket: Socket | undefined) => {
  switch (message.type) {
    case 'begin':
      void begin(message);
      break;
    case 'connection':
      take(socket);
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
process.on('disconnect', () => process.exit());
// A second one ends the process at once.
process.once('SIGTERM', () => void stop());
// These reach every process of a terminal; the primary, which hears them too, says what to do.
process.on('SIGINT', () => {});
process.on('SIGHUP', () => {});

void tellPrimary({ type: 'ready' });

async function begin({ config, ticketKeys }: Begin): Promise<void> {
  try {
    const log = createLogger(config.log_level, config.node);
    service = await Service.start(config, readCookie(config), log, {
      listens: false,
      ticketKeys: Buffer.from(ticketKeys, 'base64'),
    });
  } catch (error) {
    if (!(error instanceof MegaphoneError)) throw error;
    await tellPrimary({ type: 'failed', error: toReport(error) });
    await standardOutput.flushed();
    process.exit(1);
  }
  const { reports } = service;
  const report = () => void tellPrimary({ type: 'report', stats: reports.stats() });
  report();
  void tellPrimary({ type: 'up' });
  setInterval(report, REPORT_MS);
}

function take(socket: Socket | undefined): void {
  if (isStopping) {
    // The primary, which has it open, gives it to another worker, and that one must get all that the client sent.
    socket?.destroy();
    return;
  }
  if (socket !== undefined) service?.bosh.serve(socket);
  void tellPrimary({ type: 'taken' });
}

async function tellModules(): Promise<void> {
  const modules = (await service?.reports.modules()) ?? {};
  await tellPrimary({ type: 'modules', modules });
}

/** Held requests end with 503, so that their clients repeat them at another worker. */
async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  void tellPrimary({ type: 'stopping' });
  await service?.stop();
  await standardOutput.flushed();
  process.exit();
}
