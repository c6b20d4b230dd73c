import { parseArgs } from 'node:util';
import { SafeguardError, toError } from '../shared/errors';

export interface Options {
  help: boolean;
  /** Leave the hosts up after the scenarios, until Ctrl-C. */
  keep: boolean;
  /** Show what the actions print. */
  verbose: boolean;
}

export const usage = `Usage: npm run drill [-- OPTIONS]

Starts two hosts and a GitHub on this machine, in one temporary folder, and plays six deployments on them: good ones, a
bad one, an interrupted one, two at once. Needs Node 20 or newer and a POSIX shell; no root, no network.

Options:
  --keep      leave the hosts up afterwards to play with; Ctrl-C ends them
  --verbose   show everything that the actions print
  --help      show this text

Writes drill-report.html and drill-report.json to the current folder. Exit code: 0 when every scenario ended as
expected, 1 when one did not, 2 when the drill could not be started.
`;

/** @throws SafeguardError `drill-usage` for anything that is not an option */
export function parseOptions(argv: readonly string[]): Options {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: { help: { type: 'boolean' }, keep: { type: 'boolean' }, verbose: { type: 'boolean' } },
    });
    return { help: values.help ?? false, keep: values.keep ?? false, verbose: values.verbose ?? false };
  } catch (thrown) {
    const first = toError(thrown).message.split('. ', 1)[0];
    throw new SafeguardError(`${first}.`, {
      fault: 'configuration',
      code: 'drill-usage',
      remedy: 'The options are --keep, --verbose and --help.',
      cause: thrown,
    });
  }
}
