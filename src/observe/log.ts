/** pino's logger: readable lines on a terminal, JSON otherwise. */

import { isatty } from 'node:tty';
import { type Logger, type LoggerOptions, pino, stdSerializers } from 'pino';
import { build as prettyStream } from 'pino-pretty';
import { MegaphoneError } from '../errors.js';
import { standardOutput } from './log-output.js';
import { noting, ownWarnings } from './warnings.js';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** @param worker the node name of the worker process that logs, where there are several */
export function createLogger(level: LogLevel, worker?: string): Logger {
  const stream = isatty(1)
    ? prettyStream({ destination: standardOutput, translateTime: 'SYS:HH:MM:ss' })
    : standardOutput;
  const log = pino(loggerOptions(level, worker), noting(ownWarnings, stream));
  standardOutput.on('goesOn', (count: number) =>
    log.warn({ code: 'LOG_LINES_LOST', count }, `${count} lines of the log were lost: nobody took them`),
  );
  // What a crash left.
  process.on('exit', () => standardOutput.flush());
  return log;
}

export function loggerOptions(level: LogLevel, worker?: string): LoggerOptions {
  const base = worker === undefined ? null : { worker };
  return { level, base, serializers: { err: serializeError } };
}

/** Our own errors are complete without a stack; it only hides the line that matters. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof MegaphoneError)) return error instanceof Error ? stdSerializers.err(error) : error;
  const { code, message, node, hint } = error;
  return { type: 'MegaphoneError', code, message, ...(node && { node }), ...(hint && { hint }) };
}
