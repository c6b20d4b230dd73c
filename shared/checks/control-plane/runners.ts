import type { Observation } from '../check';
import { counted } from '../words';

/** A self-hosted runner as GitHub lists it. */
export interface Runner {
  name: string;
  /** `online` or `offline`; GitHub notices only after a while that one has gone. */
  status: string;
  labels: readonly { name: string }[];
}

export interface RunnersWanted {
  labels: readonly string[];
  online: number;
  names?: readonly string[] | undefined;
}

/** Labels have no case: https://docs.github.com/en/actions/how-tos/manage-runners/self-hosted-runners/apply-labels */
export function judgeRunners(runners: readonly Runner[], { labels, online, names = [] }: RunnersWanted): Observation {
  const wanted = labels.map((label) => label.toLowerCase());
  const fitting = runners.filter((runner) => {
    const own = runner.labels.map(({ name }) => name.toLowerCase());
    return wanted.every((label) => own.includes(label));
  });
  const up = fitting.filter(({ status }) => status === 'online');
  const down = fitting.filter(({ status }) => status !== 'online');
  const absent = names.filter((name) => !fitting.some((runner) => runner.name === name));
  const asleep = names.filter((name) => down.some((runner) => runner.name === name));
  if (up.length >= online && absent.length + asleep.length === 0) {
    return { verdict: 'pass', found: `${up.length} online: ${up.map(({ name }) => name).join(', ')}` };
  }
  const parts = [
    `${up.length} online`,
    ...(down.length === 0 ? [] : [`offline: ${down.map(({ name }) => name).join(', ')}`]),
    ...(absent.length === 0 ? [] : [`not registered with these labels: ${absent.join(', ')}`]),
    ...(fitting.length === 0 ? [`${counted(runners.length, 'other runner')} without these labels`] : []),
  ];
  return {
    verdict: 'fail',
    found: parts.join('; '),
    remedy:
      down.length > 0
        ? "Start the runner's service on its machine: sudo ./svc.sh status, then sudo ./svc.sh start."
        : 'Register a runner with these labels, or correct the labels: Settings, Actions, Runners.',
  };
}
