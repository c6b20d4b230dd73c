import { SafeguardError } from '../errors';

const plainWord = /^[A-Za-z0-9_@%+:,./-]+$/;

/**
 * Writes any text as one word of the POSIX shell, whatever characters it holds. Words that need no quotes stay as they
 * are, so that logs remain readable; an equals sign is quoted, because at the start of a command it would be an
 * assignment.
 *
 * @throws SafeguardError `quote-nul` when the text holds a NUL, which no program argument can carry
 */
export function quote(value: string): string {
  if (value.includes('\0')) {
    throw new SafeguardError(`a NUL character cannot be part of a shell word: ${JSON.stringify(value.slice(0, 80))}`, {
      fault: 'configuration',
      code: 'quote-nul',
      remedy: 'Remove the NUL character from the value.',
    });
  }
  if (plainWord.test(value)) return value;
  return `'${value.replaceAll("'", "'\\''")}'`;
}

/** Shell text that runs one program with exactly these arguments. */
export function command(argv: readonly string[]): string {
  return argv.map(quote).join(' ');
}
