import * as z from 'zod';
import type { Observation, PreparedCheck } from '../check';
import { type CheckType, suiteInvalid } from '../check-type';
import type { HostProbe } from '../context';
import { commonShape, hostSelection } from '../fields';
import { askHost, unknown } from '../hosts/ask-host';
import { gibibytes, percent } from '../hosts/disk-space';
import { onEachHost } from '../hosts/on-each-host';
import { once } from '../once';

const percentage = z.number().gt(0).max(100);

const schema = once(() =>
  z.strictObject({
    type: z.literal('memory').describe('Looks how much memory is in use, on every chosen host.'),
    ...commonShape,
    ...hostSelection,
    'warn-above': percentage.default(80).describe('Per cent in use, above which it warns.'),
    'fail-above': percentage.optional().describe('Per cent in use, above which it fails. Default: it only warns.'),
  }),
);
type MemorySpec = z.output<ReturnType<typeof schema>>;

const bytesPerKibibyte = 1024;

export const memoryCheck: CheckType<MemorySpec> = {
  type: 'memory',
  category: 'system',
  schema,
  bind: (spec, environment) => {
    requireOrder(spec);
    return onEachHost(spec, environment, (host) => prepare(spec, host));
  },
};

function requireOrder({ name, 'warn-above': warnAbove, 'fail-above': failAbove }: MemorySpec): void {
  if (failAbove === undefined || failAbove >= warnAbove) return;
  throw suiteInvalid(
    `Health check "${name}" fails above ${failAbove} % and warns above ${warnAbove} %, which it never gets to.`,
    'Make fail-above the higher one.',
  );
}

function prepare(spec: MemorySpec, host: HostProbe): PreparedCheck {
  const question = {
    command: 'exec cat /proc/meminfo',
    program: '/proc/meminfo',
    whereFrom: 'See whether /proc is mounted on the host.',
  };
  return {
    target: '/proc/meminfo',
    expected: `at most ${spec['fail-above'] ?? spec['warn-above']} % of the memory in use`,
    reproduce: 'free -m; ps -eo rss,pid,args --sort=-rss | head',
    attempt: async (attempt) => judgeMemory(host.host, (await askHost(host, question, attempt)).stdout, spec),
  };
}

/**
 * What is not available to a new program is in use: the kernel's own estimate, caches left out.
 *
 * @throws SafeguardError when the answer lacks the two numbers.
 */
function judgeMemory(host: string, stdout: string, spec: MemorySpec): Observation {
  const kibibytes = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(stdout)?.[1] ?? Number.NaN);
  const total = kibibytes('MemTotal');
  const available = kibibytes('MemAvailable');
  if (!(total > 0) || Number.isNaN(available)) {
    throw unknown(
      host,
      '/proc/meminfo has no MemTotal or no MemAvailable',
      'Its kernel is older than 3.14: remove the check.',
    );
  }
  const used = (100 * (total - available)) / total;
  const found = `${percent(used)} of ${gibibytes(total * bytesPerKibibyte)} in use`;
  const remedy = 'See which programs take it: ps -eo rss,pid,args --sort=-rss | head.';
  if (used > (spec['fail-above'] ?? Infinity)) return { verdict: 'fail', found, remedy };
  return used > spec['warn-above'] ? { verdict: 'warn', found, remedy } : { verdict: 'pass', found };
}
