/**
 * How much of what a client sent over its WebSocket its session has not taken yet, so that a client that is quicker than its
 * session is read no further.
 *
 * The session says how many frames it took whenever 16 of them, or 16384 bytes, have come together. So the lengths of single
 * frames are not kept: frames are put together to groups of as much, and a group's bytes count until the whole of it is
 * taken. What a session has taken without saying so is less than a group, and with the group that it lies in less than the
 * window: it never stays closed.
 */

const MAX_FRAMES = 64;
const MAX_BYTES = 65_536;
const GROUP_FRAMES = 16;
const GROUP_BYTES = 16_384;

export class FrameWindow {
  /** Frames, since the beginning. */
  #sent = 0;
  #taken = 0;
  /** Of all groups that are not taken. */
  #bytes = 0;
  /** The latest group, to which frames still come: behind this frame, */
  #groupStart = 0;
  #groupBytes = 0;
  /** Those before it: the last frame of each and its bytes, in turns. */
  #groups: number[] | undefined;

  get isOpen(): boolean {
    return this.#sent - this.#taken < MAX_FRAMES && this.#bytes < MAX_BYTES;
  }

  /** A frame goes to the session. */
  sent(bytes: number): void {
    this.#sent += 1;
    this.#bytes += bytes;
    this.#groupBytes += bytes;
    if (this.#sent - this.#groupStart < GROUP_FRAMES && this.#groupBytes < GROUP_BYTES) return;
    this.#groups ??= [];
    this.#groups.push(this.#sent, this.#groupBytes);
    this.#groupStart = this.#sent;
    this.#groupBytes = 0;
  }

  /** The session took so many; what cannot be is ignored. Returns whether the window opened. */
  taken(count: number): boolean {
    if (count <= this.#taken || count > this.#sent) return false;
    const wasOpen = this.isOpen;
    this.#taken = count;
    const groups = this.#groups ?? [];
    for (let end = groups[0]; end !== undefined && end <= count; end = groups[0]) {
      this.#bytes -= groups[1] ?? 0;
      groups.splice(0, 2);
    }
    if (groups.length === 0) this.#groups = undefined;
    return !wasOpen && this.isOpen;
  }
}
