/**
 * What happened in a run, in its order: what clients sent, what the server accepted, what was received, and what the
 * nemesis did meanwhile. The checker judges it, and a file of it (one event a line) can be judged again.
 *
 * A message is accepted once the server has said so: over BOSH its request was answered with 200, over WebSocket with
 * stream management it was acknowledged (XEP-0198 §4). One that was sent and never accepted may arrive or not.
 */

/** A message: users by their numbers, and its own among those from the one to the other, from 1. */
export interface MessageId {
  readonly from: number;
  readonly to: number;
  readonly seq: number;
}

/**
 * What a fault takes along:
 *
 *   memory    what a killed server had for users whose session ended with it
 *   storage   what servers that did not see each other stored, each for itself
 */
export type Loss = 'nothing' | 'memory' | 'storage';

export type Event = { /** Microseconds since the run began. */ readonly at: number } & (
  | ({ readonly kind: 'sent' | 'accepted' } & MessageId)
  /** `by` is who got it, who should be `to`; `delayed`: it bears the time when it came (XEP-0203). */
  | ({ readonly kind: 'received'; readonly by: number; readonly delayed?: true } & MessageId)
  /** `planned`: the run's end logs users in to fetch what is stored for them. */
  | { readonly kind: 'login'; readonly user: number; readonly planned?: true }
  /** The same stream on another connection (XEP-0198 §5): no login. */
  | { readonly kind: 'resumed'; readonly user: number }
  /** The session is over. `unproven`: received, but the server cannot know it, and may deliver it once more. */
  | { readonly kind: 'ended'; readonly user: number; readonly unproven: readonly MessageId[] }
  /** What a real client would show, or log. */
  | { readonly kind: 'error'; readonly user: number; readonly what: string }
  /** How many sessions the servers had for a user, when all was quiet. */
  | { readonly kind: 'sessions'; readonly user: number; readonly count: number }
  /** The nemesis does something. */
  | { readonly kind: 'step'; readonly fault: string; readonly what: string; readonly loses: Loss }
  /** Everybody is online again, and nothing is late. */
  | { readonly kind: 'recovered' }
);

export const toLine = (event: Event): string => `${JSON.stringify(event)}\n`;

/** @throws Error where a line is no event */
export const fromLines = (text: string): Event[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Event);
