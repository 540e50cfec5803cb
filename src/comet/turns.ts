/** Work on many pages, some of them in each turn of the event loop: so nothing that comes meanwhile waits for all of it. */

/** Pages in one turn. */
export const TURN = 500;

/** Does some of it. @returns how many pages that were, with `most` or more where there is more to do */
export type Work = (most: number) => number;

export class Turns {
  #work: Work[] = [];
  #isRunning = false;
  #isStopped = false;

  add(work: Work): void {
    this.#work.push(work);
    if (this.#isRunning || this.#isStopped) return;
    this.#isRunning = true;
    setImmediate(() => this.#run());
  }

  stop(): void {
    this.#isStopped = true;
    this.#work = [];
  }

  /** Each has its turn: a large one holds up no small one. */
  #run(): void {
    this.#isRunning = false;
    let left = TURN;
    const later: Work[] = [];
    const work = this.#work;
    this.#work = [];
    for (const [index, each] of work.entries()) {
      if (left <= 0) {
        later.unshift(...work.slice(index));
        break;
      }
      const done = each(left);
      if (done >= left) later.push(each);
      left -= done;
    }
    for (const each of later) this.add(each);
  }
}
