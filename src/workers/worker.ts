/**
 * The program of a worker process: a gateway with a hidden node of its own, which serves the connections that its
 * primary accepts. It does what its primary says, and ends with it.
 */

import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { MegaphoneError } from '../errors.js';
import { Faults } from '../observe/faults.js';
import { createLogger } from '../observe/log.js';
import { standardOutput } from '../observe/log-output.js';
import { type Asked, type GatewayState, NOT_ASKED } from '../observe/report.js';
import type { Order, Phase } from '../service/lifecycle.js';
import { readCookie } from '../service/read-cookie.js';
import { Service } from '../service/service.js';
import { outcomeOf } from './errands.js';
import {
  type Begin,
  type Errand,
  type Outcome,
  REPORT_MS,
  type ToWorker,
  tellPrimary,
  toReport,
} from './messages.js';

/** One that reaches no ejabberd node yet would refuse whom other workers can serve; then, clients are to hear it. */
const NODE_MS = 5_000;
const NODE_TICK_MS = 20;

let service: Service | undefined;
let faults: Faults | undefined;
/** That of the whole gateway. */
let phase: Phase = 'serving';
let isAccepting = false;
let isStopping = false;
const ordered: ((state: GatewayState) => void)[] = [];

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
    case 'ask':
      void tellAsked();
      break;
    case 'errand':
      void run(message.errand).then((outcome) =>
        tellPrimary({ type: 'errandDone', number: message.number, outcome }),
      );
      break;
    case 'enter':
      void enter(message.phase);
      break;
    case 'ordered':
      for (const resolve of ordered.splice(0)) resolve(message.state);
      break;
  }
});
process.on('disconnect', () => process.exit());
// A second one ends the process at once.
process.once('SIGTERM', () => void stop(true));
// These reach every process of a terminal; the primary, which hears them too, says what to do.
process.on('SIGINT', () => {});
process.on('SIGHUP', () => {});

void tellPrimary({ type: 'ready' });

async function begin({ config, processes, about, ticketKeys, phase: current }: Begin): Promise<void> {
  phase = current;
  try {
    const log = createLogger(config.log_level, config.node);
    faults = new Faults(log);
    service = await Service.start(config, readCookie(config), log, {
      listens: false,
      ticketKeys: Buffer.from(ticketKeys, 'base64'),
      orders: { order: askPrimary },
      processes,
      about,
    });
  } catch (error) {
    if (!(error instanceof MegaphoneError)) throw error;
    await tellPrimary({ type: 'failed', error: toReport(error) });
    await standardOutput.flushed();
    process.exit(1);
  }
  // It begins with nobody to send elsewhere.
  if (phase !== 'serving') await service.enter('releasing').catch(tellFault);
  await service.enter(phase).catch(tellFault);
  const { reports, gateway } = service;
  const latest = performance.now() + NODE_MS;
  const accept = () => {
    // Where there is comet alone, a page's place is looked up as soon as there is a router.
    const hasNode = config.nodes.length === 0 || gateway.cluster.inService > 0;
    if (hasNode || performance.now() >= latest) tellAccepting();
  };
  // Whoever does not report is taken for stuck.
  const stats = faults.lasting(reports.stats);
  const report = () => {
    // First: whoever is told of a node here is to be served from it, too.
    accept();
    void tellPrimary({ type: 'report', stats: stats() });
  };
  report();
  void tellPrimary({ type: 'up' });
  setInterval(report, REPORT_MS);
  for (; !isAccepting && !isStopping; accept()) await sleep(NODE_TICK_MS);
}

function tellAccepting(): void {
  if (isAccepting || isStopping) return;
  isAccepting = true;
  void tellPrimary({ type: 'accepting' });
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

async function tellAsked(): Promise<void> {
  let asked: Asked | undefined;
  try {
    asked = await service?.reports.asked();
  } catch (error) {
    faults?.tell(error);
  }
  await tellPrimary({ type: 'asked', asked: asked ?? NOT_ASKED });
}

async function run(errand: Errand): Promise<Outcome> {
  if (service !== undefined && faults !== undefined) return outcomeOf(errand, service.desk, faults);
  return { error: toReport(new MegaphoneError('GATEWAY_NO_LIST', 'the worker has just begun')) };
}

async function enter(next: Phase): Promise<void> {
  phase = next;
  if (next === 'finishing') return stop(false);
  // The primary, and who gave the order, are not to wait for what failed.
  await service?.enter(next).catch(tellFault);
  await tellPrimary({ type: 'entered', phase: next });
}

const tellFault = (error: unknown): void => {
  faults?.tell(error);
};

function askPrimary(order: Order): Promise<GatewayState> {
  void tellPrimary({ type: 'order', order });
  return new Promise((resolve) => {
    ordered.push(resolve);
  });
}

/** @param isAlone the gateway goes on: this one's clients go to the other workers, one after the other */
async function stop(isAlone: boolean): Promise<void> {
  if (!isStopping) void tellPrimary({ type: 'stopping' });
  isStopping = true;
  if (isAlone) await service?.enter('lastReleasing').catch(tellFault);
  await service?.enter('finishing').catch(tellFault);
  await standardOutput.flushed();
  process.exit();
}
