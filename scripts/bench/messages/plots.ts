/** Plots for docs/benchmarks.md, of users who write to random others. */

import { NAMES, SUBJECTS, type SubjectName } from '../lib/server.js';
import { bars, lines } from '../lib/svg-chart.js';
import { ejabberdCpu, Figures, frontCpu, p99, ratesOf } from './figures.js';
import type { MessageResults } from './results.js';

const PATTERN = 'random';
const COLORS: Readonly<Record<SubjectName, string>> = {
  own: '#2a6f97',
  haproxy: '#7a9e4b',
  megaphone: '#e07a2f',
};
const SHORT: Readonly<Record<SubjectName, string>> = {
  own: 'own',
  haproxy: 'haproxy',
  megaphone: 'Megaphone',
};

const at = (results: MessageResults): Figures[] =>
  ratesOf(results).map((rate) => new Figures(results, PATTERN, rate));

export const cpuPlot = (results: MessageResults): string =>
  bars({
    title: `Processor time for a message, ${results.cores.count} cores`,
    unit: 'microseconds, random users to random others',
    parts: [
      { name: 'ejabberd', color: COLORS.own },
      { name: 'gateway or haproxy', color: '#f4a259' },
    ],
    groups: at(results).map((figures) => ({
      label: `${figures.rate} a second`,
      bars: SUBJECTS.map((subject) => ({
        label: SHORT[subject],
        values: [ejabberdCpu, frontCpu].map((figure) => figures.median(subject, figure) * 1000),
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
      points: at(results).map((figures): [number, number] => [figures.rate, figures.median(subject, p99)]),
    })),
  });
