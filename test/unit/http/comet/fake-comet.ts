/** Comet and its doorkeeper, who do what the test says, and tell what they heard. */

import assert from 'node:assert/strict';
import type { CometService, Listening, Page } from '../../../../src/comet/ports.js';
import type { Admission, Visitor } from '../../../../src/http/comet/admission.js';
import type { Asked } from '../../../../src/http/comet/asked.js';

export class FakeComet implements CometService, Admission {
  readonly pages: Page[] = [];
  readonly ids: (readonly string[])[] = [];
  readonly places: (string | undefined)[] = [];
  readonly visitors: Visitor[] = [];
  readonly asked: Asked[] = [];
  /** Handles of those that left. */
  readonly left_: number[] = [];
  beats = 0;
  /** Pages that left, by their index. */
  readonly gone: number[] = [];
  /** What each is given as it begins to listen. */
  onListen: (page: Page) => void = () => {};
  onAsk: (visitor: Visitor, asked: Asked) => void = () => {};

  listen(page: Page, ids: readonly string[], place: string | undefined): Listening {
    const index = this.pages.push(page) - 1;
    this.ids.push(ids);
    this.places.push(place);
    this.onListen(page);
    return {
      beat: () => {
        this.beats += 1;
        page.write(Buffer.from('beat\n'));
      },
      leave: () => {
        assert.ok(!this.gone.includes(index), 'left twice');
        this.gone.push(index);
      },
    };
  }

  ask(visitor: Visitor, asked: Asked): number {
    const handle = this.visitors.push(visitor);
    this.asked.push(asked);
    this.onAsk(visitor, asked);
    return handle;
  }

  left(handle: number): void {
    assert.ok(!this.left_.includes(handle), 'left twice');
    this.left_.push(handle);
  }
}

/** Who admits everybody at once, as it says. */
export const admitting = (seconds = Number.POSITIVE_INFINITY): FakeComet => {
  const comet = new FakeComet();
  comet.onAsk = (visitor, { ids }) => queueMicrotask(() => visitor.admit(ids, seconds));
  return comet;
};
