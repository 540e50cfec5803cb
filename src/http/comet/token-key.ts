/** The key of web pages' tokens: what kind it is says how they are signed, never the token itself (RFC 8725 §3.1). */

import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { MegaphoneError } from '../../errors.js';
import { readPrivateLine } from '../../node/private-file.js';
import { readRegularFile } from '../../regular-file.js';

export interface TokenKey {
  readonly algorithm: 'EdDSA' | 'HS256';
  readonly key: KeyObject;
}

const HINT =
  'a PEM with an Ed25519 public key, or a secret of 32 characters or more, readable for this user alone: (umask 077; openssl rand -hex 32 > FILE)';
/** As many as the hash has (RFC 7518 §3.2). */
const LEAST_SECRET = 32;

/** @throws MegaphoneError CONFIG_COMET_KEY_… */
export function readTokenKey(path: string): TokenKey {
  const problem = `The key file ${path} cannot be read`;
  const text = readRegularFile(path, { code: 'CONFIG_COMET_KEY_UNREADABLE', problem, hint: HINT }).toString(
    'latin1',
  );
  // What says that it is a PEM is never taken for a secret: anybody may know a public key.
  return text.includes('-----BEGIN') ? publicKey(path, text) : secret(path);
}

function publicKey(path: string, pem: string): TokenKey {
  if (pem.includes('PRIVATE KEY')) throw unusable(path, 'has a private key: whoever signs keeps that');
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    throw unusable(path, 'has no public key that could be read');
  }
  if (key.asymmetricKeyType === 'ed25519') return { algorithm: 'EdDSA', key };
  throw unusable(path, `has a key of the kind ${key.asymmetricKeyType}, and Ed25519 is known here`);
}

function secret(path: string): TokenKey {
  const file = {
    what: 'key file',
    notPrivate: 'CONFIG_COMET_KEY_NOT_PRIVATE',
    unreadable: 'CONFIG_COMET_KEY_UNREADABLE',
    hint: HINT,
  } as const;
  const line = Buffer.from(readPrivateLine(path, file, process.env.CREDENTIALS_DIRECTORY), 'latin1');
  if (line.length < LEAST_SECRET) throw unusable(path, `has fewer than ${LEAST_SECRET} characters`);
  return { algorithm: 'HS256', key: createSecretKey(line) };
}

const unusable = (path: string, why: string): MegaphoneError =>
  new MegaphoneError('CONFIG_COMET_KEY_INVALID', `The key file ${path} ${why}`, { hint: HINT });
