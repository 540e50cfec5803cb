/** A page that holds what it is written to what was promised: each message once, in order, or a gap, and just where there is one. */

import assert from 'node:assert/strict';
import { readPlace } from '../../../src/comet/place.js';
import type { CometService, Form, Listening, Page } from '../../../src/comet/ports.js';
import { tagOf } from '../../../src/gateway/sid.js';

interface Member {
  readonly to?: string;
  readonly id?: string;
  readonly data?: string;
  readonly gap?: string;
}

export class ModelPage implements Page {
  readonly form: Form;
  readonly ids: readonly string[];
  place: string | undefined;
  /** By id and tag, the number up to which it has all, or heard of a gap. */
  readonly #known = new Map<string, number>();
  /** Ids of which a gap was told, and has not been seen yet. */
  readonly #gaps = new Map<string, number>();
  /** Those that may be of an origin that it did not know. */
  readonly #first = new Map<string, number>();
  readonly #livesOf: (tag: string) => readonly number[];
  /** For the message of a failure. */
  readonly log: string[] = [];
  #listening: Listening | undefined;

  /** @param livesOf the smallest number of each of the origin's lives */
  constructor(ids: readonly string[], livesOf: (tag: string) => readonly number[], form: Form) {
    this.ids = ids;
    this.#livesOf = livesOf;
    this.form = form;
  }

  get isOpen(): boolean {
    return this.#listening !== undefined;
  }

  open(comet: CometService): void {
    this.leave();
    this.log.push(`open ${this.place}`);
    this.#listening = comet.listen(this, this.ids, this.place);
  }

  beat(): void {
    this.#listening?.beat();
  }

  leave(): void {
    this.log.push('leave');
    this.#listening?.leave();
    this.#listening = undefined;
  }

  number(id: string, node: string): number | undefined {
    return this.#known.get(`${id} ${tagOf(node)}`);
  }

  write(bytes: Buffer): void {
    const text = bytes.toString();
    this.log.push(text);
    const member: Member = JSON.parse(text.slice(text.indexOf('{"')));
    if (member.gap !== undefined) {
      const gaps = this.#isFirst(member.gap, member.id ?? '') ? this.#first : this.#gaps;
      gaps.set(member.gap, (gaps.get(member.gap) ?? 0) + 1);
    }
    if (member.data !== undefined) this.#message(member.data);
    if (member.id !== undefined) this.#moved(member.id);
  }

  /** Nothing is under way any more. */
  settled(): void {
    for (const [id, count] of this.#gaps) this.#check(count === 0, `a gap of ${id} that there is not`);
  }

  /** Where it stood at an origin it was never told before: it may well have missed something. */
  #isFirst(id: string, place: string): boolean {
    const marks = readPlace(place, this.ids.length)?.[this.ids.indexOf(id)] ?? [];
    return marks.some(({ tag }) => !this.#known.has(`${id} ${tag}`));
  }

  #message(data: string): void {
    const [node = '', id = '', digits] = data.split(' ');
    const number = Number(digits);
    const key = `${id} ${tagOf(node)}`;
    const known = this.#known.get(key);
    this.#check(known === undefined || number > known, `${data} comes again, or late`);
    if (known !== undefined && number > known + 1) this.#jump(id, tagOf(node), known, number);
    this.#known.set(key, number);
  }

  #moved(place: string): void {
    this.place = place;
    for (const [index, marks] of (readPlace(place, this.ids.length) ?? []).entries()) {
      const id = this.ids[index] as string;
      // What a new life explains comes last: it needs no gap, and takes one that is left.
      const ofNewLives = marks.filter(({ tag, number }) => this.#isNewLife(id, tag, number));
      for (const mark of marks) if (!ofNewLives.includes(mark)) this.#at(id, mark.tag, mark.number);
      for (const { tag, number } of ofNewLives) this.#at(id, tag, number);
    }
  }

  #at(id: string, tag: string, number: number): void {
    const known = this.#known.get(`${id} ${tag}`);
    this.#check(known === undefined || number >= known, `the place of ${id} goes back`);
    if (known !== undefined && number > known) this.#jump(id, tag, known, number);
    this.#known.set(`${id} ${tag}`, number);
  }

  /** It goes on further than at the next one. */
  #jump(id: string, tag: string, known: number, number: number): void {
    const gaps = [this.#gaps, this.#first].find((each) => (each.get(id) ?? 0) > 0);
    if (gaps === undefined && this.#isNewLife(id, tag, number)) return;
    this.#check(gaps !== undefined, `from ${known} to ${number} of ${id} without a gap`);
    gaps?.set(id, (gaps.get(id) ?? 0) - 1);
  }

  /** Whatever the life before had is over, and nobody need say so. */
  #isNewLife(id: string, tag: string, number: number): boolean {
    const known = this.#known.get(`${id} ${tag}`) ?? number;
    return this.#livesOf(tag).some((life) => known < life && number >= life);
  }

  #check(isRight: boolean, what: string): void {
    assert.ok(isRight, `${what}\n  ${this.log.slice(-25).join('\n  ')}`);
  }
}
