/** Two kinds of chart as SVG text: stacked bars in groups, and lines over a logarithmic height. */

const WIDTH = 960;
const HEIGHT = 480;
const LEFT = 76;
const RIGHT = 24;
const TOP = 100;
const BOTTOM = 58;
/** Below the bars, whose labels stand upright. */
const BARS_BOTTOM = 156;
const PLOT_WIDTH = WIDTH - LEFT - RIGHT;

export interface Chart {
  readonly title: string;
  /** What the height says. */
  readonly unit: string;
}

export interface Part {
  readonly name: string;
  readonly color: string;
}

export interface Bars extends Chart {
  /** From the bottom up. */
  readonly parts: readonly Part[];
  readonly groups: readonly {
    readonly label: string;
    readonly bars: readonly {
      readonly label: string;
      /** One for each part. */
      readonly values: readonly number[];
    }[];
  }[];
}

export interface Lines extends Chart {
  readonly xTitle: string;
  readonly series: readonly (Part & { readonly points: readonly (readonly [x: number, y: number])[] })[];
  /** A height to mark. */
  readonly limit?: { readonly y: number; readonly label: string };
}

export function bars({ parts, groups, ...chart }: Bars): string {
  const totals = groups.flatMap((group) => group.bars.map(({ values }) => sum(values)));
  const top = roundUp(Math.max(...totals));
  const floor = HEIGHT - BARS_BOTTOM;
  const y = (value: number) => TOP + (floor - TOP) * (1 - value / top);
  const groupWidth = PLOT_WIDTH / groups.length;
  const drawn = groups.flatMap((group, index) => {
    const left = LEFT + groupWidth * index;
    const step = groupWidth / (group.bars.length + 1);
    const width = Math.min(64, step * 0.7);
    return [
      ...group.bars.flatMap(({ label, values }, bar) => {
        const middle = left + step * (bar + 1);
        let below = 0;
        return [
          ...values.map((value, part) => {
            const from = below;
            below += value;
            const height = y(from) - y(below);
            return `<rect x="${fix(middle - width / 2)}" y="${fix(y(below))}" width="${fix(width)}" height="${fix(height)}" fill="${parts[part]?.color ?? ''}"/>`;
          }),
          text(middle, y(below) - 6, 'middle', significant(below), 'value'),
          upright(middle, floor + 8, label),
        ];
      }),
      text(left + groupWidth / 2, HEIGHT - 14, 'middle', group.label, 'strong'),
    ];
  });
  const ticks = Array.from({ length: 5 }, (_, index) => (top * index) / 4);
  return frame(chart, parts, [...grid(ticks, y), ...drawn]);
}

export function lines({ series, xTitle, limit, ...chart }: Lines): string {
  const points = series.flatMap((one) => one.points);
  const right = roundUp(Math.max(...points.map(([x]) => x)));
  const heights = points.map(([, y]) => y);
  const [low, high] = [
    Math.floor(Math.log10(Math.min(...heights))),
    Math.ceil(Math.log10(Math.max(...heights))),
  ];
  const x = (value: number) => LEFT + (PLOT_WIDTH * value) / right;
  const y = (value: number) =>
    TOP + (HEIGHT - BOTTOM - TOP) * (1 - (Math.log10(value) - low) / (high - low || 1));
  const drawn = series.flatMap(({ color, points: own }) => [
    `<polyline points="${own.map(([px, py]) => `${fix(x(px))},${fix(y(py))}`).join(' ')}" fill="none" stroke="${color}" stroke-width="2"/>`,
    ...own.map(([px, py]) => `<circle cx="${fix(x(px))}" cy="${fix(y(py))}" r="3" fill="${color}"/>`),
  ]);
  const ticks = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
  const xTicks = Array.from({ length: 5 }, (_, index) => (right * index) / 4);
  const marked =
    limit === undefined
      ? []
      : [
          `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${fix(y(limit.y))}" y2="${fix(y(limit.y))}" stroke="#c0392b" stroke-dasharray="5 4"/>`,
          text(LEFT + 6, y(limit.y) - 6, 'start', limit.label),
        ];
  return frame(chart, series, [
    ...grid(ticks, y),
    ...xTicks.map((value) => text(x(value), HEIGHT - BOTTOM + 18, 'middle', significant(value))),
    text(LEFT + PLOT_WIDTH / 2, HEIGHT - BOTTOM + 40, 'middle', xTitle, 'strong'),
    ...marked,
    ...drawn,
  ]);
}

function frame({ title, unit }: Chart, legend: readonly Part[], content: readonly string[]): string {
  let at = LEFT;
  let top = 42;
  const entries = legend.flatMap(({ name, color }) => {
    // Wide enough for the letters of any sans-serif of this size.
    const width = 30 + name.length * 7.3;
    if (at + width > WIDTH - RIGHT) {
      at = LEFT;
      top += 20;
    }
    const x = at;
    at += width;
    return [
      `<rect x="${x}" y="${top}" width="12" height="12" rx="2" fill="${color}"/>`,
      text(x + 18, top + 10, 'start', name),
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    '<style>text{font:12px system-ui,sans-serif;fill:#444}.title{font-size:16px;font-weight:600;fill:#111}.strong{font-weight:600}.value{fill:#111}</style>',
    `<rect width="${WIDTH}" height="${HEIGHT}" rx="6" fill="#fff"/>`,
    text(LEFT, 28, 'start', title, 'title'),
    text(WIDTH - RIGHT, 28, 'end', unit),
    ...entries,
    ...content,
    '</svg>',
    '',
  ].join('\n');
}

const grid = (ticks: readonly number[], y: (value: number) => number): string[] =>
  ticks.flatMap((tick) => [
    `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${fix(y(tick))}" y2="${fix(y(tick))}" stroke="#ddd"/>`,
    text(LEFT - 8, y(tick) + 4, 'end', significant(tick)),
  ]);

function text(x: number, y: number, anchor: string, content: string, name = ''): string {
  const style = name === '' ? '' : ` class="${name}"`;
  return `<text x="${fix(x)}" y="${fix(y)}" text-anchor="${anchor}"${style}>${escapeXml(content)}</text>`;
}

/** Ends at this point, and is read from below. */
function upright(x: number, y: number, content: string): string {
  const turn = `translate(${fix(x + 4)} ${fix(y)}) rotate(-90)`;
  return `<text transform="${turn}" text-anchor="end">${escapeXml(content)}</text>`;
}

const escapeXml = (value: string): string =>
  value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const fix = (value: number): string => String(Math.round(value * 10) / 10);
const significant = (value: number): string => String(Number(value.toPrecision(3)));

/** The next of 1, 2, 4, 6, 8 and 10 times a power of ten: quarters of it are round as well. */
export function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 6, 8].find((step) => step * power >= value) ?? 10) * power;
}
