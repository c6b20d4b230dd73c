import * as z from 'zod';
import type { Attempt, Observation, PreparedCheck } from '../check';
import { type CheckType, selectHosts } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { commonShape, hostSelection, milliseconds } from '../fields';
import { askHost, probeOf } from '../hosts/ask-host';
import { type ClockReading, clockQuestion, judgeClocks, parseClock, uncertaintyMs } from '../hosts/clocks';
import { once } from '../once';

const schema = once(() =>
  z.strictObject({
    type: z.literal('clock').describe('Compares the clocks of the chosen hosts with each other and with the runner.'),
    ...commonShape,
    ...hostSelection,
    'max-skew': milliseconds('1ms', '1h').default(1000).describe('Most that two clocks may be apart. Default: 1s.'),
    synchronised: z.boolean().default(true).describe('Whether a time service must keep the clock of each host.'),
  }),
);
type ClockSpec = z.output<ReturnType<typeof schema>>;

/** A busy host answers late once; a slow line does so every time. */
const mostReadings = 3;

export const clockCheck: CheckType<ClockSpec> = {
  type: 'clock',
  category: 'system',
  schema,
  bind: (spec, environment) => {
    const names = selectHosts(spec, environment, environment.hosts);
    return { hosts: null, prepare: (_host, context) => prepare(spec, names, context) };
  },
};

function prepare(spec: ClockSpec, names: readonly string[], context: CheckContext): PreparedCheck {
  const { 'max-skew': maxSkewMs, synchronised: mustBeSynchronised } = spec;
  return {
    target: names.join(', '),
    expected: `clocks at most ${maxSkewMs} ms apart${mustBeSynchronised ? ', kept by a time service' : ''}`,
    reproduce: 'timedatectl; date +%s.%N',
    attempt: async (attempt): Promise<Observation> => {
      const readings = await Promise.all(
        names.map((name) => read(probeOf(name, context), maxSkewMs, context, attempt)),
      );
      return judgeClocks(readings, { maxSkewMs, mustBeSynchronised });
    },
  };
}

/** The narrowest of a few readings. */
async function read(
  host: HostProbe,
  maxSkewMs: number,
  context: CheckContext,
  attempt: Attempt,
): Promise<ClockReading> {
  let best: ClockReading | null = null;
  for (let count = 0; count < mostReadings; count += 1) {
    const reading = await readOnce(host, context, attempt);
    if (best === null || uncertaintyMs(reading) < uncertaintyMs(best)) best = reading;
    if (uncertaintyMs(best) <= maxSkewMs / 4) break;
  }
  return best ?? (await readOnce(host, context, attempt));
}

async function readOnce(host: HostProbe, { clock }: CheckContext, attempt: Attempt): Promise<ClockReading> {
  const question = { command: clockQuestion, program: 'date', whereFrom: 'Install coreutils on the host.' };
  const [wall, began] = [clock.now().getTime(), clock.monotonicMs()];
  const { stdout } = await askHost(host, question, attempt);
  return parseClock(host.host, stdout, { askedMs: wall, answeredMs: wall + clock.monotonicMs() - began });
}
