import { renderBody, renderTitle } from './body';
import { span } from './foreign';
import type { Incident } from './incident';
import type { Delivery } from './sink';
import type { Templates } from './template';

/** Markdown for the job's page after the incident has arrived. */
export function renderDelivered(incident: Incident, { number, url, created, warnings }: Delivery): string {
  const what = created ? 'Opened' : 'Commented on';
  const lines = ['## Incident', '', `${what} [issue #${number}](${url}): ${span(renderTitle(incident), 300)}`];
  if (warnings.length > 0) lines.push('', ...warnings.map((warning) => `- Warning: ${span(warning, 600)}`));
  return `${lines.join('\n')}\n`;
}

/** The whole text of an incident that did not arrive, so that a person can open the issue by hand. */
export function renderUndelivered(incident: Incident, templates: Templates): string {
  const labels = incident.labels.map((label) => span(label, 100)).join(', ');
  const body = renderBody(incident, 'by-hand', templates);
  return [
    '## Incident: not delivered',
    '',
    `Open an issue by hand with the title ${span(renderTitle(incident), 300)}, the labels ${labels || 'of your choice'}, and this text:`,
    '',
    body,
  ].join('\n');
}
