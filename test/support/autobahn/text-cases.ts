/** Group 6 of the Autobahn test suite: UTF-8, whole and in fragments, right and wrong. */

import { CONTINUATION, TEXT } from '../../../src/websocket/opcodes.js';
import { clientFrame } from '../websocket-frames.js';
import {
  type AutobahnCase,
  answered,
  answeredCase,
  failed,
  failedCase,
  fragments,
  frame,
  latin1,
  tell,
} from './case.js';

const HELLO = Buffer.from('Hello-µ@ßöäüàá-UTF-8!!');
/** κόσμε */
const GREEK = latin1('\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5');
const EDITED = Buffer.from('edited');
const SURROGATE = latin1('\xed\xa0\x80');
/** U+110000 */
const BEYOND = latin1('\xf4\x90\x80\x80');
const NO_TEXT = Buffer.concat([GREEK, SURROGATE, EDITED]);
const FIRST_HALF = Buffer.byteLength('Hello-µ@ßöä');

const echoed = (id: string, what: string, text: Buffer, size: number): AutobahnCase =>
  answeredCase(id, what, fragments(TEXT, text, size), tell('text', text));

const empty = (id: string, what: string, middle: string): AutobahnCase =>
  answeredCase(
    id,
    what,
    [frame(TEXT, '', { fin: false }), frame(CONTINUATION, middle, { fin: false }), frame(CONTINUATION)],
    `text ${middle}`,
  );

/**
 * Three parts, of which the second makes it invalid. A strict server does not wait for the third one.
 * @param at where the second begins and ends
 * @param isOneFrame the parts are of a single frame; else they are frames
 */
function early(
  id: string,
  what: string,
  at: readonly [begin: number, end: number],
  isOneFrame: boolean,
): AutobahnCase {
  const text = Buffer.concat([GREEK, BEYOND, EDITED]);
  const [begin, end] = at;
  const cuts = [text.subarray(0, begin), text.subarray(begin, end), text.subarray(end)];
  const whole = clientFrame({ opcode: TEXT, payload: text });
  const head = whole.length - text.length;
  const send = isOneFrame
    ? [whole.subarray(0, head + begin), whole.subarray(head + begin, head + end), whole.subarray(head + end)]
    : cuts.map((cut, index) =>
        clientFrame({ opcode: index === 0 ? TEXT : CONTINUATION, payload: cut, fin: index === 2 }),
      );
  return {
    id,
    what,
    parts: send.map((bytes, index) => ({ send: [bytes], until: index === 0 ? 0 : 'end' })),
    accepted: [2, 3].flatMap((after) => failed(1007).accepted.map((outcome) => ({ ...outcome, after }))),
  };
}

const IN_FULL = [GREEK.length, GREEK.length + BEYOND.length] as const;
/** Only up to the byte that makes it invalid. */
const BARELY = [GREEK.length + 1, GREEK.length + 2] as const;

const described: readonly AutobahnCase[] = [
  echoed('6.1.1', 'an empty text', Buffer.alloc(0), 1),
  empty('6.1.2', 'a text in three empty fragments', ''),
  empty('6.1.3', 'a text in three fragments, the first and the last of them empty', 'middle frame payload'),
  echoed('6.2.1', 'a text beyond ASCII', HELLO, HELLO.length),
  echoed('6.2.2', 'the same in two fragments', HELLO, FIRST_HALF),
  echoed('6.2.3', 'the same in fragments of a byte', HELLO, 1),
  echoed('6.2.4', 'Greek in fragments of a byte', GREEK, 1),
  failedCase('6.3.1', 'a text with a surrogate', [frame(TEXT, NO_TEXT)], 1007),
  failedCase('6.3.2', 'the same in fragments of a byte', fragments(TEXT, NO_TEXT, 1), 1007),
  early('6.4.1', 'three fragments, of which the second is invalid', IN_FULL, false),
  early('6.4.2', 'the same, the second a single byte that makes the first one invalid', BARELY, false),
  early('6.4.3', 'a frame in three pieces, of which the second is invalid', IN_FULL, true),
  early('6.4.4', 'the same, the second a single byte that makes the first one invalid', BARELY, true),
];

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);
const lonely = (from: number, to: number): string =>
  range(from, to)
    .map((byte) => `${String.fromCharCode(byte)} `)
    .join('');
const CUT_OFF = [
  '\xc0',
  '\xe0\x80',
  '\xf0\x80\x80',
  '\xf8\x80\x80\x80',
  '\xfc\x80\x80\x80\x80',
  '\xdf',
  '\xef\xbf',
  '\xf7\xbf\xbf',
  '\xfb\xbf\xbf\xbf',
  '\xfd\xbf\xbf\xbf\xbf',
];
/** The last two code points of each plane's sixteenths that end in FFFE and FFFF, without forms that are too long. */
const NO_CHARACTERS = ['\xf0', '\xf1', '\xf2', '\xf3', '\xf4'].flatMap((first) =>
  ['\x8f', '\x9f', '\xaf', '\xbf']
    .filter((second) => (first === '\xf4' ? second === '\x8f' : first !== '\xf0' || second !== '\x8f'))
    .flatMap((second) => ['\xbe', '\xbf'].map((last) => `${first}${second}\xbf${last}`)),
);

