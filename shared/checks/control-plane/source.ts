import { readFile, stat } from 'node:fs/promises';
import { toError } from '../../errors';
import { quote } from '../../host/quote';
import type { Attempt } from '../check';
import type { CheckContext, HostProbe } from '../context';
import { fill, fillShell, secretValues, valuesFor } from '../placeholders';
import { noDataError } from './no-data-error';
import { printed, ran } from './place';

export interface SourceSpec {
  file?: string | undefined;
  run?: string | undefined;
  secrets: readonly string[];
}

/** A text with the time since it was written, in milliseconds; a command's words are as new as the question. */
export interface Written {
  text: string;
  ageMs: number;
}

/** Where a check reads, with everything of the run filled in. */
export interface PreparedSource {
  target: string;
  reproduce: string;
  secrets: string[];
  /** @throws SafeguardError `control-plane-no-data` when there is nothing to read; and as `HostProbe.run` does */
  read(attempt: Pick<Attempt, 'signal' | 'timeoutMs'>): Promise<Written>;
}

/** Of a file on the runner; a record of Ansible has everything that its tasks printed. In bytes. */
const largestOnRunner = 64 * 1024 * 1024;
/** What the agent hands over of an answer, less the lines about the file. In bytes. */
const largestOnHost = 65_000;
const missing = 66;

/** @throws SafeguardError `secret-missing`, `placeholder-without-value`, `placeholder-unsafe` */
export function prepareSource(spec: SourceSpec, host: HostProbe | null, context: CheckContext): PreparedSource {
  const values = valuesFor(host, context);
  const secrets = secretValues(spec.secrets, context);
  if (spec.run !== undefined) {
    const command = fillShell(spec.run, values);
    return {
      target: command,
      reproduce: command,
      secrets: Object.values(secrets),
      read: async (attempt) => ({ text: await printed(command, host, secrets, attempt), ageMs: 0 }),
    };
  }
  const file = fill(spec.file ?? '', values);
  const now = () => context.clock.now().getTime();
  return {
    target: file,
    reproduce: `ls -l ${quote(file)} && cat ${quote(file)}`,
    secrets: [],
    read: (attempt) => (host === null ? readOnRunner(file, now, attempt) : readOnHost(file, host, attempt)),
  };
}

async function readOnRunner(file: string, now: () => number, { signal }: Pick<Attempt, 'signal'>): Promise<Written> {
  try {
    const facts = await stat(file);
    if (!facts.isFile()) throw noDataError(`${file} on the runner is no file`, 'Correct the path.');
    if (facts.size > largestOnRunner) throw tooLarge(file, facts.size, largestOnRunner);
    return { text: await readFile(file, { encoding: 'utf8', signal }), ageMs: now() - facts.mtimeMs };
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw nothingThere(file, 'on the runner');
    if (code === 'EACCES')
      throw noDataError(`${file} on the runner may not be read`, `See who owns it: ls -l ${quote(file)}.`);
    throw code === undefined
      ? thrown
      : noDataError(`${file} cannot be read: ${toError(thrown).message}`, 'Correct the path.');
  }
}

/** The host compares with its own clock, so that a wrong one on the runner changes nothing. */
async function readOnHost(
  file: string,
  host: HostProbe,
  attempt: Pick<Attempt, 'signal' | 'timeoutMs'>,
): Promise<Written> {
  const word = quote(file);
  const command = `[ -f ${word} ] || exit ${missing}; date +%s && stat -L -c '%Y %s' -- ${word} && head -c ${largestOnHost} -- ${word}`;
  const { code, stdout, stderr } = await ran(command, host, {}, attempt);
  if (code === missing) throw nothingThere(file, `on ${host.host}`);
  const [, now, written, size, text] = /^(\d+)\n(\d+) (\d+)(?:\n|$)([\s\S]*)$/.exec(stdout) ?? [];
  if (code !== 0 || text === undefined) {
    const why = stderr.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
    throw noDataError(
      `${file} on ${host.host} cannot be read: ${why}`,
      'Let the user of the agent read it, or set sudo: true for the host.',
    );
  }
  if (Number(size) > largestOnHost) throw tooLarge(file, Number(size), largestOnHost);
  return { text, ageMs: (Number(now) - Number(written)) * 1000 };
}

function nothingThere(file: string, where: string) {
  return noDataError(
    `there is no file ${file} ${where}`,
    'See whether what writes it has run, and whether the path is right; on the runner, whether an earlier step or a download brought it here.',
  );
}

function tooLarge(file: string, bytes: number, most: number) {
  return noDataError(
    `${file} has ${bytes} bytes, and ${most} are read at most`,
    'Write only the numbers into a file of its own.',
  );
}

/** The JSON document that a text is, or undefined. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
