import { debug, error, info, warning } from '@actions/core';
import type { Log } from '../ports';
import { neutraliseCommands } from './foreign-text';
import { maskSecrets } from './secrets';

/** GitHub shows ten annotations of a type for a step; the last place is kept for the final failure. */
const annotationsPerType = 9;

/**
 * Progress lines for the runner's log, with secrets masked and foreign workflow commands disarmed. The first nine
 * warnings and errors are annotations too, the rest stay in the log.
 */
export function createLog(): Log {
  return {
    debug: (message) => debug(maskSecrets(message)),
    info: (message) => info(neutraliseCommands(maskSecrets(message))),
    warning: annotator('Warning', warning),
    error: annotator('Error', error),
  };
}

function annotator(label: string, annotate: (message: string) => void): (message: string) => void {
  let used = 0;
  return (message) => {
    used += 1;
    if (used <= annotationsPerType) annotate(maskSecrets(message));
    else info(neutraliseCommands(`${label}: ${maskSecrets(message)}`));
  };
}
