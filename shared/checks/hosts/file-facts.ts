import { quote } from '../../host/quote';
import type { Observation } from '../check';
import { keyValues, unknown } from './ask-host';

/** What a host says about one path, behind any symbolic links. */
export interface FileFacts {
  kind: 'file' | 'directory' | 'other';
  /** Octal, four digits. */
  mode: string;
  user: string;
  group: string;
  bytes: number;
  /** Since its content was written last; negative when that is in the future. */
  ageSeconds: number;
  /** Null where it was not asked for. */
  sha256: string | null;
}

export interface FileExpectation {
  exists: boolean;
  kind: 'file' | 'directory' | null;
  /** `user` or `user:group`. */
  owner: string | null;
  /** Octal, four digits. */
  mode: string | null;
  sha256: string | null;
  minBytes: number | null;
  maxAgeSeconds: number | null;
}

/** Shell text that prints KEY=VALUE lines about a path, or `exists=no`. */
export function fileQuestion(path: string, withSum: boolean): string {
  const word = quote(path);
  return [
    `if facts=$(stat -L -c '%a|%U|%G|%s|%Y|%F' -- ${word} 2>&1); then`,
    '  echo "facts=$facts"; echo "now=$(date +%s)"',
    ...(withSum ? [`  if [ -f ${word} ]; then sum=$(sha256sum <${word}) || exit; echo "sha256=\${sum%% *}"; fi`] : []),
    'else',
    '  case $facts in',
    '    *"No such file"* | *"Not a directory"*) echo exists=no ;;',
    '    *) echo "$facts" >&2; exit 1 ;;',
    '  esac',
    'fi',
  ].join('\n');
}

/** The facts, or null where there is nothing. @throws SafeguardError when the answer lacks one of them. */
export function parseFile(host: string, path: string, stdout: string, withSum: boolean): FileFacts | null {
  const fields = keyValues(stdout);
  if (fields['exists'] === 'no') return null;
  const [mode = '', user = '', group = '', size = '', time = '', kind = ''] = (fields['facts'] ?? '').split('|');
  const [bytes = Number.NaN, written = Number.NaN, now = Number.NaN] = [size, time, fields['now'] ?? ''].map(
    wholeNumber,
  );
  const isFile = kind.startsWith('regular');
  const sha256 = fields['sha256'] ?? null;
  if (!/^[0-7]+$/.test(mode) || Number.isNaN(bytes + written + now) || (withSum && isFile && sha256 === null)) {
    throw unknown(host, `stat does not describe ${path}`, `Run: stat ${quote(path)}.`);
  }
  return {
    kind: isFile ? 'file' : kind === 'directory' ? 'directory' : 'other',
    mode: mode.padStart(4, '0'),
    user,
    group,
    bytes,
    ageSeconds: now - written,
    sha256,
  };
}

export function judgeFile(path: string, facts: FileFacts | null, expected: FileExpectation): Observation {
  if (facts === null) {
    if (!expected.exists) return { verdict: 'pass', found: 'nothing there' };
    return {
      verdict: 'fail',
      found: 'nothing there',
      remedy: `See whether the path is right: ls -la ${quote(parentOf(path))}.`,
    };
  }
  if (!expected.exists) {
    return {
      verdict: 'fail',
      found: `a ${kindOf(facts)} that is there`,
      remedy: `See what wrote it, then remove it: ls -la ${quote(path)}.`,
    };
  }
  const problems = problemsOf(path, facts, expected);
  const [first] = problems;
  if (first === undefined) return { verdict: 'pass', found: described(facts) };
  return { verdict: 'fail', found: problems.map(({ found }) => found).join(', '), remedy: first.remedy };
}

function problemsOf(path: string, facts: FileFacts, expected: FileExpectation): { found: string; remedy: string }[] {
  const word = quote(path);
  const problem = (isWrong: boolean, found: string, remedy: string) => (isWrong ? [{ found, remedy }] : []);
  const { kind, owner, mode, sha256, minBytes, maxAgeSeconds } = expected;
  const ownerOf = owner?.includes(':') ? `${facts.user}:${facts.group}` : facts.user;
  return [
    ...problem(kind !== null && facts.kind !== kind, `a ${kindOf(facts)}`, `See what is there: ls -la ${word}.`),
    ...problem(
      sha256 !== null && facts.sha256 !== sha256,
      `SHA-256 ${facts.sha256 ?? 'of nothing, since it is no file'}`,
      'The content was changed, or comes from another version: compare it with the original and deploy it again.',
    ),
    ...problem(owner !== null && ownerOf !== owner, `owner ${ownerOf}`, `Run: chown ${owner} ${word}.`),
    ...problem(mode !== null && facts.mode !== mode, `mode ${facts.mode}`, `Run: chmod ${mode} ${word}.`),
    ...problem(
      minBytes !== null && facts.bytes < minBytes,
      `${facts.bytes} bytes`,
      'See whether what writes it was cut off.',
    ),
    ...problem(
      maxAgeSeconds !== null && facts.ageSeconds > maxAgeSeconds,
      `written ${age(facts.ageSeconds)} ago`,
      'See why what writes it did not run, such as its timer: systemctl list-timers.',
    ),
  ];
}

function described(facts: FileFacts): string {
  return `a ${kindOf(facts)} of ${facts.user}:${facts.group}, mode ${facts.mode}, ${facts.bytes} bytes, written ${age(facts.ageSeconds)} ago`;
}

function kindOf({ kind }: FileFacts): string {
  return kind === 'other' ? 'special file' : kind;
}

function wholeNumber(text: string): number {
  return /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
}

/** `90 s`, `12 min`, `26.5 h`. */
function age(seconds: number): string {
  if (Math.abs(seconds) < 120) return `${seconds} s`;
  return Math.abs(seconds) < 7200 ? `${Math.floor(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function parentOf(path: string): string {
  return path.replace(/\/+[^/]*\/*$/, '') || '/';
}
