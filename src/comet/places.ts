/** The place of a page, as it is right now. */

import { type Audience, type Following, type Listener, seenBy } from './audience.js';
import { behindOf } from './behind.js';
import type { Origins } from './origins.js';
import { joinMarks, writeMark } from './place.js';

/** Of a page that has what the id has, and follows no other. */
export function placeOfAudience({ lasts }: Audience, origins: Origins): string {
  // The usual one has few origins, and is asked for with each message.
  if (lasts.length === 2) return writeMark(origins.at(lasts[0] as number).tag, lasts[1] as number);
  const marks: string[] = [];
  for (let at = 0; at < lasts.length; at += 2)
    marks.push(writeMark(origins.at(lasts[at] as number).tag, lasts[at + 1] as number));
  return joinMarks(marks);
}

export function placeOf({ followings }: Listener, origins: Origins): string {
  if (Array.isArray(followings))
    return (followings as readonly Following[]).map((each) => partOf(each, origins)).join(';');
  return partOf(followings as Following, origins);
}

/** Its own number goes before that of the id; with none of an origin it has no mark. */
function partOf(following: Following, origins: Origins): string {
  const lasts = seenBy(following);
  const marks: string[] = [];
  for (let at = 0; at < lasts.length; at += 2) {
    const { tag } = origins.at(lasts[at] as number);
    if (behindOf(following, tag) === undefined) marks.push(writeMark(tag, lasts[at + 1] as number));
  }
  for (const { tag, number } of following.behind ?? []) if (number > 0) marks.push(writeMark(tag, number));
  return joinMarks(marks);
}
