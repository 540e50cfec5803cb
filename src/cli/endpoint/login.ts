/** SASL (RFC 6120 §6), with the best mechanism that both sides have. */

import { elementIn } from './element.js';
import { type Link, receiveUntil, textOf } from './link.js';
import { type Hash, Scram } from './scram.js';
import { ofSasl, Trouble } from './trouble.js';

export interface Account {
  /** Undefined for a login without account. */
  readonly user: string | undefined;
  readonly domain: string;
  readonly password: string;
}

const SCRAM: readonly (readonly [mechanism: string, hash: Hash])[] = [
  ['SCRAM-SHA-512', 'sha512'],
  ['SCRAM-SHA-256', 'sha256'],
  ['SCRAM-SHA-1', 'sha1'],
];

export function mechanismsOf(features: string): readonly string[] {
  const offered = elementIn(features, 'mechanisms');
  return [...(offered?.inner ?? '').matchAll(/<mechanism>([^<]+)<\/mechanism>/g)].map(
    ([, name = '']) => name,
  );
}

/**
 * The name of the mechanism that did it.
 * @param isPrivate nobody reads along, so that a password may be sent
 */
export async function logIn(
  link: Link,
  offered: readonly string[],
  { user, password }: Account,
  isPrivate: boolean,
): Promise<string> {
  if (user === undefined) return plainly(link, 'ANONYMOUS', '');
  const [mechanism, hash] = SCRAM.find(([name]) => offered.includes(name)) ?? [];
  if (mechanism !== undefined && hash !== undefined) return byScram(link, mechanism, hash, user, password);
  if (!offered.includes('PLAIN'))
    throw new Trouble(
      `the server offers ${offered.join(', ') || 'nothing'}`,
      'this check knows SCRAM-SHA-1, -256 and -512, PLAIN and ANONYMOUS',
    );
  if (!isPrivate)
    throw new Trouble(
      'the server offers PLAIN alone, and anybody on the way could read the password',
      'use https:, or have the server offer SCRAM',
    );
  return plainly(link, 'PLAIN', `\0${user}\0${password}`);
}

async function plainly(link: Link, mechanism: string, response: string): Promise<string> {
  await said(link, `<auth ${SASL} mechanism='${mechanism}'>${base64(response)}</auth>`);
  return mechanism;
}

async function byScram(
  link: Link,
  mechanism: string,
  hash: Hash,
  user: string,
  password: string,
): Promise<string> {
  const scram = new Scram(hash, user, password);
  const challenge = await said(link, `<auth ${SASL} mechanism='${mechanism}'>${base64(scram.first)}</auth>`);
  const final = await said(link, `<response ${SASL}>${base64(await scram.answer(challenge))}</response>`);
  if (!scram.isProven(final))
    throw new Trouble(
      'the server did not prove that it knows the password',
      'what answers is not the server that has the account',
    );
  return mechanism;
}

const SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
/** An empty one is a `=` (RFC 6120 §6.4.2). */
const base64 = (text: string): string => Buffer.from(text).toString('base64') || '=';

/** What a challenge or a success holds. */
async function said(link: Link, element: string): Promise<string> {
  link.send(element);
  const reply = (text: string) => elementIn(text, 'success|challenge|failure');
  const { name, inner } = await receiveUntil(link, reply);
  if (name !== 'failure') return Buffer.from(inner, 'base64').toString();
  throw ofSasl(/<([a-z-]+)/.exec(inner)?.[1] ?? 'no reason given', textOf(inner));
}
