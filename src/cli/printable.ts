/**
 * What others wrote, on one line of a terminal: it begins no line, moves no cursor and turns no writing around. Of Unicode's categories
 * those are C (controls, formats as U+202E, what is nothing), Zl and Zp (line and paragraph separators).
 */
export const printable = (text: string): string => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\ufffd');
