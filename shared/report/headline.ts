import { explain } from '../transaction/outcome';
import type { Failure, Report } from './report';

/** How a run ended, in one plain sentence that fits what the run was for. Pure. */
export function headline(report: Pick<Report, 'action' | 'outcome' | 'previousVersion' | 'phases'>): string {
  const { action, outcome } = report;
  switch (outcome) {
    case 'deployed':
      if (action === 'rollback') return 'Every host runs the earlier version and passed its health checks.';
      if (action === 'recover') {
        return 'The unfinished deployment was brought to its end: every host runs its version and passed its health checks.';
      }
      break;
    case 'no-op':
      return nothingChanged(report);
    case 'aborted':
      if (action === 'capture-state') return 'The state could not be captured on every host; nothing was deployed.';
      if (action === 'health-check')
        return 'At least one critical health check failed or could not be asked; nothing was changed.';
      break;
    case 'rolled-back':
    case 'rolled-back-unverified':
      // A recovery does not always know what ran before, so only a deployment may say that nothing did.
      if (action === 'deploy' && report.previousVersion === null) {
        return 'This was the first deployment: it was taken down again on every host, and nothing runs.';
      }
      break;
    case 'rollback-failed':
    case 'in-doubt':
      break;
  }
  return explain(outcome);
}

function nothingChanged({ action, phases }: Pick<Report, 'action' | 'phases'>): string {
  if (action === 'capture-state') return 'The state of every host was captured; nothing was deployed.';
  if (action === 'health-check') return 'No critical health check is red; nothing was changed.';
  if (action === 'recover') return 'No deployment was unfinished; nothing was changed.';
  // Only check mode ends well between the preflight and the first host that is opened.
  if (phases.some(({ name }) => name === 'preflight')) {
    return 'Check mode: the plan holds on every host; nothing was changed.';
  }
  return explain('no-op');
}

/** What failed and where, in one line: the log and the annotation have no table beside them. */
export function failureLine({ phase, host, check, message, remedy }: Failure): string {
  const where = [
    `in phase ${phase}`,
    ...(host === undefined || message.includes(host) ? [] : [`on ${host}`]),
    ...(check === undefined ? [] : [`check "${check}"`]),
  ].join(', ');
  const text = `${where.charAt(0).toUpperCase()}${where.slice(1)}: ${asSentence(message)}`;
  return remedy === undefined ? text : `${text} What to do: ${asSentence(remedy)}`;
}

/** Messages of errors mostly have no full stop; two of them in one line would run into each other. */
function asSentence(text: string): string {
  const trimmed = text.trimEnd();
  return /[.!?…]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}