/** From 6.5 on: what they are, and texts. Which are valid is Unicode's to say, and the decoder of Node's that tells. */
const SEQUENCES: readonly (readonly [what: string, texts: readonly string[]])[] = [
  [
    'valid sequences',
    [
      'hello$world',
      'hello\xc2\xa2world',
      'hello\xe2\x82\xacworld',
      'hello\xf0\xa4\xad\xa2world',
      GREEK.toString('latin1'),
    ],
  ],
  [
    'the beginnings of a valid sequence',
    range(1, GREEK.length + 1).map((end) => GREEK.toString('latin1', 0, end)),
  ],
  ['the first sequence of a length', ['\x00', '\xc2\x80', '\xe0\xa0\x80', '\xf0\x90\x80\x80']],
  ['the first of five and six bytes', ['\xf8\x88\x80\x80\x80', '\xfc\x84\x80\x80\x80\x80']],
  ['the last sequence of a length', ['\x7f', '\xdf\xbf', '\xef\xbf\xbf', '\xf4\x8f\xbf\xbf']],
  ['the last beyond Unicode', ['\xf7\xbf\xbf\xbf', '\xfb\xbf\xbf\xbf\xbf', '\xfd\xbf\xbf\xbf\xbf\xbf']],
  ['boundaries', ['\xed\x9f\xbf', '\xee\x80\x80', '\xef\xbf\xbd', '\xf4\x8f\xbf\xbf', '\xf4\x90\x80\x80']],
  [
    'continuation bytes alone',
    [
      '\x80',
      '\xbf',
      ...range(2, 7).map((count) => '\x80\xbf\x80\xbf\x80\xbf'.slice(0, count)),
      String.fromCharCode(...range(0x80, 0xbf)),
    ],
  ],
  [
    'first bytes alone',
    [lonely(0xc0, 0xdf), lonely(0xe0, 0xef), lonely(0xf0, 0xf7), lonely(0xf8, 0xfb), lonely(0xfc, 0xfd)],
  ],
  ['sequences without their last byte', CUT_OFF],
  ['those behind each other', [CUT_OFF.join('')]],
  ['impossible bytes', ['\xfe', '\xff', '\xfe\xfe\xff\xff']],
  [
    'ASCII in too many bytes',
    ['\xc0\xaf', '\xe0\x80\xaf', '\xf0\x80\x80\xaf', '\xf8\x80\x80\x80\xaf', '\xfc\x80\x80\x80\x80\xaf'],
  ],
  [
    'the last ones in too many bytes',
    ['\xc1\xbf', '\xe0\x9f\xbf', '\xf0\x8f\xbf\xbf', '\xf8\x87\xbf\xbf\xbf', '\xfc\x83\xbf\xbf\xbf\xbf'],
  ],
  [
    'NUL in too many bytes',
    ['\xc0\x80', '\xe0\x80\x80', '\xf0\x80\x80\x80', '\xf8\x80\x80\x80\x80', '\xfc\x80\x80\x80\x80\x80'],
  ],
  [
    'single surrogates',
    [
      '\xed\xa0\x80',
      '\xed\xad\xbf',
      '\xed\xae\x80',
      '\xed\xaf\xbf',
      '\xed\xb0\x80',
      '\xed\xbe\x80',
      '\xed\xbf\xbf',
    ],
  ],
  [
    'surrogates in pairs',
    ['\xed\xa0\x80', '\xed\xad\xbf', '\xed\xae\x80', '\xed\xaf\xbf'].flatMap((high) =>
      ['\xed\xb0\x80', '\xed\xbf\xbf'].map((low) => high + low),
    ),
  ],
  ['code points that are no characters', ['\xef\xbf\xbe', '\xef\xbf\xbf', ...NO_CHARACTERS]],
  ['specials', range(0xb9, 0xc0).map((last) => `\xef\xbf${String.fromCharCode(last)}`)],
];

const decoder = new TextDecoder('utf-8', { fatal: true });
function isValid(text: Buffer): boolean {
  try {
    decoder.decode(text);
    return true;
  } catch {
    return false;
  }
}

const sequences: readonly AutobahnCase[] = SEQUENCES.flatMap(([what, texts], group) =>
  texts.map((each, index) => {
    const text = latin1(each);
    const common = { id: `6.${group + 5}.${index + 1}`, what: `${what}: ${text.toString('hex')}` };
    const send = [frame(TEXT, text)];
    return isValid(text)
      ? { ...common, parts: [{ send, until: 1 }], ...answered(tell('text', text)) }
      : { ...common, parts: [{ send, until: 'end' as const }], ...failed(1007) };
  }),
);

export const textCases: readonly AutobahnCase[] = [...described, ...sequences];
