/** A process with some of the people, which does what its parent says. */

import { serve } from '../load/child.js';
import type { Event } from './history.js';
import { People, type PeopleOptions, type Talk } from './people.js';

export interface Commands {
  begin(options: PeopleOptions): void;
  login(): Promise<void>;
  talk(talk: Talk): void;
  pause(): void;
  again(users: readonly number[]): Promise<void>;
  leave(): Promise<void>;
  poll(): { readonly events: readonly Event[]; readonly online: number };
}

let begun: People | undefined;

function people(): People {
  if (begun === undefined) throw new Error('begin comes first');
  return begun;
}

const commands: Commands = {
  begin: (options) => {
    begun = new People(options);
  },
  login: () => people().login(),
  talk: (talk) => people().talk(talk),
  pause: () => people().pause(),
  again: (users) => people().again(users),
  leave: () => people().leave(),
  poll: () => ({ events: people().takeEvents(), online: people().online }),
};

serve(commands);
