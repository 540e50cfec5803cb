/** Plots for docs/benchmarks.md, of users who write to random others. */

import { NAMES, SUBJECTS, type SubjectName } from '../lib/subjects.js';
import { bars, lines } from '../lib/svg-chart.js';
import { Figures, frontCpu, p99, ratesOf, serverCpu } from './figures.js';
import type { MessageResults } from './results.js';

const PATTERN = 'random';
/** One for each server, the lighter one for BOSH. */
const COLORS: Readonly<Record<SubjectName, string>> = {
  'own-bosh': '#8fb8d0',
  haproxy: '#7a9e4b',
  'megaphone-bosh': '#f2b98a',
  'own-websocket': '#2a6f97',
  'megaphone-websocket': '#d9641a',
  'prosody-bosh': '#c3a6cf',
  'prosody-websocket': '#7d4f91',
};
const SHORT: Readonly<Record<SubjectName, string>> = {
  'own-bosh': 'own, BOSH',
  haproxy: 'haproxy, BOSH',
  'megaphone-bosh': 'Megaphone, BOSH',
  'own-websocket': 'own, WS',
  'megaphone-websocket': 'Megaphone, WS',
  'prosody-bosh': 'Prosody, BOSH',
  'prosody-websocket': 'Prosody, WS',
};

const at = (results: MessageResults): Figures[] =>
  ratesOf(results).map((rate) => new Figures(results, PATTERN, rate));

export const cpuPlot = (results: MessageResults): string =>
  bars({
    title: `Processor time for a message, ${results.cores.count} cores`,
    unit: 'microseconds, random users to random others',
    parts: [
      { name: 'server', color: '#2a6f97' },
      { name: 'gateway or haproxy', color: '#f4a259' },
    ],
    groups: at(results).map((figures) => ({
      label: `${figures.rate} a second`,
      bars: measured(figures).map((subject) => ({
        label: SHORT[subject],
        values: [serverCpu, frontCpu].map((figure) => figures.median(subject, figure) * 1000),
      })),
    })),
  });

export const latencyPlot = (results: MessageResults): string =>
  lines({
    title: `Latency by load, ${results.cores.count} cores`,
    unit: 'ms from due to delivered, p99, random users to random others',
    xTitle: 'messages a second',
    series: SUBJECTS.map((subject) => ({
      name: NAMES[subject],
      color: COLORS[subject],
      points: at(results)
        .filter((figures) => measured(figures).includes(subject))
        .map((figures): [number, number] => [figures.rate, figures.median(subject, p99)]),
    })),
  });

const measured = (figures: Figures): SubjectName[] =>
  SUBJECTS.filter((subject) => Number.isFinite(figures.median(subject, p99)));
