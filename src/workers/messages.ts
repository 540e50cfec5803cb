/** What the primary process and its workers say to each other, over the channel that every forked process has. */

import type { Publication } from '../comet/ports.js';
import type { Config } from '../config/schema.js';
import { type ErrorCode, MegaphoneError } from '../errors.js';
import type { SessionPage, SessionQuery } from '../gateway/module-sessions.js';
import type { Asked, GatewayState, Stats } from '../observe/report.js';
import type { About } from '../service/about.js';
import type { Order, Phase } from '../service/lifecycle.js';

/** The cookie is in none of them: a worker reads it where its primary would. */
export type ToWorker =
  | Begin
  /** With a connection: serve it, and say `taken`. */
  | { readonly type: 'connection' }
  /** Read the certificate again. */
  | { readonly type: 'reload' }
  | { readonly type: 'ask' }
  /** An operator wants to know, or have done, something at the ejabberd nodes. */
  | { readonly type: 'errand'; readonly number: number; readonly errand: Errand }
  /** Do what this phase of the gateway asks for, and say `entered`; `finishing` ends the process. */
  | { readonly type: 'enter'; readonly phase: Phase }
  /** What came of an `order`. */
  | { readonly type: 'ordered'; readonly state: GatewayState };

export interface Begin {
  readonly type: 'begin';
  readonly config: Config;
  /** How many workers there are. */
  readonly processes: number;
  /** Of the gateway. */
  readonly about: About;
  /** Base64, and secret: with them every worker takes up the TLS sessions that another one began. */
  readonly ticketKeys: string;
  /** That of the gateway. */
  readonly phase: Phase;
}

export type ToPrimary =
  /** It listens to messages: what was sent before is lost. */
  | { readonly type: 'ready' }
  /** It has begun, and reports. */
  | { readonly type: 'up' }
  /** It takes connections. */
  | { readonly type: 'accepting' }
  | { readonly type: 'taken' }
  | { readonly type: 'entered'; readonly phase: Phase }
  /** An operator asked this worker, and means the gateway. */
  | { readonly type: 'order'; readonly order: Order }
  /** It takes no more connections. */
  | { readonly type: 'stopping' }
  | { readonly type: 'report'; readonly stats: Stats }
  /** The answer to `ask`. */
  | { readonly type: 'asked'; readonly asked: Asked }
  | { readonly type: 'errandDone'; readonly number: number; readonly outcome: Outcome }
  /** It cannot start, and ends. */
  | { readonly type: 'failed'; readonly error: ErrorReport };

export type Errand =
  | { readonly what: 'sessions'; readonly query: SessionQuery }
  | { readonly what: 'close'; readonly node: string; readonly id: string }
  /** A line, or why it is none. */
  | { readonly what: 'say'; readonly line: string | ErrorReport }
  | { readonly what: 'publish'; readonly publications: readonly PlainPublication[] };

/** The channel has no bytes: each is a character, as latin1 has them. */
export type PlainPublication = Omit<Publication, 'body'> & { readonly body: string };

/** What that member of the worker's desk gave. */
export type Outcome =
  | { readonly published: true }
  /** What is wrong; empty: nothing. */
  | { readonly problem: string }
  | { readonly page: SessionPage }
  | { readonly closed: boolean }
  | { readonly error: ErrorReport };

export interface ErrorReport {
  readonly code: ErrorCode;
  readonly message: string;
  readonly node?: string;
  readonly hint?: string;
}

/** How often a worker reports. */
export const REPORT_MS = 1_000;

export function toReport({ code, message, node, hint }: MegaphoneError): ErrorReport {
  return { code, message, ...(node === undefined ? {} : { node }), ...(hint === undefined ? {} : { hint }) };
}

export function fromReport({ code, message, ...details }: ErrorReport): MegaphoneError {
  return new MegaphoneError(code, message, details);
}

/** Resolves when it is on its way, or the primary is gone. */
export function tellPrimary(message: ToPrimary): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(message, undefined, undefined, () => resolve());
  });
}
