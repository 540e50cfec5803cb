/** The kinds of settings: what each takes, from YAML or as text, and what an error says was expected. */

import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { LOG_LEVELS, type LogLevel } from '../observe/log.js';
import { readTargets } from '../outside/line.js';
import { readDuration, readRate, readSize } from './units.js';

/** A setting: what an error says was expected, and how a value is read; `undefined` refuses it. */
export function setting<T>(expected: string, read: (raw: unknown) => T | undefined) {
  return z.unknown().transform((raw, context): T => {
    const value = read(raw);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `expected ${expected}`, input: raw });
    return z.NEVER;
  });
}

const within = (value: number | undefined, min: number, max: number): number | undefined =>
  value !== undefined && value >= min && value <= max ? value : undefined;

function readInteger(raw: unknown, min: number, max: number): number | undefined {
  const value = typeof raw === 'string' && /^\d+$/.test(raw) ? Number(raw) : raw;
  return Number.isInteger(value) ? within(value as number, min, max) : undefined;
}

export function integer(min: number, max: number, what = 'a whole number') {
  return setting(`${what} from ${min} to ${max}`, (raw) => readInteger(raw, min, max));
}

export const port = () => integer(0, 65535, 'a port');

export function duration(min: number, max: number) {
  return setting(`a time from ${min} to ${max} s, such as "90 s" or "2 min"`, (raw) =>
    within(readDuration(raw), min, max),
  );
}

export function size(min: number, max: number) {
  return setting(`a size from ${min} to ${max} bytes, such as "64 KB"`, (raw) =>
    within(readSize(raw), min, max),
  );
}

export const ip = () =>
  setting('an IP address', (raw) => (typeof raw === 'string' && isIP(raw) !== 0 ? raw : undefined));

export const nonEmpty = (raw: unknown): string | undefined =>
  typeof raw === 'string' && raw !== '' ? raw : undefined;

export const text = (raw: unknown): string | undefined => (typeof raw === 'string' ? raw : undefined);

export const flag = () =>
  setting('true or false', (raw) =>
    typeof raw === 'boolean' ? raw : raw === 'true' ? true : raw === 'false' ? false : undefined,
  );

/** One item alone is a list of one; in the environment and in flags, commas separate items. */
export function list<T extends z.ZodType>(item: T) {
  const split = (raw: unknown): unknown => {
    if (typeof raw !== 'string') return raw;
    return raw
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  };
  return z.preprocess(split, z.array(item, { error: 'expected a list' }));
}

const NODE_NAME = /^[\w-]+@[\w.:-]+$/;

export const nodeName = () =>
  setting('a node name such as "ejabberd@localhost"', (raw) =>
    typeof raw === 'string' && raw.length <= 255 && NODE_NAME.test(raw) ? raw : undefined,
  );

/** An ejabberd node, and where to find it if EPMD shall not be asked. */
export interface EjabberdNode {
  readonly name: string;
  readonly endpoint: { readonly host: string; readonly port: number } | undefined;
}

export const ejabberdNode = () => z.preprocess(splitEndpoint, ejabberdNodeObject);

const ejabberdNodeObject = z
  .strictObject(
    {
      name: nodeName(),
      host: setting('a host name or an IP address', nonEmpty).optional(),
      port: integer(1, 65535, 'a port').optional(),
    },
    { error: 'expected a node name, or name, host and port' },
  )
  .superRefine(({ host, port: portOf }, context) => {
    if (host !== undefined && portOf === undefined) {
      context.addIssue({ code: 'custom', path: ['port'], message: 'expected a port beside host' });
    }
  })
  .transform(({ name, host, port: portOf }): EjabberdNode => {
    const endpoint =
      portOf === undefined ? undefined : { host: host ?? name.slice(name.indexOf('@') + 1), port: portOf };
    return { name, endpoint };
  });

/** `ejabberd@a` and `ejabberd@a=10.0.0.1:5210` are short for `{name: …}` and `{name: …, host: …, port: …}`. */
function splitEndpoint(raw: unknown): unknown {
  if (typeof raw !== 'string') return raw;
  const [, name, host, portText] = /^([^=]+)=(.+):(\d+)$/.exec(raw) ?? [];
  return name === undefined ? { name: raw } : { name, host, port: portText };
}

export const cidr = () =>
  setting('an IP address or a range such as "10.0.0.0/8"', (raw) => {
    const [address = '', bits, ...more] = typeof raw === 'string' ? raw.split('/') : [];
    const family = isIP(address);
    if (family === 0 || more.length > 0) return undefined;
    const isRange =
      bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32));
    return isRange ? (raw as string) : undefined;
  });

export const rate = () =>
  setting('0, or a number in a time, such as "60/min" or "5000/10 s"', (raw) =>
    raw === 0 || raw === '0' ? (0 as const) : readRate(raw),
  );

export const origin = () =>
  setting('"*" or an origin such as "https://chat.example.org"', (raw) =>
    typeof raw === 'string' && (raw === '*' || /^[a-z][a-z0-9+.-]*:\/\/[^/\s,]+$/.test(raw))
      ? raw
      : undefined,
  );

const PATH = /^\/[\w\-.~!$&'()*+;=:@%/]*$/;

export const path = () =>
  setting('a path such as "/ws"', (raw) => (typeof raw === 'string' && PATH.test(raw) ? raw : undefined));

export const webSocketUri = () =>
  setting('an address such as "wss://chat.example.org/ws"', (raw) =>
    raw === '' || isUrl(raw, ['ws:', 'wss:']) ? raw : undefined,
  );

export const publicUrl = () =>
  setting('an address such as "https://chat.example.org"', (raw) =>
    raw === '' || isUrl(raw, ['http:', 'https:']) ? raw.replace(/\/+$/, '') : undefined,
  );

const isUrl = (raw: unknown, schemes: readonly string[]): raw is string =>
  typeof raw === 'string' &&
  /^[^\s?#]+$/.test(raw) &&
  URL.canParse(raw) &&
  schemes.some((scheme) => raw.toLowerCase().startsWith(`${scheme}//`));

export const allowedNode = () =>
  setting('a node name, or "*@host" for all nodes of a host', (raw) =>
    typeof raw === 'string' && /^([\w-]+|\*)@[\w.:-]+$/.test(raw) ? raw : undefined,
  );

export const logLevel = () =>
  setting(`one of ${LOG_LEVELS.join(', ')}`, (raw) => LOG_LEVELS.find((level: LogLevel) => level === raw));

const MAX_WORKERS = 128;

export const workers = () =>
  setting(`a whole number from 1 to ${MAX_WORKERS}, or "auto"`, (raw) =>
    raw === 'auto' ? Math.min(availableParallelism(), MAX_WORKERS) : readInteger(raw, 1, MAX_WORKERS),
  );

/** Of a line from outside; empty: none. */
export const lineTargets = () =>
  setting('addresses such as "#room,%log"', (raw) => {
    if (typeof raw !== 'string') return undefined;
    try {
      if (raw !== '') readTargets(raw);
      return raw;
    } catch {
      return undefined;
    }
  });
