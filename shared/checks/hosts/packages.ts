import { quote } from '../../host/quote';
import type { Observation } from '../check';
import { unknown } from './ask-host';
import { keeps, type PackageManager, parseBounds } from './package-versions';

/** `present`, `absent`, or bounds such as `>= 15.4 < 16`. */
export type PackageExpectation = string;

export interface InstalledPackages {
  manager: PackageManager;
  /** Version by name; a package that is not installed is not here. */
  versions: ReadonlyMap<string, string>;
}

/** Shell text that prints the manager, and a line a package that is installed. Exits with 127 where there is no manager. */
export function packagesQuestion(names: readonly string[]): string {
  const words = names.map(quote).join(' ');
  return [
    'if command -v dpkg-query >/dev/null; then',
    '  echo dpkg',
    `  dpkg-query -W -f '\${db:Status-Status}\\t\${Package}\\t\${Version}\\n' -- ${words} 2>/dev/null`,
    // 1: some of them are not known, which is an answer.
    '  [ $? -le 1 ]',
    'elif command -v rpm >/dev/null; then',
    '  echo rpm',
    `  for name in ${words}; do`,
    `    rpm -q --qf 'installed\\t%{NAME}\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n' "$name" 2>/dev/null || :`,
    '  done',
    'else',
    '  exit 127',
    'fi',
  ].join('\n');
}

/** @throws SafeguardError when the answer names no manager. */
export function parsePackages(host: string, stdout: string): InstalledPackages {
  const [manager, ...lines] = stdout.split('\n');
  if (manager !== 'dpkg' && manager !== 'rpm') {
    throw unknown(host, 'the package manager gave no list', 'Run: dpkg-query -W, or rpm -qa.');
  }
  const installed = lines.flatMap((line): [string, string][] => {
    const [status, name, version] = line.split('\t');
    return status === 'installed' && name !== undefined && version !== undefined ? [[name, version]] : [];
  });
  return { manager, versions: new Map(installed) };
}

export function judgePackages(
  { manager, versions }: InstalledPackages,
  expected: Readonly<Record<string, PackageExpectation>>,
): Observation {
  const names = Object.keys(expected);
  const wrong = names.filter((name) => !isRight(versions.get(name), expected[name] ?? 'present', manager));
  const described = (name: string) => `${name} ${versions.get(name) ?? 'not installed'}`;
  if (wrong.length === 0) return { verdict: 'pass', found: names.map(described).join(', ') };
  return { verdict: 'fail', found: wrong.map(described).join(', '), remedy: remedyFor(manager, wrong, expected) };
}

function isRight(version: string | undefined, expectation: PackageExpectation, manager: PackageManager): boolean {
  if (expectation === 'absent') return version === undefined;
  if (version === undefined) return false;
  return (parseBounds(expectation) ?? []).every((bound) => keeps(version, bound, manager));
}

function remedyFor(
  manager: PackageManager,
  wrong: readonly string[],
  expected: Readonly<Record<string, PackageExpectation>>,
): string {
  const unwanted = wrong.filter((name) => expected[name] === 'absent');
  const wanted = wrong.filter((name) => expected[name] !== 'absent');
  const tool = manager === 'dpkg' ? 'apt-get' : 'dnf';
  if (wanted.length === 0) return `Run: ${tool} remove ${unwanted.join(' ')}.`;
  const look = manager === 'dpkg' ? 'apt-cache policy' : 'dnf list --showduplicates';
  return `See which versions there are: ${look} ${wanted.join(' ')}; then run: ${tool} install ${wanted.join(' ')}.`;
}
