import type { CheckResult } from './report';
import { redFirst } from './worst-first';

export interface CheckAnnotation {
  title: string;
  message: string;
}

/** GitHub shows ten annotations of a type for a step. */
const most = 10;

/** One annotation for each red check, the worst first; where there are more than ten, the tenth says how many. */
export function checkAnnotations(checks: readonly CheckResult[]): CheckAnnotation[] {
  const red = redFirst(checks);
  if (red.length <= most) return red.map(annotation);
  const shown = red.slice(0, most - 1);
  const left = red.slice(most - 1);
  const names = [...new Set(left.map(({ name }) => name))];
  return [
    ...shown.map(annotation),
    {
      title: `${left.length} more health checks are red`,
      message: `The summary and the report have all of them: ${names.join(', ')}`.slice(0, 1000),
    },
  ];
}

function annotation({ name, host, verdict, message, remedy }: CheckResult): CheckAnnotation {
  const where = host === undefined ? '' : ` on ${host}`;
  return {
    title: `Health check ${verdict === 'fail' ? 'failed' : 'without data'}: ${name}${where}`,
    message: remedy === undefined ? message : `${message}\nWhat to do: ${remedy}`,
  };
}
