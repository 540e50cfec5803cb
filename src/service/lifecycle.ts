/**
 * Whether a gateway serves, as a value: who may take it out of service, and back, and what follows on what.
 *
 *   serving        web clients
 *   leaving        it is not ready any more, and goes on as before until balancers know: `drain_delay`
 *   releasing      its clients are sent elsewhere, one after the other: `drain_time`
 *   drained        whoever comes all the same is served, with one request for each connection
 *   lastLeaving    as leaving, and
 *   lastReleasing  as releasing: it is going to end
 *   finishing      who is left is sent elsewhere at once, and refused after a second
 *   ended          the process may go
 *   cut            the process goes now
 *
 *   event      serving      leaving      releasing      drained        lastLeaving    lastReleasing  finishing
 *   drain      leaving      ·            ·              ·              ·              ·              ·
 *   resume     ·            serving      serving        serving        ·              ·              ·
 *   stop       lastLeaving  lastLeaving  lastReleasing  lastReleasing  cut            cut            cut
 *   delayOver  –            releasing    –              –              lastReleasing  –              –
 *   released   –            –            drained        –              –              finishing      –
 *   finished   –            –            –              –              –              –              ended
 *
 * A dot: nothing changes; a dash: does not happen. drain and resume are `megaphone drain` and `megaphone resume`, stop is SIGTERM
 * or SIGINT. That no ejabberd node is in service changes none of this: then it is not ready, and is again when one is back.
 */

import type { GatewayState } from '../observe/report.js';

export type Phase =
  | 'serving'
  | 'leaving'
  | 'releasing'
  | 'drained'
  | 'lastLeaving'
  | 'lastReleasing'
  | 'finishing'
  | 'ended'
  | 'cut';

/** What an operator may ask for while it runs. */
export type Order = 'drain' | 'resume';
export type LifeEvent = Order | 'stop' | 'delayOver' | 'released' | 'finished';

/** What is not in a row changes nothing. */
export const LIFECYCLE: Readonly<Record<LifeEvent, Readonly<Partial<Record<Phase, Phase>>>>> = {
  drain: { serving: 'leaving' },
  resume: { leaving: 'serving', releasing: 'serving', drained: 'serving' },
  stop: {
    serving: 'lastLeaving',
    leaving: 'lastLeaving',
    releasing: 'lastReleasing',
    drained: 'lastReleasing',
    lastLeaving: 'cut',
    lastReleasing: 'cut',
    finishing: 'cut',
  },
  delayOver: { leaving: 'releasing', lastLeaving: 'lastReleasing' },
  released: { releasing: 'drained', lastReleasing: 'finishing' },
  finished: { finishing: 'ended' },
};

const STATES: Readonly<Record<Phase, GatewayState>> = {
  serving: 'in_service',
  leaving: 'draining',
  releasing: 'draining',
  drained: 'drained',
  lastLeaving: 'stopping',
  lastReleasing: 'stopping',
  finishing: 'stopping',
  ended: 'stopping',
  cut: 'stopping',
};

/** As operators and balancers are told. */
export const stateOf = (phase: Phase): GatewayState => STATES[phase];
