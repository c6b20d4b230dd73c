export type PackageManager = 'dpkg' | 'rpm';

/** One bound on a version. */
export interface VersionBound {
  operator: '<' | '<=' | '=' | '>=' | '>';
  version: string;
}

const boundsPattern =
  /^(?:(?:<=|>=|<|>|=)\s*[A-Za-z0-9][A-Za-z0-9.+:~^_-]*)(?:[\s,]+(?:<=|>=|<|>|=)\s*[A-Za-z0-9][A-Za-z0-9.+:~^_-]*)*$/;

/** `>= 15.4 < 16`: one or more bounds, all of which have to hold; null when the text is none. */
export function parseBounds(text: string): VersionBound[] | null {
  if (!boundsPattern.test(text.trim())) return null;
  return [...text.matchAll(/(<=|>=|<|>|=)\s*([^\s,<>=]+)/g)].map(([, operator, version = '']) => ({
    operator: operator as VersionBound['operator'],
    version,
  }));
}

/**
 * Whether an installed version keeps a bound, by the rules of its package manager. What the bound leaves out is not
 * compared: without an epoch (`5:`) or without a revision (`-1`), that part of the installed version does not count.
 */
export function keeps(installed: string, { operator, version }: VersionBound, manager: PackageManager): boolean {
  const order = compareVersions(trimmedLike(installed, version), version, manager);
  switch (operator) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '=':
      return order === 0;
    case '>=':
      return order >= 0;
    case '>':
      return order > 0;
  }
}

function trimmedLike(installed: string, bound: string): string {
  const withoutEpoch = bound.includes(':') ? installed : installed.replace(/^\d+:/, '');
  return bound.includes('-') ? withoutEpoch : withoutEpoch.replace(/-[^-]*$/, '');
}

/** Negative, zero or positive: epoch, then upstream version, then revision. Debian Policy 5.6.12; rpmvercmp of RPM. */
export function compareVersions(one: string, other: string, manager: PackageManager): number {
  const [left, right] = [partsOf(one), partsOf(other)];
  if (left.epoch !== right.epoch) return left.epoch - right.epoch;
  const compare = manager === 'dpkg' ? compareDebian : compareRpm;
  return compare(left.upstream, right.upstream) || compare(left.revision, right.revision);
}

function partsOf(version: string): { epoch: number; upstream: string; revision: string } {
  const [, epoch = '0', rest = ''] = /^(?:(\d+):)?(.*)$/.exec(version) ?? [];
  const at = rest.lastIndexOf('-');
  return {
    epoch: Number(epoch),
    upstream: at < 0 ? rest : rest.slice(0, at),
    revision: at < 0 ? '' : rest.slice(at + 1),
  };
}

/** Text and numbers by turns; in text `~` comes before everything, even the end, and letters before the rest. */
function compareDebian(one: string, other: string): number {
  const [left, right] = [turnsOf(one), turnsOf(other)];
  for (let turn = 0; turn < Math.max(left.length, right.length); turn += 1) {
    const [leftText = '', leftNumber = ''] = left[turn] ?? [];
    const [rightText = '', rightNumber = ''] = right[turn] ?? [];
    const order = compareText(leftText, rightText) || compareNumber(leftNumber, rightNumber);
    if (order !== 0) return order;
  }
  return 0;
}

function turnsOf(version: string): [string, string][] {
  return [...version.matchAll(/([^0-9]*)([0-9]*)/g)].map(([, text = '', digits = '']) => [text, digits]);
}

function compareText(one: string, other: string): number {
  for (let index = 0; index < Math.max(one.length, other.length); index += 1) {
    const order = weight(one[index]) - weight(other[index]);
    if (order !== 0) return order;
  }
  return 0;
}

function weight(character: string | undefined): number {
  if (character === undefined) return 0;
  if (character === '~') return -1;
  const code = character.charCodeAt(0);
  return /[A-Za-z]/.test(character) ? code : code + 256;
}

/** As text, since a date and a serial number may have more digits than a number. */
function compareNumber(one: string, other: string): number {
  const [left, right] = [one.replace(/^0+/, ''), other.replace(/^0+/, '')];
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : Number(left > right);
}

/**
 * Runs of digits and runs of letters; everything between only separates. A number is newer than letters, a longer
 * version newer than its beginning; `~` comes before the end, `^` behind it and before everything else.
 */
function compareRpm(one: string, other: string): number {
  const [left, right] = [rpmSegments(one), rpmSegments(other)];
  for (let index = 0; ; index += 1) {
    const [a, b] = [left[index], right[index]];
    if (a === undefined && b === undefined) return 0;
    if (a === b) continue;
    if (a === '~' || b === '~') return a === '~' ? -1 : 1;
    if (a === '^' || b === '^') return rpmCaret(a, b);
    if (a === undefined || b === undefined) return a === undefined ? -1 : 1;
    const [numeric, otherNumeric] = [/^\d/.test(a), /^\d/.test(b)];
    if (numeric !== otherNumeric) return numeric ? 1 : -1;
    const order = numeric ? compareNumber(a, b) : a < b ? -1 : 1;
    if (order !== 0) return order;
  }
}

function rpmCaret(one: string | undefined, other: string | undefined): number {
  if (one === '^') return other === undefined ? 1 : -1;
  return one === undefined ? -1 : 1;
}

function rpmSegments(version: string): string[] {
  return version.match(/\d+|[A-Za-z]+|~|\^/g) ?? [];
}
