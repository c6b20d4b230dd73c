import { SafeguardError } from '../../errors';

/** One row of HAProxy's statistics, by the names of its columns. */
export type StatsRow = Record<string, string>;

/** Columns without which there is nothing to judge. */
const required = ['pxname', 'svname', 'status', 'qcur'];

/**
 * The statistics as HAProxy writes them at `;csv`: a first line of names behind `# `, further lines of values. Versions
 * differ in their columns and in the order of them, so every value is found by its name.
 *
 * @throws SafeguardError `stats-not-data`
 */
export function parseStats(text: string): StatsRow[] {
  const [names = [], ...rows] = text.startsWith('# ') ? parseCsv(text.slice(2)) : [];
  const missing = required.filter((name) => !names.includes(name));
  if (missing.length === 0)
    return rows.map((row) => Object.fromEntries(names.map((name, at) => [name, row[at] ?? ''])));
  throw new SafeguardError('no data: an answer that is not the statistics of HAProxy as CSV', {
    fault: 'configuration',
    code: 'stats-not-data',
    remedy: 'Give the address of the statistics page (stats uri in the configuration of HAProxy); ;csv is added to it.',
  });
}

/** RFC 4180: a value in quotes may hold commas, line ends and doubled quotes. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [, quoted, plain = '', end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ',') continue;
    if (row.length > 1 || row[0] !== '') rows.push(row);
    row = [];
  }
  return rows;
}
