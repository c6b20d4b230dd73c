import { SafeguardError } from '../shared/errors';

/**
 * Reads what an action wrote to a file such as GITHUB_OUTPUT, GITHUB_STATE or GITHUB_ENV: lines `name=value`, and the
 * form `name<<DELIMITER`, lines, `DELIMITER`. The last value of a name wins, as on a runner.
 * @throws SafeguardError `drill-command-file` for what a runner would refuse
 */
export function parseCommandFile(text: string, file: string): Record<string, string> {
  const values: Record<string, string> = {};
  const lines = text.split(/\r?\n/);
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    if (line === '') continue;
    const equals = line.indexOf('=');
    const heredoc = line.indexOf('<<');
    if (heredoc > 0 && (equals === -1 || heredoc < equals)) {
      const delimiter = line.slice(heredoc + 2);
      const end = lines.indexOf(delimiter, index + 1);
      if (delimiter === '' || end === -1) throw refused(file, `line ${index + 1}: the delimiter is never repeated`);
      values[line.slice(0, heredoc)] = lines.slice(index + 1, end).join('\n');
      index = end;
    } else if (equals > 0) {
      values[line.slice(0, equals)] = line.slice(equals + 1);
    } else {
      throw refused(file, `line ${index + 1} is neither name=value nor name<<DELIMITER`);
    }
  }
  return values;
}

function refused(file: string, problem: string): SafeguardError {
  return new SafeguardError(`The runner cannot read ${file}: ${problem}.`, {
    fault: 'internal',
    code: 'drill-command-file',
  });
}
