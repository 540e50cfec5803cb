/** Work on many pages, some of them in each turn of the event loop: so nothing that comes meanwhile waits for all of it. */

/** Pages in one turn. */
export const TURN = 500;

/** Does some of it. @returns how many pages that were, with `most` or more where there is more to do */
export type Work = (most: number) => number;

export class Turns {
  #work: Work[] = [];
  /** Where in it the next turn goes on. */
  #next = 0;
  #isRunning = false;
  #isStopped = false;

  add(work: Work): void {
    if (this.#isStopped) return;
    this.#work.push(work);
    if (this.#isRunning) return;
    this.#isRunning = true;
    setImmediate(() => this.#run());
  }

  stop(): void {
    this.#isStopped = true;
    this.#work = [];
  }

  /** Each has its turn: a large one holds up no small one. */
  #run(): void {
    let left = TURN;
    for (let each = this.#work[this.#next]; each !== undefined && left > 0; each = this.#work[this.#next]) {
      this.#next += 1;
      const done = each(left);
      if (done >= left) this.#work.push(each);
      // What is done says less than it was given, so maybe nothing.
      left -= Math.max(1, done);
    }
    // What is done goes, in steps that grow with what waits: there may be one for each of a million ids.
    if (2 * this.#next >= this.#work.length) {
      this.#work = this.#work.slice(this.#next);
      this.#next = 0;
    }
    this.#isRunning = this.#work.length > 0;
    if (this.#isRunning) setImmediate(() => this.#run());
  }
}
