/** A client's side of SCRAM (RFC 5802), without channel binding: the password does not go over the wire. */

import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { Trouble } from './trouble.js';

export type Hash = 'sha1' | 'sha256' | 'sha512';

const derive = promisify(pbkdf2);
/** Of `n,,`, which says that there is no channel binding. */
const GS2_HEADER = 'biws';
/** Beyond this a server keeps its clients busy for seconds. */
const MOST_ITERATIONS = 10_000_000;

export class Scram {
  readonly #hash: Hash;
  readonly #password: string;
  readonly #nonce: string;
  readonly #bare: string;
  #serverSignature: Buffer = Buffer.alloc(0);

  constructor(hash: Hash, user: string, password: string, nonce = randomBytes(18).toString('base64')) {
    this.#hash = hash;
    this.#password = password.normalize('NFKC');
    this.#nonce = nonce;
    this.#bare = `n=${user.normalize('NFKC').replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`;
  }

  get first(): string {
    return `n,,${this.#bare}`;
  }

  /** @throws Trouble where the challenge is none */
  async answer(challenge: string): Promise<string> {
    const [, nonce = '', salt = '', iterations = ''] =
      /^r=([^,]+),s=([A-Za-z0-9+/=]+),i=(\d+)/.exec(challenge) ?? [];
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce || Number(iterations) > MOST_ITERATIONS)
      throw new Trouble('the challenge is none of SCRAM', 'something on the way, or the server, is broken');
    const length = createHash(this.#hash).digest().length;
    const salted = await derive(
      this.#password,
      Buffer.from(salt, 'base64'),
      Number(iterations),
      length,
      this.#hash,
    );
    const clientKey = this.#sign(salted, 'Client Key');
    const stored = createHash(this.#hash).update(clientKey).digest();
    const unproven = `c=${GS2_HEADER},r=${nonce}`;
    const messages = `${this.#bare},${challenge},${unproven}`;
    const signature = this.#sign(stored, messages);
    const proof = clientKey.map((byte, i) => byte ^ (signature[i] ?? 0));
    this.#serverSignature = this.#sign(this.#sign(salted, 'Server Key'), messages);
    return `${unproven},p=${Buffer.from(proof).toString('base64')}`;
  }

  /** That the server knows the password, too. */
  isProven(final: string): boolean {
    const signature = Buffer.from(/^v=([A-Za-z0-9+/=]+)/.exec(final)?.[1] ?? '', 'base64');
    return (
      signature.length === this.#serverSignature.length && timingSafeEqual(signature, this.#serverSignature)
    );
  }

  #sign(key: Buffer, text: string): Buffer {
    return createHmac(this.#hash, key).update(text).digest();
  }
}
