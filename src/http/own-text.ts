/** A copy: V8 makes a part of a text as a view that keeps the whole of it, such as 16 kB of headers for an address. */
export const ownText = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');
