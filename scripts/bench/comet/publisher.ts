/** Publishes over HTTP, from a process of its own. */

import { Child } from '../../load/child.js';
import type { Begin, Commands } from './publisher-process.js';
import type { Subject } from './subject.js';

const PROGRAM = new URL('./publisher-process.js', import.meta.url);

export async function startPublisher({ publishing }: Subject, ids: Begin['ids']): Promise<Child<Commands>> {
  const child = new Child<Commands>(PROGRAM);
  await child.ask('begin', { ...publishing, ids });
  return child;
}
