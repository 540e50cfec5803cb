/**
 * Whether a node is in service, as a value. It is `module` or `plain` then, and may be sent requests:
 *
 *   apart      there is no connection
 *   absent     nothing is registered as `mod_megaphone` there, or it could not be asked: each second it is again
 *   asked      it is monitored, and is being asked which version of the contract it speaks
 *   foreign    it is monitored, and speaks another version
 *   plain      something registered as `mod_megaphone` that is not our module, such as a shell
 *   module     our module
 *
 *   event          apart  absent  asked    foreign  plain   module
 *   up             asked  ·       ·        ·        ·       ·
 *   upWithoutEnds  plain  ·       ·        ·        ·       ·
 *   down           ·      apart   apart    apart    apart   apart
 *   ourContract    ·      ·       module   ·        ·       ·
 *   otherContract  ·      ·       foreign  ·        ·       ·
 *   noFunction     ·      ·       plain    ·        ·       ·
 *   noAnswer       ·      ·       absent   ·        ·       ·
 *   noProcess      ·      ·       absent   absent   absent  absent
 *   crashed        ·      ·       asked    asked    asked   asked
 *   second         ·      asked   ·        ·        ·       ·
 *
 * A dot: nothing changes. `asked` is entered anew from itself: a new monitor, a new question.
 *
 * It is asked through `rex`, never in a call to `mod_megaphone` itself, because that name may be a person at a shell; a
 * shell has no such function, and gets the plain form of requests. A node that tells no ends of processes is none of
 * Erlang's own (jinterface is such a one): there is no `rex` to ask and no process to monitor, so its connection is all that
 * it needs to be in service.
 */

export type Standing = 'apart' | 'absent' | 'asked' | 'foreign' | 'plain' | 'module';

export type StandingEvent =
  /** There is a connection; */
  | 'up'
  /** or there is one to a node that tells no ends of processes. */
  | 'upWithoutEnds'
  | 'down'
  | 'ourContract'
  | 'otherContract'
  /** There is no `rex`, or no such function. */
  | 'noFunction'
  /** The connection was lost just now (then `down` follows), or `rex` is slow. */
  | 'noAnswer'
  /** The monitor tells that no process has the name. */
  | 'noProcess'
  /** The monitor tells that the process ended. */
  | 'crashed'
  | 'second';

/** What is not in a row changes nothing. */
export const STANDINGS: Readonly<Record<StandingEvent, Readonly<Partial<Record<Standing, Standing>>>>> = {
  up: { apart: 'asked' },
  upWithoutEnds: { apart: 'plain' },
  down: { absent: 'apart', asked: 'apart', foreign: 'apart', plain: 'apart', module: 'apart' },
  ourContract: { asked: 'module' },
  otherContract: { asked: 'foreign' },
  noFunction: { asked: 'plain' },
  noAnswer: { asked: 'absent' },
  noProcess: { asked: 'absent', foreign: 'absent', plain: 'absent', module: 'absent' },
  // It is started again at once.
  crashed: { asked: 'asked', foreign: 'asked', plain: 'asked', module: 'asked' },
  second: { absent: 'asked' },
};
