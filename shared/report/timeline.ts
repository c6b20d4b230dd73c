import type { Phase, Report } from './report';

/** More bars than this are no picture any more. */
const mostBars = 80;

/** The phases as a Mermaid Gantt chart, a section per host, or null when there is nothing to draw. */
export function renderTimeline(report: Report): string | null {
  const drawn = report.phases
    .filter((phase) => phase.result !== 'skipped' && Number.isFinite(Date.parse(phase.startedAt)))
    .slice(0, mostBars);
  if (drawn.length === 0) return null;
  const hosts = new Set(drawn.map(sectionOf));
  const lines = ['```mermaid', 'gantt', '  dateFormat x', '  axisFormat %H:%M:%S'];
  for (const host of hosts) {
    lines.push(`  section ${label(host)}`, ...drawn.filter((phase) => sectionOf(phase) === host).map(bar));
  }
  return [...lines, '```'].join('\n');
}

function sectionOf(phase: Phase): string {
  return phase.host ?? 'all hosts';
}

function bar(phase: Phase): string {
  const start = Date.parse(phase.startedAt);
  const end = start + Math.max(1, Math.round(phase.durationSeconds * 1000));
  return `    ${label(phase.name)} :${phase.result === 'failed' ? 'crit' : 'done'}, ${start}, ${end}`;
}

/** Mermaid has no escapes for its own separators. */
function label(text: string): string {
  return (
    text
      .slice(0, 40)
      .replaceAll(/[^A-Za-z0-9 ._-]/g, ' ')
      .trim() || 'unnamed'
  );
}
