/** Elements without markup: what the gateway, its clients and its log say is only ever text. */

/**
 * @param {string} selector of one that is in the page
 * @param {ParentNode} [within]
 * @returns {HTMLElement}
 */
export function find(selector, within = document) {
  const found = within.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`There is no ${selector}`);
  return found;
}

/**
 * @template {keyof HTMLElementTagNameMap} N
 * @param {N} name
 * @param {Readonly<Record<string, string>>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[N]}
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/**
 * Leaves alone what says so already: a selection in it stays, and nothing is announced twice.
 * @param {Node} node
 * @param {string} text
 */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** @param {unknown} error */
export const reasonOf = (error) => (error instanceof Error ? error.message : String(error));

/**
 * Children with keys, kept from one second to the next: made once, filled again, removed, in the order given.
 * @template T
 */
export class Keyed {
  #parent;
  /** What is there beside them stays in front. */
  #head;
  #make;
  /** @type {Map<string, {readonly node: HTMLElement, fill(item: T): void}>} */
  #known = new Map();

  /**
   * @param {HTMLElement} parent
   * @param {(item: T) => {readonly node: HTMLElement, fill(item: T): void}} make
   */
  constructor(parent, make) {
    this.#parent = parent;
    this.#head = parent.lastElementChild;
    this.#make = make;
  }

  /** @param {readonly (readonly [key: string, item: T])[]} items */
  show(items) {
    const keys = new Set(items.map(([key]) => key));
    for (const [key, { node }] of this.#known) {
      if (keys.has(key)) continue;
      node.remove();
      this.#known.delete(key);
    }
    let before = this.#head === null ? this.#parent.firstElementChild : this.#head.nextElementSibling;
    for (const [key, item] of items) {
      const child = this.#known.get(key) ?? this.#make(item);
      this.#known.set(key, child);
      child.fill(item);
      if (child.node === before) before = before.nextElementSibling;
      else this.#parent.insertBefore(child.node, before);
    }
  }
}
