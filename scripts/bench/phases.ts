import type { Report } from '../../shared/report/report';
import { median } from './results';

/** Median milliseconds of every phase, by its name. */
export function phaseMedians(reports: readonly Report[]): Record<string, number> {
  const names = new Set(reports.flatMap(({ phases }) => phases.map(({ name }) => name)));
  return Object.fromEntries(
    [...names].map((name) => {
      const times = reports.flatMap(({ phases }) => phases.filter((phase) => phase.name === name));
      return [name, Math.round(median(times.map(({ durationSeconds }) => durationSeconds * 1000)))];
    }),
  );
}
