import type { ActionDefinition } from './action-definition';

/** Table of an action's inputs, in the order of its action.yml. */
export function renderInputs({ inputs }: ActionDefinition): string {
  const rows = Object.entries(inputs).map(([name, input]) => [
    code(name),
    cell(input.description),
    input.required ? 'yes' : 'no',
    input.default ? code(input.default) : '',
  ]);
  return table(['Input', 'What it is', 'Required', 'Default'], rows, 'This action has no inputs.');
}

/** Table of an action's outputs, in the order of its action.yml. */
export function renderOutputs({ outputs }: ActionDefinition): string {
  const rows = Object.entries(outputs).map(([name, output]) => [code(name), cell(output.description)]);
  return table(['Output', 'What it is'], rows, 'This action has no outputs.');
}

/** Table of all actions, each linked to its README. */
export function renderActions(definitions: ReadonlyMap<string, ActionDefinition>): string {
  const rows = [...definitions].map(([name, { description }]) => [
    `[\`${name}\`](actions/${name}/README.md)`,
    cell(description),
  ]);
  return table(['Action', 'What it does'], rows, 'There are no actions yet.');
}

function table(head: string[], rows: string[][], none: string): string {
  if (rows.length === 0) return `\n${none}\n`;
  return ['', line(head), line(head.map(() => '---')), ...rows.map(line), ''].join('\n');
}

function line(cells: string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function cell(text: string): string {
  return text
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ')
    .replaceAll('|', '\\|');
}

function code(text: string): string {
  return `\`${cell(text)}\``;
}
