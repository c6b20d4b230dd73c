import * as z from 'zod';
import { rule } from '../../manifest/fields';
import type { Observation, PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { HostProbe } from '../context';
import { commonShape, hostSelection } from '../fields';
import { askHost, unknown } from '../hosts/ask-host';
import { onEachHost } from '../hosts/on-each-host';
import { once } from '../once';

const averages = ['1m', '5m', '15m'] as const;
const bound = z.number().gt(0).max(100_000);

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('load').describe('Looks at the load average, on every chosen host.'),
      ...commonShape,
      ...hostSelection,
      over: z.enum(averages).default('1m').describe('Which of the three averages.'),
      'warn-above': bound
        .optional()
        .describe('Load above which it warns. Default: 2, where no bound is given per core.'),
      'warn-above-per-core': bound.optional().describe('Load divided by the number of cores, above which it warns.'),
      'fail-above-per-core': bound
        .optional()
        .describe('Load divided by the number of cores, above which it fails. Default: it only warns.'),
    })
    .refine(
      (spec) => (spec['fail-above-per-core'] ?? Infinity) >= (spec['warn-above-per-core'] ?? 0),
      rule('fail-above-per-core is not below warn-above-per-core'),
    ),
);
type LoadSpec = z.output<ReturnType<typeof schema>>;

const defaultWarnAbove = 2;

export const loadCheck: CheckType<LoadSpec> = {
  type: 'load',
  category: 'system',
  schema,
  bind: (spec, environment) => onEachHost(spec, environment, (host) => prepare(spec, host)),
};

interface Bounds {
  warn: number;
  warnPerCore: number;
  failPerCore: number;
}

function boundsOf(spec: LoadSpec): Bounds {
  const perCore = spec['warn-above-per-core'];
  return {
    warn: spec['warn-above'] ?? (perCore === undefined ? defaultWarnAbove : Infinity),
    warnPerCore: perCore ?? Infinity,
    failPerCore: spec['fail-above-per-core'] ?? Infinity,
  };
}

function prepare(spec: LoadSpec, host: HostProbe): PreparedCheck {
  const bounds = boundsOf(spec);
  const question = {
    command: 'cat /proc/loadavg && exec nproc',
    program: 'nproc',
    whereFrom: 'Install coreutils on the host.',
  };
  return {
    target: `load average over ${spec.over}`,
    expected: describeBounds(bounds),
    reproduce: 'uptime; nproc; ps -eo pcpu,stat,pid,args --sort=-pcpu | head',
    attempt: async (attempt) =>
      judgeLoad(host.host, (await askHost(host, question, attempt)).stdout, spec.over, bounds),
  };
}

function describeBounds({ warn, warnPerCore, failPerCore }: Bounds): string {
  const perCore = Math.min(warnPerCore, failPerCore);
  return [
    ...(warn === Infinity ? [] : [`a load of at most ${warn}`]),
    ...(perCore === Infinity ? [] : [`a load of at most ${perCore} per core`]),
  ].join(' and ');
}

/** @throws SafeguardError when the answer lacks a number. */
function judgeLoad(host: string, stdout: string, over: LoadSpec['over'], bounds: Bounds): Observation {
  const [line = '', coresText = ''] = stdout.split('\n');
  const load = Number.parseFloat(line.split(' ')[averages.indexOf(over)] ?? '');
  const cores = Number.parseInt(coresText, 10);
  if (!(load >= 0) || !(cores > 0)) {
    throw unknown(host, '/proc/loadavg or nproc gave no number', 'Run: cat /proc/loadavg; nproc.');
  }
  const perCore = load / cores;
  const found = `a load of ${load} on ${cores} ${cores === 1 ? 'core' : 'cores'} (${perCore.toFixed(2)} per core)`;
  const remedy = 'See what runs or waits for the disk: ps -eo pcpu,stat,pid,args --sort=-pcpu | head.';
  if (perCore > bounds.failPerCore) return { verdict: 'fail', found, remedy };
  if (load <= bounds.warn && perCore <= bounds.warnPerCore) return { verdict: 'pass', found };
  if (perCore <= 1) {
    return { verdict: 'warn', found, remedy: `${remedy} For a host of this size, warn-above-per-core may say more.` };
  }
  return { verdict: 'warn', found, remedy };
}
