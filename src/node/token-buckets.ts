/**
 * How often each of many may do something: so many times at once, and then so many times a second. All of them
 * together have a bucket of their own, which is larger than that of each.
 */

export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

interface Bucket {
  readonly tokens: number;
  /** When there were as many, in seconds. */
  readonly at: number;
}

/** Buckets remembered. One that is forgotten is full again, which the bucket of all makes harmless. */
const MOST_KEYS = 1024;

export class TokenBuckets {
  readonly #each: Rate;
  readonly #all: Rate;
  /** The one used last comes last. */
  readonly #buckets = new Map<string, Bucket>();
  #common: Bucket;

  constructor(each: Rate, all: Rate) {
    this.#each = each;
    this.#all = all;
    this.#common = { tokens: all.burst, at: 0 };
  }

  /** @param now seconds, never running backwards @returns whether `key` may */
  take(key: string, now: number): boolean {
    const bucket = refilled(this.#buckets.get(key) ?? { tokens: this.#each.burst, at: now }, this.#each, now);
    const common = refilled(this.#common, this.#all, now);
    const may = bucket.tokens >= 1 && common.tokens >= 1;
    this.#buckets.delete(key);
    this.#buckets.set(key, may ? { ...bucket, tokens: bucket.tokens - 1 } : bucket);
    this.#common = may ? { ...common, tokens: common.tokens - 1 } : common;
    if (this.#buckets.size > MOST_KEYS) this.#forgetOldest();
    return may;
  }

  /** Keys remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  #forgetOldest(): void {
    for (const key of this.#buckets.keys()) {
      this.#buckets.delete(key);
      return;
    }
  }
}

function refilled({ tokens, at }: Bucket, { burst, perSecond }: Rate, now: number): Bucket {
  return { tokens: Math.min(burst, tokens + (now - at) * perSecond), at: now };
}
