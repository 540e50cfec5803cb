/** What needs the token: it is asked for when it is needed first, stays in this tab's memory, and goes nowhere but into a header. */

import { askForToken } from './dialogs.js';

const KEY = 'megaphone-token';

/** What the gateway answers instead. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * @param {string} token
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<unknown>}
 * @throws Refused
 */
async function request(token, path, options = {}) {
  const headers = {
    authorization: `Bearer ${token}`,
    ...(options.body ? { 'content-type': 'application/json' } : {}),
  };
  const answer = await fetch(`../api/${path}`, { ...options, headers }).catch(() => {
    throw new Refused(0, 'The gateway was not reached.');
  });
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return told;
  const { error = `The gateway answers ${answer.status}.`, hint = '' } = told;
  throw new Refused(answer.status, `${error}${hint && ` (${hint})`}`);
}

export class Access {
  #onChange;

  /** @param {(isHeld: boolean) => void} onChange whether there is a token; once at first */
  constructor(onChange) {
    this.#onChange = onChange;
    onChange(this.isHeld);
  }

  get isHeld() {
    return sessionStorage.getItem(KEY) !== null;
  }

  /** @returns {Promise<boolean>} whether there is one now */
  ask() {
    return askForToken(
      async (token) => {
        if (!/^[\x21-\x7e]+$/.test(token))
          throw new Error('A token has no spaces, and no letters beyond ASCII.');
        await request(token, 'token');
        this.#keep(token);
      },
      this.isHeld ? () => this.#keep(null) : undefined,
    );
  }

  /**
   * @param {string} path
   * @param {Readonly<Record<string, string>>} [query]
   */
  get(path, query = {}) {
    return this.#request(`${path}?${new URLSearchParams(query)}`);
  }

  /**
   * @param {string} path
   * @param {object} [body]
   */
  post(path, body) {
    return this.#request(path, { method: 'POST', ...(body ? { body: JSON.stringify(body) } : {}) });
  }

  /**
   * @param {string} path
   * @param {RequestInit} [options]
   */
  async #request(path, options) {
    try {
      return await request(sessionStorage.getItem(KEY) ?? '', path, options);
    } catch (error) {
      // It was changed meanwhile: the next one asks for it.
      if (error instanceof Refused && error.status === 401) this.#keep(null);
      throw error;
    }
  }

  /** @param {string | null} token */
  #keep(token) {
    if (token === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
    this.#onChange(this.isHeld);
  }
}
