/**
 * Takes the power from workflow commands in text that we did not write, so that a host cannot speak to the runner.
 *
 * The runner (ActionCommand.cs) executes `::name::` at the start of a line, after white space, and `##[name]` anywhere
 * in it. Its comparisons follow the culture and may skip characters that have no width, so those count as white space
 * here; and the break is made with a visible blank, since an invisible one could be skipped too.
 */
export function neutraliseCommands(text: string): string {
  return text
    .split(/(\r\n|\r|\n)/)
    .map((line) => line.replace(startOfCommand, '$1: :').replace(oldCommand, '## ['))
    .join('');
}

const startOfCommand = /^([\s\p{C}\p{DI}]*):[\p{C}\p{DI}]*:/u;
const oldCommand = /#[\p{C}\p{DI}]*#[\p{C}\p{DI}]*\[/gu;
