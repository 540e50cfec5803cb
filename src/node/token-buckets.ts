/**
 * How often each of many may do something: so many times at once, and then so many times a second. Where all of them
 * together are bounded, too, they have a bucket of their own, which is larger than that of each.
 *
 * Buckets are remembered in two generations, the younger of which takes those that are used. When it is full, or so old that
 * who was in the older one alone has a full bucket again, the older one is forgotten and the younger takes its place: no
 * bucket is looked for to be forgotten, none has a timer, and one that is used twice within a generation costs no memory.
 */

export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

class Bucket {
  tokens: number;
  /** When there were as many, in seconds. */
  at: number;

  constructor(tokens: number, at: number) {
    this.tokens = tokens;
    this.at = at;
  }
}

/** Buckets remembered. One that is forgotten too early is full again. */
const MOST_KEYS = 1024;
/** Seconds: buckets that fill quickly are not made anew all the time. */
const LEAST_AGE = 60;

export class TokenBuckets {
  readonly #each: Rate;
  readonly #all: Rate | undefined;
  readonly #common = new Bucket(0, 0);
  readonly #most: number;
  readonly #mostOwed: number;
  /** After which every bucket is full. */
  readonly #age: number;
  #young = new Map<string, Bucket>();
  #old = new Map<string, Bucket>();
  /** When the younger generation began. */
  #since = 0;

  /** @param mostOwed by one key that was charged */
  constructor(each: Rate, all?: Rate, most = MOST_KEYS, mostOwed = each.burst) {
    this.#each = each;
    this.#all = all;
    this.#common.tokens = all?.burst ?? 0;
    this.#most = most;
    this.#mostOwed = mostOwed;
    this.#age = Math.max(LEAST_AGE, (mostOwed + each.burst) / each.perSecond);
  }

  /** @param now seconds, never running backwards @returns whether `key` may */
  take(key: string, now: number): boolean {
    const bucket = this.#find(key, now);
    if (bucket.tokens < 1) return false;
    if (this.#all !== undefined) {
      refill(this.#common, this.#all, now);
      if (this.#common.tokens < 1) return false;
      this.#common.tokens -= 1;
    }
    bucket.tokens -= 1;
    return true;
  }

  /** It did so without being asked: where it may not, it owes as much, up to a bound. */
  charge(key: string, now: number): void {
    const bucket = this.#find(key, now);
    bucket.tokens = Math.max(-this.#mostOwed, bucket.tokens - 1);
  }

  /** How many seconds until `key` may; 0: it may now. */
  wait(key: string, now: number): number {
    const bucket = this.#young.get(key) ?? this.#old.get(key);
    if (bucket === undefined) return 0;
    refill(bucket, this.#each, now);
    return bucket.tokens >= 1 ? 0 : (1 - bucket.tokens) / this.#each.perSecond;
  }

  /** Keys remembered. */
  get size(): number {
    let both = 0;
    for (const key of this.#old.keys()) both += this.#young.has(key) ? 1 : 0;
    return this.#young.size + this.#old.size - both;
  }

  #find(key: string, now: number): Bucket {
    if (now - this.#since >= this.#age) this.#forget(now);
    const young = this.#young.get(key);
    const bucket = young ?? this.#old.get(key) ?? new Bucket(this.#each.burst, now);
    if (young === undefined) {
      if (this.#young.size >= this.#most / 2) this.#forget(now);
      this.#young.set(key, bucket);
    }
    refill(bucket, this.#each, now);
    return bucket;
  }

  #forget(now: number): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#since = now;
  }
}

function refill(bucket: Bucket, { burst, perSecond }: Rate, now: number): void {
  bucket.tokens = Math.min(burst, bucket.tokens + (now - bucket.at) * perSecond);
  bucket.at = now;
}
