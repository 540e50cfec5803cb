/** What counts as one address where many are told apart: whoever has one IPv6 address of a /64 has all of it. */

/** The prefix of IPv4 addresses behind a translator (RFC 6052 §2.1), in groups. */
const TRANSLATED = 0x64;
const TRANSLATED_NEXT = 0xff9b;

/**
 * IPv4 as it is, also where it stands in an IPv6 address; else the first four groups.
 * @param ip as text; anything else is taken as it is
 */
export function networkOf(ip: string): string {
  if (!ip.includes(':')) return ip;
  const groups = groupsOf(ip);
  if (groups.length !== 8) return ip;
  const [first, second, third, fourth, fifth, sixth, high = 0, low = 0] = groups;
  const hasZeros = third === 0 && fourth === 0 && fifth === 0;
  const isMapped = first === 0 && second === 0 && hasZeros && sixth === 0xffff;
  const isTranslated = first === TRANSLATED && second === TRANSLATED_NEXT && hasZeros && sixth === 0;
  if (isMapped || isTranslated) return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  return groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':');
}

/** All eight, where it is an address. */
function groupsOf(ip: string): number[] {
  const [text = ''] = ip.split('%', 1);
  const [before, after] = text.split('::', 2).map(numbers);
  if (before === undefined || after === undefined) return before ?? [];
  return [...before, ...new Array<number>(Math.max(0, 8 - before.length - after.length)).fill(0), ...after];
}

function numbers(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}
